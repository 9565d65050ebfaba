package registry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// Account is an organisation's access, with what it may be used for.
type Account struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"` // unique; shown to operators
	Organisation string    `json:"organisation,omitempty"`
	Roles        []Role    `json:"roles"`
	Region       string    `json:"region"`
	Created      time.Time `json:"created"`
}

// organisationMost bounds the organisation of an account in bytes: a payer's gets
// the code of its region and a slash in front, and is then named in statements.
const organisationMost = credentials.MaxAudience - len("000000/")

// NewAccount is what CreateAccount needs. Organisation is the institution's id
// for the role institution, the employer's credit code or name for the role
// employer. For the role payer it is a short name within the region; the account keeps it as "320583/name", so that payers of two regions
// never share claims.
type NewAccount struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Roles        []Role `json:"roles"`
	Region       string `json:"region"`
}

var regionShape = regexp.MustCompile(`^[0-9]{6}$`)

func (a NewAccount) validate() error {
	var bad []fail.Field
	if n := len([]rune(strings.TrimSpace(a.Name))); n == 0 || n > 100 {
		bad = append(bad, fail.Field{Name: "name", Code: "length", ZH: "名称应为 1 至 100 个字", EN: "name has 1 to 100 characters"})
	}
	if !regionShape.MatchString(a.Region) {
		bad = append(bad, fail.Field{Name: "region", Code: "shape", ZH: "行政区划代码应为 6 位数字", EN: "region has 6 digits (GB/T 2260)"})
	}
	if len(a.Roles) == 0 {
		bad = append(bad, fail.Field{Name: "roles", Code: "required", ZH: "至少一个角色", EN: "at least one role"})
	}
	for _, role := range a.Roles {
		if !slices.Contains(Roles(), role) {
			bad = append(bad, fail.Field{Name: "roles", Code: "unknown", ZH: "角色只能是 authority、institution、payer、auditor、employer",
				EN: "a role is one of authority, institution, payer, auditor, employer"})
		}
	}
	needsOrganisation := slices.Contains(a.Roles, RoleInstitution) || slices.Contains(a.Roles, RolePayer) || slices.Contains(a.Roles, RoleEmployer)
	if needsOrganisation && a.Organisation == "" {
		bad = append(bad, fail.Field{Name: "organisation", Code: "required", ZH: "评价机构、补贴经办机构或用人单位账号须写明所属单位",
			EN: "an institution's, payer's or employer's account names its organisation"})
	}
	if slices.Contains(a.Roles, RoleInstitution) && slices.Contains(a.Roles, RolePayer) {
		bad = append(bad, fail.Field{Name: "roles", Code: "together", ZH: "评价机构与补贴经办机构不能是同一账号",
			EN: "an account is not an institution's and a payer's at once"})
	}
	if slices.Contains(a.Roles, RoleInstitution) && slices.Contains(a.Roles, RoleAuthority) {
		bad = append(bad, fail.Field{Name: "roles", Code: "together", ZH: "评价机构与主管部门不能是同一账号",
			EN: "an account is not an institution's and an authority's at once: nobody approves what he has uploaded"})
	}
	if slices.Contains(a.Roles, RoleEmployer) && slices.ContainsFunc(a.Roles, func(r Role) bool { return r != RoleEmployer }) {
		bad = append(bad, fail.Field{Name: "roles", Code: "together", ZH: "用人单位账号不能兼有其他角色", EN: "an employer's account has no other role: its organisation is none of this register"})
	}
	if slices.Contains(a.Roles, RolePayer) && strings.ContainsAny(a.Organisation, "/ \t\n") {
		bad = append(bad, fail.Field{Name: "organisation", Code: "shape", ZH: "经办机构标识不含空格和斜杠", EN: "a payer's short name has no spaces and no slash"})
	}
	if len(a.Organisation) > organisationMost {
		bad = append(bad, fail.Field{Name: "organisation", Code: "length", ZH: fmt.Sprintf("单位标识不超过 %d 字节（每个汉字 3 字节）", organisationMost),
			EN: fmt.Sprintf("organisation has at most %d bytes", organisationMost)})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "account", "the account is not complete").In("账号信息不完整").At(bad...)
	}
	return nil
}

// CreateAccount makes an account. Invalid: a field is wrong; Conflict: the name
// is taken; NotFound: an institution account names no institution.
func (r *Registry) CreateAccount(ctx context.Context, by Actor, in NewAccount) (Account, error) {
	if err := in.validate(); err != nil {
		return Account{}, err
	}
	id := r.rand.id("a")
	var out Account
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Account{}
		if err := may(by, ManageAccounts, Object{Region: in.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, accounts, kv.Key(id), "account", "账号", id)
			}
			return err
		}
		if slices.Contains(in.Roles, RoleInstitution) {
			inst, err := institutionByID(tx, in.Organisation)
			if err != nil {
				return err
			}
			if err := may(by, ManageAccounts, Object{Region: inst.Region}); err != nil {
				return err
			}
		}
		if taken, err := tx.Get(indexAccountsByName, kv.Key(strings.TrimSpace(in.Name))); err != nil {
			return err
		} else if taken != nil {
			return fail.New(fail.Conflict, "account_name_taken", "there is an account of that name").In("已有同名账号")
		}
		a := Account{ID: id, Name: strings.TrimSpace(in.Name), Organisation: in.Organisation,
			Roles: slices.Compact(slices.Sorted(slices.Values(in.Roles))), Region: in.Region, Created: tx.Now()}
		if slices.Contains(a.Roles, RolePayer) {
			a.Organisation = a.Region + "/" + a.Organisation
		}
		if err := accounts.Put(tx, a); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: AccountCreated, Object: a.ID, Detail: a}); err != nil {
			return err
		}
		out = a
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	return out, nil
}

// APIKey proves an account. The secret itself is shown once and never stored.
type APIKey struct {
	ID      string     `json:"id"`
	Account string     `json:"account"`
	Label   string     `json:"label,omitempty"`
	Hash    []byte     `json:"hash"` // SHA-256 of the 256 random bits of the secret
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

// The longest and the usual life of an API key.
const (
	KeyLifeMax     = 2 * 366 * 24 * time.Hour
	KeyLifeDefault = 365 * 24 * time.Hour
)

// keyPrefix marks our secrets, so that scanners find leaked ones:
// bjg_<key id>_<43 base64url characters>.
const keyPrefix = "bjg_"

// IssueKey makes a key for an account and returns its secret, once. life is
// KeyLifeDefault when zero.
func (r *Registry) IssueKey(ctx context.Context, by Actor, account, label string, life time.Duration) (APIKey, string, error) {
	if life == 0 {
		life = KeyLifeDefault
	}
	if life < time.Minute || life > KeyLifeMax || len(label) > 100 {
		return APIKey{}, "", fail.New(fail.Invalid, "key_life", "a key lives between a minute and two years; its label has at most 100 bytes").
			In("密钥有效期应在 1 分钟至 2 年之间，备注不超过 100 字节")
	}
	var secret [32]byte
	r.rand.fill(secret[:])
	sum := sha256.Sum256(secret[:])
	id := strings.TrimPrefix(r.rand.id("k"), "k-")
	var out APIKey
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = APIKey{}
		a, err := need(tx, accounts, kv.Key(account), "account", "账号", account)
		if err != nil {
			return err
		}
		if err := may(by, ManageAccounts, Object{Region: a.Region}); err != nil {
			return err
		}
		k := APIKey{ID: id, Account: a.ID, Label: label, Hash: sum[:], Created: tx.Now(), Expires: tx.Now().Add(life)}
		if err := apiKeys.Put(tx, k); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: KeyIssued, Object: k.ID, Detail: map[string]any{"account": a.ID, "expires": k.Expires, "hash_sha256": digestOf(k.Hash)}}); err != nil {
			return err
		}
		out = k
		return nil
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("issue key: %w", err)
	}
	return out, keyPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(secret[:]), nil
}

// RevokeKey ends a key at once. Revoking a revoked key changes nothing.
func (r *Registry) RevokeKey(ctx context.Context, by Actor, id string) (APIKey, error) {
	var out APIKey
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = APIKey{}
		k, err := need(tx, apiKeys, kv.Key(id), "key", "密钥", id)
		if err != nil {
			return err
		}
		a, err := need(tx, accounts, kv.Key(k.Account), "account", "账号", k.Account)
		if err != nil {
			return err
		}
		if err := may(by, ManageAccounts, Object{Region: a.Region}); err != nil {
			return err
		}
		if k.Revoked == nil {
			now := tx.Now()
			k.Revoked = &now
			if err := apiKeys.Put(tx, k); err != nil {
				return err
			}
			if _, err := r.appendEvent(tx, by, Event{Kind: KeyRevoked, Object: k.ID}); err != nil {
				return err
			}
		}
		out = k
		return nil
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("revoke key: %w", err)
	}
	return out, nil
}

// Authenticate returns the actor that secret proves. Every way of failing gives
// the same Unauthorized.
func (r *Registry) Authenticate(ctx context.Context, secret string) (Actor, error) {
	refused := fail.New(fail.Unauthorized, "key_unknown", "this API key is unknown, expired or revoked").In("接口密钥不存在、已过期或已吊销")
	id, encoded, ok := cutKey(secret)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(raw) != 32 || id == "" || len(id) > 32 {
		return Actor{}, refused
	}
	sum := sha256.Sum256(raw)
	var out Actor
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		k, found, err := apiKeys.Get(rd, kv.Key(id))
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(k.Hash, sum[:]) != 1 || !found || k.Revoked != nil || !now.Before(k.Expires) {
			return refused
		}
		a, found, err := accounts.Get(rd, kv.Key(k.Account))
		if err != nil {
			return err
		}
		if !found {
			return refused
		}
		out = Actor{Account: a.ID, Organisation: a.Organisation, Roles: a.Roles, Region: a.Region, Via: "key:" + k.ID}
		return nil
	})
	return out, err
}

// cutKey takes a secret apart: the key's id, and what proves it.
func cutKey(secret string) (id, encoded string, ok bool) {
	rest, ok := strings.CutPrefix(secret, keyPrefix)
	id, encoded, found := strings.Cut(rest, "_")
	return id, encoded, ok && found
}

// KeyID is the id in an API key, whether there is such a key or not; empty for
// what is no key. It is not secret.
func KeyID(secret string) string {
	id, _, ok := cutKey(secret)
	if !ok || len(id) > 32 {
		return ""
	}
	return id
}
