package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/standards"
)

// Bucket is what became of one row of a file of the past. Every row ends in
// exactly one.
//
//	imported       it was not in the register and is now
//	already_there  it is in the register with the same content
//	collision      its number or its filing is in the register with other content; nothing was overwritten
//	refused        it cannot be taken; the faults say what would be right
type Bucket string

// The buckets.
const (
	BucketImported  Bucket = "imported"
	BucketThere     Bucket = "already_there"
	BucketCollision Bucket = "collision"
	BucketRefused   Bucket = "refused"
)

// PastKind is what a file of the past has in it.
type PastKind string

// The kinds of files.
const (
	PastInstitutions PastKind = "institutions"
	PastCertificates PastKind = "certificates"
)

// PastFile is a file of what was before the register.
type PastFile struct {
	File io.ReadSeeker
	// DryRun judges every row and stores nothing.
	DryRun bool
	// Finding, when not nil, hears of every row that collided, was refused or is
	// flagged, in the order of the file. Its error ends the import.
	Finding func(Finding) error
	// Progress, when not nil, sees how many rows are judged.
	Progress func(done, total int)
}

func (f PastFile) find(all []Finding) error {
	for _, x := range all {
		if f.Finding == nil {
			return nil
		}
		if err := f.Finding(x); err != nil {
			return err
		}
	}
	return nil
}

func (f PastFile) progress(done, total int) {
	if f.Progress != nil {
		f.Progress(done, total)
	}
}

// Finding is what is to be said about one row. It has no personal data: a number
// that contains an identity number is masked.
type Finding struct {
	Row    int    `json:"row"` // as a spreadsheet counts
	Bucket Bucket `json:"bucket"`
	Number string `json:"number,omitempty"` // of the row, or the first 13 characters for a filing
	// Other is the number it is compared with, when that is another; OtherRow its
	// row when it stands in the same file.
	Other    string       `json:"other,omitempty"`
	OtherRow int          `json:"other_row,omitempty"`
	Faults   []fail.Field `json:"faults"` // column, code, and what would be right or what differs
}

// Counts is how many rows ended in each bucket. Flagged rows are imported or
// already there and have a finding nevertheless.
type Counts struct {
	Imported     int `json:"imported"`
	AlreadyThere int `json:"already_there"`
	Collisions   int `json:"collisions"`
	Refused      int `json:"refused"`
	Flagged      int `json:"flagged"`
}

func (c *Counts) add(b Bucket, flagged bool) {
	switch b {
	case BucketImported:
		c.Imported++
	case BucketThere:
		c.AlreadyThere++
	case BucketCollision:
		c.Collisions++
	case BucketRefused:
		c.Refused++
	}
	if flagged && (b == BucketImported || b == BucketThere) {
		c.Flagged++
	}
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Imported + d.Imported, c.AlreadyThere + d.AlreadyThere, c.Collisions + d.Collisions, c.Refused + d.Refused, c.Flagged + d.Flagged}
}

// Rows is how many rows the buckets hold together.
func (c Counts) Rows() int { return c.Imported + c.AlreadyThere + c.Collisions + c.Refused }

// PastReport is what became of a file. When it has ended, Rows is the sum of the
// buckets.
type PastReport struct {
	ID     string   `json:"id,omitempty"` // of the import; none in a dry run
	Kind   PastKind `json:"kind"`
	SHA256 string   `json:"sha256"`
	DryRun bool     `json:"dry_run"`
	Run    int      `json:"run"`     // how many times this file was begun, this one included
	Resume int      `json:"resumed"` // rows done before this call went on with the same run
	Rows   int      `json:"rows"`    // of the file, with content, without the header
	Counts
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"` // none: it was interrupted and can be continued
}

// Balanced reports whether every row of the file ended in one bucket.
func (p PastReport) Balanced() bool { return p.Counts.Rows() == p.Rows }

// PastRun is the stored state of one file's import: the cursor from which the
// same file goes on.
type PastRun struct {
	ID   string   `json:"id"`
	Kind PastKind `json:"kind"`
	Run  int      `json:"run"`
	Rows int      `json:"rows"`
	Done int      `json:"done"` // rows of the file that are in Counts
	Counts
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	By      string     `json:"by"` // account id
}

// PastPage are the findings of one page of an import, kept so that a run that
// was interrupted can report its whole file. Pages without findings are not kept.
type PastPage struct {
	Import   string    `json:"import"`
	Run      int       `json:"run"`
	First    int       `json:"first"` // of its rows, from 1
	Findings []Finding `json:"findings"`
}

// pastID names the import of a file. It is a keyed hash, because the file has
// personal data in it and the id stands in the log.
func (r *Registry) pastID(kind PastKind, sum [32]byte) string {
	return "im-" + base32id(r.vault.fingerprint("import "+string(kind), sum[:])[:10])
}

// mayImport: the past is taken over for the whole register, by its operator or
// the authority that governs all of it.
func (r *Registry) mayImport(by Actor) error {
	return may(by, ImportPast, Object{Region: r.cfg.Region})
}

// beginPast starts a run, or finds the one that was interrupted.
func (r *Registry) beginPast(ctx context.Context, by Actor, kind PastKind, sum [32]byte, rows int) (PastRun, error) {
	id := r.pastID(kind, sum)
	var out PastRun
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = PastRun{}
		if err := r.mayImport(by); err != nil {
			return err
		}
		run, there, err := pastRuns.Get(tx, kv.Key(id))
		if err != nil {
			return err
		}
		if !there || run.Ended != nil || run.Rows != rows {
			run = PastRun{ID: id, Kind: kind, Run: run.Run + 1, Rows: rows, Started: tx.Now(), By: by.Account}
			if err := pastRuns.Put(tx, run); err != nil {
				return err
			}
		}
		out = run
		return nil
	})
	return out, err
}

// advancePast moves the cursor of a run behind a page, in the page's own Update.
func advancePast(tx kv.Tx, seen PastRun, rows int, counts Counts, findings []Finding) (PastRun, error) {
	run, there, err := pastRuns.Get(tx, kv.Key(seen.ID))
	if err != nil {
		return run, err
	}
	if !there || run.Run != seen.Run || run.Done != seen.Done {
		return run, fail.New(fail.Conflict, "import_moved", "another process imports the same file; this one stopped, and nothing was done twice").
			In("另一进程正在导入同一文件；本次已停止，没有重复导入")
	}
	if len(findings) > 0 {
		if err := pastPages.Put(tx, PastPage{Import: run.ID, Run: run.Run, First: run.Done + 1, Findings: findings}); err != nil {
			return run, err
		}
	}
	run.Done, run.Counts = run.Done+rows, run.Counts.plus(counts)
	return run, pastRuns.Put(tx, run)
}

// endPast closes a run. What it did is one entry of the log; a run that did
// nothing new leaves none.
func (r *Registry) endPast(ctx context.Context, by Actor, seen PastRun) (PastRun, error) {
	var out PastRun
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = PastRun{}
		run, there, err := pastRuns.Get(tx, kv.Key(seen.ID))
		if err != nil {
			return err
		}
		if !there || run.Run != seen.Run || run.Done != run.Rows {
			return fail.New(fail.Conflict, "import_moved", "another process imports the same file").In("另一进程正在导入同一文件")
		}
		now := tx.Now()
		run.Ended = &now
		if run.Imported > 0 || run.Run == 1 {
			if _, err := r.appendEvent(tx, by, Event{Kind: PastImportEnded, Object: run.ID,
				Detail: map[string]any{"kind": run.Kind, "run": run.Run, "rows": run.Rows, "counts": run.Counts}}); err != nil {
				return err
			}
		}
		out = run
		return pastRuns.Put(tx, run)
	})
	return out, err
}

// replayPast tells the findings of the pages that an earlier call of the same
// run stored.
func (r *Registry) replayPast(ctx context.Context, run PastRun, in PastFile) error {
	rng := kv.Prefix(kv.Key(run.ID, uint64(run.Run)))
	for rng.Limit = 16; ; {
		var page []PastPage
		var next []byte
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			page, next, err = pastPages.Scan(rd, rng)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page {
			if err := in.find(p.Findings); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		rng.From = next
	}
}

func (run PastRun) report(sum [32]byte, resumed int) PastReport {
	return PastReport{ID: run.ID, Kind: run.Kind, SHA256: hex.EncodeToString(sum[:]), Run: run.Run, Resume: resumed, Rows: run.Rows,
		Counts: run.Counts, Started: run.Started, Ended: run.Ended}
}

// pastNames finds occupations by the names that files of the past write: those
// of the catalogue and of the imported classification.
type pastNames struct {
	byCode map[string]standards.Occupation
	byName map[string][]string // normalised name → codes
}

func nameForm(s string) string { return standards.NormaliseName(s) }

func newPastNames(lists ...[]standards.Occupation) pastNames {
	n := pastNames{byCode: map[string]standards.Occupation{}, byName: map[string][]string{}}
	for _, list := range lists {
		for _, o := range list {
			if _, twice := n.byCode[o.Code]; twice {
				continue // the catalogue comes first and knows more
			}
			n.byCode[o.Code] = o
			n.byName[nameForm(o.Name)] = append(n.byName[nameForm(o.Name)], o.Code)
		}
	}
	return n
}

func (r *Registry) pastNames(ctx context.Context) (pastNames, error) {
	var all []standards.Occupation
	for page := (Page{Limit: pageMax}); ; {
		list, next, err := r.Occupations(ctx, page)
		if err != nil {
			return pastNames{}, err
		}
		all = append(all, list...)
		if page.Cursor = next; next == "" {
			return newPastNames(r.starter.Occupations(), all), nil
		}
	}
}

// find resolves an occupation by its name, its code, or both.
func (n pastNames) find(name, code string) (standards.Occupation, []fail.Field) {
	bad := func(column, id, zh, en string) (standards.Occupation, []fail.Field) {
		return standards.Occupation{}, []fail.Field{{Name: column, Code: id, ZH: zh, EN: en}}
	}
	if code == "" && name != "" {
		if c, err := standards.ParseOccupationCode(name); err == nil {
			name, code = "", c // a code in the place of the name
		}
	}
	codes := n.byName[nameForm(name)]
	if name == "" {
		codes = nil
	}
	if code != "" {
		c, err := standards.ParseOccupationCode(code)
		if err != nil {
			return bad("职业编码", fail.CodeOf(err), fail.Of(err).ZH, fail.Of(err).Text)
		}
		o, ok := n.byCode[c]
		switch {
		case !ok:
			return bad("职业编码", "occupation_unknown", "职业目录中没有该编码；请核对，或先用 occupations import 导入职业分类",
				"no occupation has this code; compare it, or import the classification first (occupations import)")
		case len(codes) > 0 && nameForm(o.Name) != nameForm(name):
			return bad("职业编码", "occupation_conflict", fmt.Sprintf("职业编码 %s 为“%s”，与职业名称不符", c, o.Name), fmt.Sprintf("the code %s is that of %s, not of the name beside it", c, o.Name))
		}
		return o, nil
	}
	switch {
	case name == "":
		return bad("职业名称", "occupation_missing", "请填写职业名称", "the occupation is missing")
	case len(codes) == 0:
		return bad("职业名称", "occupation_unknown", "职业目录中没有该名称；旧名称请另加“职业编码”列写明现行编码，或先用 occupations import 导入职业分类",
			"no occupation has this name; for an old name add a column 职业编码 with its present code, or import the classification first (occupations import)")
	case len(codes) > 1:
		return bad("职业名称", "occupation_ambiguous", fmt.Sprintf("有 %d 个职业同名，请另加“职业编码”列写明编码", len(codes)),
			fmt.Sprintf("%d occupations have this name; add a column 职业编码 with the code", len(codes)))
	}
	return n.byCode[codes[0]], nil
}

// openPast begins to read the file of an import, from its beginning.
func (f PastFile) openPast(columns []sheet.Column) (*sheet.Stream, error) {
	if _, err := f.File.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	return sheet.OpenStream(f.File, sheet.Limits{Columns: 64, Cell: 1000}, columns)
}

// countPast reads the whole file once: its hash, and how many rows it has. each,
// when not nil, sees every row.
func (f PastFile) countPast(ctx context.Context, columns []sheet.Column, each func(sheet.Row, []fail.Field)) (sum [32]byte, rows int, err error) {
	s, err := f.openPast(columns)
	if err != nil {
		return sum, 0, err
	}
	for {
		row, faults, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, 0, err
		}
		if rows++; rows%bulkPage == 0 && ctx.Err() != nil {
			return sum, 0, ctx.Err()
		}
		if each != nil {
			each(row, faults)
		}
	}
	if rows == 0 {
		return sum, 0, fail.New(fail.Invalid, "import_empty", "the file has a header and no rows").In("文件只有表头，没有数据行")
	}
	return s.SHA256, rows, nil
}

// pastRowsIn reads the rows of a file behind skip and gives them to fn in pages.
// sum is the hash that the file had when it was counted.
func pastRowsIn[T any](ctx context.Context, f PastFile, columns []sheet.Column, sum [32]byte, skip int, read func(sheet.Row, []fail.Field) T, fn func([]T) error) error {
	s, err := f.openPast(columns)
	if err != nil {
		return err
	}
	if s.SHA256 != sum {
		return fail.New(fail.Conflict, "file_changed", "the file was changed while it was read").In("读取期间文件被改动，请重试")
	}
	var page []T
	for n := 0; ; n++ {
		row, faults, err := s.Next()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if !end && n >= skip {
			page = append(page, read(row, faults))
		}
		if len(page) == bulkPage || end && len(page) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(page); err != nil {
				return err
			}
			page = nil
		}
		if end {
			return nil
		}
	}
}
