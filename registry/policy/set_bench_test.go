package policy_test

import (
	"testing"

	"bajigong/registry/policy"
)

// What each claim asks of the set of policies: by name, or by region and fund.
func BenchmarkSet(b *testing.B) {
	set, err := policy.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Policy", func(b *testing.B) {
		for b.Loop() {
			if _, err := set.Policy("kunshan-2020-67", 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Select", func(b *testing.B) {
		for b.Loop() {
			if _, err := set.Select(policy.Query{Region: "320583", Fund: "skill_uplift", Received: "2025-03-01", Issued: "2025-02-01"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SelectAbove", func(b *testing.B) {
		for b.Loop() {
			if _, err := set.Select(policy.Query{Region: "320100", Fund: "skill_uplift", Received: "2025-03-01", Issued: "2025-02-01"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
