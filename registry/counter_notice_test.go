package registry_test

import (
	"slices"
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// What a person can do about a subsidy decides whether it is told in detail.
func TestWhatIsWithinReach(t *testing.T) {
	missing := func(facts ...policy.FactKind) (out []policy.Missing) {
		for _, f := range facts {
			out = append(out, policy.Missing{Fact: string(f), Reason: policy.FactMissing})
		}
		return out
	}
	failing := func(reasons ...policy.Reason) (out []policy.Failure) {
		for _, r := range reasons {
			out = append(out, policy.Failure{Reason: r})
		}
		return out
	}
	for name, c := range map[string]struct {
		d    policy.Decision
		want bool
	}{
		"allowed":                         {policy.Decision{Outcome: policy.Allow}, true},
		"one fact":                        {policy.Decision{Missing: missing(policy.Insured)}, true},
		"one fact at another date":        {policy.Decision{Missing: missing("insured@issue_month")}, true},
		"two facts":                       {policy.Decision{Missing: missing(policy.Insured, policy.Employed)}, false},
		"what the office finds out":       {policy.Decision{Missing: missing(policy.PolicyInForce, policy.ScarceListed, policy.ApprovedAmount)}, true},
		"that, and one fact":              {policy.Decision{Missing: missing(policy.PolicyInForce, policy.Insured)}, true},
		"a condition that is not met":     {policy.Decision{Failing: failing(policy.FactNotMet)}, true},
		"that, and one fact more":         {policy.Decision{Failing: failing(policy.FactNotMet), Missing: missing(policy.Insured)}, false},
		"two conditions":                  {policy.Decision{Failing: failing(policy.FactNotMet, policy.FactNotMet)}, false},
		"another kind of certificate":     {policy.Decision{Failing: failing(policy.KindNotCovered)}, false},
		"claimed already":                 {policy.Decision{Failing: failing(policy.OnceTaken)}, false},
		"issued after the day of receipt": {policy.Decision{Failing: failing(policy.IssuedAfterReceipt)}, true},
	} {
		if got := (registry.OverviewItem{Decision: c.d}).WithinReach(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestNoticeTellsWhatWasAskedAbout(t *testing.T) {
	e := newClaimEnv(t).withPolicies(workTraining(t), preJob(t))
	first, second := e.issue(3, "6-31-01-03", standards.Senior), e.issue(3, "4-10-01-05", standards.Senior)
	e.mustAnswer("reserved", e.mustReserve(e.other, e.request(3, first.Number)), policy.Allow)
	o := e.overview(e.kunshan, e.lookUp(3))
	notice := func(numbers []string, funds ...policy.Fund) registry.ClaimNotice {
		t.Helper()
		return orFail[registry.ClaimNotice](e)(o.Notice(numbers, funds))
	}
	detail := func(n registry.ClaimNotice) (out []string) {
		for _, c := range n.Certificates {
			for _, x := range c.Funds {
				out = append(out, c.Number+" "+string(x.Fund))
			}
		}
		slices.Sort(out)
		return out
	}

	// Of itself: what can be claimed in detail, what is taken in a line, and every
	// fund stands in one place.
	n := notice(nil)
	if got := detail(n); !slices.Contains(got, second.Number+" skill_uplift") || slices.Contains(got, first.Number+" skill_uplift") {
		t.Errorf("in detail %v", got)
	}
	all := len(o.Without)
	for _, c := range o.Certificates {
		all += len(c.Funds)
	}
	if len(detail(n))+len(n.Others) != all || n.NotChosen != 0 || len(n.Subjects) != 0 {
		t.Errorf("%d in detail and %d others of %d", len(detail(n)), len(n.Others), all)
	}
	if len(o.Certificates[0].Funds) == 0 {
		t.Error("the overview was changed")
	}

	// One fund of one certificate, although it is taken: that and nothing else.
	n = notice([]string{" " + first.Number}, policy.FundSkillUplift)
	if got := detail(n); !slices.Equal(got, []string{first.Number + " skill_uplift"}) || len(n.Others) != 0 || n.NotChosen != 1 || len(n.Absent) != 0 {
		t.Errorf("%v, %d others, %d not chosen, absent %v", got, len(n.Others), n.NotChosen, n.Absent)
	}
	// What needs no certificate, and what the region has not.
	n = notice(nil, policy.FundWorkTraining, policy.FundStartup)
	if len(detail(n)) != 0 || len(n.Subjects) != 1 || n.Subjects[0].Subject != policy.ForWorkMonths || !slices.Equal(n.Absent, []policy.Fund{policy.FundStartup}) {
		t.Errorf("%v, subjects %+v, absent %v", detail(n), n.Subjects, n.Absent)
	}
	// Somebody else's certificate and one that does not exist are answered alike.
	others := e.issue(4, "6-31-01-03", standards.Senior)
	for _, number := range []string{others.Number, "S000032058301263999999", "x", ""} {
		_, err := o.Notice([]string{number}, nil)
		if f := fail.Of(err); fail.CodeOf(err) != "notice" || len(f.Fields) != 1 || f.Fields[0].Name != "certificates[0]" || f.Fields[0].Code != "unknown" {
			t.Errorf("%q: %v", number, err)
		}
	}
	_, err := o.Notice([]string{"x"}, []policy.Fund{policy.FundSkillUplift, "lottery"})
	if f := fail.Of(err); fail.CodeOf(err) != "notice" || len(f.Fields) != 2 || f.Fields[1].Name != "funds[1]" {
		t.Errorf("%v", err)
	}
}
