package registry

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/blanks"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/figures"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/uploads"
	"bajigong/registry/webhooks"
)

// derivedStages are what follows from records and is no index, in the order in which
// one may rest on another. Indexes come before them.
var derivedStages = []repairStage{
	{name: "beginnings of status lists", page: pageOfLists},
	{name: "counter of the status lists", all: (*repairer).places},
	{name: "status bits", all: (*repairer).statusLists},
	{name: "totals of claims", all: (*repairer).claimTotals},
	{name: "statistics", all: (*repairer).figures},
	{name: "credit", page: pageOfCredit},
	{name: "credit of nobody", page: pageOfCreditSums},
	{name: "prints", page: pageOfPrints},
	{name: "sums of no prints", page: pageOfPrinted},
	{name: "counts of blanks", all: (*repairer).blankCounts},
	{name: "feeds of payers", page: pageOfFeeds},
	{name: "webhooks", page: pageOfWebhooks},
	{name: "persons merged", page: pageOfMerges},
	{name: "persons not merged", page: pageOfPersonsMerged},
	{name: "rows apart", all: (*repairer).rowsApart},
	{name: "exam dates", page: pageOfExamDays},
	{name: "exam dates of nothing", page: pageOfStrayExamDays},
	{name: "hashes of the audit log", all: (*repairer).logHashes},
}

// repairPage is how many keys one Update corrects.
const repairPage = 200

// repairBuckets is how many of the buckets that differ are looked into at a time.
const repairBuckets = 2048

// sumFix is by how much what is kept of a key is wrong.
type sumFix struct {
	key   string
	wrong []int64 // what it should be less what it is
}

// sums corrects what an agreement over the snapshot finds. A correction is a
// difference, added to what stands now: what others have counted since then stays.
func (p *repairer) sums(width int, all adder, correct func(tx kv.Tx, fixes []sumFix) error) error {
	s := newAgreement(width)
	if err := all(p.snap, s); err != nil {
		return err
	}
	return p.settle(s, func() error { return all(p.snap, s) }, correct)
}

func (p *repairer) settle(s *agreement, again func() error, correct func(tx kv.Tx, fixes []sumFix) error) error {
	var fixes []sumFix
	flush := func() error {
		if len(fixes) == 0 {
			return nil
		}
		err := p.update(func(tx kv.Tx) (kv.Repaired, error) { return kv.Repaired{Written: len(fixes)}, correct(tx, fixes) }, nil)
		p.progress(len(fixes))
		fixes = nil
		return err
	}
	err := s.settle(repairBuckets, true, again, func(key string, want, have []int64) error {
		f := sumFix{key, make([]int64, len(want))}
		for i := range want {
			f.wrong[i] = want[i] - have[i]
		}
		if fixes = append(fixes, f); len(fixes) < repairPage {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// pageOfLists finds since when each list is, as of a page of versions; a list that
// says so already keeps it.
func pageOfLists(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := versions.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil {
		return nil, done, err
	}
	first := map[uint64]time.Time{}
	for _, v := range page {
		list := v.Status / credentials.StatusListBits
		if began, known := first[list]; v.Handle != "" && (!known || v.Created.Before(began)) {
			first[list] = v.Created
		}
	}
	for list, began := range first {
		if _, ok, err := listBegan(tx, int(list)); err != nil || ok {
			if err != nil {
				return nil, done, err
			}
			continue
		}
		tx.Put(tableStatusLists, kv.Key(list), unixBytes(began))
		done.Written++
	}
	return next, done, nil
}

// statusLists makes the bits and bases of each list those to which its history
// leads, which is on record, and marks those that are not published.
func (p *repairer) statusLists() error {
	var given uint64 // as the stage before has left it
	if err := p.r.db.View(p.ctx, func(rd kv.Reader) (err error) {
		given, err = counter(rd, counterStatus(), 0)
		return err
	}); err != nil {
		return err
	}
	for list := 0; list == 0 || uint64(list)*credentials.StatusListBits < given; list++ {
		for _, purpose := range credentials.StatusPurposes() {
			if err := p.statusList(statusPlace{purpose, list}); err != nil {
				return err
			}
			p.progress(1)
		}
	}
	return nil
}

// statusWrites is what has to be changed of one list; a nil value deletes.
type statusWrites []kv.Write

func (p *repairer) statusList(at statusPlace) error {
	for {
		var version uint64
		var writes statusWrites
		err := p.r.db.View(p.ctx, func(rd kv.Reader) (err error) {
			if version, err = counter(rd, counterStatusVersion(string(at.purpose), at.list), 0); err != nil {
				return err
			}
			writes, err = statusDiffers(rd, at, version)
			return err
		})
		if err != nil {
			return err
		}
		moved := false
		for page := range slices.Chunk(writes, repairPage) {
			if err := p.update(func(tx kv.Tx) (done kv.Repaired, err error) {
				now, err := counter(tx, counterStatusVersion(string(at.purpose), at.list), 0)
				if moved = err == nil && now != version; err != nil || moved {
					return done, err
				}
				for _, w := range page {
					if w.Value == nil {
						tx.Delete(w.Table, w.Key)
						done.Removed++
					} else {
						tx.Put(w.Table, w.Key, w.Value)
						done.Written++
					}
				}
				// The counter is corrected by the last page, so that the others find it unchanged.
				return done, nil
			}, nil); err != nil {
				return err
			}
			if moved {
				break // a bit was changed meanwhile: once more, from what is there now
			}
		}
		if !moved {
			return nil
		}
	}
}

// statusDiffers reads the history of a list and answers what else stands wrong.
func statusDiffers(rd kv.Reader, at statusPlace, version uint64) (out statusWrites, err error) {
	set := map[uint64]int64{} // bits that stand, since when
	seen := statusReplay{bits: make([]byte, statusBytes)}
	bases := map[statusMoment][]byte{}
	rng := kv.Prefix(at.key())
	rng.Limit = 16
	if err := kv.Each(rd, tableStatusBases, rng, func(e kv.Entry) error {
		m, _, err := parseStatusKey(e.Key, 4)
		if err == nil {
			bases[m] = e.Value
		}
		return err
	}); err != nil {
		return nil, err
	}
	base := func() {
		if have, ok := bases[seen.at]; ok && !bytes.Equal(have, seen.bits) {
			out = append(out, kv.Write{Table: tableStatusBases, Key: statusBaseKey(at.purpose, at.list, seen.at), Value: slices.Clone(seen.bits)})
		}
		delete(bases, seen.at)
	}
	if err := kv.Each(rd, tableStatusHistory, kv.Prefix(at.key()), func(e kv.Entry) error {
		m, index, err := parseStatusKey(e.Key, 5)
		if err != nil {
			return err
		}
		if m != seen.at {
			base()
		}
		if err := seen.add(e, false); err != nil {
			return err
		}
		if delete(set, index); e.Value[0] == 1 {
			set[index] = m.time
		}
		return nil
	}); err != nil {
		return nil, err
	}
	base()
	for m := range bases {
		out = append(out, kv.Write{Table: tableStatusBases, Key: statusBaseKey(at.purpose, at.list, m)})
	}
	if err := kv.Each(rd, tableStatusBits, kv.Prefix(at.key()), func(e kv.Entry) error {
		parts, err := kv.ParseKey(e.Key)
		if err != nil || len(parts) != 3 {
			out = append(out, kv.Write{Table: tableStatusBits, Key: e.Key})
			return nil
		}
		index, _ := parts[2].(uint64)
		if _, stands := set[index]; stands {
			delete(set, index)
			return nil
		}
		out = append(out, kv.Write{Table: tableStatusBits, Key: e.Key})
		return nil
	}); err != nil {
		return nil, err
	}
	for index, since := range set {
		out = append(out, kv.Write{Table: tableStatusBits, Key: statusKey(at.purpose, at.list, int(index)), Value: unixBytes(time.Unix(since, 0))})
	}
	slices.SortFunc(out, func(a, b kv.Write) int { return bytes.Compare(a.Key, b.Key) })
	return statusMarks(rd, at, version, seen.at.version, out)
}

// statusMarks adds what says how far a list has come.
func statusMarks(rd kv.Reader, at statusPlace, version, last uint64, out statusWrites) (statusWrites, error) {
	head, published, err := publishedStatuses.Get(rd, at.key())
	if err != nil {
		return nil, err
	}
	mark, err := rd.Get(tableStatusDue, at.key())
	if err != nil {
		return nil, err
	}
	right := max(version, last, head.Version)
	if mark == nil && (published && head.Version != right || !published && right > 0) {
		since := head.ValidFrom
		if !published {
			since, _, err = listBegan(rd, at.list)
		}
		out = append(out, kv.Write{Table: tableStatusDue, Key: at.key(), Value: unixBytes(since)})
	}
	if right != version {
		out = append(out, kv.Write{Table: tableCounters, Key: counterStatusVersion(string(at.purpose), at.list), Value: uint64Bytes(right)})
	}
	return out, err
}

func (p *repairer) claimTotals() error {
	return p.sums(claimTotalFigures, (*check).addClaimTotals, func(tx kv.Tx, fixes []sumFix) error {
		keys := keysOf(fixes)
		stored, there, err := claimTotals.GetMany(tx, keys)
		if err != nil {
			return err
		}
		for i, f := range fixes {
			if !there[i] {
				stored[i] = claimTotalAt(f.key)
			}
			stored[i] = stored[i].counting(plus(stored[i].figures(), f.wrong))
		}
		return claimTotals.PutMany(tx, stored)
	})
}

func keysOf(fixes []sumFix) [][]byte {
	keys := make([][]byte, len(fixes))
	for i, f := range fixes {
		keys[i] = []byte(f.key)
	}
	return keys
}

func plus(a, b []int64) []int64 {
	out := slices.Clone(a)
	for i := range b {
		out[i] += b[i]
	}
	return out
}

// figures corrects the figures of statistics, and makes the facts of persons anew
// that are not theirs.
func (p *repairer) figures() error {
	var wrong [][]byte
	flush := func() error {
		if len(wrong) == 0 {
			return nil
		}
		keys := wrong
		wrong = nil
		return p.update(func(tx kv.Tx) (kv.Repaired, error) { return p.r.factsAnew(tx, keys) }, nil)
	}
	f := &figureCheck{check: p.snap, sums: newAgreement(5), wrong: func(key []byte) error {
		if wrong = append(wrong, key); len(wrong) < repairPage {
			return nil
		}
		return flush()
	}}
	if err := p.unreadableFigures(); err != nil {
		return err
	}
	if err := f.all(); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	kept, err := f.keptPeople()
	if err != nil {
		return err
	}
	if kept != f.people-f.absent { // both as of the snapshot
		if err := p.factsOfNobody(); err != nil {
			return err
		}
	}
	again := func() error { return (&figureCheck{check: p.snap, sums: f.sums, sumsOnly: true}).all() }
	return p.settle(f.sums, again, func(tx kv.Tx, fixes []sumFix) error {
		for _, fix := range fixes {
			table, key, _ := strings.Cut(fix.key, "\x00")
			value, err := tx.Get(kv.Table(table), []byte(key))
			if err != nil {
				return err
			}
			n, err := parseCount(value)
			if err != nil {
				return err
			}
			d := fix.wrong
			n = n.Plus(figures.Count{Issued: uint64(d[0]), People: uint64(d[1]), Voided: uint64(d[2]), Cancelled: uint64(d[3]), VoidedSince: uint64(d[4])})
			tx.Put(kv.Table(table), []byte(key), formatCount(n))
		}
		return nil
	})
}

// unreadableFigures takes away what is no count, or of nothing that waits: it counts
// as none, and is counted anew.
func (p *repairer) unreadableFigures() error {
	for _, table := range []kv.Table{tableFigureCells, tableFigureSums, tableFigureIssuers, tableFigureDue} {
		bad := func(e kv.Entry) bool {
			if table == tableFigureDue {
				_, err := parseDue(e)
				return err != nil
			}
			_, err := parseCount(e.Value)
			return err != nil
		}
		if err := kv.Each(p.snap.base, table, kv.Range{}, func(e kv.Entry) error {
			if !bad(e) {
				return nil
			}
			return p.update(func(tx kv.Tx) (kv.Repaired, error) { tx.Delete(table, e.Key); return kv.Repaired{Removed: 1}, nil }, nil)
		}); err != nil {
			return err
		}
	}
	return nil
}

// factsAnew makes the facts of persons in years what their certificates say.
func (r *Registry) factsAnew(tx kv.Tx, keys [][]byte) (done kv.Repaired, err error) {
	for _, key := range keys {
		facts, err := r.factsNow(tx, key)
		if err != nil {
			return done, err
		}
		value, err := tx.Get(tableFigurePeople, key)
		if err != nil {
			return done, err
		}
		var kept []figures.Fact
		if value != nil && json.Unmarshal(value, &kept) == nil && facts != nil && sameFacts(kept, facts) {
			continue
		}
		if facts == nil {
			if value != nil {
				tx.Delete(tableFigurePeople, key)
				done.Removed++
			}
			continue
		}
		text, err := json.Marshal(facts)
		if err != nil {
			return done, err
		}
		tx.Put(tableFigurePeople, key, text)
		done.Written++
	}
	return done, nil
}

// factsNow are the facts of one person in a year, nil when there are none.
func (r *Registry) factsNow(tx kv.Tx, key []byte) (facts []figures.Fact, err error) {
	parts, err := kv.ParseKey(key)
	if err != nil || len(parts) != 2 {
		return nil, nil
	}
	year, ok1 := parts[0].(uint64)
	person, ok2 := parts[1].([]byte)
	if !ok1 || !ok2 {
		return nil, nil
	}
	cs, _, err := certificates.ScanIndex(tx, indexCertificatesByPerson, prefixOf(kv.Key(person), kv.MaxScan))
	if err != nil {
		return nil, err
	}
	counted, _, err := (&check{r: r, rd: tx}).turns(cs)
	if err != nil {
		return nil, err
	}
	tally := figures.NewTally()
	for i, one := range cs {
		if counted[i] && one.Issued.Year() == int(year) {
			facts = tally.Issue(factOf(one), facts)
		}
	}
	return facts, nil
}

// factsOfNobody goes through all facts and takes those away that no person has.
func (p *repairer) factsOfNobody() error {
	for rng := (kv.Range{Limit: repairPage}); ; {
		entries, err := p.snap.base.Scan(tableFigurePeople, rng)
		if err != nil || len(entries) == 0 {
			return err
		}
		keys := make([][]byte, len(entries))
		for i, e := range entries {
			keys[i] = e.Key
		}
		if err := p.update(func(tx kv.Tx) (kv.Repaired, error) { return p.r.factsAnew(tx, keys) }, nil); err != nil {
			return err
		}
		rng = rng.After(keys[len(keys)-1])
	}
}

// pageOfCredit makes the sums and counters of a few institutions those of their
// ledgers.
func pageOfCredit(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := institutions.Scan(tx, kv.Range{From: cursor, Limit: creditPage})
	for _, inst := range page {
		if err != nil {
			return nil, done, err
		}
		err = creditAnew(tx, inst, &done)
	}
	return next, done, err
}

func creditAnew(tx kv.Tx, inst evaluators.Institution, done *kv.Repaired) error {
	ledger, err := pagesOf(tx, creditEvents, inst.ID)
	if err != nil {
		return err
	}
	stored, err := pagesOf(tx, creditSums, inst.ID)
	if err != nil {
		return err
	}
	have := map[string]credit.Sum{}
	for _, s := range stored {
		have[s.Period] = s
	}
	for _, want := range credit.Sums(inst.ID, ledger) {
		if !reflect.DeepEqual(have[want.Period], want) {
			if err := creditSums.Put(tx, want); err != nil {
				return err
			}
			done.Written++
		}
		delete(have, want.Period)
	}
	for _, s := range have {
		if err := creditSums.Delete(tx, creditSums.Key(s)); err != nil {
			return err
		}
		done.Removed++
	}
	years := map[int]uint64{}
	for _, e := range ledger {
		years[e.Year]++
	}
	if err := countAnew(tx, counterCredit(inst.ID), 1, uint64(len(ledger))+1, done); err != nil {
		return err
	}
	for year, n := range years {
		got, err := counter(tx, counterCreditYear(inst.ID, year), 0)
		if err != nil {
			return err
		}
		if got != n { // a sum of the ledger, by which nothing is named
			setCounter(tx, counterCreditYear(inst.ID, year), n)
			done.Written++
		}
	}
	return nil
}

// countAnew lifts a counter that is behind. One that is ahead is left for a check to
// report: it says that records are gone, and their numbers are not to be given again.
func countAnew(tx kv.Tx, key []byte, first, want uint64, done *kv.Repaired) error {
	got, err := counter(tx, key, first)
	if err == nil && got < want {
		setCounter(tx, key, want)
		done.Written++
	}
	return err
}

// pageOfCreditSums takes away sums of institutions that are not in the register.
func pageOfCreditSums(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := creditSums.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil {
		return nil, done, err
	}
	keys := make([][]byte, len(page))
	for i, s := range page {
		keys[i] = kv.Key(s.Institution)
	}
	found, err := tx.GetMany(tableInstitutions, keys)
	if err != nil {
		return nil, done, err
	}
	for i, s := range page {
		if found[i] != nil {
			continue
		}
		if err := creditSums.Delete(tx, creditSums.Key(s)); err != nil {
			return nil, done, err
		}
		done.Removed++
	}
	return next, done, nil
}

// pageOfPrints adds up the prints of some certificates.
func pageOfPrints(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := prints.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil || len(page) == 0 {
		return nil, done, err
	}
	last := page[len(page)-1].Number
	if next != nil && page[0].Number != last {
		// The last certificate may not be whole: it begins the next page.
		page = slices.DeleteFunc(page, func(p blanks.Printing) bool { return p.Number == last })
		next = kv.Key(last)
	}
	var sums []blanks.Prints
	for _, p := range page {
		if n := len(sums); n == 0 || sums[n-1].Number != p.Number {
			sums = append(sums, blanks.Prints{Number: p.Number})
		}
		sums[len(sums)-1] = withPrint(sums[len(sums)-1], p)
	}
	keys := make([][]byte, len(sums))
	for i, s := range sums {
		keys[i] = kv.Key(s.Number)
	}
	stored, _, err := printed.GetMany(tx, keys)
	if err != nil {
		return nil, done, err
	}
	for i, s := range sums {
		if stored[i] == s {
			continue
		}
		if err := printed.Put(tx, s); err != nil {
			return nil, done, err
		}
		done.Written++
	}
	return next, done, nil
}

// pageOfPrinted takes away sums of certificates that were never printed.
func pageOfPrinted(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := printed.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil {
		return nil, done, err
	}
	keys := make([][]byte, len(page))
	for i, s := range page {
		keys[i] = prints.Key(blanks.Printing{Number: s.Number, N: 1})
	}
	first, err := tx.GetMany(tablePrints, keys)
	if err != nil {
		return nil, done, err
	}
	for i, s := range page {
		if first[i] != nil {
			continue
		}
		if err := printed.Delete(tx, printed.Key(s)); err != nil {
			return nil, done, err
		}
		done.Removed++
	}
	return next, done, nil
}

// blankCounts corrects the counts of institutions and sessions. What applications
// say they sent is no sum but their own word, and is left for a check to report.
func (p *repairer) blankCounts() error {
	return p.sums(1, (*check).blankSums, func(tx kv.Tx, fixes []sumFix) error {
		for _, f := range fixes {
			parts, err := kv.ParseKey([]byte(f.key))
			if err != nil || len(parts) != 3 {
				return err
			}
			id, _ := parts[1].(string)
			which, _ := parts[2].(string)
			switch parts[0] {
			case "institution":
				err = correctStock(tx, id, blanks.State(which), int(f.wrong[0]))
			case "session":
				err = correctUse(tx, id, which, int(f.wrong[0]))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func correctStock(tx kv.Tx, institution string, state blanks.State, by int) error {
	s, _, err := blankStocks.Get(tx, kv.Key(institution))
	if err != nil {
		return err
	}
	s.Institution = institution
	if s.Counts == nil {
		s.Counts = map[blanks.State]int{}
	}
	if s.Counts[state] += by; s.Counts[state] == 0 {
		delete(s.Counts, state)
	}
	return blankStocks.Put(tx, s)
}

// correctUse keeps what is left as it is when another count is corrected: how many
// were ever taken follows from what became of them.
func correctUse(tx kv.Tx, session, which string, by int) error {
	u, there, err := blankUses.Get(tx, kv.Key(session))
	if err != nil {
		return err
	}
	if !there {
		s, _, err := sessions.Get(tx, kv.Key(session))
		if err != nil {
			return err
		}
		u.Session, u.Institution = session, s.Institution
	}
	u.Taken += by
	switch which {
	case "printed":
		u.Printed += by
	case "spoiled":
		u.Spoiled += by
	case "lost":
		u.Lost += by
	}
	return blankUses.Put(tx, u)
}

// pageOfFeeds sets the counter of the next payer's feed.
func pageOfFeeds(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	first, _, err := reliances.Scan(tx, kv.Range{From: cursor, Limit: 1})
	if err != nil || len(first) == 0 {
		return nil, done, err
	}
	own := kv.Prefix(kv.Key(first[0].Payer))
	own.Limit, own.Reverse = 1, true
	last, _, err := reliances.Scan(tx, own)
	if err != nil {
		return nil, done, err
	}
	return own.To, done, countAnew(tx, counterReliance(last[0].Payer), 1, last[0].Seq+1, &done)
}

// pageOfWebhooks marks the payers whose endpoints have not been sent everything.
func pageOfWebhooks(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := storedWebhooks.Scan(tx, kv.Range{From: cursor, Limit: repairPage})
	for _, w := range page {
		if err != nil {
			return nil, done, err
		}
		if w.State != webhooks.Active || !w.Due.IsZero() {
			continue
		}
		last, err := counter(tx, counterReliance(w.Payer), 1)
		if err != nil || w.Next >= last {
			if err != nil {
				return nil, done, err
			}
			continue
		}
		mark, err := tx.Get(tableWebhookMarks, kv.Key(w.Payer))
		if err != nil {
			return nil, done, err
		}
		if mark == nil {
			tx.Put(tableWebhookMarks, kv.Key(w.Payer), unixBytes(tx.Now()))
			done.Written++
		}
	}
	return next, done, err
}

// pageOfMerges makes anew with whom the persons of some merges are one.
func pageOfMerges(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := merges.Scan(tx, kv.Range{From: cursor, Limit: 20})
	if err != nil {
		return nil, done, err
	}
	for _, m := range page {
		if m.From == 0 {
			continue
		}
		for _, person := range []PersonID{m.Survivor, m.Loser} {
			if err := mergedAnew(tx, person, &done); err != nil {
				return nil, done, err
			}
		}
	}
	return next, done, nil
}

// pageOfPersonsMerged does so for persons that are said to be merged.
func pageOfPersonsMerged(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := personsMerged.Scan(tx, kv.Range{From: cursor, Limit: 20})
	for _, m := range page {
		if err != nil {
			return nil, done, err
		}
		err = mergedAnew(tx, m.Person, &done)
	}
	return next, done, err
}

func mergedAnew(tx kv.Tx, person PersonID, done *kv.Repaired) error {
	stored, there, err := personsMerged.Get(tx, kv.Key(person[:]))
	if err != nil {
		return err
	}
	all, err := mergesAround(tx, personMerges{Person: person})
	if err != nil {
		return err
	}
	want := personMerges{Person: person}
	for _, at := range mergeMoments(all) {
		members := groupWith(groupsOf(standingAt(all, at)), person)
		if !slices.Equal(members, want.now()) {
			want.Groups = append(want.Groups, personGroup{From: at, Members: members})
		}
	}
	switch {
	case len(want.Groups) == 0 && there:
		done.Removed++
		return personsMerged.Delete(tx, kv.Key(person[:]))
	case len(want.Groups) == 0 || reflect.DeepEqual(stored, want):
		return nil
	}
	done.Written++
	return personsMerged.Put(tx, want)
}

// rowsApart corrects how many certificates batches say stand apart in the national
// query.
func (p *repairer) rowsApart() error {
	return p.sums(1, (*check).nationalApart, func(tx kv.Tx, fixes []sumFix) error {
		for _, f := range fixes {
			batch, upload, _ := strings.Cut(f.key, " ")
			b, ok, err := batches.Get(tx, kv.Key(batch))
			if err != nil {
				return err
			}
			i := slices.IndexFunc(b.National, func(part uploads.Part) bool { return part.Upload == upload })
			if !ok || i < 0 {
				continue // rows of a report that the batch does not have: a check says so
			}
			b.National = slices.Clone(b.National)
			b.National[i].Apart += int(f.wrong[0])
			if err := batches.Put(tx, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// logHashes makes the hashes of subtrees those of the leaves, if the leaves and the
// head agree: hashes of the log that do not follow from it are never written.
func (p *repairer) logHashes() error {
	return auditlog.RepairTiles(p.snap.base, func(fixes []kv.Write) error {
		p.progress(len(fixes))
		return p.update(func(tx kv.Tx) (kv.Repaired, error) {
			removed := auditlog.WriteTiles(tx, fixes)
			return kv.Repaired{Removed: removed, Written: len(fixes) - removed}, nil
		}, nil)
	})
}
