package policy

import "bajigong/internal/fail"

// A Choice is a policy that could be thought to decide, and why it does not.
type Choice struct {
	Policy  Policy
	Decides bool
	Why     Text // empty for the one that decides
}

// Choices returns every policy of the query's fund in its region and the regions
// above, the nearest first, every version, and tells which of them [Set.Select]
// returns and why not the others. None need decide. Error: as Select has them, but
// for "no_policy".
func (s Set) Choices(q Query) ([]Choice, error) {
	chosen, err := s.Select(q)
	if err != nil && fail.CodeOf(err) != "no_policy" {
		return nil, err
	}
	chain, err := s.Chain(q.Region)
	if err != nil {
		return nil, err
	}
	var out []Choice
	for _, r := range chain {
		for _, p := range s.policies {
			if p.Region != r.Code || p.Fund != q.Fund {
				continue
			}
			c := Choice{Policy: p, Decides: p.ID == chosen.ID && p.Version == chosen.Version}
			if !c.Decides {
				c.Why = s.whyNot(p, q, chosen)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func (s Set) whyNot(p Policy, q Query, chosen Policy) Text {
	if newest, err := s.Policy(p.ID, 0); err == nil && newest.Version != p.Version {
		return textf("已由第 %d 版取代；按本版决定的申领仍依本版", newest.Version)("version %d has taken its place; claims decided by this one keep to it", newest.Version)
	}
	applies := p.applies(q)
	switch {
	case applies != appliesYes:
		return p.whyNot(applies)
	case p.Region != chosen.Region && p.doubtful(q) && !chosen.doubtful(q):
		return textf("终止日期未载明，是否仍执行待确认；适用现行的 %s", chosen.ID)("its end is not known and it waits to be confirmed; %s is known to be in force", chosen.ID)
	case p.Region != chosen.Region:
		return textf("更近的区划 %s 有政策 %s", chosen.Region, chosen.ID)("the nearer region %s has %s", chosen.Region, chosen.ID)
	case p.Sample && !chosen.Sample:
		return textf("示例政策，让位于 %s", chosen.ID)("a sample gives way to %s", chosen.ID)
	}
	return textf("自%s起由 %s 接替", chosen.Effective.From.Chinese(), chosen.ID)("%s has followed it from %s", chosen.ID, chosen.Effective.From)
}
