// Package corrections has the rules for what is done to certificates after they
// were issued: what of one may be corrected 更正, on which proof and by how many
// people, and how long a change of many at once can be undone. The rules are
// data ([Rules]); what follows from them is pure.
//
// # States of a correction
//
// A correction is asked for by one account and decided by another where the rules
// want a second person. A pair that is not in the table is refused as a conflict.
// The test of this package reads this table.
//
//	state     | approve  | reject   | withdraw  | sign | lapse
//	----------+----------+----------+-----------+------+-------
//	proposed  | approved | rejected | withdrawn | -    | -
//	approved  | -        | -        | -         | done | lapsed
//	rejected  | -        | -        | -         | -    | -
//	withdrawn | -        | -        | -         | -    | -
//	done      | -        | -        | -         | -    | -
//	lapsed    | -        | -        | -         | -    | -
//
// approved says that the new version is being signed; a process that begins goes
// on with it. lapsed says that it could not be signed any more, because the
// certificate had been suspended, cancelled or voided in between.
package corrections

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// Field is what of a certificate can be corrected. There are no others: what is
// not here can only be voided or cancelled and issued anew.
type Field string

// The fields.
const (
	Name     Field = "name"     // 姓名
	Document Field = "document" // 证件类型、证件号码
	Photo    Field = "photo"    // 照片
	Employer Field = "employer" // 工作单位
)

// Fields lists every field.
func Fields() []Field { return []Field{Name, Document, Photo, Employer} }

var fieldWords = map[Field]rulefile.Text{
	Name: {ZH: "姓名", EN: "name"}, Document: {ZH: "证件号码", EN: "document"},
	Photo: {ZH: "照片", EN: "photo"}, Employer: {ZH: "工作单位", EN: "employer"},
}

// Words is the field as people say it; empty for one that does not exist.
func (f Field) Words() rulefile.Text { return fieldWords[f] }

// Rules are the rules of one region from a date on. What is done goes by those
// in force on the day it is proposed.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	// SecondPerson: a correction is approved by an account other than the one
	// that proposed it before it is signed.
	SecondPerson bool `yaml:"second_person" json:"second_person"`
	// Fields are those that may be corrected here, each with the proofs of which
	// one is needed.
	Fields []FieldRule `yaml:"fields" json:"fields"`
	// Proofs are the kinds of proof.
	Proofs []ProofKind `yaml:"proofs" json:"proofs"`
	// Mass is about changes of many certificates at once.
	Mass Mass `yaml:"mass" json:"mass"`
}

// FieldRule says which kinds of proof allow a field to be corrected; one of them
// is enough.
type FieldRule struct {
	Field  Field    `yaml:"field" json:"field"`
	Proofs []string `yaml:"proofs" json:"proofs"`
	Source string   `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string   `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// ProofKind is one kind of proof.
type ProofKind struct {
	Code   string        `yaml:"code" json:"code"`
	Name   rulefile.Text `yaml:"name" json:"name"`
	Source string        `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string        `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Mass says how long a mass suspension, voiding or cancellation can be undone:
// in hours after its last certificate was changed.
type Mass struct {
	UndoHours int    `yaml:"undo_hours" json:"undo_hours"`
	Source    string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample    string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Proof is a document that shows what is right. Reference is its number or title,
// at most ProofLength characters, and nothing personal.
type Proof struct {
	Kind      string `json:"kind"`
	Reference string `json:"reference"`
}

// Limits of the proofs of one correction.
const (
	ProofsMax   = 10
	ProofLength = 100
)

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product: samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	origin := func(what, source, sample string) {
		say((source != "") != (sample != ""), what+" 的 source 与 sample 应且只应有一项", what+" has either a source or a sample, not both")
	}
	say(r.Mass.UndoHours >= 1 && r.Mass.UndoHours <= 720, "mass.undo_hours 应为 1 至 720", "mass.undo_hours is 1 to 720")
	origin("mass", r.Mass.Source, r.Mass.Sample)
	known := map[string]bool{}
	for _, p := range r.Proofs {
		say(p.Code != "" && !known[p.Code], "证明种类代码 "+p.Code+" 为空或重复", "the code of proof "+p.Code+" is empty or twice there")
		say(p.Name.ZH != "" && p.Name.EN != "", "证明种类 "+p.Code+" 的 name 应有 zh 和 en", "proof "+p.Code+" has a name in zh and en")
		origin("证明种类 proof "+p.Code, p.Source, p.Sample)
		known[p.Code] = true
	}
	say(len(r.Fields) > 0, "至少一个可更正项", "there is at least one field")
	for i, f := range r.Fields {
		name := string(f.Field)
		say(slices.Contains(Fields(), f.Field), "没有可更正项 "+name+"，只能是 name、document、photo、employer", "there is no field "+name+"; it is name, document, photo or employer")
		say(!slices.ContainsFunc(r.Fields[:i], func(g FieldRule) bool { return g.Field == f.Field }), "可更正项 "+name+" 重复", "field "+name+" is twice there")
		say(len(f.Proofs) > 0, "可更正项 "+name+" 至少一种证明", "field "+name+" has at least one kind of proof")
		for _, p := range f.Proofs {
			say(known[p], "可更正项 "+name+" 的证明种类 "+p+" 未定义", "proof "+p+" of field "+name+" is not defined")
		}
		origin("可更正项 field "+name, f.Source, f.Sample)
	}
	return out
}

// Check says what is wrong with a request to correct given fields on proofs: a
// field that may not be corrected here, one without a proof that allows it, and
// proofs that are not known or of no use.
func (r Rules) Check(given []Field, proofs []Proof) (bad []fail.Field) {
	wrong := func(name, code, zh, en string) { bad = append(bad, fail.Field{Name: name, Code: code, ZH: zh, EN: en}) }
	if len(proofs) > ProofsMax {
		wrong("proofs", "too_many", fmt.Sprintf("证明材料不超过 %d 项", ProofsMax), fmt.Sprintf("at most %d proofs", ProofsMax))
		return bad
	}
	wanted := map[string]bool{}
	for _, f := range given {
		i := slices.IndexFunc(r.Fields, func(x FieldRule) bool { return x.Field == f })
		if i < 0 {
			wrong(string(f), "not_correctable", "按现行规则（"+r.Name.ZH+"）"+f.Words().ZH+"不得更正", "under the rules in force ("+r.Name.EN+") the "+f.Words().EN+" may not be corrected")
			continue
		}
		found := false
		for _, kind := range r.Fields[i].Proofs {
			wanted[kind] = true
			found = found || slices.ContainsFunc(proofs, func(p Proof) bool { return p.Kind == kind })
		}
		if !found {
			zh, en := r.names(r.Fields[i].Proofs)
			wrong("proofs", "required", "更正"+f.Words().ZH+"须提供下列证明之一："+zh, "to correct the "+f.Words().EN+" one of these proofs is needed: "+en)
		}
	}
	for i, p := range proofs {
		at := fmt.Sprintf("proofs[%d]", i)
		if !wanted[p.Kind] {
			wrong(at+".kind", "unknown", "该证明种类不适用于本次更正", "a proof of this kind does not serve this correction")
		}
		if n := len([]rune(strings.TrimSpace(p.Reference))); n == 0 || n > ProofLength {
			wrong(at+".reference", "length", fmt.Sprintf("请填写证明的文号或名称，不超过 %d 字", ProofLength), fmt.Sprintf("the number or title of the proof, at most %d characters", ProofLength))
		}
	}
	return bad
}

func (r Rules) names(codes []string) (zh, en string) {
	var zhs, ens []string
	for _, p := range r.Proofs {
		if slices.Contains(codes, p.Code) {
			zhs, ens = append(zhs, p.Name.ZH+"（"+p.Code+"）"), append(ens, p.Name.EN+" ("+p.Code+")")
		}
	}
	return strings.Join(zhs, "、"), strings.Join(ens, ", ")
}

// NotCorrectable refuses to change what a certificate is: names are the members
// of the request that try. Error: Invalid not_correctable.
func NotCorrectable(names []string) *fail.Error {
	out := fail.New(fail.Invalid, "not_correctable", "occupation, level, date of issue and institution are never corrected; where they are wrong, the certificate is voided or cancelled and another one issued").
		In("职业、等级、发证日期、评价机构不得更正；确有错误的，应撤销或注销后重新发证")
	for _, name := range names {
		out = out.At(fail.Field{Name: name, Code: "not_correctable", ZH: "不得更正；应撤销或注销后重新发证", EN: "never corrected; void or cancel and issue anew"})
	}
	return out
}
