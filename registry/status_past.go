package registry

import (
	"context"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// pastStatus names a list of the past.
type pastStatus struct {
	statusPlace
	at int64 // Unix seconds
}

// StatusListAt is a list as it stood at a moment that is over: with every change
// recorded up to and including that second, signed now. Its ValidFrom and
// ValidUntil are both that second, so that it proves nothing about any other; it
// has no ttl. The answer for a moment never changes.
//
// NotFound no_status_list (no certificate has a place in the list) and
// status_before_first (none had one then); Invalid status_at_future (the second
// is not over).
func (r *Registry) StatusListAt(ctx context.Context, name string, at time.Time) (SignedStatusList, error) {
	purpose, list, err := credentials.ParseStatusListName(name)
	if err != nil {
		return SignedStatusList{}, err
	}
	key := pastStatus{statusPlace{purpose, list}, at.Unix()}
	bits, cached, err := r.pastBits(ctx, key)
	if err != nil || cached.Text != "" {
		return cached, err
	}
	signed := credentials.NewStatusList(r.cfg.Origin, purpose, list)
	signed.ValidFrom = time.Unix(key.at, 0).UTC()
	signed.ValidUntil, signed.TTL = signed.ValidFrom, 0
	if err := signed.SetBits(bits); err != nil {
		return SignedStatusList{}, err
	}
	signer, err := r.cfg.Keys.Signer(jws.Status)
	if err != nil {
		return SignedStatusList{}, err
	}
	text, err := signed.Sign(signer)
	if err != nil {
		return SignedStatusList{}, err
	}
	out := SignedStatusList{Text: text, ValidFrom: signed.ValidFrom, ValidUntil: signed.ValidUntil}
	r.statuses.mu.Lock()
	defer r.statuses.mu.Unlock()
	keep(&r.statuses.past, key, out)
	return out, nil
}

// pastBits reads the bits of a moment that no later Update can change, or finds
// the text that was signed for it before.
func (r *Registry) pastBits(ctx context.Context, key pastStatus) (bits []byte, cached SignedStatusList, err error) {
	for attempt := 0; ; attempt++ {
		final := false
		err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
			bits, cached, final = nil, SignedStatusList{}, true
			if err := key.answerable(rd, now); err != nil {
				return err
			}
			committed, err := r.db.Committed(rd)
			if err != nil {
				return err
			}
			if key.at >= committed.Unix() { // nothing was written since
				final = false
				return nil
			}
			r.statuses.mu.Lock()
			cached = r.statuses.past[key]
			r.statuses.mu.Unlock()
			if cached.Text != "" {
				return nil
			}
			replay, err := replayStatus(rd, key.statusPlace, key.at, false)
			bits = replay.bits
			return err
		})
		if err != nil || final {
			return bits, cached, err
		}
		if attempt > 0 {
			// The clock of the view ran ahead of that of the Update: not over yet.
			return nil, cached, notOver(time.Unix(key.at, 0))
		}
		if err := r.commitMoment(ctx); err != nil {
			return nil, cached, err
		}
	}
}

func (s pastStatus) answerable(rd kv.Reader, now time.Time) error {
	began, ok, err := listBegan(rd, s.list)
	switch {
	case err != nil:
		return err
	case !ok:
		return fail.New(fail.NotFound, "no_status_list", "there is no status list %s: no certificate has a place in it", s.name()).
			In("没有状态清单 %s：尚无证书使用该清单", s.name())
	case s.at >= now.Unix():
		return notOver(time.Unix(s.at, 0))
	case s.at < began.Unix():
		return fail.New(fail.NotFound, "status_before_first", "no certificate had a place in %s before %s; ask for that moment or a later one", s.name(), began.Format(time.RFC3339)).
			In("%s 之前没有证书使用状态清单 %s，请查询该时刻或之后的状态", began.Format(time.RFC3339), s.name())
	}
	return nil
}

func notOver(at time.Time) error {
	return fail.New(fail.Invalid, "status_at_future", "%s is not over; a list of the past is about a moment that is. Leave the parameter out for the present list", at.UTC().Format(time.RFC3339)).
		In("%s 尚未过去，只能查询过去的时刻；查询当前状态请去掉该参数", at.UTC().Format(time.RFC3339)).
		At(fail.Field{Name: "at", Code: "future", ZH: "应为过去的时刻", EN: "a moment in the past"})
}
