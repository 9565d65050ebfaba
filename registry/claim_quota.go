package registry

import "bajigong/registry/quota"

// ClaimQuota is how often the account of an actor may ask about persons' claims in
// an hour, by the rules of its region; the default where no file has any. Whoever
// answers requests counts them: an answer that only reads would otherwise have to
// be written.
func (r *Registry) ClaimQuota(by Actor) quota.Claims {
	q, err := r.quotas(by.Region, r.cfg.Now())
	if err != nil {
		return quota.DefaultClaims
	}
	return q.OfClaims()
}
