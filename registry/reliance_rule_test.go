package registry_test

import (
	"testing"

	"bajigong/registry"
	"bajigong/registry/policy"
)

// 撤销 is void from the start, so that what was paid is recovered; 注销 ends on its
// date, earlier payments stand and payers are told (2.9 电子证照系统状态;
// 苏人社发〔2018〕76号: 骗取补贴的依法追回).
func TestAdvise(t *testing.T) {
	const paid = policy.Fen(200000)
	valid, suspended, cancelled, voided := registry.CertificateValid, registry.CertificateSuspended, registry.CertificateCancelled, registry.CertificateVoided
	for _, c := range []struct {
		what   registry.RelianceWhat
		status registry.CertificateStatus
		state  policy.State
		paid   policy.Fen
		want   registry.RelianceAdvice // empty: it does not concern the claim
	}{
		{registry.RelianceVoided, voided, policy.Confirmed, paid, registry.AdviceRecover},
		{registry.RelianceVoided, voided, policy.Duplicate, paid, registry.AdviceRecover},
		{registry.RelianceVoided, voided, policy.Reserved, 0, registry.AdviceStop},
		{registry.RelianceVoided, voided, policy.Refunded, 0, registry.AdviceNotify},
		{registry.RelianceVoided, voided, policy.Released, 0, ""},
		{registry.RelianceVoided, voided, policy.Expired, 0, ""},
		{registry.RelianceVoided, voided, registry.StateRefused, 0, ""},
		{registry.RelianceVoided, voided, policy.None, 0, ""},
		{registry.RelianceCancelled, cancelled, policy.Confirmed, paid, registry.AdviceNotify},
		{registry.RelianceCancelled, cancelled, policy.Reserved, 0, registry.AdviceNotify},
		{registry.RelianceCancelled, cancelled, policy.Refunded, 0, registry.AdviceNotify},
		{registry.RelianceCancelled, cancelled, policy.Released, 0, ""},
		{registry.RelianceSuspended, suspended, policy.Reserved, 0, registry.AdviceHold},
		{registry.RelianceSuspended, suspended, policy.Confirmed, paid, registry.AdviceNotify},
		{registry.RelianceSuspended, suspended, policy.Refunded, 0, registry.AdviceNotify},
		{registry.RelianceResumed, valid, policy.Reserved, 0, registry.AdviceNone},
		{registry.RelianceResumed, valid, policy.Confirmed, paid, registry.AdviceNone},
		{registry.RelianceRestored, valid, policy.Confirmed, paid, registry.AdviceNone},
		{registry.RelianceRestored, suspended, policy.Reserved, 0, registry.AdviceHold},
		{registry.RelianceRestored, cancelled, policy.Confirmed, paid, registry.AdviceNotify},
		{registry.RelianceRestored, voided, policy.Confirmed, paid, registry.AdviceRecover},
		{registry.RelianceRestored, voided, policy.Reserved, 0, registry.AdviceStop},
		{registry.RelianceCorrected, valid, policy.Confirmed, paid, registry.AdviceNone},
		{registry.RelianceReissued, valid, policy.Reserved, 0, registry.AdviceNone},
		{registry.ReliancePaidVoid, voided, policy.Confirmed, paid, registry.AdviceRecover},
		{registry.RelianceMerged, "", policy.Confirmed, paid, registry.AdviceNotify},
		{registry.RelianceIntegrity, "", policy.Reserved, 0, registry.AdviceNotify},
		{registry.RelianceIntegrity, "", policy.Expired, 0, ""},
		{registry.RelianceCollision, "", policy.Reserved, 0, registry.AdviceHold},
		{registry.RelianceCollision, "", policy.Confirmed, paid, registry.AdviceNotify},
	} {
		got, ok := registry.Advise(c.what, c.status, c.state, c.paid)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s, certificate %s, claim %s with %s: %q, want %q", c.what, c.status, c.state, c.paid, got, c.want)
		}
	}
	for _, w := range registry.RelianceWhats() {
		if n := w.Name(); n.ZH == "" || n.EN == "" {
			t.Errorf("%s has no name", w)
		}
	}
	for _, a := range registry.RelianceAdvices() {
		if n := a.Name(); n.ZH == "" || n.EN == "" {
			t.Errorf("%s has no name", a)
		}
	}
}
