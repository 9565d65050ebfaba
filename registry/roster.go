package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

// RosterMaxRows is how many candidates one session may have on its roster.
const RosterMaxRows = 5000

// Roster says which entries count.
type Roster struct {
	Generation int       `json:"generation"`
	Entries    int       `json:"entries"`
	At         time.Time `json:"at"`
	// Content is the SHA-256 of the entries as they were stored; none before there was one.
	Content []byte `json:"content,omitempty"`
}

// Entry is one candidate on the roster of a session 报名. Name, document and
// evidence are sealed.
type Entry struct {
	Session    string   `json:"session"`
	Person     PersonID `json:"person"`
	Generation int      `json:"generation"`
	Row        int      `json:"row"`
	Employer   string   `json:"employer,omitempty"` // 统一社会信用代码
	Group      string   `json:"group,omitempty"`    // 人员类别
	// Basis is on what he applies 申报依据; it may waive years and levels, never
	// scores or publicity.
	Basis eligibility.Basis `json:"basis"`
	// ModeBasis is what a certificate without an exam rests on 取得方式依据.
	ModeBasis string `json:"mode_basis,omitempty"`
	// Rules and Conditions are the files and the conditions 申报条件 he satisfies.
	Rules      []string  `json:"rules,omitempty"`
	Conditions []string  `json:"conditions,omitempty"`
	Entered    time.Time `json:"entered"`
}

// RosterRow is a candidate as the institution enters him.
type RosterRow struct {
	Row          int                `json:"row,omitempty"` // for messages; its place in the list when 0
	Name         string             `json:"name"`
	DocumentKind string             `json:"document_kind,omitempty"` // resident_id when empty
	Document     string             `json:"document"`
	Employer     string             `json:"employer,omitempty"`
	Group        string             `json:"group,omitempty"` // code or Chinese name
	Basis        eligibility.Basis  `json:"basis"`
	ModeBasis    string             `json:"mode_basis,omitempty"`
	Record       eligibility.Record `json:"record"`
}

// evidence is what is sealed of an entry.
type evidence struct {
	Paper  Paper              `json:"paper"`
	Record eligibility.Record `json:"record"`
}

// RosterReport is what became of a roster.
type RosterReport struct {
	Session Session      `json:"session"`
	Entries int          `json:"entries"`
	Errors  []fail.Field `json:"errors,omitempty"`
}

// rosterCase is what a roster is judged by.
type rosterCase struct {
	session Session
	inst    evaluators.Institution
	filing  evaluators.Filing
	rules   course.Rules
	mode    course.Mode
	who     eligibility.Rules
	today   standards.Date
	now     time.Time
}

// entered is a checked row.
type entered struct {
	entry    Entry
	evidence evidence
}

// EnterRoster enters the candidates of a session, before its exam, and finds out
// by which conditions each of them may apply 资格审核. It replaces an earlier
// roster. A roster with any mistake changes nothing. Invalid: rows with mistakes,
// each with row, column and what would be right; Conflict: the exam has come.
func (r *Registry) EnterRoster(ctx context.Context, by Actor, session string, rows []RosterRow) (RosterReport, error) {
	if len(rows) == 0 || len(rows) > RosterMaxRows {
		return RosterReport{}, fail.New(fail.Invalid, "roster_rows", "a roster has 1 to %d candidates", RosterMaxRows).In("报名名单应有 1 至 %d 人", RosterMaxRows)
	}
	about, err := r.rosterContext(ctx, by, session)
	if err != nil {
		return RosterReport{}, fmt.Errorf("roster of session %s: %w", session, err)
	}
	list, mistakes := about.check(rows)
	more, err := r.rosterProblems(ctx, about, list)
	if err != nil {
		return RosterReport{}, fmt.Errorf("roster of session %s: %w", session, err)
	}
	if mistakes = append(mistakes, more...); len(mistakes) > 0 {
		refused := countRows(mistakes)
		if len(mistakes) > resultsMaxErrors {
			mistakes = mistakes[:resultsMaxErrors]
		}
		return RosterReport{Session: about.session, Errors: mistakes}, fail.New(fail.Invalid, "roster_rows", "%d of %d candidates cannot be entered; nothing was stored", refused, len(rows)).
			In("共 %d 人，其中 %d 人不能报名；本次未保存", len(rows), refused).At(mistakes...)
	}
	s, err := r.storeRoster(ctx, by, about.session, list)
	if err != nil {
		return RosterReport{}, fmt.Errorf("roster of session %s: %w", session, err)
	}
	return RosterReport{Session: s, Entries: len(list)}, nil
}

// TakeRoster reports whether a session takes a roster now.
func (s Session) TakeRoster(today standards.Date) error {
	if s.State != SessionPlanned || today >= s.ExamDate {
		return fail.New(fail.Conflict, "roster_closed", "the roster of session %s closed on the day before its exam on %s", s.ID, s.ExamDate).
			In("批次 %s 的考试日期为 %s，报名已截止", s.ID, s.ExamDate)
	}
	return nil
}

func (r *Registry) rosterContext(ctx context.Context, by Actor, session string) (out rosterCase, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = rosterCase{today: standards.DateOf(now), now: now}
		s, err := sessionFor(rd, by, RunSessions, session)
		if err != nil {
			return err
		}
		if err := s.TakeRoster(out.today); err != nil {
			return err
		}
		out.session = s
		if out.inst, out.filing, err = issuerOf(rd, s); err != nil {
			return err
		}
		if out.rules, err = r.courseOf(s); err != nil {
			return err
		}
		out.mode, _ = modeOf(out.rules, s.mode())
		var ok bool
		if out.who, ok = r.cfg.Rules.Eligibility.On(s.Region, s.Occupation, out.today); !ok && out.mode.Eligibility {
			return fail.New(fail.Conflict, "no_conditions", "no conditions of application are in force for %s", s.Occupation).In("职业 %s 没有现行申报条件", s.Occupation)
		}
		return nil
	})
	return out, err
}

// check turns rows into entries and mistakes. It is pure.
func (about rosterCase) check(rows []RosterRow) (out []entered, mistakes []fail.Field) {
	seen := map[string]int{}
	for i, row := range rows {
		if row.Row == 0 {
			row.Row = i + 1
		}
		e, bad := about.checkRow(row)
		d := e.evidence.Paper.Document
		if first, twice := seen[string(d.Kind)+d.Number]; twice && d.Number != "" {
			bad = append(bad, fail.Field{Name: "证件号码", Row: row.Row, Code: "duplicate", ZH: fmt.Sprintf("与第 %d 行证件号码相同", first), EN: fmt.Sprintf("the same document as row %d", first)})
		}
		seen[string(d.Kind)+d.Number] = row.Row
		mistakes = append(mistakes, bad...)
		out = append(out, e)
	}
	return out, mistakes
}

func (about rosterCase) checkRow(row RosterRow) (out entered, bad []fail.Field) {
	wrong := func(column string, err error) {
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: column, Row: row.Row, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	say := func(ok bool, column, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: column, Row: row.Row, Code: code, ZH: zh, EN: en})
		}
	}
	e := Entry{Session: about.session.ID, Row: row.Row, Basis: row.Basis, ModeBasis: strings.TrimSpace(row.ModeBasis)}
	var p Paper
	var err error
	p.Name, err = standards.CleanName(row.Name)
	wrong("姓名", err)
	kind := standards.ResidentID
	if row.DocumentKind != "" {
		kind, err = standards.ParseDocumentKind(row.DocumentKind)
		wrong("证件类型", err)
	}
	if kind != "" {
		p.Document, err = standards.ParseDocument(kind, row.Document, about.today)
		wrong("证件号码", err)
	}
	if birth, ok := p.Document.Birth(); ok {
		say(row.Record.Birth == "" || row.Record.Birth == birth, "出生日期", "birth", "与证件号码中的出生日期不符", "is not the date of birth in the document")
		row.Record.Birth = birth
	}
	if row.Employer = strings.TrimSpace(row.Employer); row.Employer != "" {
		e.Employer, _, err = standards.ParseUSCC(row.Employer)
		wrong("单位代码", err)
	}
	bad = append(bad, about.employerProblems(e, row.Row)...)
	if row.Group != "" {
		g, ok := about.rules.Group(strings.TrimSpace(row.Group))
		say(ok, "人员类别", "unknown", "不在本地区人员类别之列", "is not a group of this region")
		e.Group = g.Code
	}
	bad = append(bad, about.modeProblems(e, row.Row)...)
	bad = append(bad, personalTexts(row)...)
	for _, f := range row.Record.Problems() {
		if f.Name == "birth" {
			if p.Document.Number == "" {
				continue // it comes with the document, which is wrong itself
			}
			f.Name = "出生日期"
		}
		f.Row = row.Row
		bad = append(bad, f)
	}
	if len(bad) == 0 {
		bad = append(bad, about.eligible(&e, row.Record)...)
	}
	return entered{entry: e, evidence: evidence{Paper: p, Record: row.Record}}, bad
}

// personalTexts refuses identity numbers in what is logged of an entry.
func personalTexts(row RosterRow) []fail.Field {
	bad := append(impersonal("申报依据文号", row.Basis.Document), impersonal("申报批准单位", row.Basis.Approver)...)
	for i := range bad {
		bad[i].Row = row.Row
	}
	return bad
}

// employerProblems: an institution of class Y examines its own people only, and
// those of units that a recorded decision has admitted (E10).
func (about rosterCase) employerProblems(e Entry, row int) []fail.Field {
	ok, why := about.filing.AdmitsEmployer(e.Employer, about.inst.USCC, about.session.ExamDate, about.now)
	if ok {
		return nil
	}
	why.Name, why.Row = "单位代码", row
	return []fail.Field{why}
}

// modeProblems checks what a certificate without an exam rests on.
func (about rosterCase) modeProblems(e Entry, row int) (bad []fail.Field) {
	mode := policy.Mode(about.mode.Mode)
	if about.mode.Basis.ZH == "" {
		if e.ModeBasis != "" {
			bad = append(bad, fail.Field{Name: "取得方式依据", Row: row, Code: "not_here", ZH: "考核取得的不填此项", EN: "an exam has no such basis"})
		}
		return bad
	}
	bad = append(impersonal("取得方式依据", e.ModeBasis), length("取得方式依据", e.ModeBasis, 1, 200, mode.Name().ZH+"须填写："+about.mode.Basis.ZH+"，", mode.Name().EN+" needs "+about.mode.Basis.EN+"; it")...)
	for i := range bad {
		bad[i].Row = row
	}
	return bad
}

// eligible asks for the conditions and keeps those that are satisfied.
func (about rosterCase) eligible(e *Entry, record eligibility.Record) (bad []fail.Field) {
	if !about.mode.Eligibility {
		return nil
	}
	s := about.session
	result := eligibility.Evaluate(about.who, record, eligibility.Question{Level: s.Level, On: about.today})
	ok, keys, reasons := eligibility.Eligible(result, e.Basis)
	e.Rules, e.Conditions = about.who.Files, keys
	if ok {
		return nil
	}
	for _, reason := range reasons {
		bad = append(bad, fail.Field{Name: "申报条件", Row: e.Row, Code: "not_eligible", ZH: reason.ZH, EN: reason.EN})
	}
	return bad
}

// rosterProblems asks the register about the candidates, page by page.
func (r *Registry) rosterProblems(ctx context.Context, about rosterCase, list []entered) (bad []fail.Field, err error) {
	first := map[PersonID]int{} // the row of each person, by the first of its ids
	for start := 0; start < len(list); start += bulkPage {
		page := list[start:min(start+bulkPage, len(list))]
		documents := make([]standards.Document, len(page))
		for i := range page {
			documents[i] = page[i].evidence.Paper.Document
		}
		var found []fail.Field
		var ids [][]PersonID
		err := r.db.View(ctx, func(rd kv.Reader) error {
			found = nil
			people, known, _, err := r.knownPeople(rd, documents)
			if err != nil {
				return err
			}
			if ids, err = identitiesOf(rd, people); err != nil {
				return err
			}
			found, err = r.personProblems(rd, about, page, people, known)
			return err
		})
		if err != nil {
			return nil, err
		}
		bad = append(bad, found...)
		for i, e := range page {
			one := ids[i][0] // of somebody new to the register all ids are unset
			if row, twice := first[one]; twice && one != (PersonID{}) {
				bad = append(bad, fail.Field{Name: "证件号码", Row: e.entry.Row, Code: "duplicate", ZH: fmt.Sprintf("与第 %d 行为同一人（证件已合并）", row), EN: fmt.Sprintf("the same person as row %d, under another document", row)})
			} else {
				first[one] = e.entry.Row
			}
		}
	}
	return bad, nil
}

// personProblems is what stands against candidates: a certificate they bring that
// the register has as somebody else's or as void, and too many certificates by the
// same mode in one year.
func (r *Registry) personProblems(rd kv.Reader, about rosterCase, page []entered, people []PersonID, known []bool) (bad []fail.Field, err error) {
	if bad, err = r.seatedProblems(rd, about.session, page, people, known); err != nil {
		return nil, err
	}
	avoided, err := r.employerConflicts(rd, about.session, page)
	if err != nil {
		return nil, err
	}
	bad = append(bad, avoided...)
	bars, err := r.barredPersons(rd, people, about.session.ExamDate)
	if err != nil {
		return nil, err
	}
	for i, e := range page {
		if bar, barred := bars[people[i]]; barred && known[i] {
			bad = append(bad, fail.Field{Name: "姓名", Row: e.entry.Row, Code: "barred",
				ZH: fmt.Sprintf("在禁考期内，至%s止（%s，诚信记录 %s）；有异议的可申诉", bar.Until.Chinese(), bar.Kind.ZH, bar.Entry), EN: fmt.Sprintf("is barred from exams until %s (%s, entry %s); an appeal can be filed", bar.Until, bar.Kind.EN, bar.Entry)})
		}
		found, err := r.broughtProblems(rd, e, people[i], known[i])
		if err != nil {
			return nil, err
		}
		bad = append(bad, found...)
		if !known[i] {
			continue
		}
		if about.mode.PerYear > 0 {
			n, err := modeInYear(rd, people[i], about.session.mode(), about.session.ExamDate.Year())
			if err != nil {
				return nil, err
			}
			if n >= about.mode.PerYear {
				name := about.session.mode().Name()
				bad = append(bad, fail.Field{Name: "姓名", Row: e.entry.Row, Code: "mode_per_year",
					ZH: fmt.Sprintf("同一人每年以%s取得证书不超过 %d 次", name.ZH, about.mode.PerYear), EN: fmt.Sprintf("a person may acquire %d certificate a year by %s", about.mode.PerYear, name.EN)})
			}
		}
	}
	return bad, nil
}

// seatedProblems names candidates whom the people arranged for the session must
// not examine, or who are among them. Somebody new to the register is neither.
func (r *Registry) seatedProblems(rd kv.Reader, s Session, page []entered, people []PersonID, known []bool) (bad []fail.Field, err error) {
	var asked []PersonID
	var rows []int
	for i, p := range people {
		if known[i] {
			asked, rows = append(asked, p), append(rows, page[i].entry.Row)
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	bad, err = r.arrangementConflicts(rd, s, asked)
	for i := range bad {
		bad[i].Row = rows[bad[i].Row-1]
	}
	return bad, err
}

// barredRows names people who were barred from the exam on its day: where no
// roster is asked for nothing else stops them, and a bar may have come after it.
func (r *Registry) barredRows(ctx context.Context, about resultsCase, rows []resultRow) (bad []fail.Field, err error) {
	for start := 0; start < len(rows); start += bulkPage {
		page := rows[start:min(start+bulkPage, len(rows))]
		documents := make([]standards.Document, len(page))
		for i, row := range page {
			documents[i] = row.paper.Document
		}
		var people []PersonID
		var known []bool
		var bars map[PersonID]Bar
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			if people, known, _, err = r.knownPeople(rd, documents); err == nil {
				bars, err = r.barredPersons(rd, people, about.session.ExamDate)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, p := range people {
			if bar, barred := bars[p]; barred && known[i] {
				bad = append(bad, fail.Field{Name: "姓名", Row: page[i].candidate.Row, Code: "barred",
					ZH: fmt.Sprintf("考试当日在禁考期内，至%s止（%s，诚信记录 %s），成绩不予受理", bar.Until.Chinese(), bar.Kind.ZH, bar.Entry),
					EN: fmt.Sprintf("was barred from exams on the day, until %s (%s, entry %s): the result cannot be taken", bar.Until, bar.Kind.EN, bar.Entry)})
			}
		}
	}
	return bad, nil
}

// broughtProblems compares certificates that a candidate brings with the register.
// A number that is not here proves nothing against it.
func (r *Registry) broughtProblems(rd kv.Reader, e entered, p PersonID, known bool) (bad []fail.Field, err error) {
	var keys [][]byte
	var brought []eligibility.Certificate
	for _, c := range e.evidence.Record.Certificates {
		if n, err := standards.ParseNumber(c.Evidence); err == nil {
			keys, brought = append(keys, kv.Key(r.storedNumber(n))), append(brought, c)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	held, there, err := certificates.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	ids, err := identities(rd, p)
	if err != nil {
		return nil, err
	}
	for i, c := range held {
		if !there[i] {
			continue
		}
		field := fail.Field{Name: "原证书编号", Row: e.entry.Row}
		switch {
		case !known || !slices.Contains(ids, c.Person) || c.Level != brought[i].Level || c.Issued != brought[i].Issued:
			field.Code, field.ZH, field.EN = "certificate_differs", "该编号的证书在登记系统中与所填的姓名、等级或日期不符，请核对", "the register has this number for another person, level or date"
		case c.Status != CertificateValid:
			field.Code, field.ZH, field.EN = "certificate_not_valid", "该证书已撤销、注销或暂停使用，不能作为申报依据", "this certificate is void, cancelled or suspended"
		default:
			continue
		}
		bad = append(bad, field)
	}
	return bad, nil
}

// certificatesPerPerson bounds what is read of one person.
const certificatesPerPerson = 500

// modeInYear counts a person's certificates acquired in one way in one year. What
// was voided was never acquired.
func modeInYear(rd kv.Reader, p PersonID, mode policy.Mode, year int) (n int, err error) {
	ids, err := identities(rd, p)
	if err != nil {
		return 0, err
	}
	held, err := certificatesUnder(rd, ids, certificatesPerPerson-1)
	for _, c := range held {
		if c.Mode == mode && c.Issued.Year() == year && c.Status != CertificateVoided {
			n++
		}
	}
	return n, err
}

// storeRoster writes the entries page by page under a new generation, which then
// counts. While it runs the session has no roster; a crash leaves it so, and the
// roster is entered again.
func (r *Registry) storeRoster(ctx context.Context, by Actor, seen Session, list []entered) (Session, error) {
	generation, err := r.openRoster(ctx, by, seen)
	if err != nil {
		return seen, err
	}
	stored := make([]Entry, 0, len(list))
	for start := 0; start < len(list); start += bulkPage {
		page := list[start:min(start+bulkPage, len(list))]
		var entries []Entry
		documents, fresh := make([]standards.Document, len(page)), make([]PersonID, len(page))
		for i := range page {
			documents[i], fresh[i] = page[i].evidence.Paper.Document, r.rand.person()
		}
		err := r.db.Bulk(ctx, func(tx kv.Tx) error {
			entries = make([]Entry, len(page))
			people, err := r.peopleFor(tx, documents, fresh)
			if err != nil {
				return err
			}
			for i := range page {
				e := page[i].entry
				e.Person, e.Generation, e.Entered = people[i], generation, tx.Now()
				entries[i] = e
				if err := r.vault.seal(tx, sealedEntry(e), page[i].evidence); err != nil {
					return err
				}
			}
			return roster.PutMany(tx, entries)
		})
		if err != nil {
			return seen, err
		}
		stored = append(stored, entries...)
	}
	content, err := rosterDigest(stored)
	if err != nil {
		return seen, err
	}
	s, err := r.onSession(ctx, by, RunSessions, seen.ID, "enter roster", func(tx kv.Tx, s Session) (Session, error) {
		if err := s.TakeRoster(standards.DateOf(tx.Now())); err != nil {
			return s, err
		}
		newest, err := counter(tx, counterGeneration(s.ID), 1)
		if err != nil {
			return s, err
		}
		if int(newest) != generation+1 {
			return s, fail.New(fail.Conflict, "roster_replaced", "another roster for session %s was begun meanwhile", s.ID).In("批次 %s 的名单正由他人录入，请核对后重试", s.ID)
		}
		s.Roster = &Roster{Generation: generation, Entries: len(list), At: tx.Now(), Content: content}
		return s, r.putSession(tx, by, s, RosterEntered, s.Roster)
	})
	if err != nil {
		return seen, err
	}
	return s, r.clearRoster(ctx, s)
}

// openRoster takes the roster away from a session and the next generation.
func (r *Registry) openRoster(ctx context.Context, by Actor, seen Session) (generation int, err error) {
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		generation = 0
		s, err := sessionFor(tx, by, RunSessions, seen.ID)
		if err != nil {
			return err
		}
		if err := s.TakeRoster(standards.DateOf(tx.Now())); err != nil {
			return err
		}
		n, err := counter(tx, counterGeneration(s.ID), 1)
		if err != nil {
			return err
		}
		setCounter(tx, counterGeneration(s.ID), n+1)
		generation = int(n)
		s.Roster = nil
		return sessions.Put(tx, s)
	})
	return generation, err
}

// clearRoster deletes entries of generations that do not count.
func (r *Registry) clearRoster(ctx context.Context, s Session) error {
	rng := kv.Prefix(kv.Key(s.ID))
	rng.Limit = bulkPage
	for rng.From != nil {
		var next []byte // of rng the closure changes nothing: it may run again
		err := r.db.Bulk(ctx, func(tx kv.Tx) (err error) {
			var page []Entry
			page, next, err = roster.Scan(tx, rng)
			if err != nil {
				return err
			}
			for _, e := range page {
				if e.Generation == s.Roster.Generation {
					continue
				}
				tx.Delete(tableSealed, sealedEntry(e).storeKey())
				if err := roster.Delete(tx, roster.Key(e)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		rng.From = next
	}
	return nil
}

// mustHaveRoster refuses results without a roster where one is needed: by the
// rules of the region, for an institution that examines its own people only, and
// for certificates without an exam, whose basis stands on it.
func (s Session) mustHaveRoster(rules course.Rules, f evaluators.Filing) error {
	if s.Roster != nil || !rules.Roster && f.Class != evaluators.Employer && s.mode() == policy.ModeExam {
		return nil
	}
	return fail.New(fail.Conflict, "no_roster", "session %s has no roster; candidates are entered and found eligible before the exam", s.ID).
		In("批次 %s 没有报名名单；考生须在考试前完成报名和资格审核", s.ID)
}

// matchRoster refuses rows of people who are not on the roster, and takes over
// what it says of them.
func (r *Registry) matchRoster(ctx context.Context, about resultsCase, rows []resultRow) (bad []fail.Field, err error) {
	if about.session.Roster == nil {
		return nil, nil
	}
	for start := 0; start < len(rows); start += bulkPage {
		page := rows[start:min(start+bulkPage, len(rows))]
		var found []fail.Field
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			found, err = r.matchPage(rd, about.session, page)
			return err
		})
		if err != nil {
			return nil, err
		}
		bad = append(bad, found...)
	}
	return bad, nil
}

func (r *Registry) matchPage(rd kv.Reader, s Session, page []resultRow) (bad []fail.Field, err error) {
	documents, keys := make([]standards.Document, len(page)), make([][]byte, len(page))
	for i, row := range page {
		documents[i] = row.paper.Document
	}
	people, known, _, err := r.knownPeople(rd, documents)
	if err != nil {
		return nil, err
	}
	for i, p := range people {
		keys[i] = rosterKey(s.ID, p)
	}
	entries, there, err := roster.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	if err := r.rosterOfOthers(rd, s, people, entries, there); err != nil {
		return nil, err
	}
	blocks := make([][]byte, len(page))
	for i := range page {
		blocks[i] = sealedEntry(Entry{Session: s.ID, Person: entries[i].Person}).storeKey()
	}
	sealed, err := rd.GetMany(tableSealed, blocks)
	if err != nil {
		return nil, err
	}
	for i := range page {
		c := &page[i].candidate
		if !known[i] || !there[i] || entries[i].Generation != s.Roster.Generation {
			bad = append(bad, fail.Field{Name: "证件号码", Row: c.Row, Code: "not_on_roster", ZH: "不在本批次报名名单中", EN: "is not on the roster of this session"})
			continue
		}
		var was evidence
		if err := r.vault.openValue(sealedEntry(entries[i]), sealed[i], &was); err != nil {
			return nil, err
		}
		if !was.Paper.sameName(page[i].paper.Name) {
			bad = append(bad, fail.Field{Name: "姓名", Row: c.Row, Code: "name_differs", ZH: "与报名名单中的姓名不一致", EN: "is not the name on the roster"})
		}
		c.Group = entries[i].Group
	}
	return bad, nil
}

// rosterOfOthers fills in the entries of people who are on the roster under another
// of the ids that they have after merges: the exam was registered with one document
// and the results come with the other.
func (r *Registry) rosterOfOthers(rd kv.Reader, s Session, people []PersonID, entries []Entry, there []bool) error {
	ids, err := identitiesOf(rd, people)
	if err != nil {
		return err
	}
	var keys [][]byte
	var of []int
	for i := range people {
		if there[i] && entries[i].Generation == s.Roster.Generation {
			continue
		}
		for _, id := range ids[i] {
			if id != people[i] {
				keys, of = append(keys, rosterKey(s.ID, id)), append(of, i)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, ok, err := roster.GetMany(rd, keys)
	if err != nil {
		return err
	}
	for n, e := range found {
		if ok[n] && e.Generation == s.Roster.Generation {
			entries[of[n]], there[of[n]] = e, true
		}
	}
	return nil
}

// RosterView is an entry as its institution and the authority see it.
type RosterView struct {
	Entry
	Name     string `json:"name"`
	Document string `json:"document"` // masked
}

// RosterOf is one page of the roster of a session.
func (r *Registry) RosterOf(ctx context.Context, by Actor, session string, page Page) (out []RosterView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		s, err := sessionFor(rd, by, ReadCandidates, session)
		if err != nil || s.Roster == nil {
			return err
		}
		found, cursor, err := scanPage(rd, roster, kv.Prefix(kv.Key(s.ID)), page)
		if err != nil {
			return err
		}
		for _, e := range found {
			if e.Generation != s.Roster.Generation {
				continue // left over by a crash while it was replaced
			}
			var sealed evidence
			if ok, err := r.vault.open(rd, sealedEntry(e), &sealed); err != nil || !ok {
				return err
			}
			out = append(out, RosterView{Entry: e, Name: sealed.Paper.Name, Document: sealed.Paper.Document.Masked()})
		}
		next = cursor
		return nil
	})
	return out, next, err
}
