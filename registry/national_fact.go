package registry

import (
	"cmp"
	"maps"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// nationalFacts is the seam between reports and claims. decides says that the rules
// of the certificate's region hold it back until the national query has it. facts
// are the payer's, with the register's own nationally_queryable in its place when
// the policy asks and the register knows: always of what was issued here, of what
// was issued elsewhere when its source stated the day. What is recorded of a claim
// has these facts in it, so that replaying it later asks nobody again. A claim that
// is held for either is not recorded.
func (r *Registry) nationalFacts(rd kv.Reader, p policy.Policy, c Certificate, facts policy.Facts, now time.Time) (decides bool, out policy.Facts, err error) {
	rules, ok := r.cfg.Rules.National.On(c.Region, string(c.Issued))
	asked := p.Needs().NationallyQueryable
	if !asked && !(ok && rules.Counts) {
		return false, facts, nil
	}
	var b Batch
	if c.Origin == OriginHere {
		if b, err = need(rd, batches, kv.Key(c.Batch), "batch", "发证批次", c.Batch); err != nil {
			return false, nil, err
		}
	}
	s, decides, err := r.nationalOf(rd, c, b)
	if err != nil || !asked || c.Origin != OriginHere && c.Queryable == "" {
		return decides, facts, err
	}
	fact := policy.Fact{Value: policy.No, Source: "登记系统全国联网查询上报记录", At: now, Reference: cmp.Or(b.ID, "登记时声明的可查询日期")}
	if s.State == uploads.Queryable && s.Since <= standards.DateOf(now) {
		fact.Value = policy.Yes
	}
	out = policy.Facts{}
	maps.Copy(out, facts)
	out[policy.NationallyQueryable] = fact
	return decides, out, nil
}
