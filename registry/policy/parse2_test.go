package policy

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
)

// TestParse2SaysWhatIsWrong changes one place of testdata/full2.yaml, or of
// testdata/work2.yaml where the text to change is only there.
func TestParse2SaysWhatIsWrong(t *testing.T) {
	files := policyFiles(t)
	const scarce = "  uplift_percent: 30\n"
	for _, c := range []struct{ old, new, code, says string }{
		{"language: 2", "language: 3", "unknown_key", "$.language: no such key"},
		{"money: unemployment_insurance\n", "", "missing_key", "lacks the key money"},
		{"bounds:\n", "bound:\n", "missing_key", "lacks the key bounds"},
		{"money: unemployment_insurance", "money: somebody", "yaml_word", "must be one of"},
		{"framework: no", "framework: maybe", "yaml_bool", "yes or no"},
		{"decided_by: application", "decided_by: payment", "yaml_word", "receipt, issue, application"},
		{"any_of: [enterprise_employee, ", "any_of: [", "", ""},
		{"any_of: [enterprise_employee, ", "any_of: [pirate, ", "unknown_group", "declare it under declares"},
		{"any_of: [enterprise_employee, ", "any_of: [civil_servant, ", "groups", "stands in any_of and none_of"},
		{"{code: island_worker,", "{code: veteran,", "duplicate", "such a group already"},
		{"{code: island_worker,", "{code: none,", "duplicate", "such a group already"},
		{"min: 16, max_male: 60", "min: 61, max_male: 60", "ages", "less than min"},
		{"at: receipt, min: 16, max_male: 60, max_female: 55", "at: receipt", "ages", "needs min"},
		{"at: receipt, min", "at: payment, min", "yaml_word", "receipt, issue, application"},
		{`want: "yes", at: issue_month, or`, "at_least: 3, or", "unknown_key", "goes with want"},
		{"at: issue_month}]", "at: someday}]", "yaml_word", "issue_month"},
		{"fact: unemployment_benefit", "fact: approved_cost", "yaml_word", "must be one of"},
		{"at_most: 12", "at_most: 12, at_least: 13", "yaml_number", "less than at_least"},
		{"at_most: 12", "want: \"yes\"", "unknown_key", "goes with at_least"},
		{"conditions: [pay_linked, pilot_recognised], for_classes: [Y]", "for_classes: [Y]", "unknown_key", "only goes with conditions"},
		{"classes: [S, Y], conditions: [pay_linked, pilot_recognised], for_classes: [Y]", "x: y", "institutions", "needs classes or conditions"},
		{"scope: [training, evaluation]", "scope: [exams]", "yaml_word", "training, evaluation"},
		{"any_of: [national, provincial]", "any_of: [local]", "yaml_word", "national, provincial"},
		{"days: 365,", "days: 365, months: 12,", "window", "either months or days"},
		{"days: 365, not_before_days: 3, from: issue", "from: issue", "window", "needs months, days"},
		{"days: 365,", "days: 365, same_year: no,", "window", "or is left out"},
		{"  name: 目录\n", "", "missing_key", "lacks the key name"},
		{"  name: 目录\n", "  name: 目录\n  list: unknown\n", "unknown_key", "with list unknown"},
		{"occupation: 6-31-01-03", "occupation: 6-18-01-01", "duplicate", "stands twice"},
		{"levels: {junior: 1000, senior: 2000}", "levels: {junior: 1000, master: 2000}", "level", "no code of a level"},
		{"levels: {junior: 1000, senior: 2000}", "levels: {junior: 0}", "yuan", "must be yuan"},
		{"mean: at_most", "mean: about", "yaml_word", "exact, at_most"},
		{"  per: claim", "  per: claim\n  flat_yuan: 300", "amounts", "one of levels and flat_yuan"},
		{"lists:", "list: unknown\n  lists:", "scarce", "one of list and lists"},
		{"  back_pay: covered\n", "", "missing_key", "lacks the key back_pay"},
		{"back_pay: covered", "back_pay: unknown", "unexplained", "explain scarce.back_pay"},
		{scarce, scarce + "  raises_approved: yes\n", "scarce", "only goes with amounts unknown"},
		{"levels: [senior]", "levels: [senior, senior]", "duplicate", "stands twice"},
		{"levels: [{level: junior, yuan: 1000}", "levels: [{level: junior, yuan: 1000.01}", "uplift", "no whole number of fen"},
		{"amount_for_scarce_always: none", "amount_for_scarce_always: {id: a, clause: b, zh: c, en: d, uplift_percent: 30}", "scarce", "either scarce or"},
		{"same: [occupation, level]}", "same: [occupation, period]}", "once_same", "cannot use subject"},
		{"same: [occupation, level]}", "same: [level]}", "once_same", "must contain occupation"},
		{"funds: [training], same: [occupation, level]", "funds: [training], same: [period]", "yaml_word", "must be one of occupation, level, trade, person"},
		{"order: issue", "order: payment", "yaml_word", "submission, issue"},
		{"per: rolling\n  months: 12", "per: rolling", "missing_key", "lacks the key months"},
		{"per: rolling", "per: lifetime", "unknown_key", "only goes with per rolling"},
		{"for: scarce", "for: all", "yaml_word", "must be one of scarce"},
		{"pay_to: funder", "pay_to: nobody", "yaml_word", "must be one of"},
		{"percent: 50", "percent: 101", "yaml_number", "from 1 to 100"},
		{"field: amounts.senior", "field: amounts.master", "bound_field", "no field that can be bound"},
		{"may: at_most, value: 2600", "may: at_most", "missing_key", "lacks the key value"},
		{"may: at_most, value: 2600", "may: free, value: 2600", "unknown_key", "with may free"},
		{"field: amounts.senior, may: at_most, value: 2600", "field: refund, may: at_most, value: x", "bound_may", "equal or free"},
		{"field: amounts.senior, may: at_most, value: 2600", "field: amounts, may: at_most, value: 1", "bound_may", "free only"},
		{"under: none", "under: [{policy: a}, {policy: a}]", "duplicate", "stands twice"},
		{"framework: no", "framework: yes", "", ""},
		{"subject: none", "subject: unknown", "unexplained", "explain subject"},
		{"certificate: {id: certificate, clause: 七, zh: 证书有效, en: a valid certificate}", "certificate: none", "certificate", "needs the rule certificate"},
		{"dated: 2026-01-01", "dated: unknown", "unexplained", "explain document.dated"},
		{"{id: cost, clause: 十七,", "{id: cost, quoted: primary, clause: 十七,", "yaml_word", "secondary"},
		// without a certificate
		{"window: none\ncatalogue", "window: {id: w, clause: a, zh: b, en: c, months: 12}\ncatalogue", "without_certificate", "has none for window"},
		{"decided_by: receipt", "decided_by: issue", "without_certificate", "cannot be decided by date of issue"},
		{"same: [subject, period]", "same: [period]", "once_same", "occupation, subject or course"},
		{"kind: work_months", "kind: holiday", "yaml_word", "pre_job, work_months"},
		{"most_units: 6", "most_units: 0", "yaml_number", "from 1 to 99"},
		{"amounts: {id: amounts, clause: 五, zh: 每月500元, en: 500 a month, flat_yuan: 500, per: unit}", "amounts: none", "amounts", "only a framework"},
		{"amounts: {id: amounts, clause: 五, zh: 每月500元, en: 500 a month, flat_yuan: 500, per: unit}", "amounts: catalogue", "amounts", "there must be a catalogue"},
		{"amounts: {id: amounts, clause: 五, zh: 每月500元, en: 500 a month, flat_yuan: 500, per: unit}", "amounts: unknown", "unexplained", "explain amounts"},
		{"framework: no\nsubject: {", "framework: yes\nsubject: {", "framework", "a framework has bounds"},
		{"prepayment: none", "prepayment: {id: p, clause: a, zh: b, en: c, percent: 50, for: [funder]}", "yaml_word", "person, enterprise, institution"},
		{"id: subject", "id: amounts", "duplicate_rule", "already used on line"},
	} {
		name := "testdata/full2.yaml"
		if !strings.Contains(files[name], c.old) || strings.Contains(c.says, "a framework has") || c.code == "without_certificate" && c.old == "decided_by: receipt" {
			name = "testdata/work2.yaml"
		}
		if !strings.Contains(files[name], c.old) {
			t.Errorf("neither file has %q", c.old)
			continue
		}
		_, err := Parse(name, []byte(strings.Replace(files[name], c.old, c.new, 1)))
		if c.code == "" {
			if err != nil {
				t.Errorf("%q → %q: %v", c.old, c.new, err)
			}
			continue
		}
		found, said := false, ""
		for _, f := range fail.Of(err).Fields {
			if f.ZH == "" || f.Row == 0 || strings.Contains(f.ZH+f.EN, "%!") {
				t.Errorf("%q → %q: %+v", c.old, c.new, f)
			}
			said += f.Name + ": " + f.EN + "\n"
			found = found || f.Code == c.code
		}
		if !found || !strings.Contains(said, c.says) {
			t.Errorf("%q → %q: want %s %q in %s %v", c.old, c.new, c.code, c.says, said, err)
		}
	}
}

// TestEveryMutantDecides gives each policy that differs in one place from the
// files of every rule some claims to decide.
func TestEveryMutantDecides(t *testing.T) {
	for _, name := range []string{"testdata/full2.yaml", "testdata/work2.yaml"} {
		for how, m := range mutants(t, policyFiles(t)[name]) {
			if !drawn(how, 8, 32) {
				continue
			}
			p, err := Parse(name, []byte(m))
			if err != nil {
				continue
			}
			for _, in := range []Input{twoInput(), workInput(), badInput(), {}} {
				in.Claims = append(in.Claims, claimsOn(twoInput(), "2025-09-01s", "2026-01-01 ")...)
				d := p.Evaluate(in)
				if (d.Outcome == Allow) != (len(d.Failing)+len(d.Missing) == 0) || d.Amount < 0 || d.Outcome == Allow && d.Amount == 0 || d.AdvanceMost > d.Amount && d.Outcome == Allow {
					t.Errorf("%s %s: %+v", name, how, d)
				}
				if len(d.Steps()) == 0 && d.Outcome != Allow {
					t.Errorf("%s %s: nothing to do next: %+v", name, how, d)
				}
			}
		}
	}
}
