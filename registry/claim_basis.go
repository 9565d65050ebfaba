package registry

import (
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// complete adds to what the rules are asked again about a claim what its basis
// has and the ledger has not, or no longer: the request's own members, the
// person, what was known of the certificate, and the table of same occupations.
// ok is false when there is no such table any more; then in keeps its own.
func (r *Registry) complete(rd kv.Reader, in policy.Input, b claimBasis) (out policy.Input, ok bool) {
	in.Applied, in.Subject, in.Person, in.Channel, in.Exceptions = b.Applied, b.Subject, b.Person, b.Channel, b.Exceptions
	in.Certificate = knowledgeOf(b.Asked).over(in.Certificate)
	if b.Equivalence == "" {
		return in, true
	}
	table, ok := r.samenessWith(rd, b.Equivalence)
	if ok {
		in.Equivalence = table
	}
	return in, ok
}
