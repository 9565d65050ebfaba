package policy

import (
	"encoding/json"
	"os"
	"testing"

	"bajigong/standards"
)

func mustParse(t testing.TB, file string) Policy {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(file, src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// twoInput passes every rule of testdata/full2.yaml.
func twoInput() Input {
	return Input{
		Now: at("2026-03-05"), Payer: "payer-a", Person: Person{Born: "1990-06-01", Sex: Male},
		Certificate: Certificate{
			Number: "S000032058300263000001", Kind: KindSkillLevel, Occupation: "6-18-01-01", Edition: "2022",
			Level: standards.Senior, Issued: "2026-02-20", Mode: ModeExam, Origin: OriginHere, Place: "320583",
			State: CertificateValid, InstitutionClass: "S", Entitled: Entitled, Supervised: Yes,
		},
		Facts: Facts{PersonGroup: stated("enterprise_employee"), Insured.On(AtIssueMonth): stated(Yes), InsuredMonths.On(AtApplication): stated("12"),
			TrainedWithin: stated("12"), NationallyQueryable: stated(Yes), ApprovedAmount: stated("2500"), ApprovedCost: stated("2400"), FundedBy: stated("person")},
	}
}

func TestLanguage2GoodInputPasses(t *testing.T) {
	d := decide(mustParse(t, "testdata/full2.yaml"), twoInput())
	if d.Outcome != Allow || d.Amount != 240000 || !d.Scarce || d.PayTo != "person" || d.AdvanceMost != 120000 || len(d.Calculation) != 4 {
		b, _ := json.MarshalIndent(d, "", " ")
		t.Fatalf("%s", b)
	}
}

// workInput passes every rule of testdata/work2.yaml.
func workInput() Input {
	return Input{Now: at("2026-03-05"), Payer: "payer-a",
		Subject: Subject{Kind: ForWorkMonths, From: "2026-01-01", To: "2026-02-28", Units: 2},
		Facts:   Facts{PersonGroup: stated("hard_to_employ,rural_worker")}}
}

func TestLanguage2WithoutCertificate(t *testing.T) {
	d := decide(mustParse(t, "testdata/work2.yaml"), workInput())
	if d.Outcome != Allow || d.Amount != 100000 || d.Units != 2 || d.PayTo != "enterprise" || d.OnceKey != "work/subject=work_months/period=2026-01-01..2026-02-28" {
		b, _ := json.MarshalIndent(d, "", " ")
		t.Fatalf("%s", b)
	}
}
