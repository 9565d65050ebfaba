package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// printPage is how many certificates one Update of a print job looks at.
const printPage = 200

// PrintJob is the printing of the certificates of a session, or of some of them.
// It gives each its blank, in the order of the codes, and records the print; the
// document is made from what is recorded (see PrintItems).
type PrintJob struct {
	ID          string `json:"id"`
	Session     string `json:"session"`
	Institution string `json:"institution"`
	Region      string `json:"region"`
	// Numbers are the certificates; all of the session when empty, of which those
	// that have a print of their newest version that stands are passed over.
	Numbers []string `json:"numbers,omitempty"`
	// Plain prints on paper without codes.
	Plain  bool   `json:"plain,omitempty"`
	Reason string `json:"reason,omitempty"` // of reprints

	State   blanks.JobState `json:"state"`
	Total   int             `json:"total"`   // certificates to look at
	Seen    int             `json:"seen"`    // of them looked at
	Done    int             `json:"done"`    // of them printed
	Skipped int             `json:"skipped"` // not due, or not valid
	// Lacking says, while it waits, that there is no blank left.
	Lacking bool   `json:"lacking,omitempty"`
	Cursor  string `json:"cursor,omitempty"`

	By       string    `json:"by"` // account
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	LogIndex uint64    `json:"log_index"` // of its newest entry
}

// NewPrintJob is what a print job needs. Numbers, at most 200, need a Reason where
// one of them has been printed.
type NewPrintJob struct {
	Numbers []string `json:"numbers,omitempty"`
	Plain   bool     `json:"plain,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// PrintItem is one certificate of a print job: what the document is made from.
type PrintItem struct {
	Place   int          `json:"place"` // from 1, in the order of the document
	Number  string       `json:"number"`
	Version int          `json:"version"`
	Code    *blanks.Code `json:"code,omitempty"`
	Kind    string       `json:"kind"`
	Spoiled bool         `json:"spoiled,omitempty"`
}

// StartPrintJob begins to print the certificates of a session. RunPrintJob does the
// work. Errors: Conflict not_issued, blank_needed; Invalid print_job.
func (r *Registry) StartPrintJob(ctx context.Context, by Actor, session string, in NewPrintJob) (PrintJob, error) {
	numbers, err := r.printNumbers(in)
	if err != nil {
		return PrintJob{}, err
	}
	id := r.rand.id("pj")
	var out PrintJob
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = PrintJob{}
		s, err := sessionFor(tx, by, RecordPrints, session)
		if err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, printJobs, kv.Key(earlier), "print job", "打印任务", earlier)
			}
			return err
		}
		if s.State != SessionIssued {
			return fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", s.ID).In("批次 %s 尚未发证", s.ID)
		}
		if in.Plain {
			if err := r.mayPrintPlain(tx, s.Institution, tx.Now()); err != nil {
				return err
			}
		}
		j := PrintJob{ID: id, Session: s.ID, Institution: s.Institution, Region: s.Region, Numbers: numbers, Plain: in.Plain, Reason: strings.TrimSpace(in.Reason),
			State: blanks.JobRunning, By: by.Account, Started: tx.Now()}
		if j.Total, err = j.count(tx, s); err != nil {
			return err
		}
		if out, err = r.putPrintJob(tx, by, j); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return PrintJob{}, fmt.Errorf("print session %s: %w", session, err)
	}
	return out, nil
}

func (r *Registry) printNumbers(in NewPrintJob) (out []string, err error) {
	bad := impersonal("reason", in.Reason)
	if len([]rune(in.Reason)) > blanks.TextMost {
		bad = append(bad, fail.Field{Name: "reason", Code: "length", ZH: fmt.Sprintf("不超过 %d 字", blanks.TextMost), EN: fmt.Sprintf("at most %d characters", blanks.TextMost)})
	}
	if len(in.Numbers) > printPage {
		bad = append(bad, fail.Field{Name: "numbers", Code: "length", ZH: fmt.Sprintf("一次不超过 %d 份", printPage), EN: fmt.Sprintf("at most %d at a time", printPage)})
	}
	for i, number := range in.Numbers {
		key, err := r.numberKey(number)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, key) {
			bad = append(bad, fail.Field{Name: fmt.Sprintf("numbers[%d]", i), Code: "twice", ZH: "重复", EN: "twice there"})
		}
		out = append(out, key)
	}
	if len(bad) > 0 {
		return nil, fail.New(fail.Invalid, "print_job", "the print job cannot be taken").In("打印任务填写有误").At(bad...)
	}
	return out, nil
}

// count is how many certificates a job looks at. Named ones are held against its
// session, and against the reason that a reprint needs, before anything is done.
func (j PrintJob) count(rd kv.Reader, s Session) (n int, err error) {
	if len(j.Numbers) == 0 {
		for _, id := range s.publicBatches() {
			b, err := need(rd, batches, kv.Key(id), "batch", "发证批次", id)
			if err != nil {
				return 0, err
			}
			n += b.Total
		}
		return n, nil
	}
	page, err := j.named(rd)
	if err != nil {
		return 0, err
	}
	var bad []fail.Field
	wrong := func(i int, err error) {
		e := fail.Of(err)
		bad = append(bad, fail.Field{Name: fmt.Sprintf("numbers[%d]", i), Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	sums, err := printsOf(rd, page)
	if err != nil {
		return 0, err
	}
	for i, c := range page {
		if c.Session != s.ID || !slices.Contains(s.publicBatches(), c.Batch) { // the number of an aborted batch is nobody's
			wrong(i, fail.New(fail.Invalid, "other_session", "it is no certificate of this session").In("不是本批次的证书"))
			continue
		}
		if err := c.mayBePrinted(); err != nil {
			wrong(i, err)
		} else if _, _, err := sums[i].Next(c.Versions, j.Reason); err != nil {
			wrong(i, err)
		}
	}
	if len(bad) > 0 {
		return 0, fail.New(fail.Invalid, "print_job", "%d of %d certificates cannot be printed", len(bad), len(page)).In("%d 份证书中有 %d 份不能打印", len(page), len(bad)).At(bad...)
	}
	return len(page), nil
}

func (j PrintJob) named(rd kv.Reader) ([]Certificate, error) {
	keys := make([][]byte, len(j.Numbers))
	for i, number := range j.Numbers {
		keys[i] = kv.Key(number)
	}
	found, there, err := certificates.GetMany(rd, keys)
	for i := range found {
		if err == nil && !there[i] {
			found[i] = Certificate{Number: j.Numbers[i]} // of no session
		}
	}
	return found, err
}

func printsOf(rd kv.Reader, page []Certificate) ([]blanks.Prints, error) {
	keys := make([][]byte, len(page))
	for i, c := range page {
		keys[i] = kv.Key(c.Number)
	}
	out, _, err := printed.GetMany(rd, keys)
	return out, err
}

func (r *Registry) putPrintJob(tx kv.Tx, by Actor, j PrintJob) (_ PrintJob, err error) {
	if j.LogIndex, err = r.appendEvent(tx, by, Event{Kind: PrintJobMoved, Object: j.ID, Institution: j.Institution, Detail: map[string]any{
		"session": j.Session, "state": j.State, "total": j.Total, "done": j.Done, "skipped": j.Skipped, "numbers": j.Numbers, "plain": j.Plain, "reason": j.Reason}}); err != nil {
		return j, err
	}
	return j, printJobs.Put(tx, j)
}

// RunPrintJob does what is left of a print job, page by page, until it is done or
// waits for blanks. Called again, here or in another process, it goes on where the
// last page ended; a job that waits looks for blanks again. progress, when not nil,
// sees it after each page.
func (r *Registry) RunPrintJob(ctx context.Context, by Actor, id string, progress func(PrintJob)) (PrintJob, error) {
	by.Idempotency = Idempotency{}
	var j PrintJob
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		j, err = printJobFor(rd, by, RecordPrints, id)
		return err
	})
	if err == nil {
		j, err = r.runPrintJob(ctx, by, j, progress)
	}
	if err != nil {
		return j, fmt.Errorf("print job %s: %w", id, err)
	}
	return j, nil
}

func printJobFor(rd kv.Reader, by Actor, do Action, id string) (PrintJob, error) {
	if len(by.Roles) == 0 {
		return PrintJob{}, may(by, do, Object{})
	}
	j, err := need(rd, printJobs, kv.Key(id), "print job", "打印任务", id)
	if err != nil {
		return j, err
	}
	return j, may(by, do, Object{Institution: j.Institution, Region: j.Region})
}

func (r *Registry) runPrintJob(ctx context.Context, by Actor, j PrintJob, progress func(PrintJob)) (PrintJob, error) {
	for again := true; again && !j.State.Ended(); {
		if err := ctx.Err(); err != nil {
			return j, err
		}
		next, err := r.printJobStep(ctx, by, j.ID)
		if err != nil {
			return j, err
		}
		j = next
		again = j.State != blanks.JobWaiting
		if progress != nil {
			progress(j)
		}
	}
	return j, nil
}

// ResumePrintJobs goes on with the print jobs that a crash has interrupted. It is
// called when a process starts, like ResumeBatches; one that waits for blanks is
// left to its institution.
func (r *Registry) ResumePrintJobs(ctx context.Context) error {
	var open []PrintJob
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		open, _, err = printJobs.ScanIndex(rd, indexPrintJobsWorking, kv.Range{Limit: bulkPage})
		return err
	})
	if err != nil {
		return err
	}
	for _, j := range open {
		if _, err := r.runPrintJob(ctx, Actor{Account: j.By, Via: "resume"}, j, nil); err != nil {
			r.log.Warn("print job not resumed", "job", j.ID, "error", err)
		}
	}
	return ctx.Err()
}

// printJobStep does the next page in one Update, from where the stored job stands.
// Durable afterwards: prints, blanks, the entry of the log and the cursor, all
// together.
func (r *Registry) printJobStep(ctx context.Context, by Actor, id string) (PrintJob, error) {
	var out PrintJob
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = PrintJob{}
		j, err := need(tx, printJobs, kv.Key(id), "print job", "打印任务", id)
		if err != nil {
			return err
		}
		if j.State.Ended() {
			out = j
			return nil
		}
		before := j.State
		page, err := j.page(tx)
		if err != nil {
			return err
		}
		if j, err = r.printJobPage(tx, by, j, page); err != nil {
			return err
		}
		act := blanks.JobPage
		switch {
		case page.lacking:
			act = blanks.JobLack
		case page.next == "":
			act, j.Ended = blanks.JobFinish, tx.Now()
		}
		if j.Lacking = page.lacking; !j.Lacking {
			j.Cursor = page.next
		}
		if j.State, err = blanks.NextJob(j.State, act); err != nil {
			return err
		}
		if j.State != before {
			out, err = r.putPrintJob(tx, by, j)
			return err
		}
		out = j
		return printJobs.Put(tx, j)
	})
	return out, err
}

// jobPage is what a print job does next.
type jobPage struct {
	certs   []Certificate
	sums    []blanks.Prints // of certs
	codes   []blanks.Code   // one for each that is due
	next    string          // cursor of the page after it; none at the end
	lacking bool            // the first that is due has no blank
}

// page reads the certificates that come next, and the blanks for those that are
// due. Where the blanks do not suffice it ends before the first that has none.
func (j PrintJob) page(tx kv.Tx) (p jobPage, err error) {
	s, err := need(tx, sessions, kv.Key(j.Session), "session", "认定批次", j.Session)
	if err != nil {
		return p, err
	}
	read := func(limit int) error {
		if len(j.Numbers) > 0 {
			p.certs, p.next, err = j.namedPage(tx, limit)
		} else {
			p.certs, p.next, err = issuedPage(tx, s, Page{Cursor: j.Cursor, Limit: limit})
		}
		if err == nil {
			p.sums, err = printsOf(tx, p.certs)
		}
		return err
	}
	if err := read(printPage); err != nil || j.Plain {
		return p, err
	}
	var due []int
	for i, c := range p.certs {
		if j.due(c, p.sums[i]) {
			due = append(due, i)
		}
	}
	ranges, err := someOf(tx, indexRunsBySession, j.Session, blanks.Taken, len(due))
	if err != nil {
		return p, err
	}
	for _, one := range ranges {
		for code := one.First; code.Number <= one.Last.Number; code.Number++ {
			p.codes = append(p.codes, code)
		}
	}
	switch n := len(p.codes); {
	case n == len(due):
		return p, nil
	case due[n] > 0:
		return p, read(due[n])
	}
	return jobPage{lacking: true}, nil
}

// namedPage is the named certificates from the cursor on, which counts them.
func (j PrintJob) namedPage(rd kv.Reader, limit int) (page []Certificate, next string, err error) {
	from := 0
	if j.Cursor != "" {
		if _, err := fmt.Sscan(j.Cursor, &from); err != nil {
			return nil, "", fmt.Errorf("cursor of print job %s: %w", j.ID, err)
		}
	}
	all, err := j.named(rd)
	if err != nil {
		return nil, "", err
	}
	until := min(from+limit, len(all))
	if until < len(all) {
		next = fmt.Sprint(until)
	}
	return all[from:until], next, nil
}

// due reports whether a job prints a certificate: one that is valid and, unless it
// is named with a reason, has no print of its newest version that stands. Another
// job may have printed it since this one began.
func (j PrintJob) due(c Certificate, sum blanks.Prints) bool {
	return c.mayBePrinted() == nil && (len(j.Numbers) > 0 && j.Reason != "" || sum.Due(c.Versions))
}

// printJobPage records the prints of one page.
func (r *Registry) printJobPage(tx kv.Tx, by Actor, j PrintJob, page jobPage) (PrintJob, error) {
	var made []blanks.Printing
	var after []blanks.Prints
	var said []map[string]any
	for i, c := range page.certs {
		j.Seen++
		if !j.due(c, page.sums[i]) {
			j.Skipped++
			continue
		}
		sum, kind, err := page.sums[i].Next(c.Versions, j.Reason)
		if err != nil {
			return j, err
		}
		sum.Number = c.Number
		j.Done++
		p := blanks.Printing{Number: c.Number, N: sum.N, Version: c.Versions, Kind: kind, Session: c.Session, Job: j.ID, Place: j.Done, By: by.Account, At: tx.Now()}
		if kind == blanks.Reprint {
			p.Reason = j.Reason
		}
		if !j.Plain {
			p.Code = &page.codes[len(made)]
		}
		made, after = append(made, p), append(after, sum)
		said = append(said, map[string]any{"number": p.Number, "version": p.Version, "n": p.N, "code": p.Code, "kind": p.Kind})
	}
	if len(made) == 0 {
		return j, nil
	}
	if err := moveCodes(tx, j, page.codes); err != nil {
		return j, err
	}
	if _, err := r.appendEvent(tx, by, Event{Kind: PrintsRecorded, Object: j.ID, Institution: j.Institution, Detail: map[string]any{"prints": said, "reason": j.Reason}}); err != nil {
		return j, err
	}
	if err := prints.PutMany(tx, made); err != nil {
		return j, err
	}
	return j, printed.PutMany(tx, after)
}

// moveCodes marks blanks as printed, stretch by stretch.
func moveCodes(tx kv.Tx, j PrintJob, codes []blanks.Code) error {
	for i := 0; i < len(codes); {
		one := blanks.One(codes[i])
		for i++; i < len(codes) && codes[i].Prefix == one.Last.Prefix && codes[i].Digits == one.Last.Digits && codes[i].Number == one.Last.Number+1; i++ {
			one.Last = codes[i]
		}
		if _, err := moveBlanks(tx, blanks.Move{Act: blanks.Print, Range: one, Institution: j.Institution, Session: j.Session}); err != nil {
			return err
		}
	}
	return nil
}

// CancelPrintJob ends a print job where it stands. What was printed stays so.
func (r *Registry) CancelPrintJob(ctx context.Context, by Actor, id string) (PrintJob, error) {
	var out PrintJob
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = PrintJob{}
		j, err := printJobFor(tx, by, RecordPrints, id)
		if err != nil {
			return err
		}
		if j.State, err = blanks.NextJob(j.State, blanks.JobCancel); err != nil {
			return err
		}
		j.Ended = tx.Now()
		out, err = r.putPrintJob(tx, by, j)
		return err
	})
	if err != nil {
		return PrintJob{}, fmt.Errorf("cancel print job: %w", err)
	}
	return out, nil
}

// PrintJobByID shows a print job to its institution, the authority and auditors.
func (r *Registry) PrintJobByID(ctx context.Context, by Actor, id string) (out PrintJob, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		out, err = printJobFor(rd, by, ReadCertificate, id)
		return err
	})
	return out, err
}

// PrintJobs is one page of the print jobs of a session, the newest first.
func (r *Registry) PrintJobs(ctx context.Context, by Actor, session string, page Page) (out []PrintJob, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		s, err := sessionFor(rd, by, ReadCertificate, session)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(s.ID))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, printJobs, indexPrintJobsBySession, rng, page)
		return err
	})
	return out, next, err
}

// PrintItems is one page of what a print job has assigned so far, in the order of
// the document. It is what the document of the job is made from: each page of
// items is a part of it.
func (r *Registry) PrintItems(ctx context.Context, by Actor, id string, page Page) (out []PrintItem, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		j, err := printJobFor(rd, by, ReadCertificate, id)
		if err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, prints, indexPrintsByJob, kv.Prefix(kv.Key(j.ID)), page)
		for _, p := range found {
			out = append(out, PrintItem{Place: p.Place, Number: p.Number, Version: p.Version, Code: p.Code, Kind: string(p.Kind), Spoiled: p.Spoiled != nil})
		}
		next = cursor
		return err
	})
	return out, next, err
}
