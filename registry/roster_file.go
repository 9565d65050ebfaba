package registry

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

// RosterColumns are the columns of a roster file. The first name of each is the
// one templates use. Periods of work are written 2015-03-01~2018-05-31 and
// separated by ；, the last day left out while it goes on. One row has one
// earlier certificate, title and diploma; who has more is entered as JSON.
var RosterColumns = []sheet.Column{
	{Name: "姓名", Also: []string{"name"}, Required: true},
	{Name: "证件类型", Also: []string{"document_kind"}},
	{Name: "证件号码", Also: []string{"身份证号", "身份证号码", "document"}, Required: true},
	{Name: "出生日期", Also: []string{"birth"}},
	{Name: "单位代码", Also: []string{"统一社会信用代码", "employer"}},
	{Name: "人员类别", Also: []string{"group"}},
	{Name: "申报依据", Also: []string{"basis"}},
	{Name: "申报依据文号", Also: []string{"basis_document"}},
	{Name: "申报批准单位", Also: []string{"basis_approver"}},
	{Name: "申报批准日期", Also: []string{"basis_date"}},
	{Name: "取得方式依据", Also: []string{"mode_basis"}},
	{Name: "拟从事", Also: []string{"intention"}},
	{Name: "工作起止", Also: []string{"从业起止", "work"}},
	{Name: "工作证明", Also: []string{"work_proof"}},
	{Name: "原证书等级", Also: []string{"certificate_level"}},
	{Name: "原证书编号", Also: []string{"certificate_number"}},
	{Name: "原证书日期", Also: []string{"certificate_issued"}},
	{Name: "职称", Also: []string{"title"}},
	{Name: "职称日期", Also: []string{"title_issued"}},
	{Name: "毕业院校类别", Also: []string{"school"}},
	{Name: "班级类别", Also: []string{"class"}},
	{Name: "毕业日期", Also: []string{"graduated"}},
	{Name: "预计毕业日期", Also: []string{"expected"}},
	{Name: "专业", Also: []string{"field"}},
	{Name: "经评估论证", Also: []string{"evaluated"}},
}

// rosterWords are what roster files write for what the records call otherwise.
var rosterWords = struct {
	proofs  map[string]eligibility.WorkProof
	titles  map[string]eligibility.Rank
	schools map[string]eligibility.School
	classes map[string]eligibility.Class
	fields  map[string]eligibility.Field
	bases   map[string]eligibility.BasisKind
}{
	map[string]eligibility.WorkProof{"": eligibility.Insurance, "社保缴纳记录": eligibility.Insurance, "社保": eligibility.Insurance, "承诺书": eligibility.Commitment, "劳动合同": eligibility.Contract},
	map[string]eligibility.Rank{"初级": eligibility.JuniorTitle, "初级职称": eligibility.JuniorTitle, "中级": eligibility.MidTitle, "中级职称": eligibility.MidTitle,
		"高级": eligibility.SeniorTitle, "高级职称": eligibility.SeniorTitle},
	map[string]eligibility.School{"技工学校": eligibility.TechnicalSchool, "高级技工学校": eligibility.SeniorTechnicalSchool, "技师学院": eligibility.TechnicianCollege,
		"中等职业学校": eligibility.SecondaryVocational, "高等职业学校": eligibility.HigherVocational, "专科": eligibility.JuniorCollege, "本科": eligibility.University},
	map[string]eligibility.Class{"": "", "中级工班": eligibility.IntermediateClass, "高级工班": eligibility.SeniorClass, "预备技师班": eligibility.PreTechnicianClass, "技师班": eligibility.TechnicianClass},
	map[string]eligibility.Field{"本专业": eligibility.OwnField, "相关专业": eligibility.RelatedField, "其他专业": eligibility.OtherField},
	map[string]eligibility.BasisKind{"": eligibility.Normal, "正常": eligibility.Normal, "破格": eligibility.Exceptional, "越级": eligibility.LevelSkipping},
}

// ReadRoster reads a roster file (CSV). occupation is the session's, which the
// evidence is taken to be about. Invalid roster_file: cells with mistakes, each
// with row, column and what would be right.
func ReadRoster(file io.Reader, occupation string) ([]RosterRow, error) {
	data, err := readLimited(file, ResultsMaxBytes)
	if err != nil {
		return nil, err
	}
	table, err := sheet.Read(bytes.NewReader(data), sheet.Limits{Bytes: ResultsMaxBytes, Rows: RosterMaxRows, Columns: 64, Cell: 2000})
	if err != nil {
		return nil, err
	}
	if table, err = table.Select(RosterColumns); err != nil {
		return nil, err
	}
	var out []RosterRow
	p := rosterReader{occupation: occupation}
	for _, row := range table.Rows {
		out = append(out, p.read(row))
	}
	if len(p.bad) > 0 {
		return nil, fail.New(fail.Invalid, "roster_file", "%d of %d rows have mistakes; nothing was stored", countRows(p.bad), len(out)).
			In("共 %d 行，其中 %d 行有误；本次未保存任何数据", len(out), countRows(p.bad)).At(p.bad...)
	}
	return out, nil
}

type rosterReader struct {
	occupation string
	row        sheet.Row
	bad        []fail.Field
}

func (p *rosterReader) say(column, code, zh, en string) {
	p.bad = append(p.bad, fail.Field{Name: column, Row: p.row.Number, Code: code, ZH: zh, EN: en})
}

func (p *rosterReader) date(column string) standards.Date {
	return p.dateText(column, p.row.Get(column))
}

func (p *rosterReader) dateText(column, text string) standards.Date {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	d, err := standards.ParseDate(text)
	if err != nil {
		e := fail.Of(err)
		p.say(column, e.Code, e.ZH, e.Text)
	}
	return d
}

// word reads a cell that must be one of a few words.
func word[T any](p *rosterReader, column string, words map[string]T) T {
	text := p.row.Get(column)
	v, ok := words[text]
	if !ok {
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(words)), func(w string) bool { return w == "" })
		p.say(column, "unknown", "应为“"+strings.Join(known, "”“")+"”之一", "one of "+strings.Join(known, ", "))
	}
	return v
}

func (p *rosterReader) read(row sheet.Row) RosterRow {
	p.row = row
	out := RosterRow{Row: row.Number, Name: row.Get("姓名"), DocumentKind: row.Get("证件类型"), Document: row.Get("证件号码"),
		Employer: row.Get("单位代码"), Group: row.Get("人员类别"), ModeBasis: row.Get("取得方式依据")}
	out.Basis = eligibility.Basis{Kind: word(p, "申报依据", rosterWords.bases), Document: row.Get("申报依据文号"), Approver: row.Get("申报批准单位"), Date: p.date("申报批准日期")}
	r := &out.Record
	r.Birth = p.date("出生日期")
	if d := p.date("拟从事"); d != "" {
		r.Intention = &eligibility.Intention{Declared: d, Evidence: "拟从事声明"}
	}
	p.work(r)
	if row.Get("原证书编号") != "" || row.Get("原证书等级") != "" {
		level, err := standards.ParseLevel(row.Get("原证书等级"))
		if err != nil {
			e := fail.Of(err)
			p.say("原证书等级", e.Code, e.ZH, e.Text)
		}
		r.Certificates = append(r.Certificates, eligibility.Certificate{Level: level, Occupation: p.occupation, Kind: certificateKind(row.Get("原证书编号")),
			Issued: p.date("原证书日期"), Evidence: row.Get("原证书编号")})
	}
	if row.Get("职称") != "" {
		r.Titles = append(r.Titles, eligibility.Title{Rank: word(p, "职称", rosterWords.titles), Issued: p.date("职称日期"), Field: p.field(), Evidence: "职称证书"})
	}
	if row.Get("毕业院校类别") != "" {
		evaluated := row.Get("经评估论证")
		r.Diplomas = append(r.Diplomas, eligibility.Diploma{School: word(p, "毕业院校类别", rosterWords.schools), Class: word(p, "班级类别", rosterWords.classes), Field: p.field(),
			Graduated: p.date("毕业日期"), Expected: p.date("预计毕业日期"), Evaluated: evaluated == "是" || evaluated == "yes", Evidence: "毕业证书"})
	}
	return out
}

func (p *rosterReader) field() eligibility.Field { return word(p, "专业", rosterWords.fields) }

// certificateKind tells a 职业资格证书 from a 等级证书 by its number.
func certificateKind(number string) eligibility.CertificateKind {
	if n, err := standards.ParseNumber(number); err == nil && n.Kind == standards.Qualification {
		return eligibility.Qualification
	}
	return eligibility.SkillLevel
}

func (p *rosterReader) work(r *eligibility.Record) {
	for _, period := range strings.FieldsFunc(p.row.Get("工作起止"), func(c rune) bool { return c == ';' || c == '；' || c == '\n' }) {
		from, until, ok := strings.Cut(strings.NewReplacer("～", "~", "至", "~", "—", "~").Replace(period), "~")
		if !ok {
			p.say("工作起止", "period", "应写作 2015-03-01~2018-05-31，仍在岗的写 2015-03-01~", "write 2015-03-01~2018-05-31, or 2015-03-01~ while it goes on")
			continue
		}
		if strings.TrimSpace(until) == "今" {
			until = ""
		}
		r.Work = append(r.Work, eligibility.Work{From: p.dateText("工作起止", from), Until: p.dateText("工作起止", until), Occupation: p.occupation,
			Kind: word(p, "工作证明", rosterWords.proofs), Evidence: "工作证明"})
	}
}
