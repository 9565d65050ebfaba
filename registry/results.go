package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/numbering"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/standards"
)

// Limits of one results file.
const (
	ResultsMaxBytes = 32 << 20
	ResultsMaxRows  = 50_000
	// resultsMaxErrors is how many mistakes an answer lists; the count is whole.
	resultsMaxErrors = 1000
)

// Candidate is one row of a session's results. Name and document are sealed.
type Candidate struct {
	Session    string           `json:"session"`
	Generation int              `json:"generation"`
	Row        int              `json:"row"` // as a spreadsheet counts, the header is 1
	Person     PersonID         `json:"person"`
	Scores     standards.Scores `json:"scores"`
	// Kept are parts passed in earlier sessions that count here 保留成绩.
	Kept   map[standards.PartKind]KeptPart `json:"kept,omitempty"`
	Passed bool                            `json:"passed"`
	Number string                          `json:"number,omitempty"` // supplied by the file
	Group  string                          `json:"group,omitempty"`  // 人员类别, from the roster
	// Hold is why a passed row gets no certificate for now; Batch took it when it
	// had been released.
	Hold  Hold   `json:"hold,omitempty"`
	Batch string `json:"batch,omitempty"`
}

// Upload says how a results file is taken.
type Upload struct {
	File io.Reader
	// GoodRowsOnly takes the rows without mistakes and answers the others;
	// without it a file with any mistake changes nothing.
	GoodRowsOnly bool
	// Progress, when not nil, sees how many rows are stored.
	Progress func(done, total int)
}

// UploadReport is what became of a results file.
type UploadReport struct {
	Session Session      `json:"session"`
	Rows    int          `json:"rows"`
	Stored  int          `json:"stored"`
	Passed  int          `json:"passed"`
	Refused int          `json:"refused"`
	Errors  []fail.Field `json:"errors,omitempty"`
}

// ResultColumns are the columns of a results file. The first name of each is the
// one templates use.
var ResultColumns = []sheet.Column{
	{Name: "姓名", Also: []string{"name"}, Required: true},
	{Name: "证件类型", Also: []string{"document_kind", "document kind"}},
	{Name: "证件号码", Also: []string{"身份证号", "身份证号码", "document_number", "document number"}, Required: true},
	{Name: "理论成绩", Also: []string{"理论", "theory"}},
	{Name: "技能成绩", Also: []string{"技能", "实操成绩", "skill"}},
	{Name: "综合评审成绩", Also: []string{"综合评审", "review"}},
	{Name: "认定结果", Also: []string{"结果", "result"}},
	{Name: "证书编号", Also: []string{"number", "certificate_number"}},
}

// resultRow is a parsed row, before it is stored.
type resultRow struct {
	candidate Candidate
	paper     Paper
}

// UploadResults checks a results file (CSV) against the session and stores it.
// It replaces an earlier upload as long as nothing was issued; publicity that
// had begun has to begin anew. The same file again changes nothing. Invalid:
// rows with mistakes, each with row, column and what would be right; Conflict:
// the exam has not been held, or certificates were issued.
func (r *Registry) UploadResults(ctx context.Context, by Actor, session string, up Upload) (UploadReport, error) {
	data, err := readLimited(up.File, ResultsMaxBytes)
	if err != nil {
		return UploadReport{}, err
	}
	about, err := r.resultsContext(ctx, by, session)
	if err != nil {
		return UploadReport{}, fmt.Errorf("results of session %s: %w", session, err)
	}
	s := about.session
	print := r.vault.fingerprint("results", data)
	if s.Results != nil && bytes.Equal(s.Results.File, print) {
		return UploadReport{Session: s, Rows: s.Results.Rows, Stored: s.Results.Rows, Passed: s.Results.Passed}, nil
	}
	if about.appealed != nil {
		return UploadReport{}, fmt.Errorf("results of session %s: %w", session, about.appealed)
	}
	rows, total, mistakes, err := parseResults(data, about)
	if err != nil {
		return UploadReport{}, err
	}
	taken, err := r.takenNumbers(ctx, rows)
	if err != nil {
		return UploadReport{}, err
	}
	strangers, err := r.matchRoster(ctx, about, rows)
	if err != nil {
		return UploadReport{}, err
	}
	barred, err := r.barredRows(ctx, about, rows)
	if err != nil {
		return UploadReport{}, err
	}
	mistakes = append(append(append(mistakes, taken...), strangers...), barred...)
	if err := r.keepParts(ctx, about, rows); err != nil {
		return UploadReport{}, err
	}
	report := UploadReport{Session: s, Rows: total, Refused: countRows(mistakes), Errors: mistakes}
	if len(report.Errors) > resultsMaxErrors {
		report.Errors = report.Errors[:resultsMaxErrors]
	}
	if len(mistakes) > 0 && !up.GoodRowsOnly {
		return report, fail.New(fail.Invalid, "results_rows", "%d of %d rows have mistakes; nothing was stored", report.Refused, total).
			In("共 %d 行，其中 %d 行有误；本次未保存任何数据", total, report.Refused).At(report.Errors...)
	}
	rows = withoutRows(rows, mistakes)
	if len(rows) == 0 {
		return report, fail.New(fail.Invalid, "results_empty", "there is no row that can be stored").In("没有可保存的行").At(report.Errors...)
	}
	if s, err = r.storeResults(ctx, by, s, rows, print, up.Progress); err != nil {
		return report, fmt.Errorf("results of session %s: %w", session, err)
	}
	report.Session, report.Stored, report.Passed = s, s.Results.Rows, s.Results.Passed
	return report, nil
}

func readLimited(file io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fail.New(fail.Invalid, "upload_broken", "the file did not arrive whole").In("文件未完整上传，请重试").Because(err)
	}
	if int64(len(data)) > limit {
		return nil, fail.New(fail.TooLarge, "file_too_large", "the file is larger than %d MB", limit>>20).In("文件超过 %d MB", limit>>20)
	}
	return data, nil
}

// TakeResults reports whether a session takes results now.
func (s Session) TakeResults(today standards.Date) error {
	switch {
	case s.State == SessionIssuing || s.State == SessionIssued:
		return fail.New(fail.Conflict, "session_closed", "session %s is %s; its results are final", s.ID, s.State).
			In("批次 %s 已进入发证，成绩不能再改", s.ID)
	case today < s.ExamDate:
		return fail.New(fail.Conflict, "exam_not_held", "the exam of session %s is on %s; results come after it", s.ID, s.ExamDate).
			In("批次 %s 的考试日期为 %s，考试之后方可上报成绩", s.ID, s.ExamDate)
	}
	return nil
}

// resultsCase is what a results file is judged by.
type resultsCase struct {
	session Session
	parts   []standards.Part // none when the mode has no scores
	filing  evaluators.Filing
	// filed are the filings in line with it, whose numbers count as its own.
	filed     []evaluators.Filing
	numbering numbering.Rules
	rules     course.Rules
	mode      course.Mode
	today     standards.Date
	// appealed is why other results cannot be taken now; the same file can be
	// sent again.
	appealed error
}

func (r *Registry) resultsContext(ctx context.Context, by Actor, session string) (out resultsCase, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = resultsCase{today: standards.DateOf(now)}
		s, err := sessionFor(rd, by, RunSessions, session)
		if err != nil {
			return err
		}
		if err := s.TakeResults(out.today); err != nil {
			return err
		}
		out.session = s
		if out.rules, err = r.courseOf(s); err != nil {
			return err
		}
		out.mode, _ = modeOf(out.rules, s.mode())
		if err := s.mustBeWatched(out.rules); err != nil {
			return err
		}
		if out.filing, err = filingByID(rd, s.Filing); err != nil {
			return err
		}
		out.numbering, _ = r.numbering(out.filing, out.today)
		if out.filed, err = lineOf(rd, out.filing, out.today, standards.NewYear(out.today.Year()+1)); err != nil {
			return err
		}
		if err := s.mustHaveRoster(out.rules, out.filing); err != nil {
			return err
		}
		if out.rules.Arrangement && out.mode.Scores {
			if err := r.mustBeArranged(rd, s); err != nil {
				return err
			}
		}
		if out.appealed = mustHaveNoAppeals(rd, s); out.appealed != nil && fail.KindOf(out.appealed) != fail.Conflict {
			return out.appealed
		}
		out.parts, err = r.partsOf(rd, s)
		return err
	})
	return out, err
}

// parseResults turns a file into rows and mistakes. It is pure.
func parseResults(data []byte, about resultsCase) (rows []resultRow, total int, mistakes []fail.Field, err error) {
	table, err := sheet.Read(bytes.NewReader(data), sheet.Limits{Bytes: ResultsMaxBytes, Rows: ResultsMaxRows, Columns: 64, Cell: 1000})
	if err != nil {
		return nil, 0, nil, err
	}
	if table, err = table.Select(ResultColumns); err != nil {
		return nil, 0, nil, err
	}
	if len(table.Rows) == 0 {
		return nil, 0, nil, fail.New(fail.Invalid, "results_empty", "the file has a header and no rows").In("文件只有表头，没有数据行")
	}
	p := rowParser{resultsCase: about, people: map[string]int{}, numbers: map[string]int{}}
	for _, row := range table.Rows {
		r, bad := p.parse(row)
		mistakes = append(mistakes, bad...)
		if len(bad) == 0 {
			rows = append(rows, r)
		}
	}
	return rows, len(table.Rows), append(mistakes, rounded(rows, mistakes)...), nil
}

// rounded names rows whose document has a valid check digit and yet looks
// rounded by a spreadsheet, when another row of the file certainly was: about
// one rounded number in eleven is valid by chance.
func rounded(rows []resultRow, mistakes []fail.Field) (bad []fail.Field) {
	damaged := slices.ContainsFunc(mistakes, func(f fail.Field) bool { return f.Code == "spreadsheet_number" })
	for _, row := range rows {
		if damaged && row.paper.Document.Rounded() {
			bad = append(bad, fail.Field{Name: "证件号码", Row: row.candidate.Row, Code: "spreadsheet_number",
				ZH: "本文件其他行的号码已被电子表格改成数值，本行末三位为 000，请按证件核对",
				EN: "other numbers of this file were turned into figures by a spreadsheet and this one ends in 000; compare it with the document"})
		}
	}
	return bad
}

// rowParser checks rows one by one and remembers who came before.
type rowParser struct {
	resultsCase
	people  map[string]int // document → row
	numbers map[string]int // supplied number → row
}

func (p *rowParser) parse(row sheet.Row) (out resultRow, bad []fail.Field) {
	add := func(column string, err error) {
		e := fail.Of(err)
		bad = append(bad, fail.Field{Name: column, Row: row.Number, Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	name, err := standards.CleanName(row.Get("姓名"))
	if err != nil {
		add("姓名", err)
	}
	kind, kindErr := standards.ResidentID, error(nil)
	if text := row.Get("证件类型"); text != "" {
		if kind, kindErr = standards.ParseDocumentKind(text); kindErr != nil {
			add("证件类型", kindErr)
		}
	}
	var document standards.Document
	if kindErr == nil { // a number cannot be judged without its kind
		if document, err = standards.ParseDocument(kind, row.Get("证件号码"), p.today); err != nil {
			add("证件号码", err)
		} else if first, twice := p.people[document.Number]; twice {
			bad = append(bad, fail.Field{Name: "证件号码", Row: row.Number, Code: "duplicate", ZH: fmt.Sprintf("与第 %d 行证件号码相同", first),
				EN: fmt.Sprintf("the same document as row %d", first)})
		} else {
			p.people[document.Number] = row.Number
		}
	}
	scores, scoreErrors := p.scores(row)
	bad = append(bad, scoreErrors...)
	passed, _ := standards.Passed(p.parts, scores)
	if found, foundErrors := p.found(row); !p.mode.Scores {
		passed, bad = found, append(bad, foundErrors...)
	} else {
		bad = append(bad, foundErrors...)
	}
	number, numberErrors := p.number(row, passed)
	bad = append(bad, numberErrors...)
	out.candidate = Candidate{Session: p.session.ID, Row: row.Number, Scores: scores, Passed: passed, Number: number}
	out.paper = Paper{Name: name, Document: document}
	return out, bad
}

// found reads what the recognising body found of a candidate, in a session that
// has no scores.
func (p *rowParser) found(row sheet.Row) (passed bool, bad []fail.Field) {
	field := fail.Field{Name: "认定结果", Row: row.Number}
	switch text := row.Get("认定结果"); {
	case p.mode.Scores && text == "":
	case p.mode.Scores:
		field.Code, field.ZH, field.EN = "not_here", "考核取得的批次以成绩为准，此列请留空", "an exam is decided by its scores; leave this empty"
		return false, []fail.Field{field}
	case text == "合格" || text == "通过" || text == "passed":
		return true, nil
	case text == "不合格" || text == "未通过" || text == "failed":
	default:
		field.Code, field.ZH, field.EN = "result", "应填“合格”或“不合格”", "合格 (passed) or 不合格 (failed)"
		return false, []fail.Field{field}
	}
	return false, nil
}

var scoreColumns = map[standards.PartKind]string{standards.Theory: "理论成绩", standards.Skill: "技能成绩", standards.Review: "综合评审成绩"}

// scores reads one score per part of the standard; a part not taken has none. A
// part that is not examined at this level must be empty: a score there means
// that rows were mixed up.
func (p *rowParser) scores(row sheet.Row) (standards.Scores, []fail.Field) {
	scores := standards.Scores{}
	var bad []fail.Field
	for _, kind := range []standards.PartKind{standards.Theory, standards.Skill, standards.Review} {
		score, taken, err := standards.ParseScore(row.Get(scoreColumns[kind]))
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: scoreColumns[kind], Row: row.Number, Code: e.Code, ZH: e.ZH, EN: e.Text})
		} else if taken {
			scores[kind] = score
		}
	}
	for _, kind := range standards.Unexpected(p.parts, scores) {
		bad = append(bad, fail.Field{Name: scoreColumns[kind], Row: row.Number, Code: "not_examined", ZH: "本等级不考此项，请留空", EN: "this part is not examined at this level; leave it empty"})
	}
	return scores, bad
}

// number checks a supplied certificate number against the filing and level. Its
// year is checked when it is issued.
func (p *rowParser) number(row sheet.Row, passed bool) (string, []fail.Field) {
	text := strings.TrimSpace(row.Get("证书编号"))
	field := fail.Field{Name: "证书编号", Row: row.Number}
	present := text != "" && text != "--"
	if err := p.numbering.Row(present, passed); err != nil {
		e := fail.Of(err)
		field.Code, field.ZH, field.EN = e.Code, e.ZH, e.Text
		return "", []fail.Field{field}
	}
	if !present {
		return "", nil
	}
	n, err := standards.ParseLevelNumber(text)
	if err != nil {
		e := fail.Of(err)
		field.Code, field.ZH, field.EN = e.Code, e.ZH, e.Text
		return "", []fail.Field{field}
	}
	// Certificates are issued after today; a file that comes late in December
	// may number for this year or the next.
	face := evaluators.Face{Occupation: p.session.Occupation, Trade: p.session.Trade, Level: p.session.Level, ExamDate: p.session.ExamDate, Issued: p.today, Filed: p.filed}
	if n.Year == p.today.Year()+1 {
		face.Issued, _ = standards.NewDate(n.Year, 1, 1)
	}
	if problems := evaluators.CheckNumber(n, p.filing, face); len(problems) > 0 {
		field.Code, field.ZH, field.EN = problems[0].Code, problems[0].ZH, problems[0].EN
		return "", []fail.Field{field}
	}
	number := n.Format()
	if first, twice := p.numbers[number]; twice {
		field.Code, field.ZH, field.EN = "duplicate", fmt.Sprintf("与第 %d 行证书编号相同", first), fmt.Sprintf("the same number as row %d", first)
		return "", []fail.Field{field}
	}
	p.numbers[number] = row.Number
	return number, nil
}

// takenNumbers finds supplied numbers that are in the register already.
func (r *Registry) takenNumbers(ctx context.Context, rows []resultRow) ([]fail.Field, error) {
	var bad []fail.Field
	for start := 0; start < len(rows); start += bulkPage {
		part := rows[start:min(start+bulkPage, len(rows))]
		var keys [][]byte
		var at []int
		for _, row := range part {
			if row.candidate.Number != "" {
				keys, at = append(keys, kv.Key(row.candidate.Number)), append(at, row.candidate.Row)
			}
		}
		if len(keys) == 0 {
			continue
		}
		var found [][]byte
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			found, err = rd.GetMany(tableCertificates, keys)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, v := range found {
			if v != nil {
				bad = append(bad, fail.Field{Name: "证书编号", Row: at[i], Code: "number_taken", ZH: "证书编号已被使用", EN: "the number is in use"})
			}
		}
	}
	return bad, nil
}

func countRows(mistakes []fail.Field) int {
	rows := map[int]bool{}
	for _, m := range mistakes {
		rows[m.Row] = true
	}
	return len(rows)
}

func withoutRows(rows []resultRow, mistakes []fail.Field) []resultRow {
	bad := map[int]bool{}
	for _, m := range mistakes {
		bad[m.Row] = true
	}
	var out []resultRow
	for _, row := range rows {
		if !bad[row.candidate.Row] {
			out = append(out, row)
		}
	}
	return out
}

// storeResults writes rows as a new generation, page by page, and then makes
// that generation the one that counts. A crash before the last Update leaves
// sealed rows that nothing points to; the next upload takes a higher generation
// and clears them.
func (r *Registry) storeResults(ctx context.Context, by Actor, seen Session, rows []resultRow, print []byte, progress func(done, total int)) (Session, error) {
	generation, err := r.nextGeneration(ctx, seen)
	if err != nil {
		return seen, err
	}
	passed, supplied := 0, 0
	figures, content := r.figuresOf(seen, rows), sha256.New()
	for start := 0; start < len(rows); start += bulkPage {
		page := rows[start:min(start+bulkPage, len(rows))]
		for i := range page {
			page[i].candidate.Generation = generation
			if page[i].candidate.Passed {
				passed++
			}
			if page[i].candidate.Number != "" {
				supplied++
			}
		}
		if err := r.storePage(ctx, page, content); err != nil {
			return seen, err
		}
		if progress != nil {
			progress(start+len(page), len(rows))
		}
	}
	var out Session
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = Session{}
		s, err := sessionFor(tx, by, RunSessions, seen.ID)
		if err != nil {
			return err
		}
		if err := s.TakeResults(standards.DateOf(tx.Now())); err != nil {
			return err
		}
		if err := mustHaveNoAppeals(tx, s); err != nil {
			return err
		}
		if s.Results != nil && s.Results.Generation >= generation {
			return fail.New(fail.Conflict, "results_replaced", "another upload for session %s came first", s.ID).In("批次 %s 已有更新的成绩，请核对后重传", s.ID)
		}
		s.State, s.Publicity = SessionResults, nil
		s.Results = &Results{Generation: generation, Rows: len(rows), Passed: passed, Supplied: supplied, File: print, At: tx.Now(), By: by.Account, Figures: figures, Content: content.Sum(nil)}
		if err := sessions.Put(tx, s); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: ResultsUploaded, Object: s.ID, Institution: s.Institution, Detail: s.Results}); err != nil {
			return err
		}
		if err := r.signsAfterResults(tx, s, figures); err != nil {
			return err
		}
		out = s
		return nil
	})
	if err != nil {
		return seen, err
	}
	return out, r.clearResults(ctx, out)
}

// nextGeneration takes a number above every upload of a session that was begun.
func (r *Registry) nextGeneration(ctx context.Context, s Session) (int, error) {
	var out uint64
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		n, err := counter(tx, counterGeneration(s.ID), 1)
		if err != nil {
			return err
		}
		out = n
		setCounter(tx, counterGeneration(s.ID), n+1)
		return nil
	})
	return int(out), err
}

// storePage stores rows and adds them to the digest of all.
func (r *Registry) storePage(ctx context.Context, page []resultRow, content hash.Hash) error {
	blocks := make([][]byte, len(page))
	documents := make([]standards.Document, len(page))
	for i, row := range page {
		block, err := r.vault.sealValue(sealedCandidate(row.candidate), row.paper)
		if err != nil {
			return err
		}
		blocks[i], documents[i] = block, row.paper.Document
	}
	fresh := make([]PersonID, len(page))
	for i := range fresh {
		fresh[i] = r.rand.person()
	}
	var list []Candidate
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		list = make([]Candidate, len(page))
		people, err := r.peopleFor(tx, documents, fresh)
		if err != nil {
			return err
		}
		for i, row := range page {
			list[i] = row.candidate
			list[i].Person = people[i]
			tx.Put(tableSealed, sealedCandidate(list[i]).storeKey(), blocks[i])
		}
		return candidates.PutMany(tx, list)
	})
	for i := 0; err == nil && i < len(list); i++ {
		err = list[i].digest(content)
	}
	return err
}

// clearResults deletes the rows of generations that do not count.
func (r *Registry) clearResults(ctx context.Context, s Session) error {
	for more := true; more; {
		err := r.db.Bulk(ctx, func(tx kv.Tx) error {
			more = false
			rng := kv.Prefix(kv.Key(s.ID))
			rng.To, rng.Limit = kv.Key(s.ID, uint64(s.Results.Generation)), bulkPage
			old, _, err := candidates.Scan(tx, rng)
			if err != nil {
				return err
			}
			for _, c := range old {
				tx.Delete(tableSealed, sealedCandidate(c).storeKey())
				if err := candidates.Delete(tx, candidates.Key(c)); err != nil {
					return err
				}
			}
			more = len(old) == bulkPage
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) candidatePaper(rd kv.Reader, c Candidate) (Paper, error) {
	var p Paper
	ok, err := r.vault.open(rd, sealedCandidate(c), &p)
	if err == nil && !ok {
		err = fmt.Errorf("session %s row %d has no sealed block", c.Session, c.Row)
	}
	return p, err
}
