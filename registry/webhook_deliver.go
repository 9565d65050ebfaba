package registry

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/webhooks"
	"bajigong/standards"
)

// webhookLease is the job of sending webhooks.
const webhookLease = "webhooks"

const (
	// webhookWorkers is how many endpoints are sent to at once: one that hangs
	// holds up no other for longer than its time-out.
	webhookWorkers = 8
	// webhookRound is how many endpoints one call of DeliverWebhooks takes, and
	// webhookTurn how many entries each is sent at most before the others' turn.
	webhookRound = 100
	webhookTurn  = 50
	// webhookTurnTime ends the turn of a slow endpoint.
	webhookTurnTime = 20 * time.Second
	// webhookRenew is how often the job renews its lease while requests are under way.
	webhookRenew = LeaseTime / 3
)

// SendWebhook makes one attempt at a message; see webhooks.Sender.
type SendWebhook func(ctx context.Context, m webhooks.Message) (webhooks.Outcome, error)

// webhookPayload is the body of a message: thin, without personal data.
type webhookPayload struct {
	Type      string      `json:"type"` // reliance.voided, …
	Timestamp time.Time   `json:"timestamp"`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	Seq    uint64         `json:"seq"` // read the feed after seq-1
	Entry  string         `json:"entry"`
	Claim  string         `json:"claim,omitempty"`
	What   RelianceWhat   `json:"what"`
	Advice RelianceAdvice `json:"advice"`
}

// DeliverWebhooks sends what is due, one turn for each endpoint, and answers how
// many attempts it made. One process does it at a time. What was sent and not
// recorded before a crash is sent again, under the same id.
func (r *Registry) DeliverWebhooks(ctx context.Context, send SendWebhook) (attempts int, err error) {
	if due, err := r.webhooksDue(ctx); err != nil || !due {
		return 0, err
	}
	_, err = r.Leased(ctx, webhookLease, func(ctx context.Context, l *Lease) error {
		ids, err := r.wakeWebhooks(ctx, l)
		if err != nil {
			return err
		}
		attempts, err = r.webhookTurns(ctx, l, ids, send)
		return err
	})
	return attempts, err
}

// webhooksDue looks without a lease whether there is anything to do.
func (r *Registry) webhooksDue(ctx context.Context) (due bool, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		marks, err := rd.Scan(tableWebhookMarks, kv.Range{Limit: 1})
		if err != nil {
			return err
		}
		waiting, err := rd.Scan(indexWebhooksDue, kv.Range{To: kv.Key(uint64(now.Unix() + 1)), Limit: 1})
		due = len(marks) > 0 || len(waiting) > 0
		return err
	})
	return due, err
}

// wakeWebhooks makes the endpoints due whose payers have new entries, and answers
// those whose time has come.
func (r *Registry) wakeWebhooks(ctx context.Context, l *Lease) (ids []string, err error) {
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		ids = nil
		if err := l.Hold(tx); err != nil {
			return err
		}
		marks, err := tx.Scan(tableWebhookMarks, kv.Range{Limit: webhookRound})
		if err != nil {
			return err
		}
		for _, mark := range marks {
			parts, err := kv.ParseKey(mark.Key)
			if err != nil || len(parts) != 1 {
				return errors.New("webhook_marks has a key that is no payer")
			}
			own, err := webhooksOf(tx, parts[0].(string))
			if err != nil {
				return err
			}
			for _, w := range own {
				if w.State == webhooks.Active && w.Due.IsZero() {
					w.Due = tx.Now()
					if err := storedWebhooks.Put(tx, w); err != nil {
						return err
					}
				}
			}
			tx.Delete(tableWebhookMarks, mark.Key)
		}
		due, _, err := storedWebhooks.ScanIndex(tx, indexWebhooksDue, kv.Range{To: kv.Key(uint64(tx.Now().Unix() + 1)), Limit: webhookRound})
		for _, w := range due {
			ids = append(ids, w.ID)
		}
		return err
	})
	return ids, err
}

// webhookTurns gives each endpoint its turn, some at a time, and keeps the lease.
func (r *Registry) webhookTurns(ctx context.Context, l *Lease, ids []string, send SendWebhook) (attempts int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	queue := make(chan string)
	for range min(webhookWorkers, len(ids)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for id := range queue {
				n, turnErr := r.webhookTurnOf(ctx, l, id, send)
				mu.Lock()
				attempts += n
				err = errors.Join(err, turnErr)
				mu.Unlock()
			}
		}()
	}
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		tick := time.NewTicker(webhookRenew)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if l.Renew(ctx) != nil {
					cancel() // another process does the job now
					return
				}
			}
		}
	}()
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	wg.Wait()
	cancel()
	<-renewed
	return attempts, err
}

// webhookTurnOf sends to one endpoint until it has everything, or fails, or its
// turn ends.
func (r *Registry) webhookTurnOf(ctx context.Context, l *Lease, id string, send SendWebhook) (attempts int, err error) {
	turn, cancel := context.WithTimeout(ctx, webhookTurnTime)
	defer cancel()
	for range webhookTurn {
		if turn.Err() != nil {
			return attempts, nil
		}
		m, seq, err := r.webhookMessage(ctx, id)
		if err != nil {
			return attempts, err
		}
		if seq == 0 {
			return attempts, r.webhookRests(ctx, l, id)
		}
		outcome, err := send(ctx, m)
		if err != nil {
			return attempts, err
		}
		attempts++
		if err := r.webhookAttempted(ctx, l, id, seq, m, outcome); err != nil || !outcome.OK() {
			return attempts, err
		}
	}
	return attempts, nil
}

// webhookMessage is what an endpoint is to be sent next; seq is 0 when nothing is
// due.
func (r *Registry) webhookMessage(ctx context.Context, id string) (m webhooks.Message, seq uint64, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		m, seq = webhooks.Message{}, 0
		w, ok, err := storedWebhooks.Get(rd, kv.Key(id))
		if err != nil || !ok || w.State != webhooks.Active || w.Due.IsZero() || w.Due.After(now) {
			return err
		}
		e, ok, err := reliances.Get(rd, kv.Key(w.Payer, w.Next))
		if err != nil || !ok {
			return err
		}
		m = webhooks.Message{ID: e.ID, At: now, URL: w.URL}
		if m.Secrets, err = r.webhookSecrets(rd, w, now); err != nil {
			return err
		}
		m.Body, err = json.Marshal(webhookPayload{Type: "reliance." + string(e.What), Timestamp: e.At,
			Data: webhookData{Seq: e.Seq, Entry: e.ID, Claim: e.Claim, What: e.What, Advice: e.Advice}})
		seq = w.Next
		return err
	})
	return m, seq, err
}

// webhookRests lets an endpoint that has everything wait for the next mark.
func (r *Registry) webhookRests(ctx context.Context, l *Lease, id string) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		if err := l.Hold(tx); err != nil {
			return err
		}
		w, ok, err := storedWebhooks.Get(tx, kv.Key(id))
		if err != nil || !ok || w.State != webhooks.Active || w.Due.IsZero() {
			return err
		}
		next, err := counter(tx, counterReliance(w.Payer), 1)
		if err != nil || w.Next < next {
			return err // it is not due yet, or an entry came meanwhile
		}
		w.Due = time.Time{}
		return storedWebhooks.Put(tx, w)
	})
}

// webhookAttempted records an attempt. An endpoint that was replayed or removed
// meanwhile is left as it is: the message will be sent again, or no more.
func (r *Registry) webhookAttempted(ctx context.Context, l *Lease, id string, seq uint64, m webhooks.Message, outcome webhooks.Outcome) error {
	var random [2]byte
	r.rand.fill(random[:])
	roll := binary.BigEndian.Uint16(random[:])
	return r.db.Update(ctx, func(tx kv.Tx) error {
		if err := l.Hold(tx); err != nil {
			return err
		}
		w, ok, err := storedWebhooks.Get(tx, kv.Key(id))
		if err != nil || !ok || w.State != webhooks.Active || w.Next != seq || w.Due.IsZero() {
			return err
		}
		rules, err := r.webhookRules(w.Region, tx.Now())
		if err != nil {
			return err
		}
		d, _, err := deliveries.Get(tx, kv.Key(w.ID, seq))
		if err != nil {
			return err
		}
		d.Webhook, d.Seq, d.Entry = w.ID, seq, m.ID
		w, d, err = w.Attempted(d, outcome, rules, roll, tx.Now())
		if err != nil {
			return err
		}
		if err := deliveries.Put(tx, d); err != nil {
			return err
		}
		if w.State == webhooks.Disabled {
			return r.webhookDisabled(tx, w)
		}
		return storedWebhooks.Put(tx, w)
	})
}

// Attempted is the rule of one attempt: what becomes of the delivery, of the place
// in the feed, and of the endpoint.
func (w Webhook) Attempted(d Delivery, outcome webhooks.Outcome, rules webhooks.Rules, roll uint16, now time.Time) (Webhook, Delivery, error) {
	if d.State == "" {
		d.State, d.First = webhooks.Waiting, now
	}
	if w.Failures == 0 && d.State != webhooks.Waiting { // it is sent anew
		var err error
		if d.State, err = d.State.Step(webhooks.Replay); err != nil {
			return w, d, err
		}
		d.Delivered = time.Time{}
	}
	d.Attempts, d.Last, d.Status, d.Fault = d.Attempts+1, now, outcome.Status, outcome.Fault
	do := webhooks.Succeed
	if outcome.OK() {
		d.Delivered = now
		w.Next, w.Failures, w.FailingSince, w.Due = w.Next+1, 0, time.Time{}, now
	} else {
		do = webhooks.Fail
		if w.FailingSince.IsZero() {
			w.FailingSince = now
		}
		w.Failures++
		wait, more := rules.Wait(w.Failures, roll, outcome.RetryAfter)
		if w.Due = now.Add(wait); !more {
			do = webhooks.Exhaust
			w.Next, w.Failures, w.Due = w.Next+1, 0, now
		}
	}
	var err error
	if d.State, err = d.State.Step(do); err != nil {
		return w, d, err
	}
	long := !w.FailingSince.IsZero() && now.Sub(w.FailingSince) >= rules.DisableAfter()
	if outcome.Gone() || long {
		if w.State, err = w.State.Step(webhooks.Disable); err != nil {
			return w, d, err
		}
		w.Due, w.Ended = time.Time{}, &WebhookEnd{At: now, Reason: "failing"}
		if outcome.Gone() {
			w.Ended.Reason = "gone"
		}
	}
	return w, d, nil
}

// webhookDisabled stores an endpoint that is sent nothing any more, and tells its
// payer in the feed.
func (r *Registry) webhookDisabled(tx kv.Tx, w Webhook) error {
	by := Actor{Account: w.By, Via: "webhooks"}
	w, err := r.putWebhook(tx, by, w, WebhookDisabled, map[string]any{"reason": w.Ended.Reason, "failing_since": w.FailingSince})
	if err != nil {
		return err
	}
	return r.putReliance(tx, []RelianceEntry{{Payer: w.Payer, Region: w.Region, At: tx.Now(), What: RelianceWebhookDisabled,
		Effective: standards.DateOf(tx.Now()), Advice: AdviceNotify, Webhook: w.ID, LogIndex: w.LogIndex}})
}

// checkWebhooks: endpoints and deliveries agree with each other and with the feed,
// and every endpoint that is not removed has its secrets sealed.
func (c *check) webhooks() error {
	c.of(tableWebhooks, tableDeliveries)
	err := each(c, storedWebhooks, pageMax, func(c *check, w Webhook) error {
		next, err := counter(c.rd, counterReliance(w.Payer), 1)
		if err != nil {
			return err
		}
		if w.Next < 1 || w.Next > next {
			c.problem("webhook %s is sent entry %d next; the feed of payer %s ends with %d", w.ID, w.Next, w.Payer, next-1)
		}
		if w.State == webhooks.Active && w.Next < next && w.Due.IsZero() {
			mark, err := c.rd.Get(tableWebhookMarks, kv.Key(w.Payer))
			if err != nil {
				return err
			}
			if mark == nil {
				c.problem("webhook %s has not been sent entry %d and nothing will send it", w.ID, w.Next)
			}
		}
		if (w.State == webhooks.Active) == (w.Ended != nil) || w.State != webhooks.Active && !w.Due.IsZero() {
			c.problem("webhook %s is %s, and says otherwise when it ended or is due", w.ID, w.State)
		}
		if w.State == webhooks.Removed {
			return nil
		}
		return c.block("webhook "+w.ID, sealedWebhook(w.ID))
	})
	if err != nil {
		return err
	}
	return each(c, deliveries, pageMax, func(c *check, d Delivery) error {
		w, ok, err := storedWebhooks.Get(c.rd, kv.Key(d.Webhook))
		if err != nil {
			return err
		}
		e, there, err := reliances.Get(c.rd, kv.Key(w.Payer, d.Seq))
		if err == nil && (!ok || !there || e.ID != d.Entry) {
			c.problem("delivery %d of webhook %s is of no entry of its payer's feed", d.Seq, d.Webhook)
		}
		return err
	})
}
