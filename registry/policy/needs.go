package policy

import "slices"

// Needs says what a policy asks of what a register knows besides certificates
// and claims, so that only that is read.
type Needs struct {
	Person              bool // date of birth and sex
	Supervised          bool // of the certificate; see [Certificate]
	PayLinked           bool
	PilotRecognised     bool
	TaskListed          bool
	NationallyQueryable bool // the fact of that name
}

// Needs returns what p asks.
func (p Policy) Needs() (n Needs) {
	n.Person = p.Ages != nil
	n.Supervised = p.Supervision != nil && slices.Contains(p.Supervision.Scope, ScopeEvaluation)
	if p.Institutions != nil {
		n.PayLinked = slices.Contains(p.Institutions.Conditions, NeedsPayLinked)
		n.PilotRecognised = slices.Contains(p.Institutions.Conditions, NeedsPilot)
		n.TaskListed = slices.Contains(p.Institutions.Conditions, NeedsTaskListed)
	}
	n.Supervised, n.PayLinked = n.Supervised || p.AsksFact(IsSupervised), n.PayLinked || p.AsksFact(IssuerPayLinked)
	n.PilotRecognised, n.TaskListed = n.PilotRecognised || p.AsksFact(IssuerPilot), n.TaskListed || p.AsksFact(IssuerTaskListed)
	n.NationallyQueryable = p.Queryable != nil && slices.Contains(p.Queryable.AnyOf, NationallyQueryable) ||
		slices.ContainsFunc(p.Facts, func(f FactRule) bool {
			return f.Fact == NationallyQueryable || slices.ContainsFunc(f.Or, func(o FactNeed) bool { return o.Fact == NationallyQueryable })
		})
	return n
}

// AsksFact reports whether a rule about facts asks for one of a kind without a date
// of its own.
func (p Policy) AsksFact(kind FactKind) bool {
	asks := func(n FactNeed) bool { return n.Fact.On(n.At) == kind }
	return slices.ContainsFunc(p.Facts, func(f FactRule) bool { return asks(f.need()) || slices.ContainsFunc(f.Or, asks) })
}

// Funds returns the funds from which the query's subject is paid in the nearest
// region, its own or one above it, with policies that pay for it on the query's
// days, whatever the query's own fund is. It is how a claim that names neither
// policy nor fund finds its own. Errors are those of [Set.Chain].
func (s Set) Funds(q Query) ([]Fund, error) {
	chain, err := s.Chain(q.Region)
	if err != nil {
		return nil, err
	}
	var out []Fund
	for _, r := range chain {
		for i := range s.policies {
			p := &s.policies[i]
			if q.Fund = p.Fund; p.Region != r.Code || !s.newest(i) || slices.Contains(out, p.Fund) {
				continue
			}
			if p.applies(q) == appliesYes {
				out = append(out, p.Fund)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	slices.Sort(out)
	return out, nil
}
