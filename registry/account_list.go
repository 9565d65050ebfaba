package registry

import (
	"context"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// Accounts is one page of the accounts that an actor may manage, by id. A page
// can be shorter than its limit, even empty, before the last one.
func (r *Registry) Accounts(ctx context.Context, by Actor, page Page) (out []Account, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = []Account{}, ""
		if !by.has(RoleOperator) && !by.has(RoleAuthority) {
			return may(by, ManageAccounts, Object{Region: by.Region})
		}
		all, cursor, err := scanPage(rd, accounts, kv.Range{}, page)
		if err != nil {
			return err
		}
		for _, a := range all {
			if may(by, ManageAccounts, Object{Region: a.Region}) == nil {
				out = append(out, a)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// AccountByName finds an account by its name. NotFound when there is none, or
// none that the actor may manage.
func (r *Registry) AccountByName(ctx context.Context, by Actor, name string) (out Account, err error) {
	name = strings.TrimSpace(name)
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = Account{}
		if len(by.Roles) == 0 {
			return may(by, ManageAccounts, Object{})
		}
		if name == "" || len(name) > kv.MaxKey/2 {
			return notFound("account of this name", "名称的账号", "")
		}
		a, ok, err := accounts.Lookup(rd, indexAccountsByName, kv.Key(name))
		if err != nil {
			return err
		}
		if !ok || may(by, ManageAccounts, Object{Region: a.Region}) != nil {
			return notFound("account", "账号", name)
		}
		out = a
		return nil
	})
	return out, err
}

// KeysOfAccount is one page of an account's API keys, by id, without their
// hashes. NotFound when there is no such account, or none that the actor may
// manage.
func (r *Registry) KeysOfAccount(ctx context.Context, by Actor, account string, page Page) (out []APIKey, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = []APIKey{}, ""
		a, err := need(rd, accounts, kv.Key(account), "account", "账号", account)
		if err != nil {
			return err
		}
		if err := may(by, ManageAccounts, Object{Region: a.Region}); err != nil {
			if fail.KindOf(err) == fail.Forbidden {
				return notFound("account", "账号", account)
			}
			return err
		}
		keys, cursor, err := scanIndexPage(rd, apiKeys, indexKeysByAccount, kv.Prefix(kv.Key(account)), page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			k.Hash = nil
			out = append(out, k)
		}
		next = cursor
		return nil
	})
	return out, next, err
}
