package registry

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// ListKind is a list that an institution prints for a session.
type ListKind string

// The kinds.
const (
	TicketList  ListKind = "tickets"   // 准考证
	SignInList  ListKind = "sign-in"   // 签到表
	PassedList  ListKind = "passed"    // 合格人员名册
	HandoutList ListKind = "handovers" // 发放签领表
)

// ListKinds lists every kind.
func ListKinds() []ListKind { return []ListKind{TicketList, SignInList, PassedList, HandoutList} }

var listTitles = map[ListKind][2]string{
	TicketList: {"准考证", "Admission tickets"}, SignInList: {"考生签到表", "Sign-in sheet"},
	PassedList: {"职业技能等级认定合格人员名册", "Roll of those who passed"}, HandoutList: {"职业技能等级证书发放签领表", "Certificates handed out"},
}

// Words is the kind as officials say it; empty for one that does not exist.
func (k ListKind) Words() (zh, en string) { w := listTitles[k]; return w[0], w[1] }

// List is a list of a session: plain texts for a table, whatever becomes of it. It
// carries personal data and is for whom it was made.
type List struct {
	Kind    ListKind  `json:"kind"`
	Title   string    `json:"title"`
	Session ListFacts `json:"session"`
	Header  []string  `json:"header"`
	// Rows have a cell for each of Header. People of a room stand together.
	Rows [][]string `json:"rows"`
	// Note says what stands on the form, and why documents are whole or masked.
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}

// ListFacts are the facts of a session as lists show them.
type ListFacts struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Institution string         `json:"institution"` // its name on the day of the list
	Occupation  string         `json:"occupation"`
	Trade       string         `json:"trade"` // -- for none
	Level       string         `json:"level"`
	ExamDate    standards.Date `json:"exam_date"`
	Site        string         `json:"site,omitempty"`
}

// Heading is the line above the table: the list and whose it is.
func (l List) Heading() string {
	return fmt.Sprintf("%s（%s）", l.Title, l.Session.Line())
}

// Line is the session in one line.
func (s ListFacts) Line() string {
	return fmt.Sprintf("%s，%s，%s %s %s，考试日期 %s", s.Institution, s.Name, s.Occupation, s.Trade, s.Level, s.ExamDate.Chinese())
}

// Each goes over the rows, for those who write tables.
func (l List) Each() iter.Seq[[]string] { return slices.Values(l.Rows) }

// ListOf makes a list of a session. The institution of the session has all of them.
// Documents are masked, but for the roll of those who passed: it is filed with the
// authority and compared with the national upload by number, so it has them whole
// and every making of it is logged; the authority, which does not file it, has it
// masked.
//
//   - admission tickets: masked. Tickets get lost; at the door the photo, the name
//     and the card itself are compared.
//   - sign-in sheet: masked. It lies open on a table for everybody in the room.
//   - certificates handed out: masked, for the same reason.
//
// Errors: Invalid list_kind; Conflict no_candidates, not_publicised, not_issued.
func (r *Registry) ListOf(ctx context.Context, by Actor, session string, kind ListKind) (List, error) {
	title, _ := kind.Words()
	if title == "" {
		return List{}, fail.New(fail.Invalid, "list_kind", "there is no list %s; it is tickets, sign-in, passed or handovers", kind).In("没有这种表册；应为 tickets（准考证）、sign-in（签到表）、passed（合格人员名册）或 handovers（发放签领表）").
			At(fail.Field{Name: "kind", Code: "unknown", ZH: "没有这种表册", EN: "no such list"})
	}
	listed, err := r.sessionPeople(ctx, by, ReadCandidates, session)
	if err != nil {
		return List{}, fmt.Errorf("list of session %s: %w", session, err)
	}
	if err := listed.session.mayList(kind); err != nil {
		return List{}, err
	}
	out := List{Kind: kind, Title: title}
	if err := r.listFacts(ctx, listed.session, &out); err != nil {
		return List{}, err
	}
	switch kind {
	case TicketList, SignInList:
		listed.asEntered().tickets(kind, &out)
	case PassedList:
		err = r.passedList(ctx, by, listed, &out)
	case HandoutList:
		err = r.handoutList(ctx, listed, &out)
	}
	if err != nil {
		return List{}, fmt.Errorf("list of session %s: %w", session, err)
	}
	return out, nil
}

// mayList refuses a list for which a session has not come far enough.
func (s Session) mayList(kind ListKind) error {
	switch {
	case (kind == TicketList || kind == SignInList) && s.Roster == nil && s.Results == nil:
		return fail.New(fail.Conflict, "no_candidates", "session %s has neither a roster nor results", s.ID).In("批次 %s 尚无报名名单", s.ID)
	case kind == PassedList && (s.Results == nil || s.Publicity == nil):
		return fail.New(fail.Conflict, "not_publicised", "the results of session %s are not publicised; who passed is not settled", s.ID).In("批次 %s 的成绩尚未公示，合格人员未定", s.ID)
	case kind == HandoutList && s.State != SessionIssued:
		return fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", s.ID).In("批次 %s 尚未发证", s.ID)
	}
	return nil
}

func (r *Registry) listFacts(ctx context.Context, s Session, out *List) error {
	return r.view(ctx, func(rd kv.Reader, now time.Time) error {
		inst, err := institutionByID(rd, s.Institution)
		if err != nil {
			return err
		}
		o, err := r.occupation(rd, s.Occupation)
		if err != nil {
			return err
		}
		trade, err := o.FindTrade(s.Trade)
		if err != nil {
			return err
		}
		out.At = now
		out.Session = ListFacts{ID: s.ID, Name: s.Name, Institution: inst.NameOn(standards.DateOf(now), now), Occupation: o.Name, Trade: cmp.Or(trade.Name, standards.NoTrade),
			Level: s.Level.Certificate(), ExamDate: s.ExamDate, Site: s.Site}
		return nil
	})
}

// tickets fills the lists that are used before and at the exam.
func (listed sessionPeople) tickets(kind ListKind, out *List) {
	out.Header = []string{"序号", "准考证号", "考场", "座位", "姓名", "证件号码"}
	out.Note = "证件号码已脱敏：准考证易遗失，入场时核对本人、照片和证件原件。"
	if kind == SignInList {
		out.Header = append(out.Header, "签到", "备注")
		out.Note = "证件号码已脱敏：签到表公开摆放，入场时核对证件原件。"
	}
	for i, p := range listed.people {
		row := []string{strconv.Itoa(i + 1), p.ticket, p.room, strconv.Itoa(p.seat), p.paper.Name, p.paper.Document.Masked()}
		if kind == SignInList {
			row = append(row, "", "")
		}
		out.Rows = append(out.Rows, row)
	}
}

// passedList fills the roll of those who passed, with their scores and, once it is
// issued, their numbers.
func (r *Registry) passedList(ctx context.Context, by Actor, listed sessionPeople, out *List) error {
	s := listed.session
	whole := may(by, RunSessions, Object{Institution: s.Institution, Region: s.Region}) == nil
	out.Header = []string{"序号", "姓名", "证件类型", "证件号码", "理论成绩", "技能成绩", "综合评审成绩", "证书编号", "备注"}
	out.Note = "本名册随档案报送主管部门并与全国联网数据按证件号码核对，故证件号码完整；每次生成均记入日志，请妥善保管。"
	if !whole {
		out.Note = "证件号码已脱敏：完整名册由评价机构生成报送。"
	}
	numbers := map[int]string{}
	if s.State == SessionIssued {
		err := r.eachIssued(ctx, s, func(page []Certificate) error {
			for _, c := range page {
				numbers[c.Row] = credentials.GroupNumber(c.Number)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	score := func(p sessionPerson, kind standards.PartKind) string {
		v, ok := p.scores[kind]
		if !ok {
			return ""
		}
		return fmt.Sprint(v)
	}
	for _, p := range listed.people {
		if !p.passed || p.held == HoldExcluded {
			continue
		}
		document, note := p.paper.Document.Masked(), ""
		if whole {
			document = p.paper.Document.Number
		}
		if p.held == HoldAppeal {
			note = "异议办理中"
		}
		out.Rows = append(out.Rows, []string{strconv.Itoa(len(out.Rows) + 1), p.paper.Name, p.paper.Document.Kind.Name(), document,
			score(p, standards.Theory), score(p, standards.Skill), score(p, standards.Review), numbers[p.row], note})
	}
	if !whole {
		return nil
	}
	return r.db.Update(ctx, func(tx kv.Tx) error {
		_, err := r.appendEvent(tx, by, Event{Kind: ListExported, Object: s.ID, Institution: s.Institution, Detail: map[string]any{"list": out.Kind, "rows": len(out.Rows)}})
		return err
	})
}

// eachIssued goes over the certificates of a session, page by page.
func (r *Registry) eachIssued(ctx context.Context, s Session, fn func([]Certificate) error) error {
	for page := (Page{Limit: pageMax}); ; {
		var found []Certificate
		var next string
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			found, next, err = issuedPage(rd, s, page)
			return err
		})
		if err != nil {
			return err
		}
		if err := fn(found); err != nil {
			return err
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

// handoutList fills the list that holders sign when they fetch their certificates:
// the newest version and print of each, and who has fetched his already.
func (r *Registry) handoutList(ctx context.Context, listed sessionPeople, out *List) error {
	out.Header = []string{"序号", "姓名", "证件号码", "证书编号", "印制流水码", "领取人签名", "领取日期", "代领人证件号码", "备注"}
	out.Note = "证件号码已脱敏：签领表公开摆放，领取时核对证件原件；代领的，登记代领人证件。"
	return r.eachIssued(ctx, listed.session, func(page []Certificate) error {
		return r.db.View(ctx, func(rd kv.Reader) error {
			rows, err := r.handoutRows(rd, page)
			if err != nil {
				return err
			}
			for _, row := range rows {
				out.Rows = append(out.Rows, append([]string{strconv.Itoa(len(out.Rows) + 1)}, row...))
			}
			return nil
		})
	})
}

func (r *Registry) handoutRows(rd kv.Reader, page []Certificate) ([][]string, error) {
	places, handed := make([]sealedPlace, len(page)), make([][]byte, len(page))
	for i, c := range page {
		places[i], handed[i] = sealedVersion(c.Number, c.Versions), versionKey(c.Number, c.Versions)
	}
	papers, err := openMany[Paper](r.vault, rd, places)
	if err != nil {
		return nil, err
	}
	given, there, err := handouts.GetMany(rd, handed)
	if err != nil {
		return nil, err
	}
	codes, err := serialsOf(rd, page)
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(page))
	for i, c := range page {
		code, date, proxy, note := codes[i], "", "", ""
		if there[i] {
			date, note = string(given[i].Date), "已领取"
			if given[i].Proxy {
				who, err := r.proxyOf(rd, given[i])
				if err != nil {
					return nil, err
				}
				proxy, note = who.Document.Masked(), "代领"
			}
		}
		if c.Status != CertificateValid {
			note = "证书" + certificateWords[c.Status] + "，不予发放"
		}
		rows[i] = []string{papers[i].Name, papers[i].Document.Masked(), credentials.GroupNumber(c.Number), code, "", date, proxy, note}
	}
	return rows, nil
}

var certificateWords = map[CertificateStatus]string{CertificateSuspended: "暂停使用", CertificateCancelled: "已注销", CertificateVoided: "已撤销"}

// Ticket is one admission ticket 准考证.
type Ticket struct {
	Number   string `json:"number"`         // 准考证号
	Room     string `json:"room,omitempty"` // 考场
	Seat     int    `json:"seat"`
	Name     string `json:"name"`
	Document string `json:"document"` // masked
	Photo    []byte `json:"-"`        // JPEG; nil when there is none
}

// TicketsMost is how many tickets one part has: with their photos they stand in
// memory.
const TicketsMost = 200

// TicketsOf is one part of the admission tickets of a session with their photos,
// [TicketsMost] a part from part 1 on. more is whether there are further parts.
// Errors as of ListOf; NotFound for a part behind the last.
func (r *Registry) TicketsOf(ctx context.Context, by Actor, session string, part int) (out []Ticket, facts ListFacts, more bool, err error) {
	listed, err := r.sessionPeople(ctx, by, ReadCandidates, session)
	if err != nil {
		return nil, facts, false, fmt.Errorf("tickets of session %s: %w", session, err)
	}
	s := listed.session
	if err := s.mayList(TicketList); err != nil {
		return nil, facts, false, err
	}
	var l List
	if err := r.listFacts(ctx, s, &l); err != nil {
		return nil, facts, false, err
	}
	listed = listed.asEntered()
	from := (part - 1) * TicketsMost
	if part < 1 || from >= len(listed.people) {
		return nil, facts, false, notFound("part", "分册", strconv.Itoa(part))
	}
	page := listed.people[from:min(from+TicketsMost, len(listed.people))]
	out, err = r.ticketsWithPhotos(ctx, s.ID, page)
	return out, l.Session, from+len(page) < len(listed.people), err
}

func (r *Registry) ticketsWithPhotos(ctx context.Context, session string, page []sessionPerson) ([]Ticket, error) {
	out := make([]Ticket, len(page))
	keys := make([][]byte, len(page))
	for i, p := range page {
		out[i] = Ticket{Number: p.ticket, Room: p.room, Seat: p.seat, Name: p.paper.Name, Document: p.paper.Document.Masked()}
		keys[i] = sealedSessionPhoto(session, p.person).storeKey()
	}
	err := r.db.View(ctx, func(rd kv.Reader) error {
		blocks, err := rd.GetMany(tableSealed, keys)
		if err != nil {
			return err
		}
		for i, block := range blocks {
			if block == nil {
				continue
			}
			if out[i].Photo, err = r.vault.openBytes(sealedSessionPhoto(session, page[i].person), block); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// asEntered are the people in the order of the roster, where there is one: who
// was entered has a seat, whatever the results say.
func (listed sessionPeople) asEntered() sessionPeople {
	if listed.session.Roster != nil {
		listed.people = listed.entered
	}
	return listed
}
