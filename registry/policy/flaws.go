package policy

import (
	"slices"
	"strings"
)

// flaw is one reason why regions and policies are no set, and what it is about.
type flaw struct {
	err   error
	code  string
	about []place // the policy to change first; then others that it could be told of
}

// place is a section of a policy, or a region.
type place struct {
	policy  string
	version int
	region  string // then there is no policy
	field   string // key in the file
}

func (p *Policy) at(field string) place { return place{policy: p.ID, version: p.Version, field: field} }

// settle puts the regions into s and returns every flaw of the whole, those of
// regions alone when there are any: nothing else can be told without them.
func (s Set) settle(regions []Region) []flaw {
	var out []flaw
	for _, r := range regions {
		if _, twice := s.regions[r.Code]; twice {
			out = append(out, flaw{setError("行政区划 %s 重复", "region %s stands twice", r.Code), "region_twice", []place{{region: r.Code}}})
		}
		s.regions[r.Code] = r
	}
	if len(out) > 0 {
		return out
	}
	for _, r := range regions {
		if _, err := s.Chain(r.Code); err != nil {
			out = append(out, flaw{err, "region_chain", []place{{region: r.Code}}})
		}
	}
	if len(out) > 0 {
		return out
	}
	var standing []Policy // whose region is there
	for i := range s.policies {
		found := s.standing(i)
		out = append(out, found...)
		if !slices.ContainsFunc(found, func(f flaw) bool { return f.code == "region_unknown" }) {
			standing = append(standing, s.policies[i])
		}
	}
	return slices.Concat(out, s.overlaps(), s.layerFlaws(standing))
}

// standing returns the flaws of one policy: in its region, and beside the version before it.
func (s Set) standing(i int) []flaw {
	p := &s.policies[i]
	r, ok := s.regions[p.Region]
	if !ok {
		return []flaw{{setError("政策 %s 的行政区划 %s 不在区划表中", "policy %s: region %s is not in the table of regions", p, p.Region), "region_unknown", []place{p.at("region")}}}
	}
	var out []flaw
	if r.Parent != p.Parent {
		out = append(out, flaw{setError("政策 %s 的上级区划应为 %s", "policy %s: the region above is %q", p, r.Parent), "parent", []place{p.at("parent")}})
	}
	if i == 0 || s.policies[i-1].ID != p.ID {
		return out
	}
	o := &s.policies[i-1]
	differs := func(field, zh, en string) {
		out = append(out, flaw{setError("政策 %s 与前一版本的"+zh, "policy %s: "+en+" differ from the version before", p), "version_moved", []place{p.at(field), o.at(field)}})
	}
	switch {
	case o.Version == p.Version:
		out = append(out, flaw{setError("政策 %s 重复", "policy %s stands twice", p), "version_twice", []place{p.at("version"), o.at("version")}})
	case o.Region != p.Region:
		differs("region", "区划、资金或示例标记不同", "region, fund or sample mark")
	case o.Fund != p.Fund:
		differs("fund", "区划、资金或示例标记不同", "region, fund or sample mark")
	case o.Sample != p.Sample:
		differs("sample", "区划、资金或示例标记不同", "region, fund or sample mark")
	case o.SubjectOf() != p.SubjectOf():
		differs("subject", "申领事项或框架标记不同", "subject or framework mark")
	case o.Framework != p.Framework:
		differs("framework", "申领事项或框架标记不同", "subject or framework mark")
	}
	return out
}

// overlaps finds policies of which nobody could say which decides.
func (s Set) overlaps() (out []flaw) {
	current := s.current()
	for i := range current {
		p := &current[i]
		for j := range current[:i] {
			o := &current[j]
			if o.Region == p.Region && o.Fund == p.Fund && o.Sample == p.Sample && o.SubjectOf() == p.SubjectOf() &&
				!o.Framework && !p.Framework && overlap(o.Effective, p.Effective) {
				out = append(out, flaw{setError("政策 %s 与 %s 的执行期重叠", "policies %s and %s overlap in time", o, p), "overlap", []place{p.at("effective"), o.at("effective")}})
			}
		}
	}
	return out
}

// layerFlaws are those of policies above and below each other, of the newest
// versions among those whose regions are there.
func (s Set) layerFlaws(standing []Policy) (out []flaw) {
	for _, p := range s.current() {
		if !slices.ContainsFunc(standing, func(o Policy) bool { return o.ID == p.ID && o.Version == p.Version }) {
			continue
		}
		out = append(out, s.underFlaws(&p)...)
		for _, b := range s.Bounds(p) {
			if b.Kept || b.Exception != nil && b.Bound.InPrinciple {
				continue
			}
			field, _, _ := strings.Cut(b.Bound.Field, ".")
			out = append(out, flaw{b.refused(p), "bound", []place{p.at(field), {policy: b.Policy, version: b.Version, field: "bounds"}}})
		}
		for _, x := range s.loosened(p) {
			if !x.excepted {
				out = append(out, flaw{x.refused(p), "bound", []place{p.at("bounds"), x.upper.at("bounds")}})
			}
		}
	}
	return out
}

// underFlaws holds the policies that p names above itself to what is there.
func (s Set) underFlaws(p *Policy) (out []flaw) {
	above, err := s.Chain(p.Region)
	if err != nil {
		return []flaw{{err, "region_chain", []place{p.at("region")}}}
	}
	wrong := func(err error) { out = append(out, flaw{err, "under", []place{p.at("under")}}) }
	for _, u := range p.Under {
		upper, err := s.Policy(u.Policy, 0)
		switch {
		case err != nil:
			wrong(setError("政策 %s 的上级政策 %s 不存在", "policy %s stands under %s, which is not there", p, u.Policy))
			continue
		case !slices.ContainsFunc(above[1:], func(r Region) bool { return r.Code == upper.Region }):
			wrong(setError("政策 %s 的上级政策 %s 不属于上级区划", "policy %s stands under %s, which is not of a region above", p, u.Policy))
			continue
		}
		for _, x := range u.Exceptions {
			if !slices.ContainsFunc(upper.Bounds, func(b Bound) bool { return b.ID == x.Bound }) {
				wrong(setError("政策 %s 所列例外 %s 不是 %s 的约束", "policy %s: the exception %s is no bound of %s", p, x.Bound, u.Policy))
			}
		}
	}
	return out
}
