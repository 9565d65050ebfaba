package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// maxEntering is how many institutions one request enters on a task list: for
// each its score and stars are read.
const maxEntering = 100

// maxListed is how many entries of one institution are read; more are refused.
const maxListed = 1000

// MakeTaskList records a selection of institutions to carry subsidised work
// 承接补贴任务名单 for a region; the institutions are entered after it.
func (r *Registry) MakeTaskList(ctx context.Context, by Actor, in credit.TaskList) (credit.TaskList, error) {
	if err := noIdentity("task_list_invalid", [2]string{"name", in.Name}, [2]string{"document", in.Document}, [2]string{"basis", in.Basis}); err != nil {
		return credit.TaskList{}, err
	}
	in.ID = r.rand.id("tl")
	var out credit.TaskList
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.TaskList{}
		if err := may(by, KeepTaskLists, Object{Region: in.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = taskListByID(tx, id)
			}
			return err
		}
		l, err := credit.NewList(r.cfg.Rules.Credit.Lists, in, tx.Now())
		if err != nil {
			return err
		}
		if err := taskLists.Put(tx, l); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: TaskListMade, Object: l.ID, Detail: l}); err != nil {
			return err
		}
		out = l
		return remember(tx, by, l.ID)
	})
	if err != nil {
		return credit.TaskList{}, fmt.Errorf("make task list: %w", err)
	}
	return out, nil
}

func taskListByID(rd kv.Reader, id string) (credit.TaskList, error) {
	return need(rd, taskLists, kv.Key(id), "task list", "承接补贴任务名单", id)
}

// EnterTaskList enters institutions on a list: all, or none with the reasons
// against each. Their band and stars are those of the day the entry begins, or of
// today when that day is to come.
func (r *Registry) EnterTaskList(ctx context.Context, by Actor, list string, in []credit.Entry) ([]credit.Entry, error) {
	if len(in) == 0 || len(in) > maxEntering {
		return nil, fail.New(fail.Invalid, "task_list_invalid", "1 to %d institutions are entered at a time", maxEntering).In("每次录入 1 至 %d 家机构", maxEntering)
	}
	var out []credit.Entry
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = nil
		l, err := taskListByID(tx, list)
		if err != nil {
			return err
		}
		if err := may(by, KeepTaskLists, Object{Region: l.Region}); err != nil {
			return err
		}
		if ids, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = entriesSince(tx, l.ID, ids)
			}
			return err
		}
		request := r.rand.id("te")
		var asked []credit.Candidacy
		for i, e := range in {
			c, err := r.candidacy(tx, l, e, i+1)
			if err != nil {
				return err
			}
			c.Entry.ID = fmt.Sprintf("%s-%03d", request, i+1)
			asked = append(asked, c)
		}
		entries, err := l.Enter(asked, tx.Now())
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := taskEntries.Put(tx, e); err != nil {
				return err
			}
			if _, err := r.appendEvent(tx, by, Event{Kind: TaskListEntered, Object: l.ID, Institution: e.Institution, Detail: e}); err != nil {
				return err
			}
		}
		l.Entries += len(entries)
		if err := taskLists.Put(tx, l); err != nil {
			return err
		}
		out = entries
		return remember(tx, by, request)
	})
	if err != nil {
		return nil, fmt.Errorf("enter task list %s: %w", list, err)
	}
	return out, nil
}

// entriesSince are the entries that one request made, by the id they share.
func entriesSince(rd kv.Reader, list, request string) ([]credit.Entry, error) {
	keys := make([][]byte, maxEntering)
	for i := range keys {
		keys[i] = kv.Key(fmt.Sprintf("%s-%03d", request, i+1))
	}
	primary, err := rd.GetMany(indexTaskEntriesByID, keys)
	if err != nil {
		return nil, err
	}
	primary = slices.DeleteFunc(primary, func(k []byte) bool { return k == nil })
	out, _, err := taskEntries.GetMany(rd, primary)
	return slices.DeleteFunc(out, func(e credit.Entry) bool { return e.List != list }), err
}

// candidacy is what the register knows of an institution that is to be entered.
func (r *Registry) candidacy(rd kv.Reader, l credit.TaskList, e credit.Entry, row int) (credit.Candidacy, error) {
	c := credit.Candidacy{Entry: credit.Entry{Institution: e.Institution, Occupations: e.Occupations, From: e.From, Until: e.Until}, Row: row}
	inst, ok, err := institutions.Get(rd, kv.Key(e.Institution))
	if err != nil || !ok {
		return c, err
	}
	c.Exists = true
	now, err := r.now(rd)
	if err != nil {
		return c, err
	}
	on := standards.DateOf(now)
	if from := e.From; from.Valid() && from < on {
		on = from
	} else if from == "" && l.From < on {
		on = l.From
	}
	score, err := r.scoreOn(rd, inst, on)
	if err != nil {
		return c, err
	}
	c.Band = score.Band.Code
	rating, rated, err := starsOf(rd, inst.ID, on, now)
	if err != nil {
		return c, err
	}
	if rated {
		c.StarsHad = rating.Stars
	}
	own, err := entriesOf(rd, inst.ID)
	if err != nil {
		return c, err
	}
	if len(own) >= maxListed {
		return c, fail.New(fail.Conflict, "task_list_full", "institution %s is on %d lists, as many as can be", inst.ID, len(own)).
			In("机构 %s 已列入 %d 份名单，达到上限", inst.ID, len(own))
	}
	c.Already = slices.ContainsFunc(own, func(o credit.Entry) bool { return o.List == l.ID && o.Removed == nil })
	return c, nil
}

func entriesOf(rd kv.Reader, institution string) ([]credit.Entry, error) {
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit = maxListed
	out, _, err := taskEntries.Scan(rd, rng)
	return out, err
}

// listed answers whether an institution was chosen to carry subsidised work: the
// entries that say so. Claims ask it with the occupation, the payer's region, the
// day of the exam and the time of the decision.
func (r *Registry) listed(rd kv.Reader, institution string, q credit.ListQuery) ([]credit.Entry, error) {
	own, err := entriesOf(rd, institution)
	if err != nil {
		return nil, err
	}
	return credit.Listed(own, q), nil
}

// RemoveFromTaskList takes an institution off a list from a day on.
func (r *Registry) RemoveFromTaskList(ctx context.Context, by Actor, list, entry string, in credit.Withdrawal) (credit.Entry, error) {
	if err := noIdentity("task_list_invalid", [2]string{"document", in.Document}, [2]string{"reason", in.Reason}); err != nil {
		return credit.Entry{}, err
	}
	var out credit.Entry
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Entry{}
		l, err := taskListByID(tx, list)
		if err != nil {
			return err
		}
		if err := may(by, KeepTaskLists, Object{Region: l.Region}); err != nil {
			return err
		}
		e, ok, err := taskEntries.Lookup(tx, indexTaskEntriesByID, kv.Key(entry))
		if err != nil {
			return err
		}
		if !ok || e.List != l.ID {
			return notFound("entry of this list", "名单条目", entry)
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out = e
			}
			return err
		}
		if e, err = e.Remove(in, tx.Now()); err != nil {
			return err
		}
		if err := taskEntries.Put(tx, e); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: TaskListRemoved, Object: l.ID, Institution: e.Institution, Detail: e}); err != nil {
			return err
		}
		out = e
		return remember(tx, by, e.ID)
	})
	if err != nil {
		return credit.Entry{}, fmt.Errorf("remove from task list %s: %w", list, err)
	}
	return out, nil
}

// TaskLists is one page of the lists, which are public, by id.
func (r *Registry) TaskLists(ctx context.Context, page Page) (out []credit.TaskList, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next, err = scanPage(rd, taskLists, kv.Range{}, page)
		return err
	})
	return out, next, err
}

// ListedInstitution is an entry of a list as the public sees it.
type ListedInstitution struct {
	credit.Entry
	Name string `json:"name"`
}

// TaskListEntries is one page of the institutions on a list, those that were
// removed included.
func (r *Registry) TaskListEntries(ctx context.Context, list string, page Page) (out []ListedInstitution, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		l, err := taskListByID(rd, list)
		if err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, taskEntries, indexTaskEntriesByList, kv.Prefix(kv.Key(l.ID)), page)
		if err != nil {
			return err
		}
		keys := make([][]byte, len(found))
		for i, e := range found {
			keys[i] = kv.Key(e.Institution)
		}
		insts, _, err := institutions.GetMany(rd, keys)
		if err != nil {
			return err
		}
		for i, e := range found {
			out = append(out, ListedInstitution{e, insts[i].Name})
		}
		next = cursor
		return nil
	})
	return out, next, err
}
