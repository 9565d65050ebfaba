package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// NationalColumns are the eleven columns of a report, in their order (上报实务中的
// 11 列表).
var NationalColumns = []string{"姓名", "证件类型", "证件号码", "所在单位", "职业名称", "工种名称", "职业技能等级", "证书编号", "发证日期", "评价机构", "发证机构"}

// NationalFormat is the form of a file.
type NationalFormat string

// The forms.
const (
	NationalXLSX NationalFormat = "xlsx"
	NationalCSV  NationalFormat = "csv"
)

// NationalFile is a file of a report as it was given out.
type NationalFile struct {
	Name   string // 2026-00012.xlsx
	SHA256 string // of Bytes, hexadecimal
	Bytes  []byte
}

// nationalCells is one row of the file; ok is false when the rules have no code for
// the holder's document, or the level no digit.
func nationalCells(rules uploads.Rules, c Certificate, p Paper) (cells []string, ok bool) {
	code, digit := rules.Document(p.Document.Kind), levelDigit(c.Level)
	if code == "" || digit == 0 {
		return nil, false
	}
	return []string{p.Name, code, p.Document.Number, cmp.Or(p.Employer, rules.Employer), c.OccupationName, cmp.Or(c.TradeName, standards.NoTrade),
		string(digit), c.Number, string(c.Issued), c.InstitutionName, cmp.Or(c.IssuerName, c.InstitutionName)}, true
}

func nationalTable(rows [][]string) sheet.Table {
	return sheet.Table{Name: "上报数据", Header: NationalColumns, Rows: slices.Values(rows)}
}

// contentSum is the SHA-256 of the rows as a CSV file: what a report says, whatever
// form it is written in.
func contentSum(rows [][]string) (string, error) {
	h := sha256.New()
	if err := sheet.WriteCSV(h, nationalTable(rows)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func writeNational(w io.Writer, format NationalFormat, t sheet.Table) error {
	if format == NationalXLSX {
		return sheet.WriteXLSX(w, t)
	}
	return sheet.WriteCSV(w, t)
}

func (f NationalFormat) check() error {
	if f != NationalXLSX && f != NationalCSV {
		return fail.New(fail.Invalid, "format", "the file is made as xlsx or csv").In("文件格式应为 xlsx 或 csv").
			At(fail.Field{Name: "format", Code: "unknown", ZH: "应为 xlsx 或 csv", EN: "xlsx or csv"})
	}
	return nil
}

// NationalFileOf gives out the file of a report, with full names and document
// numbers: it is for the national exchange and nobody else. It is made from the
// snapshot each time and kept nowhere; equal calls give equal bytes. Every call is
// an event that names the report, its rows and the SHA-256 of the file. Conflict
// national_withdrawn: the report is not one any more.
func (r *Registry) NationalFileOf(ctx context.Context, by Actor, id string, format NationalFormat) (NationalFile, error) {
	if err := format.check(); err != nil {
		return NationalFile{}, err
	}
	var out NationalFile
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = NationalFile{}
		u, err := nationalFor(tx, by, ReportNationally, id)
		if err != nil {
			return err
		}
		if u.State == uploads.Withdrawn {
			return fail.New(fail.Conflict, "national_withdrawn", "report %s was withdrawn; make another", u.Number).In("上报 %s 已撤回，请重新生成", u.Number)
		}
		rows, err := r.nationalRowsOf(tx, u)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := writeNational(&b, format, nationalTable(rows)); err != nil {
			return err
		}
		sum := sha256.Sum256(b.Bytes())
		file := NationalFile{Name: u.Number + "." + string(format), SHA256: hex.EncodeToString(sum[:]), Bytes: b.Bytes()}
		if _, err := r.appendEvent(tx, by, Event{Kind: NationalFileTaken, Object: u.ID, Institution: u.Institution,
			Detail: map[string]any{"batch": u.Batch, "rows": u.Rows, "format": format, "sha256": file.SHA256}}); err != nil {
			return err
		}
		out = file
		return nil
	})
	if err != nil {
		return NationalFile{}, fmt.Errorf("file of report %s: %w", id, err)
	}
	return out, nil
}

// nationalRowsOf makes the rows of a report again, and holds them against what it
// was: a snapshot never changes.
func (r *Registry) nationalRowsOf(rd kv.Reader, u NationalUpload) ([][]string, error) {
	file, err := need(rd, nationalFiles, kv.Key(u.ID), "report", "上报", u.ID)
	if err != nil {
		return nil, err
	}
	rules, ok := r.cfg.Rules.National.ByID(u.Rules)
	if !ok {
		return nil, fail.New(fail.Conflict, "national_rules_missing", "report %s was made by the rule file %s, which is not there any more", u.Number, u.Rules).
			In("上报 %s 所依据的规则文件 %s 已不存在", u.Number, u.Rules)
	}
	cs, err := certificatesOf(rd, file.Rows)
	if err != nil {
		return nil, err
	}
	papers, err := r.papersAt(rd, file.Rows)
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(cs))
	for i, c := range cs {
		rows[i], _ = nationalCells(rules, c, papers[i])
	}
	sum, err := contentSum(rows)
	if err != nil {
		return nil, err
	}
	if sum != u.Content {
		return nil, fail.New(fail.Conflict, "national_snapshot", "report %s cannot be made again as it was: its rule file %s has changed; make another report", u.Number, u.Rules).
			In("上报 %s 无法按原样重新生成：规则文件 %s 已改动；请另行生成上报文件", u.Number, u.Rules)
	}
	return rows, nil
}

func certificatesOf(rd kv.Reader, refs []nationalRef) ([]Certificate, error) {
	keys := make([][]byte, len(refs))
	for i, ref := range refs {
		keys[i] = kv.Key(ref.Number)
	}
	cs, ok, err := certificates.GetMany(rd, keys)
	if i := slices.Index(ok, false); err == nil && i >= 0 {
		err = notFound("certificate", "证书", refs[i].Number)
	}
	return cs, err
}

// NationalSummary is the summary of a report 汇总表（表5） as a file: counts by
// occupation, trade and level, and what the file is. It has no personal data.
func (r *Registry) NationalSummary(ctx context.Context, by Actor, id string, format NationalFormat) (out NationalFile, err error) {
	if err := format.check(); err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		u, err := nationalFor(rd, by, ReadNational, id)
		if err != nil {
			return err
		}
		inst, err := institutionByID(rd, u.Institution)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := writeNational(&b, format, u.summary(inst.Name)); err != nil {
			return err
		}
		sum := sha256.Sum256(b.Bytes())
		out = NationalFile{Name: u.Number + "-summary." + string(format), SHA256: hex.EncodeToString(sum[:]), Bytes: b.Bytes()}
		return nil
	})
	return out, err
}

func (u NationalUpload) summary(institution string) sheet.Table {
	head := []string{"批次号", "数据类型", "评价机构", "生成日期", "职业编码", "职业名称", "工种名称", "职业技能等级", "证书数"}
	line := func(cells ...string) []string {
		return append([]string{u.Number, u.TypeName.ZH, institution, string(standards.DateOf(u.Made))}, cells...)
	}
	var rows [][]string
	for _, c := range u.Counts {
		rows = append(rows, line(c.Occupation, c.OccupationName, c.TradeName, c.Level.Certificate(), strconv.Itoa(c.Certificates)))
	}
	rows = append(rows, line("", "合计", "", "", strconv.Itoa(u.Rows)), line("", "数据 SHA-256", u.Content, "", ""))
	return sheet.Table{Name: "汇总表", Title: "上报汇总表", Header: head, Rows: slices.Values(rows)}
}

// NationalRowView is one row of a report, without personal data but for the reason
// that the national system gave, which only those who may report are shown.
type NationalRowView struct {
	Row      int    `json:"row"` // from 1
	Number   string `json:"number"`
	Version  int    `json:"version"`
	Returned bool   `json:"returned,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// NationalUploadRows lists the rows of a report; there are at most
// uploads.MaxRows.
func (r *Registry) NationalUploadRows(ctx context.Context, by Actor, id string) (out []NationalRowView, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = []NationalRowView{}
		u, err := nationalFor(rd, by, ReadNational, id)
		if err != nil {
			return err
		}
		file, err := need(rd, nationalFiles, kv.Key(u.ID), "report", "上报", u.ID)
		if err != nil {
			return err
		}
		reasons := map[int]string{}
		if may(by, ReportNationally, Object{Institution: u.Institution, Region: u.Region}) == nil {
			if _, err := r.vault.open(rd, sealedReceipt(u.ID), &reasons); err != nil {
				return err
			}
		}
		for i, ref := range file.Rows {
			out = append(out, NationalRowView{Row: i + 1, Number: ref.Number, Version: ref.Version, Returned: ref.Returned, Reason: reasons[i]})
		}
		return nil
	})
	return out, err
}
