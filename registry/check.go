package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Check proves the invariants of the register on a snapshot: it holds up no
// writer. It holds a few pages of records at a time, however large the register is,
// and reads each page in few round trips. When ctx ends it ends at once, and what it
// has found until then proves nothing. Invalid check_part: there is no such part.
//
//  1. a number belongs to one certificate, a handle and a status index to one
//     version; versions only grow
//  2. no certificate issued here without a session planned before the exam,
//     results that pass, a publicity that ended, and an institution entitled by
//     what was recorded when the batch was published
//  3. replaying every person's claims finds none that should have been refused
//  4. the audit log's root recomputes, every event is its leaf's, and the log extends
//     the checkpoint kept outside the store and the one that witnesses cosigned
//  5. the status bits are those of the ledger, their history leads to them, and
//     every published list says what they were at its time
//  6. indexes and records agree, every sealed block opens
//  7. cases and decisions name each other, what needs a notice had one and time
//     to answer, and no filing was recorded while its institution was blacklisted
//  8. the statistics are those of the ledger, but for what waits to be counted
//  9. credit scores are those of the ledger of events
//  10. a certificate's status is that to which its changes lead, and each mass
//     change has changed and given back as many certificates as it says
//  11. every row of a report to the national query is a public certificate, which
//     is in no other report without a receipt; reports, batches and certificates
//     agree on where they stand
//  12. every blank certificate is in exactly one state, the counts of institutions
//     and sessions are those of the blanks, and every blank that is printed carries
//     one print that stands
//  13. who is one person with whom, at every entry of the log, is what the merges
//     that stood then lead to; merges and collisions have come to their states by
//     steps of two accounts
//  14. the totals of claims are those of the claims
//  15. every claim on a certificate that was voided, cancelled, suspended or resumed
//     while it held money or a reservation has one entry about it in its payer's feed
//  16. no counter is behind what it has given, or ahead of the records that it counts;
//     draws find every session by its exam date
//  17. what the audit log says of a record is what the record says: each was made by
//     an event, and no member that events say was changed without one
func (r *Registry) Check(ctx context.Context, by Actor, opt *CheckOptions) (CheckReport, error) {
	if err := may(by, CheckRegister, Object{Region: r.cfg.Region}); err != nil {
		return CheckReport{}, err
	}
	if opt == nil {
		opt = &CheckOptions{}
	}
	parts, err := partsNamed(opt.Parts)
	if err != nil {
		return CheckReport{}, err
	}
	saved := r.savedCheckpoint()
	rd, release, err := r.db.Snapshot(ctx)
	if err != nil {
		return CheckReport{}, err
	}
	defer release()
	c := r.newCheck(ctx, rd, *opt)
	c.saved = saved
	err = c.run(parts)
	return *c.report, err
}

// checkParts are the parts of a check in their order: the indexes first, since they
// tell how many records there are.
var checkParts = []checkPart{
	{"indexes", (*check).indexes}, {"certificates", (*check).certificates}, {"status lists", (*check).strayBits}, {"published status lists", (*check).statusLists},
	{"sealed blocks", (*check).sealed}, {"sealed records", (*check).sealedRecords}, {"claims", (*check).claims}, {"totals of claims", (*check).claimTotals}, {"files of claims", (*check).claimBatches}, {"merges and collisions", (*check).merges}, {"cases", (*check).cases}, {"audit log", (*check).log}, {"credit", (*check).credit},
	{"statistics", (*check).statistics}, {"national query", (*check).national}, {"blank certificates", (*check).blanks}, {"reliance", (*check).reliance}, {"webhooks", (*check).webhooks},
	{"counters", (*check).counters}, {"exam dates", (*check).examDays}, {"records and their events", (*check).events},
}

// indexed is a kv.Records, whatever its values are.
type indexed interface {
	Check(rd kv.Reader, report func(problem string)) error
	RecordTable() kv.Table
	IndexTables() []kv.Table
	Contradictions(rd kv.Reader, report func(problem string)) error
	RepairPage(tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error)
}

// allRecords are the records of the register with their indexes.
var allRecords = []indexed{
	accounts, apiKeys, institutions, filings, decisions, occupations, sessions,
	candidates, roster, appeals, batches, certificates, versions, appointments, apprentices, claims, claimTotals, payouts, payoutPages, laws, requests, norms, signDays, signPeople, reviews, examDays, draws, drawPopulations, inspections, applications, caseRecords, publications, creditEvents, creditSums, creditReviews, stars, taskLists, taskEntries, integrityFiles, examinerCards, examinerTies, arrangements, arrangementsPast, supervisionReports, massChanges, correctionRequests, pastRuns, pastPages, nationalUploads, nationalFiles, nationalRows, publishedStatuses, leases, askedRecords, signIns, sessionPhotos, blankRuns, blankStocks, blankUses, blankApplications, destructions, stocktakings, prints, printed, printJobs, handouts, claimBatches, claimBatchPages, collisions, merges, personsMerged, reliances, relianceDues, relianceReaders, storedWebhooks, deliveries, repairRuns, backups, distrustedKeys,
}

func (c *check) indexes() error {
	c.only = "*"
	for _, table := range allRecords {
		if err := table.Check(c.base, c.say); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) certificates() error {
	c.of(tableCertificates)
	mass := newAgreement(2)
	vs := versionJoin{c: c, rng: kv.Range{Limit: kv.MaxScan / 10}}
	err := eachPage(c, certificates, pageMax, func(page []Certificate) error {
		c.report.Certificates += len(page)
		ledgerMass(mass, page)
		own, err := vs.of(page)
		if err != nil {
			return err
		}
		for i := range page {
			c.report.Versions += len(own[i])
		}
		return c.side(len(page), func(i int, c *check) error { return c.certificate(page[i], own[i]) })
	})
	if err != nil {
		return err
	}
	if err := vs.end(); err != nil {
		return err
	}
	return c.massChanges(mass)
}

func (c *check) certificate(cert Certificate, vs []Version) error {
	if statusAfter(cert.Changes) != cert.Status {
		c.problem("certificate %s is %s, its changes lead to %s", cert.Number, cert.Status, statusAfter(cert.Changes))
	}
	if err := c.massKinds(cert); err != nil {
		return err
	}
	if err := c.versions(cert, vs); err != nil {
		return err
	}
	if cert.Origin == OriginImported && (cert.Entitlement != nil || cert.Import == "" || cert.Batch != "") {
		c.problem("certificate %s is imported and says that it was entitled, issued here, or brought by no import", cert.Number)
	}
	if cert.Origin != OriginHere {
		return nil
	}
	return c.lawful(cert, vs)
}

// versionJoin reads the versions beside the certificates, both in the order of
// their numbers.
type versionJoin struct {
	c    *check
	rng  kv.Range
	page []Version // read and not given out
	over bool
}

// of gives the versions of each certificate of a page. Pages come in order.
func (j *versionJoin) of(page []Certificate) ([][]Version, error) {
	out := make([][]Version, len(page))
	for i, cert := range page {
		for {
			if len(j.page) == 0 {
				if j.over {
					break
				}
				if err := j.read(); err != nil {
					return nil, err
				}
				continue
			}
			v := j.page[0]
			if v.Number > cert.Number {
				break
			}
			j.page = j.page[1:]
			if v.Number < cert.Number {
				j.stray(v)
				continue
			}
			out[i] = append(out[i], v)
		}
		if n := len(out[i]); n == cert.Versions+1 && !out[i][n-1].Signed {
			out[i] = out[i][:n-1] // begun by a reissue that has not ended
		}
	}
	return out, nil
}

func (j *versionJoin) stray(v Version) {
	j.c.problem("version %s/%d is of no certificate", v.Number, v.N)
}

func (j *versionJoin) read() error {
	entries, err := j.c.base.Scan(versions.Table, j.rng)
	if err != nil {
		return err
	}
	if j.over = len(entries) < j.rng.Limit; len(entries) > 0 {
		j.rng = j.rng.After(entries[len(entries)-1].Key)
	}
	j.page, err = decodeAll(j.c, versions, entries)
	return err
}

// end reports the versions behind the last certificate.
func (j *versionJoin) end() error {
	for {
		for _, v := range j.page {
			j.stray(v)
		}
		if j.page = nil; j.over {
			return nil
		}
		if err := j.read(); err != nil {
			return err
		}
	}
}

// versions: 1 to cert.Versions are there and none above but one that a reissue
// has begun, each with its bits.
func (c *check) versions(cert Certificate, vs []Version) error {
	if len(vs) != cert.Versions {
		c.problem("certificate %s says it has %d versions and has %d", cert.Number, cert.Versions, len(vs))
	}
	if n := len(vs); n > 0 && vs[n-1].LogIndex != cert.LogIndex {
		c.problem("certificate %s names another entry of the audit log than its newest version", cert.Number)
	}
	if err := c.papers(cert, vs); err != nil {
		return err
	}
	purposes := credentials.StatusPurposes()
	var keys [][]byte
	for i, v := range vs {
		if v.N != i+1 {
			c.problem("certificate %s: version %d stands in place of %d", cert.Number, v.N, i+1)
		}
		if v.Handle == "" {
			continue
		}
		for _, purpose := range purposes {
			keys = append(keys, statusKey(purpose, int(v.Status/credentials.StatusListBits), int(v.Status%credentials.StatusListBits)))
		}
	}
	bits, err := c.rd.GetMany(tableStatusBits, keys)
	if err != nil {
		return err
	}
	for _, v := range vs {
		if v.Handle == "" {
			continue
		}
		want := statusBits(cert, v.N)
		for _, purpose := range purposes {
			if set := bits[0] != nil; set != want[purpose] {
				c.problem("certificate %s version %d: its %s bit is %t and should be %t", cert.Number, v.N, purpose, set, want[purpose])
			}
			bits = bits[1:]
		}
	}
	return nil
}

// papers: each version that was signed, or came from elsewhere, has the sealed paper without which nobody can be shown it.
func (c *check) papers(cert Certificate, vs []Version) error {
	vs = slices.DeleteFunc(slices.Clone(vs), func(v Version) bool {
		return cert.Origin == OriginHere && !v.Signed // it is sealed when it is signed
	})
	keys := make([][]byte, len(vs))
	for i, v := range vs {
		keys[i] = sealedVersion(cert.Number, v.N).storeKey()
	}
	blocks, err := c.rd.GetMany(tableSealed, keys)
	for i := range blocks {
		if blocks[i] == nil {
			c.problem("certificate %s version %d has no sealed paper", cert.Number, vs[i].N)
		}
	}
	return err
}

// strayBits: every set bit belongs to a version.
func (c *check) strayBits() error {
	return c.eachEntry(tableStatusBits, pageMax, func(page []kv.Entry) error {
		var places []string
		var keys [][]byte
		for _, e := range page {
			parts, err := kv.ParseKey(e.Key)
			if err != nil || len(parts) != 3 {
				c.problem("status bit %x has no key of purpose, list, index", e.Key)
				continue
			}
			list, ok1 := parts[1].(uint64)
			index, ok2 := parts[2].(uint64)
			if !ok1 || !ok2 {
				c.problem("status bit %v belongs to no version", parts)
				continue
			}
			places, keys = append(places, fmt.Sprint(parts)), append(keys, kv.Key(list*credentials.StatusListBits+index))
		}
		// That an entry of the index points to a version is for indexes.
		found, err := c.base.GetMany(indexVersionsByStatusIndex, keys)
		for i := range found {
			if found[i] == nil {
				c.problem("status bit %v belongs to no version", places[i])
			}
		}
		return err
	})
}

// lawful is invariant 2 for one certificate issued here.
func (c *check) lawful(cert Certificate, vs []Version) error {
	b, ok, err := batches.Get(c.rd, kv.Key(cert.Batch))
	if err != nil {
		return err
	}
	if !ok {
		c.problem("certificate %s has no batch", cert.Number)
		return nil
	}
	s, ok, err := sessions.Get(c.rd, kv.Key(cert.Session))
	if err != nil {
		return err
	}
	if ok && !cert.isOf(s, b) {
		c.problem("certificate %s says another institution, filing, region, occupation, trade, level, mode or day than its batch and session %s", cert.Number, s.ID)
	}
	if b.State != BatchPublished {
		return nil // not public; it may not be whole
	}
	if !ok || s.Results == nil || s.Publicity == nil || s.Batch != b.ID && !slices.Contains(s.Earlier, b.ID) || b.Published == nil {
		c.problem("certificate %s: its session %s was not planned, held, publicised and issued", cert.Number, cert.Session)
		return nil
	}
	switch {
	case len(vs) == 0 || vs[0].N != 1 || !vs[0].Signed:
		c.problem("certificate %s is public and not signed", cert.Number)
	case standards.DateOf(s.Planned) >= s.ExamDate:
		c.problem("certificate %s: session %s was planned on %s, not before its exam on %s", cert.Number, s.ID, standards.DateOf(s.Planned), s.ExamDate)
	case standards.DateOf(b.Started) <= s.Publicity.Until || cert.Issued <= s.Publicity.Until:
		c.problem("certificate %s was issued on %s, before the end of publicity on %s", cert.Number, cert.Issued, s.Publicity.Until)
	}
	candidate, ok, err := candidates.Get(c.rd, candidates.Key(Candidate{Session: s.ID, Generation: s.Results.Generation, Row: cert.Row}))
	if err != nil {
		return err
	}
	if !ok || !candidate.Passed || candidate.Person != cert.Person || candidate.Hold == HoldAppeal || candidate.Hold == HoldExcluded {
		c.problem("certificate %s: row %d of session %s did not pass, is another person's, or is held by an appeal", cert.Number, cert.Row, s.ID)
		return nil
	}
	if err := c.earned(cert, s, candidate); err != nil {
		return err
	}
	return c.entitled(cert, s, *b.Published)
}

// isOf reports whether a certificate says what it has from its session and batch.
func (c Certificate) isOf(s Session, b Batch) bool {
	return c.Kind == standards.LevelCertificate && c.Institution == s.Institution && c.Institution == b.Institution && c.InstitutionName == b.InstitutionName &&
		c.Filing == s.Filing && c.Region == s.Region && c.Session == b.Session && c.Occupation == s.Occupation && c.Trade == s.Trade && c.Level == s.Level &&
		c.Issued == b.Issued && c.Mode == s.mode()
}

// earned: the scores pass, kept parts are those of an earlier session, and who
// had to be on the roster was.
func (c *check) earned(cert Certificate, s Session, candidate Candidate) error {
	rules, err := c.r.courseOf(s)
	if fail.KindOf(err) == fail.Conflict {
		c.problem("certificate %s: %v", cert.Number, err) // its rule file is gone
		return nil
	}
	if err != nil {
		return err
	}
	if cert.Group != candidate.Group {
		c.problem("certificate %s says another group of people than row %d of session %s", cert.Number, cert.Row, s.ID)
	}
	if cert.Mode != s.mode() {
		c.problem("certificate %s says mode %s, its session %s", cert.Number, cert.Mode, s.mode())
	}
	if err := c.normed(cert, s); err != nil {
		return err
	}
	mode, ok := modeOf(rules, s.mode())
	if ok && mode.Scores {
		parts, err := c.r.partsOf(c.rd, s)
		if err != nil {
			return err
		}
		if passed, _ := standards.Passed(parts, candidate.all()); !passed {
			c.problem("certificate %s: row %d of session %s did not pass", cert.Number, cert.Row, s.ID)
		}
	} else if s.ModeBasis == nil {
		c.problem("certificate %s has neither an exam nor a basis", cert.Number)
	}
	for kind, k := range candidate.Kept {
		was, ok, err := candidates.Get(c.rd, candidates.Key(Candidate{Session: k.Session, Generation: k.Generation, Row: k.Row}))
		if err != nil {
			return err
		}
		earlier, held, err := sessions.Get(c.rd, kv.Key(k.Session))
		if err != nil {
			return err
		}
		if !ok || was.Person != cert.Person || was.Scores[kind] != k.Score || !held || !(resultsCase{session: s, rules: rules}).follows(earlier) {
			c.problem("certificate %s: its %s score is not that of row %d of session %s", cert.Number, kind, k.Row, k.Session)
		}
	}
	if err := s.mustBeConfirmed(rules); err != nil {
		c.problem("certificate %s: its results were not confirmed by a second person", cert.Number)
	}
	if err := s.mustBeApproved(rules); err != nil {
		c.problem("certificate %s: its results were not approved", cert.Number)
	}
	_, f, err := issuerOf(c.rd, s)
	if err != nil {
		return err
	}
	if err := s.mustHaveRoster(rules, f); err != nil {
		c.problem("certificate %s: its session has no roster", cert.Number)
	}
	if s.Roster == nil {
		return nil
	}
	e, ok, err := roster.Get(c.rd, rosterKey(s.ID, cert.Person))
	if err != nil {
		return err
	}
	if !ok || e.Generation != s.Roster.Generation || standards.DateOf(e.Entered) >= s.ExamDate || mode.Eligibility && len(e.Conditions) == 0 {
		c.problem("certificate %s: its holder was not entered and found eligible before the exam", cert.Number)
	}
	return nil
}

// entitled asks again what publish asked. Decisions of the same second may have
// come after it; the certificate is unlawful only if it was without them too.
func (c *check) entitled(cert Certificate, s Session, published time.Time) error {
	inst, filed, past, err := recorded(c.rd, cert.Institution)
	if err != nil {
		return err
	}
	f, err := filingByID(c.rd, cert.Filing)
	if err != nil {
		return err
	}
	q := evaluators.Question{Occupation: s.Occupation, Trade: s.Trade, Level: s.Level, ExamDate: s.ExamDate, Now: published, Session: s.ID, Site: s.Site, Filed: filed}
	if evaluators.Entitled(inst, f, past, q).Entitled {
		return nil
	}
	var before []evaluators.Decision
	for _, d := range past {
		if d.Recorded.Before(published) {
			before = append(before, d)
		}
	}
	// The same for what was recorded on the filings themselves.
	earlier := q
	earlier.Filed = nil
	for _, g := range filed {
		if g.Recorded.Before(published) {
			earlier.Filed = append(earlier.Filed, g.Before(published))
		}
	}
	if evaluators.Entitled(inst, f.Before(published), past, earlier).Entitled || evaluators.Entitled(inst, f, before, q).Entitled {
		return nil
	}
	if e := evaluators.Entitled(inst, f.Before(published), before, earlier); !e.Entitled {
		c.problem("certificate %s was published at %s while its institution was not entitled: %v", cert.Number, published, e.Reasons)
	}
	return nil
}

// sealed opens every sealed block. Pages are small where they have photos: one is a
// hundred kilobytes, a paper some hundred bytes.
func (c *check) sealed() error {
	rng := kv.Range{Limit: sealedPage}
	for {
		page, err := c.base.Scan(tableSealed, rng)
		if err != nil {
			return err
		}
		if err := c.sealedBlocks(page); err != nil {
			return err
		}
		c.done(len(page))
		if len(page) < rng.Limit {
			return nil
		}
		size := 1
		for _, e := range page {
			size += len(e.Value)
		}
		rng = rng.After(page[len(page)-1].Key)
		rng.Limit = max(sealedPage, min(pageMax, sealedPageBytes*len(page)/size))
	}
}

func (c *check) sealedBlocks(page []kv.Entry) error {
	return c.side(len(page), func(i int, c *check) error {
		place, err := parseSealedPlace(page[i].Key)
		if err != nil {
			c.problem("sealed block: %v", err)
			return nil
		}
		plain, err := c.r.vault.openBytes(place, page[i].Value)
		if err != nil {
			c.problem("%v", err)
			return nil
		}
		return c.paperPhoto(place, plain)
	})
}

const (
	sealedPage      = 100
	sealedPageBytes = 2 << 20 // about, where blocks are small
)

func parseSealedPlace(key []byte) (p sealedPlace, err error) {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return p, err
	}
	if len(parts) == 3 {
		table, ok1 := parts[0].(string)
		record, ok2 := parts[1].([]byte)
		field, ok3 := parts[2].(string)
		if ok1 && ok2 && ok3 {
			return sealedPlace{kv.Table(table), record, field}, nil
		}
	}
	return p, fmt.Errorf("key %x is not table, key, field", key)
}

func (c *check) claims() error {
	if err := checkLaws(c.rd, c.say); err != nil {
		return err
	}
	if err := c.r.checkPayouts(c.base, c.say); err != nil {
		return err
	}
	return c.replayClaims()
}

// eachRecord runs fn on every record of a table, page by page.
func eachRecord[V any](rd kv.Reader, table kv.Records[V], fn func(V) error) error {
	for rng := (kv.Range{Limit: pageMax}); ; {
		page, next, err := table.Scan(rd, rng)
		if err != nil {
			return err
		}
		for _, v := range page {
			if err := fn(v); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		rng.From = next
	}
}
