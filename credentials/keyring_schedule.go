package credentials

import (
	"io"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// DefaultLead is how long a next key is published before it may be used, when
// the schedule of its purpose says nothing else: caches hold the keys for an
// hour, and who checks offline fetches them every few days.
const DefaultLead = 7 * 24 * time.Hour

// Schedule says when the key of a purpose is replaced without a command.
type Schedule struct {
	Every time.Duration `json:"every"` // life of an active key; 0: by command only
	Lead  time.Duration `json:"lead"`  // how long the next key is published before its use; 0: DefaultLead
}

// Shortest and longest lives and leads of a [Schedule].
const (
	minEvery = 24 * time.Hour
	maxEvery = 20 * 365 * 24 * time.Hour
	minLead  = 2 * time.Hour // caches hold a key set for one
)

// SetSchedule sets when the key of a purpose is replaced. Only one machine may
// rotate by schedule when several have a copy of the ring. It fails with
// fail.Invalid (bad_schedule) and fail.Conflict (key_ring_changed).
func (r *KeyRing) SetSchedule(p jws.Purpose, s Schedule) error {
	if s.Every != 0 && (s.Every < minEvery || s.Every > maxEvery) || s.Lead != 0 && s.Lead < minLead || s.Every != 0 && s.lead() >= s.Every {
		return fail.New(fail.Invalid, "bad_schedule", "a key lives from a day to twenty years, and its successor is published at least two hours and less than that life before").
			In("密钥使用期应为1天至20年，备用密钥至少提前2小时公布且短于使用期")
	}
	return r.change(func(f *ringFile) error {
		if _, ok := f.key(p, jws.Active); !ok {
			return noKey(p)
		}
		next := map[string]Schedule{}
		for name, one := range f.Schedule {
			next[name] = one
		}
		next[string(p)] = s
		f.Schedule = next
		return nil
	})
}

func (s Schedule) lead() time.Duration {
	if s.Lead == 0 {
		return DefaultLead
	}
	return s.Lead
}

// Rotation is what is known of the next change of a purpose's key.
type Rotation struct {
	Schedule
	Active, Next string    // key ids
	Since        time.Time // when the active key was taken into use
	Earliest     time.Time // when the next key has been published long enough
	Due          time.Time // by schedule; zero without one
}

// Rotation says when the key of a purpose can and will be replaced. It fails
// with fail.NotFound (no_key).
func (r *KeyRing) Rotation(p jws.Purpose) (Rotation, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ring.rotation(p)
}

func (f ringFile) rotation(p jws.Purpose) (Rotation, error) {
	active, ok := f.key(p, jws.Active)
	next, also := f.key(p, jws.Next)
	if !ok || !also {
		return Rotation{}, noKey(p)
	}
	out := Rotation{Schedule: f.Schedule[string(p)], Active: active.KID, Next: next.KID, Since: active.NotBefore}
	if active.Since != nil {
		out.Since = *active.Since
	}
	out.Earliest = next.NotBefore.Add(out.lead())
	if out.Every > 0 {
		if out.Due = out.Since.Add(out.Every); out.Due.Before(out.Earliest) {
			out.Due = out.Earliest
		}
	}
	return out, nil
}

// RotateDue rotates the keys that are due by schedule and returns the ids of
// those that sign now. It fails like [KeyRing.Rotate]; what was rotated before
// the failure stays.
func (r *KeyRing) RotateDue(rand io.Reader, now time.Time) (kids []string, err error) {
	for _, p := range jws.Purposes() {
		at, err := r.Rotation(p)
		if err != nil || at.Due.IsZero() || now.Before(at.Due) {
			continue
		}
		kid, err := r.Rotate(p, rand, now)
		if err != nil {
			return kids, err
		}
		kids = append(kids, kid)
	}
	return kids, nil
}

func noKey(p jws.Purpose) error {
	return fail.New(fail.NotFound, "no_key", "there is no active and next key for %q", p).In("没有用途为 %s 的在用和备用密钥", p)
}
