package registry

import (
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// NoticeRequest asks for a one-time notice 一次性告知单 to hand out at the counter.
// Certificates and Funds are what the person asked about; without them it tells in
// detail what is within reach, see [ClaimOverview.Notice].
type NoticeRequest struct {
	OverviewRequest
	Certificates []string      `json:"certificates,omitempty"` // numbers as on the paper
	Funds        []policy.Fund `json:"funds,omitempty"`
}

// ClaimNotice is an overview arranged for the person: in detail what they asked
// about or what is within reach, and one line for each of the rest.
type ClaimNotice struct {
	Overview     ClaimOverview
	Certificates []OverviewCertificate // each with the funds that are told in detail, maybe none
	Subjects     []OverviewSubject     // told in detail
	Others       []NoticeOther         // the rest, one line each; none when funds were chosen
	NotChosen    int                   // public certificates that were not asked about
	Absent       []policy.Fund         // chosen, but the region has no policy of them here
}

// NoticeOther is one line of the rest: a fund of a certificate, or a subject.
type NoticeOther struct {
	Certificate OverviewCertificate // without its funds; zero of a subject
	Item        *OverviewItem
	Subject     *OverviewSubject
}

// officeFacts are facts about the place, its lists, the register or an institution:
// nothing that an applicant could bring. Who has to state the others is not said by
// the policies.
var officeFacts = []policy.FactKind{policy.PolicyInForce, policy.ScarceListed, policy.RightRestored, policy.NationallyQueryable, policy.ProvinciallyFound,
	policy.ApprovedAmount, policy.ApprovedCost, policy.CatalogueListed, policy.IssuerPayLinked, policy.IssuerPilot, policy.IssuerTaskListed, policy.IsSupervised,
	policy.ThreeChecks, policy.TrainerRecognised, policy.ProjectRecognised, policy.PeriodOverlaps, policy.HigherIssuedLater}

// OfOffice reports whether what is missing is for the office to find out.
func OfOffice(m policy.Missing) bool {
	kind, _ := policy.FactKind(m.Fact).Split()
	return slices.Contains(officeFacts, kind)
}

// repairable are the refusals that the person can put right, or that are over once
// what was found has changed. What was used up, or is outside the policy, is not.
var repairable = []policy.Reason{policy.FactNotMet, policy.IssuedAfterReceipt, policy.ChannelNotAllowed, policy.NotSupervised}

// WithinReach reports whether the subsidy can be claimed, or one thing alone stands
// in the way that can be put right. What the office has to find out does not count.
func (x OverviewItem) WithinReach() bool {
	steps := len(x.Decision.Failing)
	for _, f := range x.Decision.Failing {
		if !slices.Contains(repairable, f.Reason) {
			return false
		}
	}
	for _, m := range x.Decision.Missing {
		if !OfOffice(m) {
			steps++
		}
	}
	return steps <= 1
}

// Notice arranges an overview for the person. Without a choice it tells in detail
// what is within reach; with chosen funds those and nothing else. Invalid notice: a
// fund is unknown, or the person has no such public certificate.
func (o ClaimOverview) Notice(numbers []string, funds []policy.Fund) (ClaimNotice, error) {
	out := ClaimNotice{Overview: o, Certificates: []OverviewCertificate{}}
	chosen, bad := o.chosenCertificates(numbers)
	for i, f := range funds {
		if !f.Known() {
			bad = append(bad, fail.Field{Name: fmt.Sprintf("funds[%d]", i), Code: "unknown", ZH: "没有这一资金类别", EN: "there is no such fund"})
		}
	}
	if len(bad) > 0 {
		return out, fail.New(fail.Invalid, "notice", "the choice has %d mistakes", len(bad)).In("所选的证书或补贴事项有 %d 处需要更正", len(bad)).At(bad...)
	}
	out.NotChosen = len(o.Certificates) - len(chosen)
	seen := map[policy.Fund]bool{}
	for _, c := range chosen {
		all := c.Funds
		c.Funds = []OverviewItem{}
		for _, x := range all {
			seen[x.Fund] = true
			switch {
			case slices.Contains(funds, x.Fund) || len(funds) == 0 && x.WithinReach():
				c.Funds = append(c.Funds, x)
			case len(funds) == 0:
				bare := c
				bare.Funds = nil
				out.Others = append(out.Others, NoticeOther{Certificate: bare, Item: &x})
			}
		}
		out.Certificates = append(out.Certificates, c)
	}
	for _, x := range o.Without {
		seen[x.Fund] = true
		switch {
		case slices.Contains(funds, x.Fund):
			out.Subjects = append(out.Subjects, x)
		case len(funds) == 0:
			out.Others = append(out.Others, NoticeOther{Subject: &x})
		}
	}
	for _, f := range funds {
		if !seen[f] {
			out.Absent = append(out.Absent, f)
		}
	}
	return out, nil
}

// chosenCertificates are those with the numbers, or all when there are none.
func (o ClaimOverview) chosenCertificates(numbers []string) (out []OverviewCertificate, bad []fail.Field) {
	if len(numbers) == 0 {
		return o.Certificates, nil
	}
	wanted := map[string]bool{}
	for i, text := range numbers {
		number := shownNumber(text)
		if !slices.ContainsFunc(o.Certificates, func(c OverviewCertificate) bool { return c.Number == number }) {
			bad = append(bad, fail.Field{Name: fmt.Sprintf("certificates[%d]", i), Code: "unknown", ZH: "该姓名下没有查到这份已公开的证书，请核对编号", EN: "no such public certificate under this name; check the number"})
		}
		wanted[number] = true
	}
	for _, c := range o.Certificates {
		if wanted[c.Number] {
			out = append(out, c)
		}
	}
	return out, bad
}

// shownNumber is a number as an overview shows it: masked when it has an identity
// number in it.
func shownNumber(text string) string {
	text = strings.ToUpper(strings.TrimSpace(text))
	if n, err := standards.ParseNumber(text); err == nil {
		return n.Masked()
	}
	return text
}
