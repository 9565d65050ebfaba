package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// A repair makes anew what follows from the records: the entries of every index,
// and the sums, counters and marks that a check compares with records. It changes no
// record of anything that happened, and it guesses nothing: where two records
// contradict each other it stops before it has written anything.
//
// It goes in stages of pages. What a page has changed, where the next one begins and
// how much was changed so far are committed together in the one record of the table
// repairs, so that a repair that died goes on where it stood. The last Update takes
// that record away and leaves one event in the audit log.

// repairRun is a repair under way.
type repairRun struct {
	ID     string                 `json:"id"`
	Began  time.Time              `json:"began"`
	Stage  string                 `json:"stage"`
	Cursor []byte                 `json:"cursor,omitempty"`
	Done   map[string]kv.Repaired `json:"done"` // by stage
}

// RepairReport is what a repair did.
type RepairReport struct {
	ID       string                 `json:"id,omitempty"`
	Resumed  bool                   `json:"resumed,omitempty"` // an earlier one that had not ended
	Repaired map[string]kv.Repaired `json:"repaired"`          // by table or sum, those that were changed
	LogIndex uint64                 `json:"log_index"`         // of the event; 0 when nothing had to be changed
	Found    int                    `json:"found"`             // contradictions; nothing was changed then
	Problems []string               `json:"problems"`          // the first CheckMaxProblems
}

// repairStage is one kind of thing that is made anew.
type repairStage struct {
	name string
	// page does the next page in an Update; or
	page func(r *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error)
	// all does the whole stage from a snapshot, in Updates of its own. Repeated it
	// changes nothing.
	all func(*repairer) error
}

func repairStages() (stages []repairStage) {
	for _, table := range allRecords {
		if len(table.IndexTables()) > 0 {
			stages = append(stages, repairStage{name: string(table.RecordTable()), page: func(_ *Registry, tx kv.Tx, cursor []byte) ([]byte, kv.Repaired, error) {
				return table.RepairPage(tx, cursor)
			}})
		}
	}
	stages = append(stages, derivedStages...)
	return append(stages, liftCounters()...)
}

// DerivedTables are the tables that a repair makes anew, whatever became of them:
// nothing in them is not in a record elsewhere. Of counters and marks it corrects
// single ones.
func DerivedTables() (out []kv.Table) {
	for _, table := range allRecords {
		out = append(out, table.IndexTables()...)
	}
	return append(out, tableStatusBits, tableStatusLists, tableClaimTotals, tableFigureCells, tableFigureSums, tableFigureIssuers, tableFigurePeople,
		tableCreditSums, tablePrinted, tableBlankStock, tableBlankUses, tablePersonsMerged, tableExamDays, auditlog.TilesTable, auditlog.MiddlesTable)
}

// RepairIndexes makes anew everything that follows from the records; after it a check
// finds nothing that can be made anew. Only the operator beside the store may; other
// processes may go on meanwhile. progress, when not nil, hears which stage has come
// how far.
//
// Conflict contradictions: records contradict each other, or cannot be read; they
// are in the report and nothing was changed. Conflict repair_busy: another repair
// works, or died less than LeaseTime ago.
func (r *Registry) RepairIndexes(ctx context.Context, by Actor, progress func(CheckProgress)) (out RepairReport, err error) {
	out = RepairReport{Repaired: map[string]kv.Repaired{}, Problems: []string{}}
	if !by.has(RoleOperator) {
		return out, may(by, "repair the indexes", Object{})
	}
	held, err := r.Leased(ctx, "repair", func(ctx context.Context, l *Lease) error {
		// A stage may go through millions of records before it stores anything.
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		renewed := renewing(ctx, l, cancel)
		rep := &repairer{r: r, ctx: ctx, lease: l, by: by, out: &out, show: progress}
		err := rep.run()
		cancel(nil)
		if lost := <-renewed; lost != nil {
			return lost
		}
		return err
	})
	if err == nil && !held {
		err = fail.New(fail.Conflict, "repair_busy", "another repair is working, or died less than %s ago; try again after that", LeaseTime).
			In("另一次修复正在进行，或刚刚中断；请 %s 后再试", LeaseTime)
	}
	return out, err
}

type repairer struct {
	r       *Registry
	ctx     context.Context
	lease   *Lease
	by      Actor
	out     *RepairReport
	show    func(CheckProgress)
	state   repairRun
	stage   string
	entries int
	snap    *check // over the snapshot of the stages without pages
}

func (p *repairer) run() error {
	if err := p.begin(); err != nil {
		return err
	}
	if err := p.contradictions(); err != nil {
		return err
	}
	stages := repairStages()
	from := max(0, slices.IndexFunc(stages, func(s repairStage) bool { return s.name == p.state.Stage }))
	var release func()
	defer func() {
		if release != nil {
			release()
		}
	}()
	for i, s := range stages[from:] {
		p.stage, p.entries = s.name, 0
		p.progress(0)
		if i > 0 {
			p.state.Stage, p.state.Cursor = s.name, nil
		}
		if s.page != nil {
			if err := p.pages(s); err != nil {
				return fmt.Errorf("repair %s: %w", s.name, err)
			}
			continue
		}
		if release == nil {
			rd, free, err := p.r.db.Snapshot(p.ctx)
			if err != nil {
				return err
			}
			release = free
			p.snap = p.r.newCheck(p.ctx, rd, CheckOptions{}).quiet()
		}
		if err := s.all(p); err != nil {
			return fmt.Errorf("repair %s: %w", s.name, err)
		}
	}
	return p.end()
}

// begin takes up a repair that had not ended, or begins one.
func (p *repairer) begin() error {
	return p.r.db.View(p.ctx, func(rd kv.Reader) error {
		state, there, err := repairRuns.Get(rd, repairKey)
		if err != nil {
			return err
		}
		if p.state = state; !there {
			p.state = repairRun{ID: p.r.rand.id("r"), Began: p.r.cfg.Now().UTC(), Done: map[string]kv.Repaired{}}
		}
		p.out.ID, p.out.Resumed = p.state.ID, there
		return nil
	})
}

// contradictions refuses a store in which there is something to guess.
func (p *repairer) contradictions() error {
	rd, release, err := p.r.db.Snapshot(p.ctx)
	if err != nil {
		return err
	}
	defer release()
	rd = kv.Watch(p.ctx, rd, func(_ kv.Table, n int) { p.progress(n) })
	p.stage = "contradictions"
	for _, table := range allRecords {
		if err := p.lease.Renew(p.ctx); err != nil {
			return err
		}
		err := table.Contradictions(rd, func(problem string) {
			if p.out.Found++; len(p.out.Problems) < CheckMaxProblems {
				p.out.Problems = append(p.out.Problems, problem)
			}
		})
		if err != nil {
			return err
		}
	}
	if p.out.Found > 0 {
		return fail.New(fail.Conflict, "contradictions", "%d records contradict each other or cannot be read; nothing was changed: nobody can tell from the store which of them is right. Restore a backup", p.out.Found).
			In("有 %d 处记录互相矛盾或无法读取，未作任何修改：存储本身无法判断以谁为准，请用备份恢复", p.out.Found)
	}
	return nil
}

func (p *repairer) progress(n int) {
	p.entries += n
	if p.show != nil {
		p.show(CheckProgress{Part: p.stage, Done: p.entries})
	}
}

// pages does a stage page by page. A crash between two loses none.
func (p *repairer) pages(s repairStage) error {
	for {
		var next []byte
		err := p.update(func(tx kv.Tx) (done kv.Repaired, err error) {
			next, done, err = s.page(p.r, tx, p.state.Cursor)
			return done, err
		}, func(run *repairRun) { run.Cursor = next })
		if errors.Is(err, kv.ErrDuplicate) {
			return fail.New(fail.Conflict, "contradictions", "records contradict each other: %v", err).In("记录互相矛盾：%v", err)
		}
		if err != nil || next == nil {
			return err
		}
		p.progress(1)
	}
}

// update commits one page of a repair together with how far it has come; move says
// where the next page begins.
func (p *repairer) update(fn func(tx kv.Tx) (kv.Repaired, error), move func(*repairRun)) error {
	var state repairRun
	err := p.r.db.Bulk(p.ctx, func(tx kv.Tx) error {
		state = p.state
		if err := p.lease.Hold(tx); err != nil {
			return err
		}
		done, err := fn(tx)
		if err != nil {
			return err
		}
		state.Done = maps.Clone(p.state.Done)
		if sum := state.Done[p.stage].Plus(done); sum != (kv.Repaired{}) {
			state.Done[p.stage] = sum
		}
		if move != nil {
			move(&state)
		}
		return repairRuns.Put(tx, state)
	})
	if err == nil {
		p.state = state
	}
	return err
}

// end leaves an event that says what was repaired, unless there was nothing.
func (p *repairer) end() error {
	var index uint64
	err := p.r.db.Update(p.ctx, func(tx kv.Tx) error {
		index = 0
		if err := p.lease.Hold(tx); err != nil {
			return err
		}
		if err := repairRuns.Delete(tx, repairKey); err != nil || len(p.state.Done) == 0 {
			return err
		}
		var err error
		index, err = p.r.appendEvent(tx, p.by, Event{Kind: IndexesRepaired, Object: p.state.ID, Detail: map[string]any{"began": p.state.Began, "repaired": p.state.Done}})
		return err
	})
	if err == nil {
		p.out.Repaired, p.out.LogIndex = p.state.Done, index
	}
	return err
}
