package policy

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Nation is the region code of the whole country.
const Nation = "000000"

// Region is an administrative division and the one above it.
type Region struct {
	Code   string `json:"code"`             // 6 digits, GB/T 2260; 000000 is the nation
	Name   string `json:"name"`             // Chinese
	Parent string `json:"parent,omitempty"` // empty for the nation
}

// Set is the policies of a register and the regions they stand in. The zero Set
// has none.
type Set struct {
	regions  map[string]Region
	policies []Policy // by id, then version
}

//go:embed regions.yaml policies/*.yaml
var embedded embed.FS

// Embedded returns the policies and regions compiled into the program, samples
// included; see [Set.Official]. They are read once: reading them takes longer
// than deciding ten thousand claims.
func Embedded() (Set, error) { return readEmbedded() }

var readEmbedded = sync.OnceValues(func() (Set, error) {
	src, err := embedded.ReadFile("regions.yaml")
	if err != nil {
		return Set{}, err
	}
	regions, err := ParseRegions("regions.yaml", src)
	if err != nil {
		return Set{}, err
	}
	names, err := fs.Glob(embedded, "policies/*.yaml")
	if err != nil {
		return Set{}, err
	}
	var policies []Policy
	for _, name := range names {
		src, err := embedded.ReadFile(name)
		if err != nil {
			return Set{}, err
		}
		p, err := Parse(name, src)
		if err != nil {
			return Set{}, err
		}
		policies = append(policies, p)
	}
	return NewSet(regions, policies...)
})

// ParseRegions reads a table of regions, strictly like [Parse]:
//
//	regions:
//	  - {code: "000000", name: 全国, parent: none}
//	  - {code: "320000", name: 江苏省, parent: "000000"}
func ParseRegions(file string, src []byte) ([]Region, error) {
	p := &problems{file: file}
	root, err := readYAML(file, src, p)
	if err != nil {
		return nil, err
	}
	var out []Region
	for _, n := range root.mapping([]string{"regions"}, nil)["regions"].list() {
		m := n.mapping([]string{"code", "name", "parent"}, nil)
		r := Region{Code: m["code"].region(), Name: m["name"].text()}
		if !m["parent"].is("none") {
			r.Parent = m["parent"].region()
		}
		out = append(out, r)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// NewSet joins policies and regions. It refuses, as fail.Invalid "policy_set",
// regions that stand twice, do not lead to the nation or lead in a circle;
// policies of regions that are not there or whose parent differs; the same
// version twice; two policies whose known times overlap for the same region,
// fund and subject, since then nobody could say which decides; a policy under one
// that is not there or not of a region above; and values outside the bounds of a
// policy above ([Set.Bounds]). Samples and official policies are looked at apart.
func NewSet(regions []Region, policies ...Policy) (Set, error) {
	s := Set{regions: map[string]Region{}, policies: slices.Clone(policies)}
	slices.SortFunc(s.policies, byVersion)
	if flaws := s.settle(regions); len(flaws) > 0 {
		return Set{}, flaws[0].err
	}
	return s, nil
}

func byVersion(a, b Policy) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
}

func setError(zh, en string, args ...any) error {
	return fail.New(fail.Invalid, "policy_set", en, args...).In(zh, args...)
}

// overlap reports whether both were in force on the same day. One whose end is
// not known gives way to a later one.
func overlap(a, b Effective) bool {
	if b.From < a.From {
		a, b = b, a
	}
	switch a.End {
	case EndUnknown:
		return b.From == a.From
	case EndOpen:
		return true
	}
	return b.From <= a.Until
}

// current returns the newest version of each policy.
func (s Set) current() []Policy {
	var out []Policy
	for i := range s.policies {
		if s.newest(i) {
			out = append(out, s.policies[i])
		}
	}
	return out
}

// newest reports whether no later version of the policy at i is in the set.
func (s Set) newest(i int) bool {
	return i+1 == len(s.policies) || s.policies[i+1].ID != s.policies[i].ID
}

// Official returns the set without sample policies. A register that decides
// about real money uses this one.
func (s Set) Official() Set {
	return Set{regions: s.regions, policies: slices.DeleteFunc(slices.Clone(s.policies), func(p Policy) bool { return p.Sample })}
}

// Policies returns all policies, every version, by id and version.
func (s Set) Policies() []Policy { return slices.Clone(s.policies) }

// Policy returns one version of a policy; version 0 means the newest. It returns
// fail.NotFound "policy_not_found".
func (s Set) Policy(id string, version int) (Policy, error) {
	var known []string
	for i := len(s.policies) - 1; i >= 0; i-- { // in place: a policy is large, and every claim asks
		p := &s.policies[i]
		if p.ID != id {
			continue
		}
		if version == 0 || p.Version == version {
			return *p, nil
		}
		known = append(known, p.String())
	}
	if known != nil {
		return Policy{}, fail.New(fail.NotFound, "policy_not_found", "no version %d of policy %s; there are %s", version, id, strings.Join(known, ", ")).
			In("政策 %s 没有第 %d 版，现有 %s", id, version, strings.Join(known, "、"))
	}
	for _, p := range s.current() {
		known = append(known, p.ID)
	}
	return Policy{}, fail.New(fail.NotFound, "policy_not_found", "no policy %q; there are %s", id, strings.Join(known, ", ")).
		In("没有政策 %q，现有 %s", id, strings.Join(known, "、"))
}

// Chain returns a region and all above it, the nation last. It returns
// fail.NotFound "region_not_found" for one that is not in the table and
// fail.Invalid "policy_set" when the table leads nowhere or in a circle.
func (s Set) Chain(code string) ([]Region, error) {
	var out []Region
	for at := code; ; {
		r, ok := s.regions[at]
		switch {
		case !ok && at == code:
			return nil, fail.New(fail.NotFound, "region_not_found", "region %q is not in the table of regions", code).
				In("行政区划 %q 不在区划表中", code)
		case !ok:
			return nil, setError("行政区划 %s 的上级 %s 不在区划表中", "region %s: the region above, %q, is not in the table", out[len(out)-1].Code, at)
		case slices.Contains(out, r):
			return nil, setError("行政区划 %s 的上级关系成环", "region %s: the regions above lead in a circle", code)
		}
		out = append(out, r)
		if r.Code == Nation {
			return out, nil
		}
		at = r.Parent
	}
}

// Query asks for the policy of a claim: the region of the payer, the fund it
// pays from, the day the claim was received and the certificate's date of issue.
type Query struct {
	Region   string
	Fund     Fund
	Received standards.Date
	Issued   standards.Date // empty when it is not known: then Received stands for it
	Applied  standards.Date // the day the person applied; empty: Received
	Subject  SubjectKind    // what the claim is for; zero: a certificate
}

func (q Query) on(p *Policy) standards.Date {
	if p.DecidedBy == ByIssue && q.Issued != "" {
		return q.Issued
	}
	if p.DecidedBy == ByApplication && q.Applied != "" {
		return q.Applied
	}
	return q.Received
}

// Select returns the policy in force for a claim: that of the region itself, or
// of the nearest region above that has one. What is known to be in force goes before
// a nearer text whose end is not known, unless that text says goes_first: whether it
// still holds nobody here can tell ([Set.Unconfirmed] names it). Where there is no
// other, such a text is selected until a later one of its region begins; evaluating
// it then asks whether it still applies. Nothing found is fail.NotFound "no_policy", which
// names the regions looked at and, for each policy there, why it does not apply;
// an unknown region is "region_not_found", an unknown fund fail.Invalid "fund_unknown".
func (s Set) Select(q Query) (Policy, error) {
	if !q.Fund.Known() {
		all := sortedKeys(funds)
		return Policy{}, fail.New(fail.Invalid, "fund_unknown", "no fund %q; there are %v", q.Fund, all).
			In("没有资金类别 %q，可用：%v", q.Fund, all)
	}
	chain, err := s.Chain(q.Region)
	if err != nil {
		return Policy{}, err
	}
	var doubtful *Policy // the nearest whose end is not known
	for _, r := range chain {
		best := s.bestIn(r.Code, q)
		switch {
		case best == nil:
		case !best.doubtful(q) && (doubtful == nil || !best.Sample || doubtful.Sample):
			return *best, nil
		case doubtful == nil:
			doubtful = best
		}
	}
	if doubtful != nil {
		return *doubtful, nil
	}
	return Policy{}, s.noPolicy(q, chain)
}

// doubtful reports whether nobody here can tell that p is still in force on the day
// that decides: its end is not known, and that day is after those its text speaks of.
func (p *Policy) doubtful(q Query) bool {
	return p.Effective.End == EndUnknown && !p.Effective.GoesFirst && q.on(p) > p.Effective.StatedThrough
}

// bestIn is the policy of one region that applies; nil when there is none.
func (s Set) bestIn(region string, q Query) (best *Policy) {
	for i := range s.policies {
		p := &s.policies[i]
		if p.Region != region || !s.newest(i) || p.applies(q) != appliesYes {
			continue
		}
		if best == nil || best.Sample && !p.Sample || best.Sample == p.Sample && p.Effective.From > best.Effective.From {
			best = p
		}
	}
	return best
}

// Unconfirmed returns the policies of nearer regions that would have decided in the
// place of chosen, which [Set.Select] returned for q, if it were known that they
// are still in force 待确认, the nearest first.
func (s Set) Unconfirmed(q Query, chosen Policy) (out []Policy) {
	chain, err := s.Chain(q.Region)
	if err != nil {
		return nil
	}
	for _, r := range chain {
		if r.Code == chosen.Region {
			break
		}
		if p := s.bestIn(r.Code, q); p != nil && p.doubtful(q) {
			out = append(out, *p)
		}
	}
	return out
}

// Superseded returns the policy that has followed p in its region on the days of a
// claim: p's own end is not known, and a later text of the same fund and subject
// has begun. ok is false when none has, or p's end is known.
func (s Set) Superseded(p Policy, q Query) (by Policy, ok bool) {
	if p.Effective.End != EndUnknown {
		return Policy{}, false
	}
	q.Fund, q.Subject = p.Fund, p.SubjectOf()
	best := s.bestIn(p.Region, q)
	if best == nil || best.ID == p.ID || best.Sample && !p.Sample || best.Effective.From <= p.Effective.From {
		return Policy{}, false
	}
	return *best, true
}

// noPolicy says of every policy that was looked at why it does not apply.
func (s Set) noPolicy(q Query, chain []Region) error {
	var names, zh, en []string
	for _, r := range chain {
		names = append(names, r.Code+" "+r.Name)
		for i := range s.policies {
			if p := &s.policies[i]; p.Region == r.Code && s.newest(i) {
				why := p.whyNot(p.applies(q))
				zh, en = append(zh, why.ZH), append(en, why.EN)
			}
		}
	}
	if zh == nil {
		zh, en = []string{"上述区划均无政策"}, []string{"none of these regions has a policy"}
	}
	path := strings.Join(names, " → ")
	return fail.New(fail.NotFound, "no_policy", "no policy for %s on %s in %s: %s", q.Fund, q.Received, path, strings.Join(en, "; ")).
		In("%s在 %s 没有适用的政策（%s）：%s", q.Fund.Name().ZH, q.Received, path, strings.Join(zh, "；"))
}

// applying is whether a policy decides a claim, or the first thing that is against it.
type applying int

const (
	appliesYes applying = iota
	otherFund
	isFramework
	otherSubject
	tooEarly
	tooLate
)

func (p *Policy) applies(q Query) applying {
	on, e := q.on(p), &p.Effective
	switch {
	case p.Fund != q.Fund:
		return otherFund
	case p.Framework:
		return isFramework
	case p.SubjectOf() != q.Subject:
		return otherSubject
	case on < e.From:
		return tooEarly
	case e.End == EndKnown && on > e.Until:
		return tooLate
	}
	return appliesYes
}

func (p *Policy) whyNot(a applying) Text {
	e := &p.Effective
	switch a {
	case otherFund:
		return textf("%s 适用于%s", p.ID, p.Fund.Name().ZH)("%s is for %s", p.ID, p.Fund)
	case isFramework:
		return textf("%s 为框架性政策，不直接适用", p.ID)("%s is a framework and decides no claim", p.ID)
	case otherSubject:
		return textf("%s 的申领事项为%s", p.ID, p.SubjectOf().Name().ZH)("%s is for %s", p.ID, p.SubjectOf().Name().EN)
	case tooEarly:
		return textf("%s 自%s起执行", p.ID, e.From.Chinese())("%s is in force from %s", p.ID, e.From)
	case tooLate:
		return textf("%s 执行至%s", p.ID, e.Until.Chinese())("%s was in force until %s", p.ID, e.Until)
	}
	return Text{}
}

// Regions returns the table of regions by code.
func (s Set) Regions() []Region {
	var out []Region
	for _, code := range sortedKeys(s.regions) {
		out = append(out, s.regions[code])
	}
	return out
}

// String counts what the set holds, for logs.
func (s Set) String() string {
	return fmt.Sprintf("%d policies, %d regions", len(s.policies), len(s.regions))
}
