package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bajigong/evaluators/examiners"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// The lists that the people of a session are on.
const (
	listRoster  = "roster"
	listResults = "results"
)

// sessionPerson is one person of a session as its lists need him.
type sessionPerson struct {
	person PersonID
	row    int // of his list
	paper  Paper
	number string // certificate number that the results bring
	passed bool
	held   Hold
	scores standards.Scores
	ticket string // 准考证号
	room   string // name of the 考场
	seat   int    // in the room, or in the list where there are no rooms
}

// sessionPeople are the people of a session in the order of their rows: those of
// its results or, before there are any, of its roster.
type sessionPeople struct {
	session Session
	list    string
	people  []sessionPerson
	// entered are those of the roster, where there is one, in its order.
	entered []sessionPerson
}

// sessionPeople loads the people of a session, page by page: everybody is needed at
// once for a list that goes by rows, since the store has rosters by person.
func (r *Registry) sessionPeople(ctx context.Context, by Actor, do Action, session string) (out sessionPeople, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		out.session, err = sessionFor(rd, by, do, session)
		return err
	})
	if err != nil {
		return out, err
	}
	var entered []sessionPerson
	if out.session.Roster != nil {
		if entered, err = r.rosterPeople(ctx, out.session); err != nil {
			return out, err
		}
	}
	out.list, out.people, out.entered = listRoster, entered, entered
	if out.session.Results != nil {
		out.list = listResults
		if out.people, err = r.resultPeople(ctx, out.session); err != nil {
			return out, err
		}
	}
	return out, r.seat(ctx, &out, entered)
}

// seat gives everybody his room, seat and 准考证号: in the order of the roster (of
// the results, where there is none), room by room as arranged.
func (r *Registry) seat(ctx context.Context, out *sessionPeople, entered []sessionPerson) error {
	if out.session.Roster == nil {
		entered = out.people
	}
	var plan []examiners.Room
	err := r.db.View(ctx, func(rd kv.Reader) error {
		a, _, err := arrangements.Get(rd, kv.Key(out.session.ID))
		plan = a.Rooms
		return err
	})
	if err != nil {
		return err
	}
	seated := map[PersonID]sessionPerson{}
	for i := range entered {
		p := &entered[i]
		room, name, seat := seatOf(plan, i)
		p.room, p.seat, p.ticket = name, seat, ticketNumber(out.session.ExamDate, room, seat)
		seated[p.person] = *p
	}
	for i := range out.people {
		if at, ok := seated[out.people[i].person]; ok {
			out.people[i].room, out.people[i].seat, out.people[i].ticket = at.room, at.seat, at.ticket
		}
	}
	return nil
}

// seatOf is the room, counted from 1, and the seat of the i-th of a list; room 0
// and the place in the list where there are no rooms, or not enough seats.
func seatOf(rooms []examiners.Room, i int) (room int, name string, seat int) {
	at := i
	for n, r := range rooms {
		if at < r.Seats {
			return n + 1, r.Name, at + 1
		}
		at -= r.Seats
	}
	return 0, "", i + 1
}

// ticketNumber is a 准考证号 of this register: exam date, two digits of the room (00
// for none), four of the seat, such as 20260320010012. It is unique within the
// session; no text gives a form.
func ticketNumber(exam standards.Date, room, seat int) string {
	return fmt.Sprintf("%s%02d%04d", strings.ReplaceAll(string(exam), "-", ""), room, seat)
}

func (r *Registry) rosterPeople(ctx context.Context, s Session) (out []sessionPerson, err error) {
	rng := kv.Prefix(kv.Key(s.ID))
	rng.Limit = bulkPage
	for rng.From != nil {
		var next []byte
		var page []sessionPerson
		err := r.db.View(ctx, func(rd kv.Reader) error {
			page = nil
			entries, cursor, err := roster.Scan(rd, rng)
			if err != nil {
				return err
			}
			places := make([]sealedPlace, len(entries))
			for i, e := range entries {
				places[i] = sealedEntry(e)
			}
			found, err := openMany[evidence](r.vault, rd, places)
			for i, e := range entries {
				if err == nil && e.Generation == s.Roster.Generation {
					page = append(page, sessionPerson{person: e.Person, row: e.Row, paper: found[i].Paper})
				}
			}
			next = cursor
			return err
		})
		if err != nil {
			return nil, err
		}
		out, rng.From = append(out, page...), next
	}
	slices.SortStableFunc(out, func(a, b sessionPerson) int { return a.row - b.row })
	return out, nil
}

func (r *Registry) resultPeople(ctx context.Context, s Session) (out []sessionPerson, err error) {
	rng := kv.Prefix(kv.Key(s.ID, uint64(s.Results.Generation)))
	rng.Limit = bulkPage
	for rng.From != nil {
		var next []byte
		var page []sessionPerson
		err := r.db.View(ctx, func(rd kv.Reader) error {
			page = nil
			rows, cursor, err := candidates.Scan(rd, rng)
			if err != nil {
				return err
			}
			places := make([]sealedPlace, len(rows))
			for i, c := range rows {
				places[i] = sealedCandidate(c)
			}
			found, err := openMany[Paper](r.vault, rd, places)
			for i, c := range rows {
				if err == nil {
					page = append(page, sessionPerson{person: c.Person, row: c.Row, paper: found[i], number: c.Number, passed: c.Passed, held: c.Hold, scores: c.all()})
				}
			}
			next = cursor
			return err
		})
		if err != nil {
			return nil, err
		}
		out, rng.From = append(out, page...), next
	}
	return out, nil
}

// openMany opens many sealed blocks in one read.
func openMany[T any](v *vault, rd kv.Reader, places []sealedPlace) ([]T, error) {
	keys := make([][]byte, len(places))
	for i, p := range places {
		keys[i] = p.storeKey()
	}
	blocks, err := rd.GetMany(tableSealed, keys)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(places))
	for i, block := range blocks {
		if block == nil {
			return nil, fmt.Errorf("%s %x has no sealed block", places[i].table, places[i].key)
		}
		if err := v.openValue(places[i], block, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
