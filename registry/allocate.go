package registry

import (
	"bytes"
	"context"
	"errors"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// allocatePage gives the next candidates their numbers, handles and status
// indices. Durable afterwards: records that no one can see, since the batch is
// not published. A crash leaves the cursor at the end of the last whole page.
func (r *Registry) allocatePage(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	handles, err := r.newHandles(bulkPage)
	if err != nil {
		return seen, err
	}
	return r.onPage(ctx, seen, func(tx kv.Tx, s Session, b Batch) (Batch, error) { return r.allocateIn(tx, by, s, b, handles) })
}

// newHandles are for so many rows.
func (r *Registry) newHandles(n int) ([]credentials.Handle, error) {
	handles := make([]credentials.Handle, n)
	for i := range handles {
		var err error
		if handles[i], err = credentials.NewHandle(r.rand); err != nil {
			return nil, err
		}
	}
	return handles, nil
}

// allocateIn is allocatePage within an Update; there is a handle for every row of the page.
func (r *Registry) allocateIn(tx kv.Tx, by Actor, s Session, b Batch, handles []credentials.Handle) (Batch, error) {
	rng := kv.Prefix(kv.Key(s.ID, uint64(s.Results.Generation)))
	rng.From, rng.Limit = kv.Key(s.ID, uint64(s.Results.Generation), uint64(b.AllocatedRow+1)), bulkPage
	page, _, err := candidates.Scan(tx, rng)
	if err != nil {
		return b, err
	}
	a, err := r.newAllocator(tx, s, b)
	if err == nil {
		err = a.lookAhead(tx, page)
	}
	if err != nil {
		return b, err
	}
	if stale, err := keptNoMore(tx, b, page); err != nil || stale != nil {
		if err != nil {
			return b, err
		}
		results := *s.Results
		results.File = nil // the very same file has to be taken once more
		s.Results = &results
		return r.abortIn(tx, by, s, b, stale)
	}
	for i, c := range page {
		b.AllocatedRow = c.Row
		take, err := taken(tx, b, c)
		if err != nil {
			return b, err
		}
		if !take {
			continue
		}
		if b.Released {
			c.Batch = b.ID
			if err := candidates.Put(tx, c); err != nil {
				return b, err
			}
		}
		if err := a.allocate(tx, c, handles[i]); err != nil {
			if e := (*fail.Error)(nil); errors.As(err, &e) {
				if err := a.save(tx); err != nil { // what this page took is burnt with the batch
					return b, err
				}
				return r.abortIn(tx, by, s, b, e)
			}
			return b, err
		}
		b.Allocated++
	}
	if err := a.save(tx); err != nil {
		return b, err
	}
	if len(page) < bulkPage {
		b.State = BatchSigning
	}
	return b, batches.Put(tx, b)
}

// taken reports whether a batch has a certificate for a candidate: the first one
// for all who passed and are not held, a further one for those released since and
// not in a published batch before.
func taken(rd kv.Reader, b Batch, c Candidate) (bool, error) {
	if !b.Released {
		return c.Passed && c.Hold == HoldNone, nil
	}
	if !c.Passed || c.Hold != HoldReleased || c.Batch == "" {
		return c.Passed && c.Hold == HoldReleased, nil
	}
	before, err := need(rd, batches, kv.Key(c.Batch), "batch", "发证批次", c.Batch)
	return before.State == BatchAborted, err
}

// allocator hands out numbers and status indices within one Update.
type allocator struct {
	r      *Registry
	batch  Batch
	s      Session
	filing evaluators.Filing
	filed  []evaluators.Filing // in whose line a renewal may stand for it on the day of issue
	occ    standards.Occupation
	serial int
	status uint64
	first  uint64 // the counter of status places before this Update

	taken map[string]bool // whether a number is in use, of those that lookAhead asked for
	certs []Certificate   // of this Update, stored by save
	vs    []Version
}

func (r *Registry) newAllocator(tx kv.Tx, s Session, b Batch) (*allocator, error) {
	_, f, err := issuerOf(tx, s)
	if err != nil {
		return nil, err
	}
	o, err := r.occupation(tx, s.Occupation)
	if err != nil {
		return nil, err
	}
	filed, err := lineOf(tx, f, b.Issued)
	if err != nil {
		return nil, err
	}
	a := &allocator{r: r, batch: b, s: s, filing: f, filed: filed, occ: o}
	serial, err := counter(tx, a.serialKey(), 1)
	if err != nil {
		return nil, err
	}
	a.serial = int(serial)
	a.status, err = counter(tx, counterStatus(), 0)
	a.first = a.status
	return a, err
}

func (a *allocator) serialKey() []byte {
	return counterSerial(a.filing.Prefix(), a.batch.Issued.Year(), a.s.Level)
}

// lookAhead asks at once for the numbers that a page brings or will be given.
func (a *allocator) lookAhead(tx kv.Tx, page []Candidate) error {
	var numbers []string
	filing, year, serial := a.filing.InLine(a.filed, a.batch.Issued, tx.Now()), a.batch.Issued.Year(), a.serial
	for _, c := range page {
		if c.Number != "" {
			numbers = append(numbers, c.Number)
			continue
		}
		next, err := evaluators.Allocate(filing, year, a.s.Level, serial)
		if err != nil {
			continue // none is left; the row that needs one says so
		}
		serial = next + 1
		numbers = append(numbers, filing.Number(year, a.s.Level, next).Format())
	}
	keys := make([][]byte, len(numbers))
	for i, n := range numbers {
		keys[i] = kv.Key(n)
	}
	found, err := tx.GetMany(tableCertificates, keys)
	if err != nil {
		return err
	}
	a.taken = make(map[string]bool, len(numbers))
	for i, n := range numbers {
		a.taken[n] = found[i] != nil
	}
	return nil
}

// isTaken says whether a certificate has a number, also one of this Update.
func (a *allocator) isTaken(rd kv.Reader, number string) (bool, error) {
	if taken, asked := a.taken[number]; asked {
		return taken, nil
	}
	b, err := rd.Get(tableCertificates, kv.Key(number))
	return b != nil, err
}

// save stores what was handed out.
func (a *allocator) save(tx kv.Tx) error {
	setCounter(tx, a.serialKey(), uint64(a.serial))
	if err := allotStatus(tx, a.first, a.status); err != nil {
		return err
	}
	if err := certificates.PutMany(tx, a.certs); err != nil {
		return err
	}
	return versions.PutMany(tx, a.vs)
}

// number is the one the file supplied, or the next free one of the granted
// ranges. Numbers that were supplied before are stepped over.
func (a *allocator) number(tx kv.Tx, c Candidate) (string, error) {
	if c.Number != "" {
		n, err := standards.ParseLevelNumber(c.Number)
		if err != nil {
			return "", err
		}
		if problems := evaluators.CheckNumber(n, a.filing, a.face()); len(problems) > 0 {
			return "", fail.New(fail.Conflict, "number_inconsistent", "row %d: the supplied number does not fit: %s", c.Row, problems[0].EN).
				In("第 %d 行：证书编号不符：%s", c.Row, problems[0].ZH)
		}
		taken, err := a.isTaken(tx, c.Number)
		if err == nil && taken {
			err = fail.New(fail.Conflict, "number_taken", "row %d: the supplied number is in use", c.Row).In("第 %d 行：证书编号已被使用", c.Row)
		}
		return c.Number, err
	}
	filing, year := a.filing.InLine(a.filed, a.batch.Issued, tx.Now()), a.batch.Issued.Year()
	serial, err := evaluators.Allocate(filing, year, a.s.Level, a.serial)
	if err != nil {
		return "", err
	}
	taken, err := a.isTaken(tx, filing.Number(year, a.s.Level, serial).Format())
	if err == nil && taken {
		serial, err = freeSerial(tx, filing, year, a.s.Level, serial, standards.MaxSerial)
		// freeSerial does not see what this Update has handed out and not stored.
		for err == nil && a.taken[filing.Number(year, a.s.Level, serial).Format()] {
			serial, err = freeSerial(tx, filing, year, a.s.Level, serial+1, standards.MaxSerial)
		}
	}
	if err != nil {
		return "", err
	}
	a.serial = serial + 1
	return a.filing.Number(a.batch.Issued.Year(), a.s.Level, serial).Format(), nil
}

// freeSerial is the lowest serial, not below next, that the filing may use and
// that no certificate has, after passing over at most steps taken ones: beyond
// them it answers where to go on, which may be taken. Taken serials lie beside
// each other in the table, so that they are read in pieces and not one by one.
func freeSerial(rd kv.Reader, f evaluators.Filing, year int, level standards.Level, next, steps int) (int, error) {
	const piece = 500
	number := func(serial int) []byte { return kv.Key(f.Number(year, level, serial).Format()) }
	serial, err := evaluators.Allocate(f, year, level, next)
	if err != nil {
		return 0, err
	}
	if taken, err := rd.Get(tableCertificates, number(serial)); err != nil || taken == nil {
		return serial, err
	}
	for passed := 0; passed < steps; {
		found, err := rd.Scan(tableCertificates, kv.Range{From: number(serial), Limit: piece})
		if err != nil {
			return 0, err
		}
		for _, e := range found {
			order := bytes.Compare(e.Key, number(serial))
			if order < 0 {
				continue // between two granted ranges
			}
			if order > 0 {
				return serial, nil
			}
			if serial, err = evaluators.Allocate(f, year, level, serial+1); err != nil {
				return 0, err
			}
			passed++
		}
		if len(found) < piece {
			return serial, nil
		}
	}
	return serial, nil
}

func (a *allocator) face() evaluators.Face {
	return evaluators.Face{Occupation: a.s.Occupation, Trade: a.s.Trade, Level: a.s.Level, ExamDate: a.s.ExamDate, Issued: a.batch.Issued, Filed: a.filed}
}

func (a *allocator) allocate(tx kv.Tx, c Candidate, handle credentials.Handle) error {
	number, err := a.number(tx, c)
	if err != nil {
		return err
	}
	list, index := credentials.StatusPermutation(a.r.cfg.Keys.Permutation(), a.status)
	a.status++
	cert := Certificate{
		Number: number, Kind: standards.LevelCertificate, Origin: OriginHere, Mode: a.s.mode(), Group: c.Group, Person: c.Person,
		Institution: a.s.Institution, InstitutionName: a.batch.InstitutionName, Filing: a.s.Filing, Region: a.s.Region,
		Session: a.s.ID, Row: c.Row, Batch: a.batch.ID,
		Occupation: a.occ.Code, OccupationName: a.occ.Name, Trade: a.s.Trade, TradeName: a.occ.TradeText(a.s.Trade), Level: a.s.Level,
		Issued: a.batch.Issued, Created: tx.Now(), Versions: 1, Status: CertificateValid,
	}
	a.taken[number] = true
	a.certs = append(a.certs, cert)
	a.vs = append(a.vs, Version{Number: number, N: 1, Handle: handle, Status: uint64(list)*credentials.StatusListBits + uint64(index), Created: tx.Now()})
	return nil
}
