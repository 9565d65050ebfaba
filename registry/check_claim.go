package registry

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// NoMatch is the one reason for a claim whose name, document and number do not
// belong together, and for a number the register does not have: who asks cannot
// tell which of them was wrong.
const NoMatch policy.Reason = "no_match"

var noMatchText = policy.Text{
	ZH: "未查到与该姓名、证件号码、证书编号一致的证书，请核对后重新提交",
	EN: "no certificate in this register has this name, document and number together; check all three",
}

// noMatchPerson is noMatchText for a claim without a certificate.
var noMatchPerson = policy.Text{
	ZH: "姓名与证件号码不一致，请核对后重新提交",
	EN: "name and document do not belong together; check both",
}

// occupationEdition is the edition of the classification 职业分类大典 that the
// register's occupation codes belong to.
const occupationEdition = "2022"

// ClaimAnswer answers a claim. Whether it may be paid is Outcome alone; a
// refusal is an answer and not an error.
type ClaimAnswer struct {
	Outcome policy.Outcome  `json:"outcome"`
	Reasons []policy.Reason `json:"reasons"` // codes of the failing rules, or of what is missing
	// Next says for each of the decision's failing rules, and for each thing that
	// is missing, what to do about it.
	Next []policy.Step `json:"next,omitempty"`
	// Match is false when the three facts do not belong together. Then there is
	// no decision, and Note says the rest.
	Match    bool             `json:"match"`
	Note     *policy.Text     `json:"note,omitempty"`
	Decision *policy.Decision `json:"decision,omitempty"`
	Claim    *ClaimView       `json:"claim,omitempty"` // when one was recorded
	// Unconfirmed are the texts of nearer regions that were not used, because their
	// end is not known and another is known to be in force 待确认.
	Unconfirmed []UnconfirmedPolicy `json:"unconfirmed,omitempty"`
	// TreeSize is the size of the audit log that the answer rests on.
	TreeSize uint64 `json:"tree_size"`
	// Signed is the answer as a compact JWS, when it was asked for.
	Signed string `json:"signed,omitempty"`
}

// CheckClaim says whether a claim could be reserved now, with every failing
// rule, the amount and its calculation. It reserves nothing: another payer may
// come first. Invalid: the request has mistakes or there is no such policy.
func (r *Registry) CheckClaim(ctx context.Context, by Actor, req ClaimRequest) (out ClaimAnswer, err error) {
	q, err := req.parse(false)
	if err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		if err := may(by, UseClaims, Object{Payer: by.Organisation, Region: by.Region}); err != nil {
			return err
		}
		d, err := r.decideClaim(rd, by, q, now)
		if err != nil {
			return err
		}
		out = d.answer()
		return nil
	})
	return out, err
}

// decided is a request held against the ledger at one moment.
type decided struct {
	match bool
	*material
	basis claimBasis
}

// material is what a decision rests on, as read at one moment. Deciding from it
// touches no store, so that one claim and a whole file of them are decided alike.
type material struct {
	size        uint64      // of the audit log
	person      PersonID    // who claims
	certificate Certificate // what for; none for a claim without a certificate
	held        []holding   // all of the holder's public certificates, the claimed one included
	claims      []Claim     // all of the holder's, in the order of the log
	policy      policy.Policy
	facts       policy.Facts // the payer's, completed by what the register knows
	unqueryable bool         // its region counts the national query, which does not have it yet

	bare       bool           // without a certificate
	subject    policy.Subject // what it is for, when that is not the certificate
	about      policy.Person  // who claims, as far as the policy asks
	knowledge  knowledge      // of the certificate
	applied    standards.Date
	channel    policy.Channel
	exceptions []policy.Exception
	sameness   policy.Equivalence
	// unconfirmed are texts that were not used; they change nothing of the decision.
	unconfirmed []UnconfirmedPolicy
}

func (d *decided) answer() ClaimAnswer {
	if !d.match {
		note := &noMatchText
		if d.bare {
			note = &noMatchPerson
		}
		return ClaimAnswer{Outcome: policy.Deny, Reasons: []policy.Reason{NoMatch}, Note: note, TreeSize: d.size}
	}
	decision := d.basis.Decision // alone: the answer outlives what it was decided from
	return ClaimAnswer{Outcome: decision.Outcome, Reasons: reasonsOf(decision), Next: nextSteps(decision), Match: true,
		Decision: &decision, TreeSize: d.size, Unconfirmed: d.unconfirmed}
}

// reasonsOf lists the codes of what fails, or else of what is missing, once each.
func reasonsOf(d policy.Decision) []policy.Reason {
	out := []policy.Reason{}
	for _, f := range d.Failing {
		out = append(out, f.Reason)
	}
	if len(out) == 0 {
		for _, m := range d.Missing {
			out = append(out, m.Reason)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// decideClaim reads all that the rules need and evaluates them.
func (r *Registry) decideClaim(rd kv.Reader, by Actor, q claimQuery, now time.Time) (decided, error) {
	received, err := q.receivedOn(standards.DateOf(now))
	if err != nil {
		return decided{material: &material{}}, err
	}
	m, match, err := r.gatherClaim(rd, by, q, received, now)
	if err != nil || !match {
		return decided{material: &m}, err
	}
	return m.decide(by, received, now), nil
}

// gatherClaim reads what a decision rests on; match is false when the three
// facts do not belong together.
func (r *Registry) gatherClaim(rd kv.Reader, by Actor, q claimQuery, received standards.Date, now time.Time) (m material, match bool, err error) {
	head, err := auditlog.ReadHead(rd)
	if err != nil {
		return m, false, err
	}
	m.size, m.channel, m.exceptions = head.Size, q.channel, sortedExceptions(q.exceptions)
	m.sameness = r.samenessOn(standards.DateOf(now))
	if m.applied, err = q.appliedOn(received); err != nil {
		return m, false, err
	}
	if q.subject.Kind != "" {
		if m.subject, err = r.subjectOn(rd, q.subject, received); err != nil {
			return m, false, err
		}
	}
	if m.bare = q.bare(); m.bare {
		m.person, m.held, match, err = r.claimant(rd, q, now)
	} else {
		m.certificate, m.held, err = r.matching(rd, q)
		m.person, match = m.certificate.Person, m.certificate.Number != ""
	}
	if err != nil || !match {
		return m, false, err
	}
	if m.policy, err = r.policyFor(by, q, m.certificate, received); err != nil {
		return m, false, err
	}
	m.unconfirmed = r.unconfirmed(by, q, m.certificate, received, m.policy)
	if err = q.exceptedBy(m.policy, standards.DateOf(now)); err != nil {
		return m, false, err
	}
	if m.person != (PersonID{}) {
		if m.claims, err = personClaims(rd, m.person); err != nil {
			return m, false, err
		}
	}
	needs := m.policy.Needs()
	m.about, m.facts = personOf(q.document, needs), q.facts
	if m.bare {
		return m, true, nil
	}
	i := slices.IndexFunc(m.held, func(h holding) bool { return h.Number == m.certificate.Number })
	if m.knowledge, err = r.knows(rd, needs, by.Region, m.certificate, m.held[i].received, now); err != nil {
		return m, false, err
	}
	if m.unqueryable, m.facts, err = r.nationalFacts(rd, m.policy, m.certificate, q.facts, now); err == nil {
		m.facts = m.knowledge.facts(m.policy, m.certificate, m.facts, now)
	}
	return m, true, err
}

// decide evaluates the policy over the material. It is pure.
func (m *material) decide(by Actor, received standards.Date, now time.Time) decided {
	d := decided{match: true, material: m, basis: claimBasis{Received: received, Facts: m.facts, Applied: m.applied, Subject: m.subject,
		Person: m.about, Channel: m.channel, Exceptions: m.exceptions, Unconfirmed: m.unconfirmed}}
	in := policy.Input{Now: now, Received: received, Payer: by.Organisation, Applied: m.applied, Subject: m.subject, Person: m.about,
		Channel: m.channel, Exceptions: m.exceptions}
	if m.sameness != nil {
		in.Equivalence, d.basis.Equivalence = m.sameness, m.sameness.Digest()
	}
	if !m.bare {
		in.Certificate = m.knowledge.over(claimed(m.certificate, m.certificate.Status, standards.DateOf(now)))
	}
	for _, h := range m.held {
		d.basis.Certificates = append(d.basis.Certificates, h.Number)
		seen := claimed(h.Certificate, h.Status, standards.DateOf(now))
		in.Others = append(in.Others, seen)
		if h.Number != m.certificate.Number {
			d.basis.Others = append(d.basis.Others, seen)
		}
	}
	if m.unqueryable && in.Certificate.State == policy.CertificateValid {
		in.Certificate.State = policy.CertificateNotQueryable
	}
	d.basis.Asked = in.Certificate
	in.Claims, in.Facts = pastClaims(m.policy, m.claims, "", m.facts)
	d.basis.Decision = m.policy.Evaluate(in)
	return d
}

// matching finds the certificate whose number, holder's document and name are
// those of the request, and all that its holder has. There is none, and no
// error, when they do not belong together.
func (r *Registry) matching(rd kv.Reader, q claimQuery) (Certificate, []holding, error) {
	meant, err := r.certificatesMeant(rd, q.number, q.kind)
	if err != nil || len(meant) == 0 {
		return Certificate{}, nil, err
	}
	person, ok, err := r.personByDocument(rd, q.document)
	if err != nil || !ok {
		return Certificate{}, nil, err
	}
	ids, err := identities(rd, person)
	if err != nil {
		return Certificate{}, nil, err
	}
	i := slices.IndexFunc(meant, func(c Certificate) bool { return slices.Contains(ids, c.Person) })
	if i < 0 {
		return Certificate{}, nil, nil
	}
	c := meant[i]
	paper, err := r.paper(rd, c.Number, c.Versions)
	if err != nil || !paper.sameName(q.name) {
		return Certificate{}, nil, err
	}
	held, err := r.holdingsUnder(knowing{rd, kv.Key(c.Number), c}, ids)
	if err != nil || !slices.ContainsFunc(held, func(h holding) bool { return h.Number == c.Number }) {
		return Certificate{}, nil, err // its batch is not public
	}
	return c, held, nil
}

// knowing is a Reader with a certificate that is read already, which is not decoded again.
type knowing struct {
	kv.Reader
	key         []byte
	certificate Certificate
}

// Decoded implements [kv.Decoder].
func (k knowing) Decoded(t kv.Table, key []byte) any {
	if t == certificates.Table && bytes.Equal(key, k.key) {
		return k.certificate
	}
	if d, can := k.Reader.(kv.Decoder); can {
		return d.Decoded(t, key)
	}
	return nil
}

// holding is one public certificate of a person and when it became public.
type holding struct {
	Certificate
	received time.Time
}

// holdings are the public certificates of a person, by number, under whatever ids
// it has after merges.
func (r *Registry) holdings(rd kv.Reader, person PersonID) ([]holding, error) {
	ids, err := identities(rd, person)
	if err != nil {
		return nil, err
	}
	return r.holdingsUnder(rd, ids)
}

func (r *Registry) holdingsUnder(rd kv.Reader, ids []PersonID) ([]holding, error) {
	cs, err := certificatesUnder(rd, ids, holdingsMax)
	if err != nil {
		return nil, err
	}
	if len(cs) > holdingsMax {
		return nil, fail.New(fail.Conflict, "too_many_certificates", "this person has more than %d certificates; ask the register's operator for a review", holdingsMax).
			In("该人员证书超过 %d 份，请联系登记系统运营方复核", holdingsMax)
	}
	var keys [][]byte
	for _, c := range cs {
		if c.Origin == OriginHere {
			keys = append(keys, kv.Key(c.Batch))
		}
	}
	issued, found, err := batches.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	var out []holding
	next := 0 // of issued
	for _, c := range cs {
		if c.Origin != OriginHere {
			out = append(out, holding{c, c.Created})
			continue
		}
		b, ok := issued[next], found[next]
		next++
		if ok && b.State == BatchPublished {
			out = append(out, holding{c, *b.Published})
		}
	}
	return out, nil
}

// claimKinds says which numbers tell the kind of their certificate. Numbers of
// other kinds do not, and a rule that needs it holds the claim.
var claimKinds = map[standards.NumberKind]policy.Kind{
	standards.LevelCertificate:       policy.KindSkillLevel,
	standards.SpecialTechnicianPaper: policy.KindSkillLevel,
	standards.Qualification:          policy.KindQualification,
	standards.SpecialOperation:       policy.KindSpecialOperation,
}

var claimStates = map[CertificateStatus]policy.CertificateState{
	CertificateValid:     policy.CertificateValid,
	CertificateSuspended: policy.CertificateSuspended,
	CertificateCancelled: policy.CertificateCancelled,
	CertificateVoided:    policy.CertificateVoided,
}

// claimed is a certificate as the rules see it on a day when it has a status.
// Versions do not matter to them: the number stands for the newest.
func claimed(c Certificate, status CertificateStatus, on standards.Date) policy.Certificate {
	out := policy.Certificate{
		Number: c.Number, Kind: c.policyKind(), Occupation: c.Occupation, Edition: c.edition(), Trade: claimTrade(c),
		Level: c.Level, Issued: c.Issued, Mode: c.Mode, State: c.policyState(status, on),
		Origin: policy.OriginElsewhere, Entitled: policy.NotAsserted,
	}
	if n, err := standards.ParseNumber(c.Number); err == nil && n.Parts != nil && n.Parts.Class != 0 {
		out.InstitutionClass = string(n.Parts.Class)
	}
	switch {
	case c.Origin == OriginHere:
		// Only what its institution was entitled to issue is ever published.
		out.Origin, out.Entitled = policy.OriginHere, policy.Entitled
	case c.Entitlement != nil && c.Entitlement.Entitled:
		out.Entitled = policy.Entitled
	case c.Entitlement != nil:
		out.Entitled = policy.NotEntitled
	}
	out.Place = c.acquiredAt()
	return out
}

// claimTrade is the trade by its catalogue id, or by its name where the
// catalogue does not have it, so that two such trades are not taken for one.
func claimTrade(c Certificate) string {
	if c.Trade != "" || strings.Trim(c.TradeName, "- ") == "" {
		return c.Trade
	}
	return standards.NormaliseName(c.TradeName)
}
