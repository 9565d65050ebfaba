package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// overviewMost is how many certificates of one person an overview decides about;
// each is held against every fund of the payer's region.
const overviewMost = 50

// OverviewRequest asks at the counter 窗口 what a person could claim here. It needs
// no number: that the person is there and agreed is what Purpose records.
type OverviewRequest struct {
	DocumentKind string         `json:"document_kind,omitempty"` // resident_id when empty
	Document     string         `json:"document"`
	Name         string         `json:"name"`
	Purpose      string         `json:"purpose"`            // why the person is looked up: 1 to 200 characters, logged, nothing personal
	Received     standards.Date `json:"received,omitempty"` // 受理日期; today when empty
	Applied      standards.Date `json:"applied,omitempty"`  // 申请日期; Received when empty
	Facts        policy.Facts   `json:"facts,omitempty"`    // those of a claim
}

// ClaimOverview is all that a person could claim from one payer on a day. It
// reserves nothing. Name and document are masked.
type ClaimOverview struct {
	Match    bool           `json:"match"`
	Note     *policy.Text   `json:"note,omitempty"` // of no match
	Payer    string         `json:"payer"`
	Region   string         `json:"region"`
	Place    string         `json:"region_name"` // of the region, Chinese
	Day      standards.Date `json:"day"`         // today
	Received standards.Date `json:"received"`
	Name     string         `json:"name,omitempty"`
	Document string         `json:"document,omitempty"`
	// Certificates are the public ones under this name, the newest first.
	Certificates []OverviewCertificate `json:"certificates"`
	// OtherName counts certificates of the document that are under another name,
	// and Left those beyond the bound of one answer; of neither anything is said.
	OtherName int `json:"other_name,omitempty"`
	Left      int `json:"left,omitempty"`
	// Without are the policies of the region that pay for something else than a
	// certificate.
	Without  []OverviewSubject `json:"without_certificate"`
	TreeSize uint64            `json:"tree_size"`
}

// OverviewCertificate is one certificate with what each fund says to it.
type OverviewCertificate struct {
	Number         string            `json:"number"` // masked when it has an identity number in it
	Occupation     string            `json:"occupation"`
	OccupationName string            `json:"occupation_name"`
	TradeName      string            `json:"trade_name,omitempty"`
	Level          standards.Level   `json:"level"`
	Issued         standards.Date    `json:"issued"`
	Institution    string            `json:"institution_name"`
	Status         CertificateStatus `json:"status"`
	Funds          []OverviewItem    `json:"funds"`
}

// OverviewItem is the answer of one policy about one certificate.
type OverviewItem struct {
	Fund     policy.Fund     `json:"fund"`
	FundName policy.Text     `json:"fund_name"`
	Name     policy.Text     `json:"policy_name"`
	Outcome  policy.Outcome  `json:"outcome"`
	Reasons  []policy.Reason `json:"reasons"`
	Decision policy.Decision `json:"decision"` // amount, calculation, what fails and is missing, each with its clause
	// Unconfirmed are those of a ClaimAnswer 待确认.
	Unconfirmed []UnconfirmedPolicy `json:"unconfirmed,omitempty"`
	Next        []policy.Step       `json:"next,omitempty"`
	// LastDay is the last day to claim and DaysLeft how many are left after today,
	// negative when it is over; both absent where the policy knows no such day.
	// InForce is the last day of the policy itself, where its text says one.
	LastDay  standards.Date `json:"last_day,omitempty"`
	DaysLeft *int           `json:"days_left,omitempty"`
	InForce  standards.Date `json:"in_force_until,omitempty"`
}

// OverviewSubject is a policy of the region for something else than a certificate.
type OverviewSubject struct {
	Fund        policy.Fund        `json:"fund"`
	FundName    policy.Text        `json:"fund_name"`
	Subject     policy.SubjectKind `json:"subject"`
	SubjectName policy.Text        `json:"subject_name"`
	Certificate bool               `json:"certificate,omitempty"` // it asks for one besides
	Policy      string             `json:"policy"`
	Version     int                `json:"policy_version"`
	Name        policy.Text        `json:"policy_name"`
	Document    string             `json:"document"`
	Sample      bool               `json:"sample,omitempty"`
	// Unconfirmed are those of a ClaimAnswer 待确认.
	Unconfirmed []UnconfirmedPolicy `json:"unconfirmed,omitempty"`
	// Asks is what has to be supplied before it is decided, besides what was given.
	Asks []policy.Missing `json:"asks"`
}

// personLookedUp is the detail of the event of an overview: counts, and nothing
// personal. Person is absent when name and document did not belong together.
type personLookedUp struct {
	Purpose      string    `json:"purpose"`
	Person       *PersonID `json:"person,omitempty"`
	Certificates int       `json:"certificates"`
	Allowed      int       `json:"allowed"`
	Decided      int       `json:"decided"`
}

func (q OverviewRequest) parse() (claimQuery, string, error) {
	out := claimQuery{received: q.Received, applied: q.Applied}
	var bad requestFaults
	bad.must(q.Received == "" || q.Received.Valid(), "received", "date", "受理日期应写作 2026-03-01", "the date is written 2026-03-01")
	bad.must(q.Applied == "" || q.Applied.Valid(), "applied", "date", "申请日期应写作 2026-03-01", "the date is written 2026-03-01")
	claim := ClaimRequest{DocumentKind: q.DocumentKind, Document: q.Document, Name: q.Name, Facts: q.Facts}
	claim.parsePerson(&out, &bad)
	claim.parseFacts(&out, &bad)
	purpose, fields := plainText("purpose", "查询事由", q.Purpose, 200)
	bad = append(bad, fields...)
	named := out.name != "" && strings.Contains(standards.NormaliseName(purpose), standards.NormaliseName(out.name)) ||
		out.document.Number != "" && strings.Contains(strings.ToUpper(purpose), out.document.Number)
	bad.must(!named, "purpose", "personal", "查询事由会写入日志，不得含有姓名、证件号码", "the purpose is logged and must not name the person or the document")
	if len(bad) > 0 {
		return out, "", fail.New(fail.Invalid, "overview", "the request has %d mistakes", len(bad)).In("查询信息有 %d 处需要更正", len(bad)).At(bad...)
	}
	return out, purpose, nil
}

// Overview says what a person could claim from the caller: of every public
// certificate and every fund with a policy in the payer's region whether it pays,
// how much, until when, what stands in the way, and what to do. Of other payers'
// claims it says the day and the reason. It is logged with its purpose. A name that
// does not belong to the document and a document that is not known are answered
// alike. Invalid overview: the request has mistakes.
func (r *Registry) Overview(ctx context.Context, by Actor, req OverviewRequest) (out ClaimOverview, err error) {
	q, purpose, err := req.parse()
	if err != nil {
		return out, err
	}
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = ClaimOverview{}
		if err := may(by, UseClaims, Object{Payer: by.Organisation, Region: by.Region}); err != nil {
			return err
		}
		o, err := r.overviewOf(tx, by, q, tx.Now())
		if err != nil {
			return err
		}
		seen := personLookedUp{Purpose: purpose, Certificates: len(o.out.Certificates)}
		if o.out.Match {
			seen.Person = &o.base.person
		}
		for _, c := range o.out.Certificates {
			for _, f := range c.Funds {
				if seen.Decided++; f.Outcome == policy.Allow {
					seen.Allowed++
				}
			}
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: PersonLookedUp, Object: by.Organisation, Payer: by.Organisation, Detail: seen}); err != nil {
			return err
		}
		out = o.out
		return nil
	})
	if err != nil {
		return ClaimOverview{}, fmt.Errorf("overview of a person's claims: %w", err)
	}
	return out, nil
}

// overview is an answer while it is made. base is all that the decisions have in
// common: the person is read once.
type overview struct {
	r        *Registry
	rd       kv.Reader
	by       Actor
	q        claimQuery
	now      time.Time
	received standards.Date
	base     material
	out      ClaimOverview
}

func (r *Registry) overviewOf(rd kv.Reader, by Actor, q claimQuery, now time.Time) (o *overview, err error) {
	today := standards.DateOf(now)
	o = &overview{r: r, rd: rd, by: by, q: q, now: now}
	if o.received, err = q.receivedOn(today); err != nil {
		return nil, err
	}
	if o.base.applied, err = q.appliedOn(o.received); err != nil {
		return nil, err
	}
	head, err := auditlog.ReadHead(rd)
	if err != nil {
		return nil, err
	}
	chain, err := r.cfg.Policies.Chain(by.Region)
	if err != nil {
		return nil, err
	}
	o.base.size, o.base.sameness = head.Size, r.samenessOn(today)
	o.out = ClaimOverview{Payer: by.Organisation, Region: by.Region, Place: chain[0].Name, Day: today, Received: o.received, TreeSize: head.Size,
		Certificates: []OverviewCertificate{}, Without: []OverviewSubject{}}
	if err := o.person(); err != nil || !o.out.Match {
		return o, err
	}
	o.out.Name, o.out.Document = maskName(q.name), q.document.Masked()
	if err := o.certificates(chain); err != nil {
		return nil, err
	}
	return o, o.subjects(chain)
}

// person finds who is asked about. Who is known by a document alone, without any
// name yet, is not found: that somebody is in the register is not said to whoever
// brings a number and invents a name.
func (o *overview) person() error {
	o.out.Note = &noMatchPerson
	person, known, err := o.r.personByDocument(o.rd, o.q.document)
	if err != nil || !known {
		return err
	}
	held, err := o.r.holdings(o.rd, person)
	if err != nil {
		return err
	}
	same, _, err := o.r.namedAs(o.rd, person, held, o.q.name, o.now)
	if err != nil || !same {
		return err
	}
	claims, err := personClaims(o.rd, person)
	if err != nil {
		return err
	}
	o.base.person, o.base.held, o.base.claims = person, held, claims
	o.out.Match, o.out.Note = true, nil
	return nil
}

// certificates decides about the newest certificates that are under the name.
func (o *overview) certificates(chain []policy.Region) error {
	named, papers, err := o.underTheName()
	if err != nil {
		return err
	}
	o.out.OtherName = len(o.base.held) - len(named)
	slices.SortStableFunc(named, func(a, b holding) int { return cmp.Compare(b.Issued, a.Issued) })
	if len(named) > overviewMost {
		o.out.Left, named = len(named)-overviewMost, named[:overviewMost]
	}
	funds := o.fundsFor(chain, func(p policy.Policy) bool { return p.SubjectOf() == policy.ForCertificate })
	for _, h := range named {
		c := h.Certificate
		one := OverviewCertificate{Number: c.Number, Occupation: c.Occupation, OccupationName: c.OccupationName, TradeName: strings.Trim(c.TradeName, "- "),
			Level: c.Level, Issued: c.Issued, Institution: c.InstitutionName, Status: c.Status, Funds: []OverviewItem{}}
		if text := papers[c.Number].Number; text != "" { // the number has an identity number in it
			one.Number = "*"
			if n, err := standards.ParseNumber(text); err == nil {
				one.Number = n.Masked()
			}
		}
		if one.Funds, err = o.decideFunds(h, funds); err != nil {
			return err
		}
		o.out.Certificates = append(o.out.Certificates, one)
	}
	return nil
}

// underTheName are the certificates whose papers have the name that was given.
func (o *overview) underTheName() (named []holding, papers map[string]Paper, err error) {
	keys := make([][]byte, len(o.base.held))
	for i, h := range o.base.held {
		keys[i] = sealedVersion(h.Number, h.Versions).storeKey()
	}
	blocks, err := o.rd.GetMany(tableSealed, keys)
	if err != nil {
		return nil, nil, err
	}
	papers = map[string]Paper{}
	for i, h := range o.base.held {
		if blocks[i] == nil {
			return nil, nil, fmt.Errorf("certificate %s version %d has no sealed block", h.Number, h.Versions)
		}
		var p Paper
		if err := o.r.vault.openValue(sealedVersion(h.Number, h.Versions), blocks[i], &p); err != nil {
			return nil, nil, err
		}
		if p.sameName(o.q.name) {
			named, papers[h.Number] = append(named, h), p
		}
	}
	return named, papers, nil
}

// fundsFor are the funds that have a policy which keep wants in a chain of regions,
// whatever its days; selecting says which of them decide.
func (o *overview) fundsFor(chain []policy.Region, keep func(policy.Policy) bool) (out []policy.Fund) {
	for _, p := range o.r.cfg.Policies.Policies() {
		if !p.Framework && keep(p) && slices.ContainsFunc(chain, func(at policy.Region) bool { return at.Code == p.Region }) {
			out = append(out, p.Fund)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// selected is the policy of a fund, if there is one on the day.
func (o *overview) selected(ask policy.Query) (policy.Policy, bool, error) {
	ask.Region, ask.Received, ask.Applied = o.by.Region, o.received, o.base.applied
	p, err := o.r.cfg.Policies.Select(ask)
	if fail.KindOf(err) == fail.NotFound {
		return p, false, nil
	}
	return p, err == nil, err
}

// decideFunds holds one certificate against each fund. What the register knows of
// it is read once for all that any of them asks.
func (o *overview) decideFunds(h holding, funds []policy.Fund) ([]OverviewItem, error) {
	items := []OverviewItem{}
	var chosen []policy.Policy
	var asks policy.Needs
	for _, f := range funds {
		p, ok, err := o.selected(policy.Query{Fund: f, Issued: h.Issued})
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		n := p.Needs()
		chosen = append(chosen, p)
		asks.Supervised, asks.TaskListed = asks.Supervised || n.Supervised, asks.TaskListed || n.TaskListed
		asks.PayLinked, asks.PilotRecognised = asks.PayLinked || n.PayLinked, asks.PilotRecognised || n.PilotRecognised
	}
	known, err := o.r.knows(o.rd, asks, o.by.Region, h.Certificate, h.received, o.now)
	if err != nil {
		return nil, err
	}
	type national struct {
		unqueryable bool
		facts       policy.Facts
	}
	told := map[bool]national{} // by whether the policy asks
	for _, p := range chosen {
		asked := p.Needs().NationallyQueryable
		n, ok := told[asked]
		if !ok {
			if n.unqueryable, n.facts, err = o.r.nationalFacts(o.rd, p, h.Certificate, o.q.facts, o.now); err != nil {
				return nil, err
			}
			told[asked] = n
		}
		m := o.base
		m.certificate, m.policy, m.knowledge, m.about = h.Certificate, p, known, personOf(o.q.document, p.Needs())
		m.unqueryable, m.facts = n.unqueryable, known.facts(p, h.Certificate, n.facts, o.now)
		m.unconfirmed = o.r.unconfirmed(o.by, o.q, h.Certificate, o.received, p)
		items = append(items, o.item(m))
	}
	return items, nil
}

func (o *overview) item(m material) OverviewItem {
	d, p := m.decide(o.by, o.received, o.now).basis.Decision, m.policy
	out := OverviewItem{Fund: p.Fund, FundName: p.Fund.Name(), Name: p.Name, Outcome: d.Outcome, Reasons: reasonsOf(d), Decision: d, Next: nextSteps(d), Unconfirmed: m.unconfirmed}
	if p.Effective.End == policy.EndKnown {
		out.InForce = p.Effective.Until
	}
	if out.LastDay = p.LastDay(m.certificate.Issued); out.LastDay != "" {
		left := out.LastDay.DaysSince(o.out.Day)
		out.DaysLeft = &left
	}
	return out
}

// subjects lists what is paid for without a certificate, or for more than one. Its
// days and units are not known yet, so what it says is what it asks for.
func (o *overview) subjects(chain []policy.Region) error {
	for _, kind := range subjectKinds {
		for _, f := range o.fundsFor(chain, func(p policy.Policy) bool { return p.SubjectOf() == kind }) {
			p, ok, err := o.selected(policy.Query{Fund: f, Subject: kind})
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			m := o.base
			m.bare, m.policy, m.subject, m.facts = true, p, policy.Subject{Kind: kind}, o.q.facts
			m.about = personOf(o.q.document, p.Needs())
			d := m.decide(o.by, o.received, o.now).basis.Decision
			one := OverviewSubject{Fund: f, FundName: f.Name(), Subject: kind, SubjectName: kind.Name(), Certificate: p.Subject.Certificate,
				Policy: p.ID, Version: p.Version, Name: p.Name, Document: d.Document, Sample: p.Sample, Asks: []policy.Missing{},
				Unconfirmed: o.r.unconfirmedFor(o.by, policy.Query{Received: o.received, Applied: o.base.applied, Subject: kind}, p)}
			for _, miss := range d.Missing {
				if !strings.HasPrefix(miss.Fact, "certificate.") {
					one.Asks = append(one.Asks, miss)
				}
			}
			o.out.Without = append(o.out.Without, one)
		}
	}
	return nil
}
