package web

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// newCreditEvent is an entry of an institution's credit ledger: an item of the
// rules, a repair 修复 or a correction 更正.
type newCreditEvent struct {
	Institution string         `json:"institution"`
	Item        string         `json:"item,omitempty"`
	Repairs     string         `json:"repairs,omitempty"`
	Corrects    string         `json:"corrects,omitempty"`
	Effective   standards.Date `json:"effective,omitempty"`
	Document    string         `json:"document"`
	Basis       string         `json:"basis,omitempty"`
	Note        string         `json:"note,omitempty"`
	Origin      credit.Origin  `json:"origin,omitempty"`    // manual when empty; case or sign with their Reference
	Reference   string         `json:"reference,omitempty"` // id of the case or review it follows from
}

// newCreditReview is a yearly review 年度评价.
type newCreditReview struct {
	Year     int    `json:"year"`
	Document string `json:"document"`
	Note     string `json:"note,omitempty"`
}

// newStars begins a star assessment of a period.
type newStars struct {
	From  standards.Date `json:"from"`
	Until standards.Date `json:"until"`
}

// newStarScore is the score of one part.
type newStarScore struct {
	Part     credit.Part `json:"part"`
	Score    int         `json:"score"`
	Document string      `json:"document"`
}

// newObjection is an objection 异议 to a rating in publicity.
type newObjection struct {
	Ground string `json:"ground"`
}

// settlement upholds or rejects an objection.
type settlement struct {
	N      int    `json:"n"`
	Upheld bool   `json:"upheld"`
	Reason string `json:"reason"`
}

// byDocument names the document that an act rests on.
type byDocument struct {
	Document string `json:"document"`
}

// ending ends something by a document with a reason.
type ending struct {
	Document string `json:"document"`
	Reason   string `json:"reason"`
}

// newTaskList is a selection of institutions for subsidised work.
type newTaskList struct {
	Region   string         `json:"region"`
	Name     string         `json:"name"`
	Document string         `json:"document"`
	Basis    string         `json:"basis"`
	Method   string         `json:"method"`
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until"`
}

// newTaskEntries are institutions to be entered on a list.
type newTaskEntries struct {
	Institutions []newTaskEntry `json:"institutions"`
}

// newTaskEntry is one of them; without dates it has those of the list, without
// occupations it is for every one.
type newTaskEntry struct {
	Institution string         `json:"institution"`
	Occupations []string       `json:"occupations,omitempty"`
	From        standards.Date `json:"from,omitempty"`
	Until       standards.Date `json:"until,omitempty"`
}

// removal takes an entry off a list from a day on.
type removal struct {
	Entry    string         `json:"entry"`
	On       standards.Date `json:"on"`
	Document string         `json:"document"`
	Reason   string         `json:"reason"`
}

// personQuery names a person in one way.
type personQuery struct {
	DocumentKind   standards.DocumentKind `json:"document_kind,omitempty"`
	DocumentNumber string                 `json:"document_number,omitempty"`
	Certificate    string                 `json:"certificate,omitempty"`
	Examiner       string                 `json:"examiner,omitempty"`
}

// appealOutcome decides on an appeal.
type appealOutcome struct {
	Upheld   bool   `json:"upheld"`
	Document string `json:"document"`
	Reason   string `json:"reason"`
}

// creditView is a score with one credit year line by line.
type creditView struct {
	registry.CreditView
	Next string `json:"next,omitempty"`
}

func (s *Server) recordCreditEvent(c *call, in newCreditEvent) (credit.Event, error) {
	return s.reg.RecordCreditEvent(c.ctx, c.by, credit.Event{Institution: in.Institution, Item: in.Item, Repairs: in.Repairs, Corrects: in.Corrects,
		Effective: in.Effective, Document: in.Document, Basis: in.Basis, Origin: cmp.Or(in.Origin, credit.OriginManual), Reference: in.Reference, Note: in.Note})
}

func (s *Server) creditOf(c *call, _ none) (creditView, error) {
	id, err := c.param("id")
	if err != nil {
		return creditView{}, err
	}
	q, err := c.creditQuery()
	if err != nil {
		return creditView{}, err
	}
	v, next, err := s.reg.Credit(c.ctx, c.by, id, q)
	return creditView{v, next}, err
}

func (c *call) creditQuery() (q registry.CreditQuery, err error) {
	if q.On, err = c.date("on"); err != nil {
		return q, err
	}
	if q.Page, err = c.page(pageMost); err != nil {
		return q, err
	}
	known, err := c.query("known")
	if err != nil {
		return q, err
	}
	if known != "" {
		if q.Known, err = time.Parse(time.RFC3339, known); err != nil {
			return q, badQuery("known", "应为 RFC 3339 时间，如 2026-03-02T01:00:00Z", "a time of RFC 3339, for instance 2026-03-02T01:00:00Z")
		}
	}
	year, err := c.query("year")
	if err != nil || year == "" {
		return q, err
	}
	if q.Year, err = strconv.Atoi(year); err != nil || q.Year < 1900 || q.Year > 2199 {
		return q, badQuery("year", "应为四位年份", "a year of four digits")
	}
	return q, nil
}

func badQuery(name, zh, en string) error {
	return fail.New(fail.Invalid, "query", "the parameter %s cannot be read", name).In("参数 %s 无法识别", name).
		At(fail.Field{Name: name, Code: "form", ZH: zh, EN: en})
}

// date is a date after the question mark; empty when there is none.
func (c *call) date(name string) (standards.Date, error) {
	text, err := c.query(name)
	if err != nil || text == "" {
		return "", err
	}
	if d := standards.Date(text); d.Valid() {
		return d, nil
	}
	return "", badQuery(name, "应为实际存在的日期，如 2026-03-02", "an existing day, for instance 2026-03-02")
}

func (s *Server) standing(c *call, _ none) (registry.PublicStanding, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.PublicStanding{}, err
	}
	return s.reg.PublicStanding(c.ctx, id)
}

func (s *Server) creditRules(c *call, _ none) (credit.Rules, error) {
	region, err := c.query("region")
	if err != nil {
		return credit.Rules{}, err
	}
	on, err := c.date("on")
	if err != nil {
		return credit.Rules{}, err
	}
	return s.reg.CreditRules(c.ctx, region, on)
}

func (s *Server) reviewCredit(c *call, in newCreditReview) (credit.Review, error) {
	id, err := c.param("id")
	if err != nil {
		return credit.Review{}, err
	}
	return s.reg.ReviewCredit(c.ctx, c.by, credit.Review{Institution: id, Year: in.Year, Document: in.Document, Note: in.Note})
}

func (s *Server) creditReviews(c *call, _ none) (list[credit.Review], error) {
	id, err := c.param("id")
	if err != nil {
		return list[credit.Review]{}, err
	}
	out, err := s.reg.CreditReviews(c.ctx, c.by, id)
	return listOf(out, ""), err
}

func (s *Server) publishCreditReview(c *call, _ none) (credit.Review, error) {
	id, err := c.param("id")
	if err != nil {
		return credit.Review{}, err
	}
	text, err := c.param("year")
	if err != nil {
		return credit.Review{}, err
	}
	year, err := strconv.Atoi(text)
	if err != nil {
		return credit.Review{}, fail.New(fail.NotFound, "not_found", "there is nothing at this address").In("该地址没有内容")
	}
	return s.reg.PublishCreditReview(c.ctx, c.by, id, year)
}

func (s *Server) beginStars(c *call, in newStars) (credit.Assessment, error) {
	id, err := c.param("id")
	if err != nil {
		return credit.Assessment{}, err
	}
	return s.reg.BeginStars(c.ctx, c.by, credit.Assessment{Institution: id, From: in.From, Until: in.Until})
}

func (s *Server) starAssessments(c *call, _ none) (list[registry.AssessmentView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.AssessmentView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.AssessmentView]{}, err
	}
	out, next, err := s.reg.StarAssessments(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) starPublicities(c *call, _ none) (list[registry.PublicStars], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.PublicStars]{}, err
	}
	out, next, err := s.reg.StarPublicities(c.ctx, page)
	return listOf(out, next), err
}

// onStars makes the handler of an act on the assessment that the path names.
func onStars[In any](act func(s *Server, c *call, id string, in In) (credit.Assessment, error)) func(*Server, *call, In) (credit.Assessment, error) {
	return func(s *Server, c *call, in In) (credit.Assessment, error) {
		id, err := c.param("id")
		if err != nil {
			return credit.Assessment{}, err
		}
		return act(s, c, id, in)
	}
}

var (
	scoreStars = onStars(func(s *Server, c *call, id string, in newStarScore) (credit.Assessment, error) {
		return s.reg.ScoreStars(c.ctx, c.by, id, credit.PartScore{Part: in.Part, Score: in.Score, Document: in.Document})
	})
	publiciseStars = onStars(func(s *Server, c *call, id string, _ none) (credit.Assessment, error) {
		return s.reg.PubliciseStars(c.ctx, c.by, id)
	})
	objectToStars = onStars(func(s *Server, c *call, id string, in newObjection) (credit.Assessment, error) {
		return s.reg.ObjectToStars(c.ctx, c.by, id, in.Ground)
	})
	settleStars = onStars(func(s *Server, c *call, id string, in settlement) (credit.Assessment, error) {
		return s.reg.SettleStarsObjection(c.ctx, c.by, id, in.N, in.Upheld, in.Reason)
	})
	confirmStars = onStars(func(s *Server, c *call, id string, in byDocument) (credit.Assessment, error) {
		return s.reg.ConfirmStars(c.ctx, c.by, id, in.Document)
	})
	withdrawStars = onStars(func(s *Server, c *call, id string, in ending) (credit.Assessment, error) {
		return s.reg.WithdrawStars(c.ctx, c.by, id, in.Document, in.Reason)
	})
)

func (s *Server) makeTaskList(c *call, in newTaskList) (credit.TaskList, error) {
	return s.reg.MakeTaskList(c.ctx, c.by, credit.TaskList{Region: in.Region, Name: in.Name, Document: in.Document, Basis: in.Basis, Method: in.Method,
		From: in.From, Until: in.Until})
}

func (s *Server) taskLists(c *call, _ none) (list[credit.TaskList], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[credit.TaskList]{}, err
	}
	out, next, err := s.reg.TaskLists(c.ctx, page)
	return listOf(out, next), err
}

func (s *Server) taskEntries(c *call, _ none) (list[registry.ListedInstitution], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.ListedInstitution]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.ListedInstitution]{}, err
	}
	out, next, err := s.reg.TaskListEntries(c.ctx, id, page)
	return listOf(out, next), err
}

func (s *Server) enterTaskList(c *call, in newTaskEntries) (list[credit.Entry], error) {
	id, err := c.param("id")
	if err != nil {
		return list[credit.Entry]{}, err
	}
	var entries []credit.Entry
	for _, e := range in.Institutions {
		entries = append(entries, credit.Entry{Institution: e.Institution, Occupations: e.Occupations, From: e.From, Until: e.Until})
	}
	out, err := s.reg.EnterTaskList(c.ctx, c.by, id, entries)
	return listOf(out, ""), err
}

func (s *Server) removeFromTaskList(c *call, in removal) (credit.Entry, error) {
	id, err := c.param("id")
	if err != nil {
		return credit.Entry{}, err
	}
	return s.reg.RemoveFromTaskList(c.ctx, c.by, id, in.Entry, credit.Withdrawal{On: in.On, Document: in.Document, Reason: in.Reason})
}

func (s *Server) recordIntegrity(c *call, in registry.NewIntegrityEntry) (registry.IntegrityView, error) {
	return s.reg.RecordIntegrity(c.ctx, c.by, in)
}

func (s *Server) lookupIntegrity(c *call, in personQuery) (registry.IntegrityFileView, error) {
	return s.reg.LookupIntegrity(c.ctx, c.by, registry.NewIntegrityEntry{DocumentKind: in.DocumentKind, DocumentNumber: in.DocumentNumber,
		Certificate: in.Certificate, Examiner: in.Examiner})
}

func (s *Server) appealIntegrity(c *call, in newObjection) (registry.IntegrityView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.IntegrityView{}, err
	}
	return s.reg.AppealIntegrity(c.ctx, c.by, id, in.Ground)
}

func (s *Server) decideIntegrity(c *call, in appealOutcome) (registry.IntegrityView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.IntegrityView{}, err
	}
	return s.reg.DecideIntegrityAppeal(c.ctx, c.by, id, in.Upheld, in.Document, in.Reason)
}

// creditRoutes are the rows of credit, stars, task lists and integrity files.
func creditRoutes() []route {
	on := parameter{Name: "on", Description: "day, 2026-03-02; today when absent"}
	open := []route{
		{Path: "/api/v1/institutions/{id}/standing", Summary: "What anybody may know of an institution: credit band, stars and the lists it is on 信用等级、星级、承接名单",
			endpoint: api((*Server).standing)},
		{Path: "/api/v1/credit-rules", Query: []parameter{{Name: "region", Description: "GB/T 2260, six digits; that of the register when absent"}, on},
			Summary: "The credit rules in force", endpoint: api((*Server).creditRules)},
		{Path: "/api/v1/stars/publicity", Query: paging, Summary: "Star ratings in publicity 星级评定公示", endpoint: api((*Server).starPublicities)},
		{Path: "/api/v1/task-lists", Query: paging, Summary: "The lists of institutions chosen for subsidised work 承接补贴任务名单", endpoint: api((*Server).taskLists)},
		{Path: "/api/v1/task-lists/{id}/entries", Query: paging, Summary: "The institutions on a list, those removed from it included", endpoint: api((*Server).taskEntries)},
	}
	for i := range open {
		open[i].Method, open[i].Tag, open[i].Access, open[i].CORS = "GET", "credit", public, true
	}
	acts := []struct {
		path, summary string
		endpoint      endpoint
	}{
		{"scores", "Enter the score of a part: the self assessment by the institution, the others by the authority", api(scoreStars)},
		{"publicity", "Compute the result and begin its publicity", api(publiciseStars)},
		{"objections", "Object to a rating in publicity 异议", api(objectToStars)},
		{"settlement", "Uphold or reject an objection; upheld, the assessment is a draft again", api(settleStars)},
		{"confirmation", "Put a rating in force after its publicity", api(confirmStars)},
		{"withdrawal", "End an assessment, or a rating from today on", api(withdrawStars)},
	}
	rows := []route{
		{Method: "POST", Path: "/api/v1/credit-events", Success: 201, Idempotent: withKey, Summary: "Record a credit event, a repair 修复 or a correction 更正",
			Description: "Exactly one of item, repairs and corrects. The event is judged by the rules in force on its effective day.", endpoint: api((*Server).recordCreditEvent)},
		{Method: "GET", Path: "/api/v1/institutions/{id}/credit", Summary: "The credit of an institution with its explanation, for itself and the authority",
			Description: "The score on a day with the calculation by item and year, and one credit year of it line by line.",
			Query: append([]parameter{on, {Name: "known", Description: "as known at this time, RFC 3339; now when absent"},
				{Name: "year", Description: "credit year of the lines; that of the day when absent", Integer: true}}, paging...), endpoint: api((*Server).creditOf)},
		{Method: "GET", Path: "/api/v1/institutions/{id}/reviews", Summary: "The yearly reviews of an institution", endpoint: api((*Server).creditReviews)},
		{Method: "POST", Path: "/api/v1/institutions/{id}/reviews", Success: 201, Idempotent: withKey, Summary: "Review a credit year that has ended 年度评价", endpoint: api((*Server).reviewCredit)},
		{Method: "POST", Path: "/api/v1/institutions/{id}/reviews/{year}/publication", Summary: "Make the result of a review public", endpoint: api((*Server).publishCreditReview)},
		{Method: "GET", Path: "/api/v1/institutions/{id}/stars", Query: paging, Summary: "The star assessments of an institution", endpoint: api((*Server).starAssessments)},
		{Method: "POST", Path: "/api/v1/institutions/{id}/stars", Success: 201, Idempotent: withKey, Summary: "Begin a star assessment 星级评定", endpoint: api((*Server).beginStars)},
		{Method: "POST", Path: "/api/v1/task-lists", Success: 201, Idempotent: withKey, Summary: "Make a list of institutions for subsidised work", endpoint: api((*Server).makeTaskList)},
		{Method: "POST", Path: "/api/v1/task-lists/{id}/entries", Success: 201, Idempotent: withKey, Summary: "Enter institutions on a list, all or none",
			Description: "At most 100 at a time. 409 task_list_criteria has every reason against every institution.", endpoint: api((*Server).enterTaskList)},
		{Method: "POST", Path: "/api/v1/task-lists/{id}/removals", Idempotent: withKey, Summary: "Take an institution off a list from a day on 移出名单", endpoint: api((*Server).removeFromTaskList)},
		{Method: "POST", Path: "/api/v1/integrity-entries", Success: 201, Idempotent: withKey, Summary: "Enter something in the integrity file of a person 诚信档案", endpoint: api((*Server).recordIntegrity)},
		{Method: "POST", Path: "/api/v1/integrity-entries/lookup", Summary: "The integrity file of a person, and whether the person is barred today", endpoint: api((*Server).lookupIntegrity)},
		{Method: "POST", Path: "/api/v1/integrity-entries/{id}/appeal", Idempotent: withKey, Summary: "File the appeal of the person 申诉", endpoint: api((*Server).appealIntegrity)},
		{Method: "POST", Path: "/api/v1/integrity-entries/{id}/decision", Idempotent: withKey, Summary: "Decide on an appeal; upheld, the entry is void from the start", endpoint: api((*Server).decideIntegrity)},
	}
	for _, a := range acts {
		row := route{Method: "POST", Path: fmt.Sprintf("/api/v1/stars/{id}/%s", a.path), Idempotent: withKey, Summary: a.summary, endpoint: a.endpoint}
		if row.in == nil { // a key goes with a body
			row.Idempotent = repeatsItself
		}
		rows = append(rows, row)
	}
	return append(open, keyedRoutes("credit", rows)...)
}
