package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Limits of one file of claims to be checked.
const (
	ClaimBatchMaxBytes = 16 << 20
	ClaimBatchMaxRows  = 10_000
	claimBatchCell     = 500 // characters of a cell
	claimBatchLine     = 64 << 10
	claimBatchColumns  = 60
	claimBatchFaults   = 1000
)

// ClaimBatchAsk says how the rows of a file are decided where they do not say it
// themselves. It stays the same for the whole of a run.
type ClaimBatchAsk struct {
	Policy   string         `json:"policy,omitempty"` // as in ClaimRequest, for every row
	Fund     policy.Fund    `json:"fund,omitempty"`
	Received standards.Date `json:"received,omitempty"` // 受理日期; the day on which the run began when empty
	// Source, At and Reference are those of facts whose row has none.
	Source    string    `json:"source,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Reference string    `json:"reference,omitempty"`
}

// ClaimBatchFormat is the form of a file.
type ClaimBatchFormat string

// The forms. They are told apart by their content.
const (
	ClaimBatchCSV   ClaimBatchFormat = "csv"
	ClaimBatchXLSX  ClaimBatchFormat = "xlsx"
	ClaimBatchLines ClaimBatchFormat = "jsonl" // one JSON object a line
)

// batchFile is a file that was read: every row of it, right or wrong.
type batchFile struct {
	format ClaimBatchFormat
	sum    string // SHA-256 of the file, hexadecimal
	rows   []batchRow
}

// batchRow is one row of a file. A row with problems is not decided.
type batchRow struct {
	number      int    // as a spreadsheet counts; of JSON lines the line
	reference   string // to be shown again; empty when it may hold something personal
	certificate string // the same
	query       claimQuery
	problems    []fail.Field
	// earlier is the row before it with the same reference, twin the first one
	// with the same certificate; 0 for none.
	earlier, twin int
}

// claimBatchColumnsKnown are the columns that are no facts.
var claimBatchColumnsKnown = []sheet.Column{
	{Name: "reference", Also: []string{"流水号", "申领流水号", "业务流水号"}},
	{Name: "certificate", Also: []string{"证书编号", "证书号", "证书号码", "certificate_number"}, Required: true},
	{Name: "certificate_kind", Also: []string{"证书种类", "证书类型", "证书类别"}},
	{Name: "document_kind", Also: []string{"证件类型"}},
	{Name: "document", Also: []string{"证件号码", "身份证号", "身份证号码", "document_number"}, Required: true},
	{Name: "name", Also: []string{"姓名", "申领人", "申请人"}, Required: true},
	{Name: "received", Also: []string{"受理日期", "受理时间"}},
	{Name: "applied", Also: []string{"申请日期", "申请时间"}},
	{Name: "source", Also: []string{"来源", "事实来源", "提供单位", "fact_source"}},
	{Name: "at", Also: []string{"核查时间", "核查日期", "fact_at"}},
	{Name: "fact_reference", Also: []string{"凭据编号", "凭据号"}},
}

// batchFacts are the facts with what payers' files call them. Any other kind that
// policies know is a column by its code.
var batchFacts = map[policy.FactKind][]string{
	policy.Employed: {"在职", "企业在职", "企业在职职工"}, policy.Insured: {"参保", "是否参保"}, policy.InsuredMonths: {"参保月数"},
	policy.PensionEligible: {"养老金资格"}, policy.PolicyInForce: nil, policy.ScarceListed: {"紧缺", "列入紧缺目录"},
	policy.RightRestored: nil, policy.NationallyQueryable: {"全国可查", "全国联网可查"},
}

// claimColumns are all columns that can be named without knowing the file.
var claimColumns = sync.OnceValue(func() []sheet.Column {
	out := slices.Clone(claimBatchColumnsKnown)
	for _, kind := range sortedFacts() {
		out = append(out, sheet.Column{Name: string(kind), Also: append([]string{kind.Name().ZH}, batchFacts[kind]...)})
	}
	return out
})

func sortedFacts() []policy.FactKind {
	var out []policy.FactKind
	for kind := range batchFacts {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

// factByCode reads a header that is the code of a fact, also one with the date at
// which it is to hold: insured@issue_month.
func factByCode(header string) (policy.FactKind, bool) {
	code := strings.ToLower(strings.TrimSpace(header))
	base, _, _ := strings.Cut(code, "@")
	return policy.FactKind(code), policy.FactKind(base).Known()
}

// columnsFor are the known columns and those facts that headers name by code.
func columnsFor(headers []string) []sheet.Column {
	out := claimColumns()
	for _, h := range headers {
		kind, ok := factByCode(h)
		if _, listed := batchFacts[kind]; ok && !listed && !slices.ContainsFunc(out, func(c sheet.Column) bool { return c.Name == string(kind) }) {
			out = append(slices.Clip(out), sheet.Column{Name: string(kind), Also: []string{h}})
		}
	}
	return out
}

// readClaimBatch reads a file of claims: CSV or a workbook, or one JSON object a
// line. A file that cannot be read as a table is an error that says where; a row
// that has mistakes is a row with problems. It is pure.
func readClaimBatch(data []byte, ask ClaimBatchAsk) (batchFile, error) {
	sum := sha256.Sum256(data)
	out := batchFile{format: formatOf(data), sum: hex.EncodeToString(sum[:])}
	var rows []batchCells
	var err error
	if out.format == ClaimBatchLines {
		rows, err = batchLines(data)
	} else {
		rows, err = batchTable(data)
	}
	if err != nil {
		return out, err
	}
	if len(rows) == 0 {
		return out, fail.New(fail.Invalid, "batch_empty", "the file has no rows").In("文件没有数据行")
	}
	out.rows = make([]batchRow, len(rows))
	parallel(len(rows), func(i int) { out.rows[i] = rows[i].row(ask) })
	out.findTwins()
	return out, nil
}

func formatOf(data []byte) ClaimBatchFormat {
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return ClaimBatchXLSX
	case bytes.HasPrefix(text, []byte("{")):
		return ClaimBatchLines
	}
	return ClaimBatchCSV
}

// findTwins notes which rows repeat an earlier one's reference or certificate.
func (f *batchFile) findTwins() {
	references, numbers := map[string]int{}, map[string]int{}
	for i := range f.rows {
		row := &f.rows[i]
		if ref := row.query.reference; ref != "" {
			if first, twice := references[ref]; twice {
				row.earlier = first
				row.problems = append(row.problems, fail.Field{Name: "reference", Row: row.number, Code: "reference_repeated",
					ZH: fmt.Sprintf("流水号与第 %d 行相同，请更换后重新提交", first), EN: fmt.Sprintf("row %d has the same reference; use another", first)})
			} else {
				references[ref] = row.number
			}
		}
		if n := row.query.number; n.Text != "" {
			key := string(n.Kind) + ":" + n.Text
			if first, twice := numbers[key]; twice {
				row.twin = first
			} else {
				numbers[key] = row.number
			}
		}
	}
}

// batchCells is a row as texts by the names of columns; facts stand among them by
// their code.
type batchCells struct {
	number int
	texts  map[string]string
	facts  policy.Facts    // written out one by one, in JSON alone
	more   json.RawMessage // other members of a ClaimRequest, in JSON alone
	wrong  []fail.Field
}

func batchTable(data []byte) ([]batchCells, error) {
	s, err := sheet.Read(bytes.NewReader(data), sheet.Limits{Bytes: ClaimBatchMaxBytes, Rows: ClaimBatchMaxRows, Columns: claimBatchColumns, Cell: claimBatchCell})
	if err != nil {
		return nil, withoutCells(err)
	}
	columns := columnsFor(s.Header)
	if s, err = s.Select(columns); err != nil {
		return nil, withoutCells(err)
	}
	out := make([]batchCells, len(s.Rows))
	for i, row := range s.Rows {
		texts := make(map[string]string, len(s.Header))
		for _, c := range columns {
			if text := row.Get(c.Name); text != "" {
				texts[c.Name] = text
			}
		}
		out[i] = batchCells{number: row.Number, texts: texts}
	}
	return out, nil
}

// withoutCells keeps an error about a header from quoting one that is no header but
// somebody's row.
func withoutCells(err error) error {
	e := fail.Of(err)
	personal := holdsIdentity(e.Text) || holdsIdentity(e.ZH)
	for _, f := range e.Fields {
		personal = personal || holdsIdentity(f.Name) || holdsIdentity(f.ZH) || holdsIdentity(f.EN)
	}
	if !personal {
		return err
	}
	return fail.New(fail.Invalid, "batch_header", "the first row must name the columns: reference, certificate, document, name, …; it holds an identity number").
		In("第一行应为列名（流水号、证书编号、证件号码、姓名等），现含有身份证号码")
}

// row makes the request of a row and reads it.
func (c batchCells) row(ask ClaimBatchAsk) batchRow {
	out := batchRow{number: c.number, problems: c.wrong}
	wrong := func(field string, err error) {
		e := fail.Of(err)
		out.problems = append(out.problems, fail.Field{Name: field, Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	var q ClaimRequest
	if c.more != nil {
		if err := json.Unmarshal(c.more, &q); err != nil { // its members are known; one has a wrong type
			e := (*json.UnmarshalTypeError)(nil)
			field := "row"
			if asType(err, &e) && e.Field != "" {
				field = e.Field
			}
			out.problems = append(out.problems, fail.Field{Name: field, Code: "type", ZH: "类型或写法不正确", EN: "has a wrong type or form"})
		}
	}
	q.Reference, q.Certificate, q.DocumentKind, q.Document, q.Name = c.texts["reference"], c.texts["certificate"], c.texts["document_kind"], c.texts["document"], c.texts["name"]
	q.CertificateKind = policy.ParseKind(c.texts["certificate_kind"])
	q.Policy, q.Fund, q.Received = ask.Policy, ask.Fund, ask.Received
	var err error
	for _, day := range []struct {
		name string
		of   *standards.Date
	}{{"received", &q.Received}, {"applied", &q.Applied}} {
		if text := c.texts[day.name]; text != "" {
			if *day.of, err = standards.ParseDate(text); err != nil {
				wrong(day.name, err)
			}
		}
	}
	if q.Facts, err = c.allFacts(ask); err != nil {
		wrong("at", err)
	}
	out.query, err = q.parse(false)
	if err != nil {
		out.problems = append(out.problems, fail.Of(err).Fields...)
	}
	for i := range out.problems {
		out.problems[i].Row = c.number
	}
	out.show(q)
	return out
}

// show keeps what may be shown again of a row.
func (b *batchRow) show(q ClaimRequest) {
	has := func(field string) bool {
		return slices.ContainsFunc(b.problems, func(f fail.Field) bool { return f.Name == field })
	}
	if has("reference") {
		b.query.reference = ""
	}
	b.reference = b.query.reference
	if !has("certificate") {
		b.certificate = b.query.number.Text
		if b.query.number.Personal() {
			b.certificate = b.query.number.Masked()
		}
		if holdsIdentity(b.certificate) { // amid other digits
			b.certificate = ""
		}
	}
}

// allFacts are the facts of a row. An empty cell is a fact that was not given: it
// holds a claim and never refuses one.
func (c batchCells) allFacts(ask ClaimBatchAsk) (policy.Facts, error) {
	at, source, reference := ask.At, ask.Source, ask.Reference
	var err error
	if text := c.texts["at"]; text != "" {
		if at, err = ParseMoment(text); err != nil {
			return c.facts, err
		}
	}
	if text := c.texts["source"]; text != "" {
		source = text
	}
	if text := c.texts["fact_reference"]; text != "" {
		reference = text
	}
	out := policy.Facts{}
	for kind, f := range c.facts {
		out[kind] = f
	}
	for name, text := range c.texts {
		if kind, ok := factByCode(name); ok {
			out[kind] = policy.Fact{Value: kind.ReadValue(text), Source: source, At: at, Reference: reference}
		}
	}
	return out, nil
}

// ParseMoment reads when a fact was looked up: a time of RFC 3339, or a day.
func ParseMoment(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC().Truncate(time.Second), nil
	}
	day, err := standards.ParseDate(text)
	if err != nil {
		return time.Time{}, err
	}
	return day.Time().UTC(), nil
}

// lineReader reads the lines of a JSON lines file.
type lineReader struct {
	names  map[string]string // member → column, as far as seen
	faults []fail.Field
	more   int
}

func (p *lineReader) fault(line int, name, code, zh, en string) {
	if len(p.faults) == claimBatchFaults {
		p.more++
		return
	}
	p.faults = append(p.faults, fail.Field{Name: shortName(name), Row: line, Code: code, ZH: zh, EN: en})
}

// shortName is a member's name as far as an error shows it; a name with digits in a
// row may be a document that stands in the wrong place.
func shortName(name string) string {
	if countDigits(name) > 6 {
		return "?"
	}
	if r := []rune(name); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return name
}

// batchLines reads JSON lines (https://jsonlines.org). Lines without content are
// passed over but counted. What is not an object, names a member twice or one that
// is not known makes the file malformed, and each such line is named.
func batchLines(data []byte) ([]batchCells, error) {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if len(data) > ClaimBatchMaxBytes {
		return nil, fail.New(fail.TooLarge, "batch_bytes", "the file may have %d MB at most; split it", ClaimBatchMaxBytes>>20).In("文件最大 %d MB，请拆分后上传", ClaimBatchMaxBytes>>20)
	}
	p := &lineReader{names: map[string]string{}}
	var out []batchCells
	number := 0
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(out) == ClaimBatchMaxRows {
			return nil, fail.New(fail.TooLarge, "batch_rows", "the file may have %d rows at most; split it", ClaimBatchMaxRows).In("文件最多 %d 行，请拆分后上传", ClaimBatchMaxRows)
		}
		out = append(out, p.line(number, line))
	}
	return out, p.err()
}

func (p *lineReader) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	f, n := p.faults[0], len(p.faults)+p.more
	return fail.New(fail.Invalid, "batch_lines", "line %d, %s: %s (%d mistakes in all); nothing was checked", f.Row, f.Name, f.EN, n).
		In("第 %d 行“%s”：%s（共 %d 处错误）；本次未预检任何一行", f.Row, f.Name, f.ZH, n).At(p.faults...)
}

func (p *lineReader) line(number int, line []byte) batchCells {
	out := batchCells{number: number, texts: map[string]string{}}
	if len(line) > claimBatchLine {
		p.fault(number, "line", "line_length", fmt.Sprintf("一行最多 %d KB", claimBatchLine>>10), fmt.Sprintf("a line may have %d KB", claimBatchLine>>10))
		return out
	}
	if !utf8.Valid(line) {
		p.fault(number, "line", "encoding", "不是有效的 UTF-8 文本", "is not valid UTF-8")
		return out
	}
	names, values, err := lineMembers(line)
	if err != nil {
		p.fault(number, "line", "json", "不是一个 JSON 对象："+err.zh, "is not one JSON object: "+err.en)
		return out
	}
	other := map[string]json.RawMessage{}
	for i, name := range names {
		column := p.column(name)
		if _, twice := out.texts[column]; twice && column != "" {
			p.fault(number, name, "member_twice", "与另一成员含义相同，请只写一次", "says the same as another member; write it once")
			continue
		}
		switch {
		case column != "":
			p.text(&out, column, values[i])
		case name == "facts":
			p.facts(&out, values[i])
		case name == "policy" || name == "fund":
			p.fault(number, name, "member_unknown", "政策或资金类别对整个文件指定，不写在行内", "the policy or fund is named for the whole file, not in a line")
		default:
			other[name] = values[i]
		}
	}
	p.request(&out, other)
	return out
}

// lineFault says why a line is no object.
type lineFault struct{ zh, en string }

// lineMembers takes an object apart: its members in their order, none twice.
func lineMembers(line []byte) (names []string, values []json.RawMessage, bad *lineFault) {
	dec := json.NewDecoder(bytes.NewReader(line))
	broken := func() *lineFault {
		return &lineFault{fmt.Sprintf("第 %d 字节起写法有误", dec.InputOffset()), fmt.Sprintf("wrong from byte %d on", dec.InputOffset())}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, broken()
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, nil, broken()
		}
		if seen[name] {
			return nil, nil, &lineFault{"成员“" + shortName(name) + "”出现两次", "the member " + shortName(name) + " stands twice"}
		}
		seen[name] = true
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return nil, nil, broken()
		}
		names, values = append(names, name), append(values, v)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, nil, broken()
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, broken()
	}
	return names, values, nil
}

// namesMost bounds how many different names of members are remembered.
const namesMost = 200

// column is the column that a member means, as a header of a table would.
func (p *lineReader) column(name string) string {
	if known, ok := p.names[name]; ok {
		return known
	}
	column := ""
	if name != "facts" && len(name) <= claimBatchCell {
		for _, c := range columnsFor([]string{name}) {
			if knownAs(name, c) {
				column = c.Name
				break
			}
		}
	}
	if len(p.names) < namesMost {
		p.names[name] = column
	}
	return column
}

// text takes a text, and for facts a number or yes or no too.
func (p *lineReader) text(out *batchCells, column string, value json.RawMessage) {
	_, fact := factByCode(column)
	var v any
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	_ = dec.Decode(&v) // it is JSON
	text := ""
	switch v := v.(type) {
	case string:
		text = strings.TrimSpace(v)
	case json.Number:
		text = v.String()
	case bool:
		text = fmt.Sprint(v)
	}
	if _, isText := v.(string); v != nil && !isText && (!fact || text == "") {
		out.wrong = append(out.wrong, fail.Field{Name: column, Code: "type", ZH: "应写作带引号的文本", EN: "must be a text in quotation marks"})
		text = ""
	}
	if n := utf8.RuneCountInString(text); n > claimBatchCell {
		p.fault(out.number, column, "cell_too_long", fmt.Sprintf("最多 %d 个字符，现为 %d 个", claimBatchCell, n), fmt.Sprintf("may have %d characters, not %d", claimBatchCell, n))
		return
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }); i >= 0 {
		p.fault(out.number, column, "cell_control", "含有控制字符", "has a control character")
		return
	}
	if text != "" {
		out.texts[column] = text
	}
}

// facts takes facts that have source, time and reference of their own.
func (p *lineReader) facts(out *batchCells, value json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.DisallowUnknownFields()
	if dec.Decode(&out.facts) != nil {
		out.facts = nil
		out.wrong = append(out.wrong, fail.Field{Name: "facts", Code: "type", ZH: "应写作 {\"insured\": {\"value\": …, \"source\": …, \"at\": …, \"reference\": …}}",
			EN: "must be {\"insured\": {\"value\": …, \"source\": …, \"at\": …, \"reference\": …}}"})
	}
}

// request keeps the members that a single claim has besides, such as those of a
// claim without a certificate; others are not known.
func (p *lineReader) request(out *batchCells, other map[string]json.RawMessage) {
	if len(other) == 0 {
		return
	}
	for name, value := range other {
		one, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err != nil {
			continue // it is JSON
		}
		dec := json.NewDecoder(bytes.NewReader(one))
		dec.DisallowUnknownFields()
		if err := dec.Decode(new(ClaimRequest)); err != nil && strings.HasPrefix(err.Error(), "json: unknown field") {
			p.fault(out.number, name, "member_unknown", "不是可识别的成员名", "is not a member that is known")
			delete(other, name)
		}
	}
	out.more, _ = json.Marshal(other)
}

// asType is errors.As for the one error of encoding/json that names a member.
func asType(err error, to **json.UnmarshalTypeError) bool {
	e, ok := err.(*json.UnmarshalTypeError)
	*to = e
	return ok
}
