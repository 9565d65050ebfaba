package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// requestFlags say a claim: in a file, or in flags. Flags count over the file.
type requestFlags struct {
	file     string
	in       registry.ClaimRequest
	fund     string
	received string
	facts    []string
	source   string
	ref      string
	at       string

	subject    string
	from, to   string
	units      int
	course     string
	occupation string
	trade      string
	level      string
	employer   string
	applied    string
	channel    string
	exceptions []string
	gaps       bool
}

func (f *requestFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.gaps, "gaps", false, "列出条文未载明之处 (list what the policy's text leaves open)")
	flags.StringVar(&f.file, "file", "", "申领信息 JSON 文件，“-”为标准输入；命令行上的个人信息他人可见，宜用文件 (request as JSON; keeps personal data off the command line)")
	flags.StringVar(&f.in.Reference, "reference", "", "本机构的申领流水号；锁定时必填 (the payer's own reference)")
	flags.StringVar(&f.in.Policy, "policy", "", "政策编号；不填则按资金类别取本地区现行政策 (id of the policy)")
	flags.StringVar(&f.fund, "fund", "", "资金类别，例如 skill_uplift (kind of fund)")
	flags.StringVar(&f.in.Certificate, "certificate", "", "证书编号 (certificate number)")
	flags.StringVar(&f.in.Name, "name", "", "姓名 (name)")
	flags.StringVar(&f.in.Document, "document", "", "证件号码 (document number)")
	flags.StringVar(&f.in.DocumentKind, "document-kind", "", "证件类型，默认居民身份证 (kind of document)")
	flags.StringVar(&f.received, "received", "", "受理日期，默认今天 (day of receipt)")
	flags.StringArrayVar(&f.facts, "fact", nil, "外部事实 名称=值，可多次，例如 employed=yes insured_months=36 (outside fact)")
	flags.StringVar(&f.source, "fact-source", "", "这些事实由谁提供 (who states them)")
	flags.StringVar(&f.ref, "fact-reference", "", "凭据编号 (where they can be looked up again)")
	flags.StringVar(&f.at, "fact-at", "", "核查日期或时间，默认现在 (when they were looked up)")
	flags.StringVar(&f.subject, "subject", "", "无证书申领的事项：pre_job、work_months、apprentice_year、graduate、advanced_study、training (what a claim without a certificate is for)")
	flags.StringVar(&f.from, "from", "", "该事项的起始日期 (its first day)")
	flags.StringVar(&f.to, "to", "", "该事项的截止日期 (its last day)")
	flags.IntVar(&f.units, "units", 0, "该事项的月数或年数 (its months or years)")
	flags.StringVar(&f.course, "course", "", "该事项的开班编号 (its class)")
	flags.StringVar(&f.occupation, "occupation", "", "该事项的职业编码 (its occupation)")
	flags.StringVar(&f.trade, "trade", "", "该事项的工种 (its trade)")
	flags.StringVar(&f.level, "level", "", "该事项的等级，例如 senior 或 三级 (its level)")
	flags.StringVar(&f.employer, "employer", "", "用人单位的统一社会信用代码 (code of the employer)")
	flags.StringVar(&f.applied, "applied", "", "申请日期，默认同受理日期 (day of application)")
	flags.StringVar(&f.channel, "channel", "", "申领方式：system 系统、file 报盘、manual 手工；默认 system (how it came)")
	flags.StringArrayVar(&f.exceptions, "exception", nil, "例外批准，可多次：rule=规定标识,document=文号,approver=批准单位,on=日期[,reference=凭据编号] (an approved exception)")
}

const requestExample = `
request.json:
  {"reference": "KS-2026-0001", "fund": "skill_uplift", "certificate": "S000032058300253000001",
   "name": "…", "document": "…", "received": "2026-03-20",
   "facts": {"employed": {"value": "yes", "source": "昆山社保", "at": "2026-03-20T02:00:00Z", "reference": "SB-9"}}}

无证书申领的，以 subject 代替 certificate (a claim without a certificate):
  "subject": {"kind": "work_months", "from": "2026-01-01", "to": "2026-03-31", "units": 3}`

// request reads the claim.
func (f *requestFlags) request(w world) (registry.ClaimRequest, error) {
	var out registry.ClaimRequest
	if f.file != "" {
		b, err := readInput(w, f.file, 1<<20)
		if err != nil {
			return out, err
		}
		dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&out); err != nil {
			return out, fail.New(fail.Invalid, "request_json", "the request is not JSON of the right form: %s", jsonFault(err)).
				In("申领信息不是规定格式的 JSON：%s", jsonFault(err))
		}
	}
	for to, value := range map[*string]string{
		&out.Reference: f.in.Reference, &out.Policy: f.in.Policy, &out.Certificate: f.in.Certificate, &out.Name: f.in.Name,
		&out.Document: f.in.Document, &out.DocumentKind: f.in.DocumentKind, (*string)(&out.Fund): f.fund,
	} {
		if value != "" {
			*to = value
		}
	}
	for to, text := range map[*standards.Date]string{&out.Received: f.received, &out.Applied: f.applied, &out.Subject.From: f.from, &out.Subject.To: f.to} {
		if text == "" {
			continue
		}
		day, err := standards.ParseDate(text)
		if err != nil {
			return out, err
		}
		*to = day
	}
	if f.channel != "" {
		out.Channel = policy.Channel(f.channel)
	}
	if err := f.addSubject(&out.Subject); err != nil {
		return out, err
	}
	if err := f.addExceptions(&out); err != nil {
		return out, err
	}
	return out, f.addFacts(w, &out)
}

// addSubject adds the flags that say what a claim without a certificate is for.
func (f *requestFlags) addSubject(out *policy.Subject) error {
	for to, value := range map[*string]string{
		(*string)(&out.Kind): f.subject, &out.Course: f.course, &out.Occupation: f.occupation, &out.Trade: f.trade, &out.Employer: f.employer,
	} {
		if value != "" {
			*to = value
		}
	}
	if f.units != 0 {
		out.Units = f.units
	}
	if f.level == "" {
		return nil
	}
	var err error
	out.Level, err = standards.ParseLevel(f.level)
	return err
}

// addExceptions adds the flags that say what was approved.
func (f *requestFlags) addExceptions(out *registry.ClaimRequest) error {
	for _, text := range f.exceptions {
		var x policy.Exception
		for part := range strings.SplitSeq(text, ",") {
			name, value, ok := strings.Cut(part, "=")
			to, known := map[string]*string{"rule": &x.Rule, "document": &x.Document, "approver": &x.Approver,
				"on": (*string)(&x.On), "reference": &x.Reference}[strings.TrimSpace(name)]
			if !ok || !known {
				return usageError{fmt.Errorf("--exception %q 应为 rule=…,document=…,approver=…,on=… (an exception is written so)", text)}
			}
			*to = strings.TrimSpace(value)
		}
		if x.On != "" {
			day, err := standards.ParseDate(string(x.On))
			if err != nil {
				return err
			}
			x.On = day
		}
		out.Exceptions = append(out.Exceptions, x)
	}
	return nil
}

// jsonFault says where JSON is wrong without showing what stands there.
func jsonFault(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s, byte %d", kind.Field, kind.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	return "not readable"
}

func (f *requestFlags) addFacts(w world, out *registry.ClaimRequest) error {
	if len(f.facts) == 0 {
		if f.source != "" || f.ref != "" || f.at != "" {
			return usageError{errors.New("--fact-source、--fact-reference、--fact-at 须与 --fact 一起用 (they go with --fact)")}
		}
		return nil
	}
	at := w.now().UTC().Truncate(time.Second)
	if f.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, f.at); err != nil {
			day, err := standards.ParseDate(f.at)
			if err != nil {
				return err
			}
			at = day.Time()
		}
	}
	if out.Facts == nil {
		out.Facts = policy.Facts{}
	}
	for _, text := range f.facts {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return usageError{fmt.Errorf("--fact %q 应为 名称=值 (a fact is written name=value)", text)}
		}
		out.Facts[policy.FactKind(strings.TrimSpace(name))] = policy.Fact{Value: strings.TrimSpace(value), Source: f.source, At: at.UTC(), Reference: f.ref}
	}
	return out.Facts.Validate()
}
