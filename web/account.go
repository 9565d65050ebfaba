package web

import (
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// hidden shadows a field of an embedded record, which is then not shown.
type hidden struct{}

// newKey is what a new API key needs. Days is a year when absent, two years at
// most.
type newKey struct {
	Account string `json:"account"`
	Label   string `json:"label,omitempty"`
	Days    int    `json:"days,omitempty"`
}

// keyView is an API key without the hash of its secret.
type keyView struct {
	registry.APIKey
	Hash   *hidden `json:"hash,omitempty"`
	Secret string  `json:"secret,omitempty"` // only in the answer that makes it
}

func (s *Server) createAccount(c *call, in registry.NewAccount) (registry.Account, error) {
	return s.reg.CreateAccount(c.ctx, c.by, in)
}

func (s *Server) issueKey(c *call, in newKey) (keyView, error) {
	if in.Days < 0 || in.Days > int(registry.KeyLifeMax/(24*time.Hour)) {
		return keyView{}, fail.New(fail.Invalid, "key_life", "a key lives 1 to %d days", int(registry.KeyLifeMax/(24*time.Hour))).
			In("密钥有效期应为 1 至 %d 天", int(registry.KeyLifeMax/(24*time.Hour))).
			At(fail.Field{Name: "days", Code: "range", ZH: "有效天数超出范围", EN: "out of range"})
	}
	key, secret, err := s.reg.IssueKey(c.ctx, c.by, in.Account, in.Label, time.Duration(in.Days)*24*time.Hour)
	return keyView{APIKey: key, Secret: secret}, err
}

func (s *Server) revokeKey(c *call, _ none) (keyView, error) {
	id, err := c.param("id")
	if err != nil {
		return keyView{}, err
	}
	key, err := s.reg.RevokeKey(c.ctx, c.by, id)
	return keyView{APIKey: key}, err
}
