package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/quota"
	"bajigong/standards"
)

// ListRow is one row of a list to be checked: a code, or number and name. A code
// with a name is held against the name too.
type ListRow struct {
	Row    int    `json:"row,omitempty"`    // as the list counts; its place from 1 when zero
	QR     string `json:"qr,omitempty"`     // what a QR code says, its digits or token, or the 13 characters 查验码
	Number string `json:"number,omitempty"` // 证书编号
	Name   string `json:"name,omitempty"`   // 姓名
}

// ListAnswer is the answer to one row. Certificate facts are there only when a
// code was given, or number and name fit each other: what does not fit is
// unknown-certificate, and which of the two is wrong is not told.
type ListAnswer struct {
	Row         int                  `json:"row"`
	Reasons     []credentials.Reason `json:"reasons,omitempty"` // as in a verdict; none when the row cannot be read
	Since       string               `json:"since,omitempty"`
	Problem     *ListProblem         `json:"problem,omitempty"`      // why the row cannot be read
	DuplicateOf int                  `json:"duplicate_of,omitempty"` // the first row with the same certificate
	Certificate *ListFace            `json:"certificate,omitempty"`
	CheckedAt   time.Time            `json:"checked_at"`
	Receipt     string               `json:"receipt,omitempty"`
}

// ListProblem is why a row cannot be read.
type ListProblem struct {
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// ListFace is what is told of a certificate that was found. Name is there only
// for a row with a code: whoever has the code holds the paper.
type ListFace struct {
	Number         string `json:"number"`
	Name           string `json:"name,omitempty"`
	OccupationCode string `json:"occupation_code"`
	Occupation     string `json:"occupation"`
	Trade          string `json:"trade"`
	Level          string `json:"level"`
	LevelZH        string `json:"level_zh"`
	LevelEN        string `json:"level_en"`
	Issued         string `json:"issued"`
	Institution    string `json:"institution,omitempty"`
	Origin         string `json:"origin,omitempty"`
}

// First is the reason that decides; empty when the row could not be read.
func (a ListAnswer) First() credentials.Reason {
	if len(a.Reasons) == 0 {
		return ""
	}
	return a.Reasons[0]
}

// Band is the colour and shape of the answer.
func (a ListAnswer) Band() credentials.Band {
	if len(a.Reasons) == 0 {
		return credentials.Unproven
	}
	return a.First().Band()
}

// ListReport is what was found of a list, one answer a row and in its order.
type ListReport struct {
	CheckedAt  time.Time    `json:"checked_at"`
	Rows       int          `json:"rows"`
	Good       int          `json:"good"`
	Bad        int          `json:"bad"`        // everything else
	Duplicates int          `json:"duplicates"` // rows that an earlier one has already
	Answers    []ListAnswer `json:"answers"`
	// LeftLists and LeftRows are what the account may still check today.
	LeftLists int `json:"left_lists"`
	LeftRows  int `json:"left_rows"`
}

// ListLimits says what an account may check today: the rows of one list, and the
// lists and rows that are left. Forbidden when it may check none.
func (r *Registry) ListLimits(ctx context.Context, by Actor) (l quota.Lists, lists, rows int, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		var a asked
		if a, l, err = r.listsOf(rd, by, now); err != nil {
			return err
		}
		lists, rows = a.Tally.Left(l, standards.DateOf(now))
		return nil
	})
	return l, lists, rows, err
}

// listsOf is the account's book of lists and its limits.
func (r *Registry) listsOf(rd kv.Reader, by Actor, now time.Time) (asked, quota.Lists, error) {
	a := asked{Kind: askedList, Whom: []byte(by.Account)}
	if err := may(by, CheckLists, Object{Employer: by.Organisation, Region: by.Region}); err != nil {
		return a, quota.Lists{}, err
	}
	q, err := r.quotas(by.Region, now)
	if err != nil {
		return a, q.Lists, err
	}
	found, ok, err := askedRecords.Get(rd, askedRecords.Key(a))
	if ok {
		a = found
	}
	return a, q.Lists, err
}

// CheckList checks a list of certificates for an employer, the authority or an
// auditor. Every list counts against the account's day, in the same Update that
// records how many rows it had and how many of them were bad, before anything of
// it is answered. Nothing of the list is stored.
//
// Errors: Invalid list_empty; TooLarge list_rows; RateLimited lists_spent.
func (r *Registry) CheckList(ctx context.Context, by Actor, rows []ListRow) (ListReport, error) {
	var out ListReport
	opened := r.openTokens(ctx, rows)
	err := r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = ListReport{CheckedAt: now, Rows: len(rows)}
		a, l, err := r.listsOf(rd, by, now)
		if err != nil {
			return err
		}
		if err := listFits(len(rows), a, l, standards.DateOf(now)); err != nil {
			return err
		}
		out.Answers, err = r.answerList(rd, rows, opened, now)
		return err
	})
	if err != nil {
		return ListReport{}, err
	}
	out.count()
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		a, l, err := r.listsOf(tx, by, tx.Now())
		if err != nil {
			return err
		}
		today := standards.DateOf(tx.Now())
		if err := listFits(len(rows), a, l, today); err != nil {
			return err
		}
		a.Tally, _ = a.Tally.Add(l, today, len(rows))
		out.LeftLists, out.LeftRows = a.Tally.Left(l, today)
		if err := putAsked(tx, a, a.Tally.Day); err != nil {
			return err
		}
		_, err = r.appendEvent(tx, by, Event{Kind: ListChecked, Object: by.Account, Detail: map[string]int{"rows": out.Rows, "bad": out.Bad}})
		return err
	})
	if err != nil {
		return ListReport{}, fmt.Errorf("check list: %w", err)
	}
	return out, nil
}

func listFits(rows int, a asked, l quota.Lists, today standards.Date) error {
	if rows == 0 {
		return fail.New(fail.Invalid, "list_empty", "the list has no rows").In("名单是空的，请至少填写一行").
			At(fail.Field{Name: "rows", Code: "required", ZH: "请至少填写一行", EN: "at least one row"})
	}
	if rows > l.Rows {
		return fail.New(fail.TooLarge, "list_rows", "the list has %d rows, at most %d are checked at once; split it", rows, l.Rows).
			In("名单有 %d 行，一次最多核验 %d 行，请拆分后提交", rows, l.Rows)
	}
	if _, ok := a.Tally.Add(l, today, rows); !ok {
		lists, left := a.Tally.Left(l, today)
		return fail.New(fail.RateLimited, "lists_spent", "this account has %d lists and %d rows left today, which is too few; go on tomorrow, or ask the authority for more", lists, left).
			In("本账号今日还可核验 %d 份名单、共 %d 行，不足以核验本名单；请明日再试，或联系主管部门调整额度", lists, left)
	}
	return nil
}

func (out *ListReport) count() {
	for _, a := range out.Answers {
		if a.Band() == credentials.Good {
			out.Good++
		} else {
			out.Bad++
		}
		if a.DuplicateOf > 0 {
			out.Duplicates++
		}
	}
}

// openedRow is a row as far as it can be read without the store.
type openedRow struct {
	problem    *ListProblem
	final      []credentials.Reason // decided without the store: a foreign or altered code
	scanned    credentials.Scanned
	claims     *credentials.Claims
	distrusted bool
	number     standards.Number
}

// openTokens reads every row and verifies its signature, outside the store.
func (r *Registry) openTokens(ctx context.Context, rows []ListRow) []openedRow {
	out := make([]openedRow, len(rows))
	keys := r.cfg.Keys.Public()
	for i, row := range rows {
		if ctx.Err() != nil {
			return out // the View that follows says so
		}
		out[i] = r.openRow(row, keys)
	}
	return out
}

func (r *Registry) openRow(row ListRow, keys jws.KeySet) (o openedRow) {
	problem := func(err error) openedRow {
		e := fail.Of(err)
		return openedRow{problem: &ListProblem{Code: e.Code, ZH: e.ZH, EN: e.Text}}
	}
	switch {
	case strings.TrimSpace(row.QR) != "":
		return r.openCode(row.QR, keys, problem)
	case strings.TrimSpace(row.Number) == "":
		return problem(fail.New(fail.Invalid, "row_empty", "the row has neither a code nor a number").In("本行没有证书编号，也没有二维码内容或查验码"))
	case strings.TrimSpace(row.Name) == "":
		return problem(fail.New(fail.Invalid, "two_facts", "the name is missing; a number alone is not answered").In("缺少姓名；只凭编号不予答复，请补填姓名或二维码内容"))
	case len(row.Name) > 200:
		return problem(fail.New(fail.Invalid, "too_long", "the name is too long").In("姓名过长"))
	}
	n, err := standards.ParseNumber(row.Number)
	if err != nil {
		return problem(err)
	}
	o.number = n
	return o
}

func (r *Registry) openCode(text string, keys jws.KeySet, problem func(error) openedRow) (o openedRow) {
	if h, err := credentials.ParseTypedHandle(strings.TrimSpace(text)); err == nil {
		o.scanned.Handle = h
		return o
	}
	s, err := credentials.ParseAny(text)
	if err != nil {
		return problem(err)
	}
	o.scanned = s
	if s.Origin != "" && s.Origin != r.cfg.Origin {
		o.final = []credentials.Reason{credentials.ReasonWrongRegistry}
		return o
	}
	if s.Token == "" {
		return o
	}
	claims, _, err := credentials.OpenToken(s.Token, keys, time.Time{})
	o.distrusted = errors.Is(err, jws.ErrDistrusted)
	if err != nil && !o.distrusted {
		v, err := r.refusedToken(text, keys)
		if err != nil {
			return problem(err)
		}
		o.final = v.Reasons
		return o
	}
	o.claims = &claims
	return o
}

// answerList answers every row on one state. What the rows need is read ahead, a
// table at a time; the verdicts themselves are those of single codes and look-ups.
func (r *Registry) answerList(rd kv.Reader, rows []ListRow, opened []openedRow, now time.Time) ([]ListAnswer, error) {
	w := newWarm(rd)
	found, err := r.warmList(w, opened)
	if err != nil {
		return nil, err
	}
	out := make([]ListAnswer, len(rows))
	first := map[string]int{} // the row that had it first
	for i, row := range rows {
		if row.Row == 0 {
			row.Row = i + 1
		}
		a, same, err := r.answerRow(w, row, opened[i], found[i], now)
		if err != nil {
			return nil, err
		}
		if at, twice := first[same]; twice && same != "" {
			a.DuplicateOf = at
		} else {
			first[same] = row.Row
		}
		out[i] = a
	}
	return out, nil
}

// warmList reads ahead, and returns the version behind each row, if there is one.
func (r *Registry) warmList(w *warm, opened []openedRow) ([]*Version, error) {
	out := make([]*Version, len(opened))
	var byHandle, byStatus, byNumber [][]byte
	for _, o := range opened {
		switch {
		case o.problem != nil || o.final != nil:
		case o.claims != nil:
			byStatus = append(byStatus, kv.Key(uint64(o.claims.Status)))
		case o.scanned.Handle != "":
			byHandle = append(byHandle, kv.Key(string(o.scanned.Handle)))
		default:
			byNumber = append(byNumber, kv.Key(r.storedNumber(o.number)))
		}
	}
	var keys [][]byte
	for _, index := range []struct {
		table kv.Table
		keys  [][]byte
	}{{indexVersionsByHandle, byHandle}, {indexVersionsByStatusIndex, byStatus}} {
		found, err := w.load(index.table, index.keys)
		if err != nil {
			return nil, err
		}
		for _, key := range found {
			if key != nil {
				keys = append(keys, key)
			}
		}
	}
	found, ok, err := certificates.GetMany(w, byNumber)
	if err != nil {
		return nil, err
	}
	for i, c := range found {
		if ok[i] {
			keys = append(keys, versionKey(c.Number, c.Versions))
		}
	}
	vs, ok, err := versions.GetMany(w, keys)
	if err != nil {
		return nil, err
	}
	var numbers, papers, batchKeys [][]byte
	for i, v := range vs {
		if ok[i] {
			numbers = append(numbers, kv.Key(v.Number))
			papers = append(papers, sealedVersion(v.Number, v.N).storeKey())
		}
	}
	cs, ok, err := certificates.GetMany(w, numbers)
	if err != nil {
		return nil, err
	}
	for i, c := range cs {
		if ok[i] && c.Batch != "" {
			batchKeys = append(batchKeys, kv.Key(c.Batch))
		}
	}
	if _, err := w.load(tableSealed, papers); err != nil {
		return nil, err
	}
	if _, err := w.load(tableBatches, batchKeys); err != nil {
		return nil, err
	}
	for i, o := range opened {
		v, known, err := r.versionOf(w, o)
		if err != nil {
			return nil, err
		}
		if known {
			out[i] = &v
		}
	}
	return out, nil
}

// versionOf is the version that a row is about; a number is about the newest.
func (r *Registry) versionOf(rd kv.Reader, o openedRow) (Version, bool, error) {
	switch {
	case o.problem != nil || o.final != nil:
		return Version{}, false, nil
	case o.claims != nil:
		return versions.Lookup(rd, indexVersionsByStatusIndex, kv.Key(uint64(o.claims.Status)))
	case o.scanned.Handle != "":
		return versions.Lookup(rd, indexVersionsByHandle, kv.Key(string(o.scanned.Handle)))
	}
	c, ok, err := certificates.Get(rd, kv.Key(r.storedNumber(o.number)))
	if err != nil || !ok {
		return Version{}, false, err
	}
	return versions.Get(rd, versionKey(c.Number, c.Versions))
}

// answerRow is the answer to one row. same is equal for rows about the same
// certificate; of what is not found it is what was typed.
func (r *Registry) answerRow(rd kv.Reader, row ListRow, o openedRow, v *Version, now time.Time) (a ListAnswer, same string, err error) {
	a = ListAnswer{Row: row.Row, CheckedAt: now, Problem: o.problem, Reasons: o.final}
	if o.problem != nil || o.final != nil {
		return a, "", nil
	}
	verdict := unknownCertificate(now)
	switch {
	case v == nil:
	case o.claims != nil:
		verdict, err = r.verdictOnToken(rd, o.scanned, *o.claims, o.distrusted, now)
	default:
		verdict, _, err = r.verdictOn(rd, *v, now)
	}
	if err != nil {
		return a, "", err
	}
	if verdict.Certificate != nil && strings.TrimSpace(row.Name) != "" {
		if registered := (Paper{Name: verdict.Certificate.Name}); !registered.sameName(row.Name) {
			verdict = unknownCertificate(now)
		}
	}
	a.Reasons, a.Since, a.Receipt = verdict.Reasons, verdict.Since, verdict.Receipt
	if verdict.Certificate == nil {
		return a, strings.Join([]string{"?", o.number.Text, string(o.scanned.Handle), string(o.scanned.Token), standards.NormaliseName(row.Name)}, "\x00"), nil
	}
	a.Certificate = listFace(verdict, row, o)
	return a, v.Number, nil
}

func listFace(v credentials.Verdict, row ListRow, o openedRow) *ListFace {
	c := v.Certificate
	f := ListFace{Number: c.Number, OccupationCode: c.OccupationCode, Occupation: c.Occupation, Trade: c.Trade, Level: c.Level, LevelZH: c.LevelZH, LevelEN: c.LevelEN,
		Issued: c.Issued, Origin: c.Origin}
	if v.Institution != nil {
		f.Institution = v.Institution.Name
	}
	if o.number.Text == "" {
		f.Name = c.Name
	}
	if o.number.Personal() {
		f.Number = o.number.Masked()
	}
	return &f
}
