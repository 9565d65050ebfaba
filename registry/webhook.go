package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/webhooks"
	"bajigong/standards"
)

// Webhook is one endpoint of a payer. Its secrets stand sealed.
type Webhook struct {
	ID      string                 `json:"id"`
	Payer   string                 `json:"payer"`
	Region  string                 `json:"region"` // of the payer
	URL     string                 `json:"url"`
	State   webhooks.EndpointState `json:"state"`
	Created time.Time              `json:"created"`
	By      string                 `json:"by"`      // account id
	Secrets []WebhookSecret        `json:"secrets"` // the newest first, at most two
	// Next is the entry of the feed that is sent next, Failures how often it failed,
	// Due when it is tried; zero when nothing waits.
	Next     uint64    `json:"next"`
	Failures int       `json:"failures,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	// FailingSince is when the first attempt failed of which none has succeeded since.
	FailingSince time.Time   `json:"failing_since,omitzero"`
	Ended        *WebhookEnd `json:"ended,omitempty"` // disabled or removed
	LogIndex     uint64      `json:"log_index"`       // of its newest entry
}

// WebhookSecret is one secret of an endpoint, without the secret.
type WebhookSecret struct {
	N       int       `json:"n"` // 1, 2, 3, …
	Created time.Time `json:"created"`
	Until   time.Time `json:"until,omitzero"` // of a secret that was replaced
}

// WebhookEnd is why an endpoint is sent nothing any more.
type WebhookEnd struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // "failing", "gone" or "removed"
}

// Delivery is how one entry of the feed went to one endpoint. There is none before
// the first attempt.
type Delivery struct {
	Webhook   string                 `json:"webhook"`
	Seq       uint64                 `json:"seq"`   // of the feed
	Entry     string                 `json:"entry"` // webhook-id
	State     webhooks.DeliveryState `json:"state"`
	Attempts  int                    `json:"attempts"`
	First     time.Time              `json:"first"`
	Last      time.Time              `json:"last"`
	Status    int                    `json:"status,omitempty"` // HTTP status of the last attempt
	Fault     webhooks.Fault         `json:"fault,omitempty"`  // why it had none
	Delivered time.Time              `json:"delivered,omitzero"`
}

// sealedSecret is a secret as it stands sealed.
type sealedSecret struct {
	N      int    `json:"n"`
	Secret []byte `json:"secret"`
}

// NewWebhook is what AddWebhook needs. From is the first entry of the feed that is
// sent; the next one to come when 0.
type NewWebhook struct {
	URL  string `json:"url"`
	From uint64 `json:"from,omitempty"`
}

// NewWebhookSecret is an endpoint with its newest secret, which is shown once:
// Secret is empty when the request is repeated.
type NewWebhookSecret struct {
	Webhook
	Secret string `json:"secret,omitempty"`
}

func (r *Registry) webhookRules(region string, now time.Time) (webhooks.Rules, error) {
	rules, ok := r.cfg.Rules.Webhooks.On(region, string(standards.DateOf(now)))
	if !ok {
		return rules, fail.New(fail.Conflict, "no_webhook_rule", "no rule file says how changes are announced to payers of region %s", region).
			In("没有规定地区 %s 变动通知发送办法的规则文件", region)
	}
	return rules, nil
}

// AddWebhook registers an endpoint of the caller and answers its secret, once.
// Invalid webhook_url: the address cannot be used; Conflict webhooks_many.
func (r *Registry) AddWebhook(ctx context.Context, by Actor, in NewWebhook) (NewWebhookSecret, error) {
	id, secret := r.rand.id("wh"), r.webhookSecret()
	var out NewWebhookSecret
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = NewWebhookSecret{}
		if err := may(by, KeepWebhooks, Object{Payer: by.Organisation}); err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out.Webhook, err = webhookFor(tx, by, earlier)
			}
			return err
		}
		address, err := webhooks.ParseURL(in.URL, r.cfg.WebhookNetworks)
		if err != nil {
			return err
		}
		rules, err := r.webhookRules(by.Region, tx.Now())
		if err != nil {
			return err
		}
		own, err := webhooksOf(tx, by.Organisation)
		if err != nil {
			return err
		}
		if len(own) >= rules.Endpoints {
			return fail.New(fail.Conflict, "webhooks_many", "a payer has at most %d endpoints (rule %s); remove one first", rules.Endpoints, rules.ID).
				In("每个经办机构至多登记 %d 个接收地址（规则 %s），请先移除不用的", rules.Endpoints, rules.ID)
		}
		next, err := counter(tx, counterReliance(by.Organisation), 1)
		if err != nil {
			return err
		}
		w := Webhook{ID: id, Payer: by.Organisation, Region: by.Region, URL: address, State: webhooks.Active, Created: tx.Now(), By: by.Account,
			Secrets: []WebhookSecret{{N: 1, Created: tx.Now()}}, Next: next}
		if in.From != 0 {
			if w, err = w.from(in.From, next, tx.Now()); err != nil {
				return err
			}
		}
		if err := r.vault.seal(tx, sealedWebhook(id), []sealedSecret{{1, secret}}); err != nil {
			return err
		}
		if w, err = r.putWebhook(tx, by, w, WebhookAdded, map[string]any{"url_sha256": digestOf([]byte(w.URL)), "region": w.Region}); err != nil {
			return err
		}
		out = NewWebhookSecret{w, webhooks.FormatSecret(secret)}
		return remember(tx, by, id)
	})
	if err != nil {
		return NewWebhookSecret{}, fmt.Errorf("add webhook: %w", err)
	}
	return out, nil
}

func (r *Registry) webhookSecret() []byte {
	secret := make([]byte, webhooks.SecretBytes)
	r.rand.fill(secret)
	return secret
}

// from lets an endpoint begin anew at an entry; next is the one that the feed has
// not yet.
func (w Webhook) from(seq, next uint64, now time.Time) (Webhook, error) {
	if seq < 1 || seq > next {
		return w, fail.New(fail.Invalid, "webhook_from", "the feed has the entries 1 to %d", next-1).In("变动通知目前有第 1 至 %d 条", next-1).
			At(fail.Field{Name: "from", Code: "range", ZH: fmt.Sprintf("1 至 %d", next), EN: fmt.Sprintf("1 to %d", next)})
	}
	w.Next, w.Failures, w.FailingSince, w.Due = seq, 0, time.Time{}, time.Time{}
	if seq < next {
		w.Due = now
	}
	return w, nil
}

// putWebhook stores an endpoint and logs what happened to it; its address, which
// may hold a secret of the payer, is not in the log.
func (r *Registry) putWebhook(tx kv.Tx, by Actor, w Webhook, kind EventKind, detail map[string]any) (Webhook, error) {
	var err error
	if w.LogIndex, err = r.appendEvent(tx, by, Event{Kind: kind, Object: w.ID, Payer: w.Payer, Detail: detail}); err != nil {
		return w, err
	}
	return w, storedWebhooks.Put(tx, w)
}

// webhookFor loads an endpoint that by may handle; another payer's is not there.
func webhookFor(rd kv.Reader, by Actor, id string) (Webhook, error) {
	if len(by.Roles) == 0 {
		return Webhook{}, may(by, KeepWebhooks, Object{})
	}
	if id == "" || len(id) > 64 {
		return Webhook{}, notFound("webhook", "接收地址", "")
	}
	w, ok, err := storedWebhooks.Get(rd, kv.Key(id))
	if err == nil && (!ok || may(by, KeepWebhooks, Object{Payer: w.Payer}) != nil) {
		err = notFound("webhook", "接收地址", id)
	}
	if err != nil {
		return Webhook{}, err
	}
	return w, nil
}

// webhooksOf are a payer's endpoints that are not removed: few, by the rules.
func webhooksOf(rd kv.Reader, payer string) ([]Webhook, error) {
	rng := kv.Prefix(kv.Key(payer))
	rng.Limit = pageMax
	out, _, err := storedWebhooks.ScanIndex(rd, indexWebhooksByPayer, rng)
	return out, err
}

// Webhooks are the caller's endpoints.
func (r *Registry) Webhooks(ctx context.Context, by Actor) (out []Webhook, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = []Webhook{}
		if err := may(by, KeepWebhooks, Object{Payer: by.Organisation}); err != nil {
			return err
		}
		own, err := webhooksOf(rd, by.Organisation)
		out = append(out, own...)
		return err
	})
	return out, err
}

// WebhookByID is one endpoint of the caller.
func (r *Registry) WebhookByID(ctx context.Context, by Actor, id string) (out Webhook, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) (err error) {
		out, err = webhookFor(rd, by, id)
		return err
	})
	return out, err
}

// changeWebhook is the thin shell of what a payer does to an endpoint.
func (r *Registry) changeWebhook(ctx context.Context, by Actor, id string, kind EventKind, rule func(tx kv.Tx, w Webhook) (Webhook, map[string]any, error)) (Webhook, error) {
	var out Webhook
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Webhook{}
		w, err := webhookFor(tx, by, id)
		if err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			out = w
			return err
		}
		w, detail, err := rule(tx, w)
		if err != nil {
			return err
		}
		if out, err = r.putWebhook(tx, by, w, kind, detail); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return Webhook{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	return out, nil
}

// RotateWebhook gives an endpoint a new secret and answers it, once. The secret
// before stays valid for the hours of the rules; until then every message has a
// signature by each.
func (r *Registry) RotateWebhook(ctx context.Context, by Actor, id string) (NewWebhookSecret, error) {
	secret, made := r.webhookSecret(), false
	w, err := r.changeWebhook(ctx, by, id, WebhookRotated, func(tx kv.Tx, w Webhook) (Webhook, map[string]any, error) {
		made = false
		if w.State == webhooks.Removed {
			return w, nil, removedWebhook(id)
		}
		rules, err := r.webhookRules(w.Region, tx.Now())
		if err != nil {
			return w, nil, err
		}
		var sealed []sealedSecret
		if _, err := r.vault.open(tx, sealedWebhook(w.ID), &sealed); err != nil {
			return w, nil, err
		}
		before := w.Secrets[0]
		before.Until = tx.Now().Add(rules.Overlap())
		newest := WebhookSecret{N: before.N + 1, Created: tx.Now()}
		w.Secrets = []WebhookSecret{newest, before}
		sealed = slices.DeleteFunc(sealed, func(s sealedSecret) bool { return s.N != before.N })
		made = true
		return w, map[string]any{"secret": newest.N, "before_until": before.Until},
			r.vault.seal(tx, sealedWebhook(w.ID), append([]sealedSecret{{newest.N, secret}}, sealed...))
	})
	if err != nil || !made {
		return NewWebhookSecret{Webhook: w}, err
	}
	return NewWebhookSecret{w, webhooks.FormatSecret(secret)}, nil
}

func removedWebhook(id string) error {
	return fail.New(fail.Conflict, "webhook_removed", "endpoint %s was removed; add it again", id).In("接收地址 %s 已移除，请重新登记", id)
}

// ReplayWebhook sends the feed again from an entry on, in its order and under the
// same ids, and sends to a disabled endpoint again. from 0 is the first entry that
// was given up, or, when there is none, where it stands.
func (r *Registry) ReplayWebhook(ctx context.Context, by Actor, id string, from uint64) (Webhook, error) {
	return r.changeWebhook(ctx, by, id, WebhookReplayed, func(tx kv.Tx, w Webhook) (Webhook, map[string]any, error) {
		var err error
		if w.State, err = w.State.Step(webhooks.Replay); err != nil {
			return w, nil, err
		}
		start := from
		if start == 0 {
			start = w.Next
			dead, _, err := deliveries.ScanIndex(tx, indexDeliveriesDead, prefixOne(kv.Key(w.ID)))
			if err != nil {
				return w, nil, err
			}
			if len(dead) > 0 {
				start = min(start, dead[0].Seq)
			}
		}
		next, err := counter(tx, counterReliance(w.Payer), 1)
		if err != nil {
			return w, nil, err
		}
		w.Ended = nil
		w, err = w.from(start, next, tx.Now())
		return w, map[string]any{"from": start}, err
	})
}

func prefixOne(prefix []byte) kv.Range {
	rng := kv.Prefix(prefix)
	rng.Limit = 1
	return rng
}

// RemoveWebhook ends an endpoint; its secrets are deleted.
func (r *Registry) RemoveWebhook(ctx context.Context, by Actor, id string) (Webhook, error) {
	return r.changeWebhook(ctx, by, id, WebhookRemoved, func(tx kv.Tx, w Webhook) (Webhook, map[string]any, error) {
		var err error
		if w.State, err = w.State.Step(webhooks.Remove); err != nil {
			return w, nil, err
		}
		w.Due, w.Failures, w.Secrets, w.Ended = time.Time{}, 0, []WebhookSecret{}, &WebhookEnd{tx.Now(), "removed"}
		tx.Delete(tableSealed, sealedWebhook(w.ID).storeKey())
		return w, nil, nil
	})
}

// WebhookDeliveries is one page of what was sent to an endpoint, by entry; with
// dead only what was given up and is not being sent again.
func (r *Registry) WebhookDeliveries(ctx context.Context, by Actor, id string, dead bool, page Page) (out []Delivery, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = []Delivery{}, ""
		w, err := webhookFor(rd, by, id)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(w.ID))
		if !dead {
			found, cursor, err := scanPage(rd, deliveries, rng, page)
			out, next = append(out, found...), cursor
			return err
		}
		rng.To = kv.Key(w.ID, w.Next) // from there on it is being sent
		found, cursor, err := scanIndexPage(rd, deliveries, indexDeliveriesDead, rng, page)
		out, next = append(out, found...), cursor
		return err
	})
	return out, next, err
}

// webhookSecrets opens the secrets of an endpoint that are valid at now.
func (r *Registry) webhookSecrets(rd kv.Reader, w Webhook, now time.Time) (out [][]byte, err error) {
	var sealed []sealedSecret
	ok, err := r.vault.open(rd, sealedWebhook(w.ID), &sealed)
	if err != nil {
		return nil, err
	}
	for _, s := range w.Secrets {
		at := slices.IndexFunc(sealed, func(x sealedSecret) bool { return x.N == s.N })
		if !ok || at < 0 {
			return nil, errors.New("webhook " + w.ID + " has no sealed secret")
		}
		if s.Until.IsZero() || now.Before(s.Until) {
			out = append(out, sealed[at].Secret)
		}
	}
	return out, nil
}
