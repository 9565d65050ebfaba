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
	"bajigong/registry/auditlog"
	"bajigong/standards"
)

// CheckReport is what a check of all invariants found. Problems is empty when
// the register is sound; it lists at most CheckMaxProblems, Found counts all.
type CheckReport struct {
	At           time.Time `json:"at"`
	Certificates int       `json:"certificates"`
	Versions     int       `json:"versions"`
	Claims       int       `json:"claims"`
	Events       uint64    `json:"events"`
	Found        int       `json:"found"`
	Problems     []string  `json:"problems"`
}

// CheckMaxProblems bounds the list in a CheckReport.
const CheckMaxProblems = 1000

// Check proves the invariants of the register on a snapshot: it holds up no
// writer. progress, when not nil, hears which part begins.
//
//  1. a number belongs to one certificate, a handle and a status index to one
//     version; versions only grow
//  2. no certificate issued here without a session planned before the exam,
//     results that pass, a publicity that ended, and an institution entitled by
//     what was recorded when the batch was published
//  3. replaying every person's claims finds none that should have been refused
//  4. the audit log's root recomputes and every event is its leaf's
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
func (r *Registry) Check(ctx context.Context, by Actor, progress func(part string)) (CheckReport, error) {
	if err := may(by, CheckRegister, Object{Region: r.cfg.Region}); err != nil {
		return CheckReport{}, err
	}
	rd, release, err := r.db.Snapshot(ctx)
	if err != nil {
		return CheckReport{}, err
	}
	defer release()
	c := &check{r: r, rd: rd, report: CheckReport{At: r.cfg.Now().UTC(), Problems: []string{}}}
	parts := []struct {
		name string
		run  func() error
	}{
		{"indexes", c.indexes}, {"certificates", c.certificates}, {"status lists", c.strayBits}, {"published status lists", c.statusLists},
		{"sealed blocks", c.sealed}, {"sealed records", c.sealedRecords}, {"claims", c.claims}, {"totals of claims", func() error { return checkClaimTotals(c.rd, c.say) }}, {"files of claims", c.claimBatches}, {"merges and collisions", c.merges}, {"cases", c.cases}, {"audit log", c.log}, {"credit", c.credit},
		{"statistics", c.statistics}, {"national query", c.national}, {"blank certificates", c.blanks}, {"reliance", c.reliance}, {"webhooks", c.webhooks},
	}
	for _, part := range parts {
		if progress != nil {
			progress(part.name)
		}
		if err := ctx.Err(); err != nil {
			return c.report, err
		}
		if err := part.run(); err != nil {
			return c.report, fmt.Errorf("check %s: %w", part.name, err)
		}
	}
	return c.report, nil
}

type check struct {
	r      *Registry
	rd     kv.Reader
	report CheckReport
}

func (c *check) problem(format string, args ...any) {
	c.report.Found++
	if len(c.report.Problems) < CheckMaxProblems {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

func (c *check) say(problem string) { c.problem("%s", problem) }

func (c *check) indexes() error {
	for _, table := range []func(kv.Reader, func(string)) error{
		accounts.Check, apiKeys.Check, institutions.Check, filings.Check, decisions.Check, occupations.Check, sessions.Check,
		candidates.Check, roster.Check, appeals.Check, batches.Check, certificates.Check, versions.Check, appointments.Check, apprentices.Check, claims.Check, claimTotals.Check, payouts.Check, payoutPages.Check, laws.Check, requests.Check, norms.Check, signDays.Check, signPeople.Check, reviews.Check, examDays.Check, draws.Check, drawPopulations.Check, inspections.Check, applications.Check, caseRecords.Check, publications.Check, creditEvents.Check, creditSums.Check, creditReviews.Check, stars.Check, taskLists.Check, taskEntries.Check, integrityFiles.Check, examinerCards.Check, examinerTies.Check, arrangements.Check, arrangementsPast.Check, supervisionReports.Check, massChanges.Check, correctionRequests.Check, pastRuns.Check, pastPages.Check, nationalUploads.Check, nationalFiles.Check, nationalRows.Check, publishedStatuses.Check, leases.Check, askedRecords.Check, signIns.Check, sessionPhotos.Check, blankRuns.Check, blankStocks.Check, blankUses.Check, blankApplications.Check, destructions.Check, stocktakings.Check, prints.Check, printed.Check, printJobs.Check, handouts.Check, claimBatches.Check, claimBatchPages.Check, collisions.Check, merges.Check, personsMerged.Check, reliances.Check, relianceDues.Check, relianceReaders.Check, storedWebhooks.Check, deliveries.Check, backups.Check,
	} {
		if err := table(c.rd, c.say); err != nil {
			return err
		}
	}
	return nil
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

func (c *check) certificates() error {
	mass := massSeen{}
	err := eachRecord(c.rd, certificates, func(cert Certificate) error {
		c.report.Certificates++
		mass.count(cert)
		if len(cert.Changes) > 0 && statusAfter(cert.Changes) != cert.Status {
			c.problem("certificate %s is %s, its changes lead to %s", cert.Number, cert.Status, statusAfter(cert.Changes))
		}
		if err := c.versions(cert); err != nil {
			return err
		}
		if cert.Origin == OriginImported && (cert.Entitlement != nil || cert.Import == "" || cert.Batch != "") {
			c.problem("certificate %s is imported and says that it was entitled, issued here, or brought by no import", cert.Number)
		}
		if cert.Origin != OriginHere {
			return nil
		}
		return c.lawful(cert)
	})
	if err != nil {
		return err
	}
	return c.massChanges(mass)
}

// versions: 1 to cert.Versions are there and none above but one that a reissue
// has begun, each with its bits.
func (c *check) versions(cert Certificate) error {
	rng := kv.Prefix(kv.Key(cert.Number))
	rng.Limit = kv.MaxScan
	vs, _, err := versions.Scan(c.rd, rng)
	if err != nil {
		return err
	}
	if n := len(vs); n == cert.Versions+1 && !vs[n-1].Signed {
		vs = vs[:n-1] // begun by a reissue that has not ended
	}
	c.report.Versions += len(vs)
	if len(vs) != cert.Versions {
		c.problem("certificate %s says it has %d versions and has %d", cert.Number, cert.Versions, len(vs))
	}
	for i, v := range vs {
		if v.N != i+1 {
			c.problem("certificate %s: version %d stands in place of %d", cert.Number, v.N, i+1)
		}
		if v.Handle == "" {
			continue
		}
		for purpose, want := range statusBits(cert, v.N) {
			list, index := int(v.Status/credentials.StatusListBits), int(v.Status%credentials.StatusListBits)
			bit, err := c.rd.Get(tableStatusBits, statusKey(purpose, list, index))
			if err != nil {
				return err
			}
			if (bit != nil) != want {
				c.problem("certificate %s version %d: its %s bit is %t and should be %t", cert.Number, v.N, purpose, bit != nil, want)
			}
		}
	}
	return nil
}

// strayBits: every set bit belongs to a version.
func (c *check) strayBits() error {
	for rng := (kv.Range{Limit: pageMax}); ; {
		entries, err := c.rd.Scan(tableStatusBits, rng)
		if err != nil {
			return err
		}
		for _, e := range entries {
			parts, err := kv.ParseKey(e.Key)
			if err != nil || len(parts) != 3 {
				c.problem("status bit %x has no key of purpose, list, index", e.Key)
				continue
			}
			list, ok1 := parts[1].(uint64)
			index, ok2 := parts[2].(uint64)
			_, known, err := versions.Lookup(c.rd, indexVersionsByStatusIndex, kv.Key(list*credentials.StatusListBits+index))
			if err != nil {
				return err
			}
			if !ok1 || !ok2 || !known {
				c.problem("status bit %v belongs to no version", parts)
			}
		}
		if len(entries) < rng.Limit {
			return nil
		}
		rng.From = append(entries[len(entries)-1].Key, 0)
	}
}

// lawful is invariant 2 for one certificate issued here.
func (c *check) lawful(cert Certificate) error {
	b, ok, err := batches.Get(c.rd, kv.Key(cert.Batch))
	if err != nil {
		return err
	}
	if !ok {
		c.problem("certificate %s has no batch", cert.Number)
		return nil
	}
	if b.State != BatchPublished {
		return nil // not public; it may not be whole
	}
	s, ok, err := sessions.Get(c.rd, kv.Key(cert.Session))
	if err != nil {
		return err
	}
	if !ok || s.Results == nil || s.Publicity == nil || s.Batch != b.ID && !slices.Contains(s.Earlier, b.ID) || b.Published == nil {
		c.problem("certificate %s: its session %s was not planned, held, publicised and issued", cert.Number, cert.Session)
		return nil
	}
	v, ok, err := versions.Get(c.rd, versionKey(cert.Number, 1))
	if err != nil {
		return err
	}
	switch {
	case !ok || !v.Signed:
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

// sealed opens every sealed block.
func (c *check) sealed() error {
	for rng := (kv.Range{Limit: pageMax}); ; {
		entries, err := c.rd.Scan(tableSealed, rng)
		if err != nil {
			return err
		}
		for _, e := range entries {
			place, err := parseSealedPlace(e.Key)
			if err != nil {
				c.problem("sealed block: %v", err)
				continue
			}
			plain, err := c.r.vault.openBytes(place, e.Value)
			if err != nil {
				c.problem("%v", err)
				continue
			}
			if err := c.paperPhoto(place, plain); err != nil {
				return err
			}
		}
		if len(entries) < rng.Limit {
			return nil
		}
		rng.From = append(entries[len(entries)-1].Key, 0)
	}
}

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

func (c *check) log() error {
	head, err := auditlog.ReadHead(c.rd)
	if err != nil {
		return err
	}
	c.report.Events = head.Size
	return auditlog.Check(c.rd, c.say)
}

func (c *check) claims() error {
	if err := checkLaws(c.rd, c.say); err != nil {
		return err
	}
	n, err := c.r.checkClaims(c.rd, c.say)
	c.report.Claims = n
	return err
}
