package registry

import (
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// policyFor finds the policy that decides: the one the request names, if it
// stands in the payer's region or above it, or the nearest in force.
func (r *Registry) policyFor(by Actor, q claimQuery, c Certificate, received standards.Date) (policy.Policy, error) {
	if q.policy != "" {
		return r.policyNamed(by, q, c, received)
	}
	ask := policy.Query{Region: by.Region, Fund: q.fund, Received: received, Issued: c.Issued, Applied: q.applied, Subject: q.subject.Kind}
	if ask.Fund == "" {
		var err error
		if ask.Fund, err = r.fundOf(ask); err != nil {
			return policy.Policy{}, err
		}
	}
	p, err := r.cfg.Policies.Select(ask)
	if err != nil {
		return p, refuseAt("fund", err)
	}
	return p, q.fits(p)
}

// policyNamed is the policy that a request names.
func (r *Registry) policyNamed(by Actor, q claimQuery, c Certificate, received standards.Date) (policy.Policy, error) {
	p, err := r.cfg.Policies.Policy(q.policy, 0)
	if err != nil {
		return p, refuseAt("policy", err)
	}
	chain, err := r.cfg.Policies.Chain(by.Region)
	if err != nil {
		return p, refuseAt("policy", err)
	}
	switch {
	case !slices.ContainsFunc(chain, func(at policy.Region) bool { return at.Code == p.Region }):
		return p, refuseAt("policy", fail.New(fail.Invalid, "policy_region", "policy %s is for region %s, this payer is in %s", p.ID, p.Region, by.Region).
			In("政策 %s 适用于区划 %s，本机构属于 %s", p.ID, p.Region, by.Region))
	case p.Framework:
		return p, refuseAt("policy", fail.New(fail.Invalid, "policy_framework", "policy %s only binds the policies of the regions below it and pays for nothing; name the policy of this region, or the fund", p.ID).
			In("政策 %s 为框架性规定，不直接据以发放；请填写本地区的政策编号，或只填资金类别", p.ID))
	case q.fund != "" && q.fund != p.Fund:
		return p, refuseAt("fund", fail.New(fail.Invalid, "policy_fund", "policy %s pays from %s", p.ID, p.Fund).In("政策 %s 的资金类别为%s", p.ID, p.Fund.Name().ZH))
	}
	if later, ok := r.cfg.Policies.Superseded(p, policy.Query{Region: by.Region, Received: received, Issued: c.Issued, Applied: q.applied}); ok {
		return p, refuseAt("policy", fail.New(fail.Invalid, "policy_superseded", "policy %s does not say until when it holds, and %s has followed it from %s; name that one, or the fund", p.ID, later.ID, later.Effective.From).
			In("政策 %s 未载明终止日期，已自%s起由 %s 接替；请填写后者，或只填资金类别", p.ID, later.Effective.From.Chinese(), later.ID))
	}
	return p, q.fits(p)
}

// unconfirmed are the nearer texts that were not used because nobody can tell that
// they are still in force; a payer that knows names the text and states the fact.
func (r *Registry) unconfirmed(by Actor, q claimQuery, c Certificate, received standards.Date, p policy.Policy) []UnconfirmedPolicy {
	if q.policy != "" {
		return nil
	}
	return r.unconfirmedFor(by, policy.Query{Received: received, Issued: c.Issued, Applied: q.applied, Subject: q.subject.Kind}, p)
}

// unconfirmedFor is unconfirmed of a question that names no policy.
func (r *Registry) unconfirmedFor(by Actor, ask policy.Query, p policy.Policy) (out []UnconfirmedPolicy) {
	ask.Region, ask.Fund = by.Region, p.Fund
	for _, x := range r.cfg.Policies.Unconfirmed(ask, p) {
		out = append(out, UnconfirmedPolicy{Policy: x.ID, Region: x.Region, Note: policy.Text{
			ZH: fmt.Sprintf("待确认：政策 %s 未载明终止日期，未据以决定；本次适用现行的 %s。确认其仍执行的，请填写该政策编号并提供“%s”", x.ID, p.ID, policy.PolicyInForce.Name().ZH),
			EN: fmt.Sprintf("to be confirmed: policy %s does not say until when it holds and was not used; %s is known to be in force and decides. Who knows that it still holds names it and states the fact %s", x.ID, p.ID, policy.PolicyInForce)}})
	}
	return out
}

// UnconfirmedPolicy is a text of a nearer region that was not used 待确认.
type UnconfirmedPolicy struct {
	Policy string      `json:"policy"`
	Region string      `json:"region"`
	Note   policy.Text `json:"note"`
}

// fundOf is the fund that pays for a subject; where several do the request has to
// say which.
func (r *Registry) fundOf(ask policy.Query) (policy.Fund, error) {
	funds, err := r.cfg.Policies.Funds(ask)
	if err != nil {
		return "", refuseAt("subject.kind", err)
	}
	name := ask.Subject.Name()
	switch len(funds) {
	case 1:
		return funds[0], nil
	case 0:
		return "", refuseAt("subject.kind", fail.New(fail.NotFound, "no_policy", "no policy pays for %s on %s in %s or a region above it", name.EN, ask.Received, ask.Region).
			In("%s 及其上级区划在 %s 没有适用于“%s”的政策", ask.Region, ask.Received, name.ZH))
	}
	var zh, en []string
	for _, f := range funds {
		zh, en = append(zh, fmt.Sprintf("%s（%s）", f, f.Name().ZH)), append(en, string(f))
	}
	return "", refuseAt("fund", fail.New(fail.Invalid, "fund_ambiguous", "%s is paid from %s here; say which fund this claim is for", name.EN, strings.Join(en, ", ")).
		In("“%s”在本地有多项资金：%s，请填写资金类别", name.ZH, strings.Join(zh, "、")))
}

// fits refuses a certificate where the policy pays for something that is without
// one: it would be taken as used by a claim that does not rest on it.
func (q claimQuery) fits(p policy.Policy) error {
	if q.bare() || q.subject.Kind == "" || p.Subject == nil || p.Subject.Certificate {
		return nil
	}
	name := p.SubjectOf().Name()
	return refuseAt("certificate", fail.New(fail.Invalid, "subject_without", "policy %s pays for %s without a certificate; leave the number out", p.ID, name.EN).
		In("政策 %s 的申领事项“%s”无需证书，请勿填写证书编号", p.ID, name.ZH))
}

// refuseAt makes what is wrong with a field of a request its refusal.
func refuseAt(field string, err error) error {
	e := fail.Of(err)
	if e.Kind == fail.Internal {
		return err
	}
	return fail.New(fail.Invalid, e.Code, "%s", e.Text).In("%s", e.ZH).At(fail.Field{Name: field, Code: e.Code, ZH: e.ZH, EN: e.Text})
}
