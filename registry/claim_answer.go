package registry

import "bajigong/registry/policy"

// nextSteps says for every failing rule and for everything that is missing what
// to do about it.
func nextSteps(d policy.Decision) (out []policy.Step) {
	for _, f := range d.Failing {
		out = append(out, f.Step())
	}
	for _, m := range d.Missing {
		out = append(out, m.Step())
	}
	return out
}
