package policy

import (
	"os"
	"testing"
	"time"

	"bajigong/standards"
)

func mustEmbedded(t testing.TB) Set {
	t.Helper()
	s, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPolicy(t testing.TB, id string) Policy {
	t.Helper()
	p, err := mustEmbedded(t).Policy(id, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustKunshan is the version of Kunshan's policy in language 1.
func mustKunshan(t testing.TB) Policy {
	t.Helper()
	p, err := mustEmbedded(t).Policy("kunshan-2020-67", 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustTwo is a set of two policies: Kunshan's, whose end is not known, and the
// sample of the nation.
func mustTwo(t testing.TB) Set {
	t.Helper()
	s, err := NewSet(mustEmbedded(t).Regions(), mustKunshan(t), mustPolicy(t, "sample-2026"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustFull is the policy that has every rule of the language.
func mustFull(t testing.TB) Policy {
	t.Helper()
	src, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse("full.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// at is noon in Shanghai on a day.
func at(day standards.Date) time.Time { return day.Time().Add(12 * time.Hour) }

func stated(value string) Fact {
	return Fact{Value: value, Source: "苏州市社保中心", At: at("2026-03-01"), Reference: "SB-1"}
}

// goodInput passes every rule of testdata/full.yaml and of sample-2026.
func goodInput() Input {
	return Input{
		Now: at("2026-03-05"), Payer: "payer-a",
		Certificate: Certificate{
			Number: "S000032058300263000001", Kind: KindSkillLevel, Occupation: "6-18-01-01", Edition: "2022",
			Level: standards.Senior, Issued: "2026-02-20", Mode: ModeExam, Origin: OriginHere, Place: "320583",
			State: CertificateValid, InstitutionClass: "S", Entitled: Entitled,
		},
		Facts: Facts{Insured: stated(Yes), Employed: stated(Yes), PensionEligible: stated(No), InsuredMonths: stated("12"), ScarceListed: stated(No)},
	}
}

// claimLike is a confirmed claim for the certificate of in, made by another payer.
func claimLike(in Input) PastClaim {
	c := in.Certificate
	return PastClaim{ID: "claim-1", Payer: "payer-b", Fund: FundSkillUplift, Policy: "full", Occupation: c.Occupation, Edition: c.Edition,
		Trade: c.Trade, Level: c.Level, Certificate: c.Number, State: Confirmed, At: at("2026-02-21"), Year: 2026}
}

// decide is what p says of a claim.
func decide(p Policy, in Input) Decision { return p.Evaluate(in) }
