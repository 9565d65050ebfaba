package registry

import (
	"reflect"
	"testing"

	"bajigong/evaluators"
	"bajigong/registry/policy"
	"bajigong/standards"
)

func TestCertificateAsTheRulesSeeIt(t *testing.T) {
	here := Certificate{Number: "S000032058301263000001", Kind: standards.LevelCertificate, Origin: OriginHere, Mode: policy.ModeExam,
		Filing: "f-1", Region: "320583", Occupation: "6-31-01-03", TradeName: "--", Level: standards.Senior, Issued: "2026-03-20"}
	want := policy.Certificate{Number: "S000032058301263000001", Kind: policy.KindSkillLevel, Occupation: "6-31-01-03", Edition: "2022",
		Level: standards.Senior, Issued: "2026-03-20", Mode: policy.ModeExam, Origin: policy.OriginHere, Place: "320583",
		State: policy.CertificateValid, InstitutionClass: "S", Entitled: policy.Entitled}
	if got := claimed(here, CertificateValid, "2026-03-02"); !reflect.DeepEqual(got, want) {
		t.Errorf("issued here:\n got %+v\nwant %+v", got, want)
	}
	for status, state := range map[CertificateStatus]policy.CertificateState{CertificateValid: policy.CertificateValid,
		CertificateSuspended: policy.CertificateSuspended, CertificateCancelled: policy.CertificateCancelled, CertificateVoided: policy.CertificateVoided} {
		if got := claimed(here, status, "2026-03-02").State; got != state {
			t.Errorf("%s is seen as %s", status, got)
		}
	}

	elsewhere := here
	elsewhere.Origin, elsewhere.Filing, elsewhere.Trade, elsewhere.TradeName = OriginElsewhere, "", "", "矿井 维修电工"
	got := claimed(elsewhere, CertificateValid, "2026-03-02")
	if got.Origin != policy.OriginElsewhere || got.Entitled != policy.NotAsserted {
		t.Errorf("from elsewhere: origin %s, %s", got.Origin, got.Entitled)
	}
	if got.Place != "" {
		t.Errorf("the region of who registered it is taken for where it was acquired: %s", got.Place)
	}
	if got.Trade != "矿井维修电工" {
		t.Errorf("a trade outside the catalogue is %q", got.Trade)
	}
	elsewhere.Entitlement = &evaluators.Entitlement{}
	if got := claimed(elsewhere, CertificateValid, "2026-03-02").Entitled; got != policy.NotEntitled {
		t.Errorf("asked and not entitled: %s", got)
	}
	elsewhere.Entitlement.Entitled = true
	if got := claimed(elsewhere, CertificateValid, "2026-03-02").Entitled; got != policy.Entitled {
		t.Errorf("asked and entitled: %s", got)
	}
}

func TestKindsOfNumbersThatDoNotTellAreLeftOpen(t *testing.T) {
	for kind, want := range map[standards.NumberKind]policy.Kind{
		standards.LevelCertificate: policy.KindSkillLevel, standards.SpecialTechnicianPaper: policy.KindSkillLevel,
		standards.Qualification: policy.KindQualification, standards.SpecialOperation: policy.KindSpecialOperation,
		standards.ShanghaiOld: "", standards.Provincial: "", standards.ConstructionOperation: "", standards.IdentityNumber: "", standards.OtherNumber: "",
	} {
		if got := claimed(Certificate{Kind: kind}, CertificateValid, "2026-03-02").Kind; got != want {
			t.Errorf("%s is %q, want %q", kind, got, want)
		}
	}
}
