package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// CollectBlanks puts spoiled blanks into a batch of destruction 销毁批次; all of them,
// up to 500 stretches, where no range is named.
func (r *Registry) CollectBlanks(ctx context.Context, by Actor, institution string, ranges []blanks.Range) (blanks.Destruction, error) {
	if err := checkRanges("ranges", ranges); err != nil {
		return blanks.Destruction{}, err
	}
	id := r.rand.id("bd")
	var out blanks.Destruction
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = blanks.Destruction{}
		inst, err := blanksFor(tx, by, KeepBlanks, institution)
		if err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, destructions, kv.Key(earlier), "batch", "销毁批次", earlier)
			}
			return err
		}
		rules, err := r.blankRulesOf(inst, tx.Now())
		if err != nil {
			return err
		}
		these := ranges
		if len(these) == 0 {
			rng := kv.Prefix(kv.Key(inst.ID, string(blanks.Spoiled)))
			rng.Limit = runsMost
			spoiled, _, err := blankRuns.ScanIndex(tx, indexRunsByInstitution, rng)
			if err != nil {
				return err
			}
			for _, run := range spoiled {
				these = append(these, run.Range)
			}
		}
		if len(these) == 0 {
			return fail.New(fail.Conflict, "nothing_spoiled", "no blank is spoiled").In("没有已作废的空白证书")
		}
		for _, one := range these {
			if _, err := moveBlanks(tx, blanks.Move{Act: blanks.Collect, Range: one, Institution: inst.ID, Destruction: id}); err != nil {
				return err
			}
		}
		d := blanks.Destruction{ID: id, Institution: inst.ID, Region: inst.Region, Ranges: these, Quantity: blanks.Sum(these), State: blanks.DestructionWaiting,
			Rules: rules.ID, SecondPerson: rules.SecondPersonDestroys, By: by.Account, Collected: tx.Now()}
		if out, err = r.putDestruction(tx, by, d); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return blanks.Destruction{}, fmt.Errorf("collect blanks: %w", err)
	}
	return out, nil
}

func checkRanges(name string, ranges []blanks.Range) error {
	var bad []fail.Field
	if len(ranges) > runsMost {
		bad = append(bad, fail.Field{Name: name, Code: "length", ZH: fmt.Sprintf("不超过 %d 段", runsMost), EN: fmt.Sprintf("at most %d ranges", runsMost)})
	}
	for i, one := range ranges {
		if err := one.Check(); err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: fmt.Sprintf("%s[%d]", name, i), Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "blank_range", "the codes cannot be taken").In("印制流水码有误").At(bad...)
	}
	return nil
}

func (r *Registry) putDestruction(tx kv.Tx, by Actor, d blanks.Destruction) (_ blanks.Destruction, err error) {
	if d.LogIndex, err = r.appendEvent(tx, by, Event{Kind: BlanksDestruction, Object: d.ID, Institution: d.Institution, Detail: map[string]any{
		"state": d.State, "ranges": rangeTexts(d.Ranges), "document": d.Document, "method": d.Method, "record_sha256": recordDigest(d)}}); err != nil {
		return d, err
	}
	return d, destructions.Put(tx, d)
}

// EndDestruction records that a batch was destroyed 销毁, with the record and the
// method, or dissolves it: its blanks are then spoiled as before. Errors: Conflict
// destruction_state; Forbidden second_person; Invalid destruction.
func (r *Registry) EndDestruction(ctx context.Context, by Actor, id string, do blanks.DestructionAct, document, method string) (blanks.Destruction, error) {
	if bad := append(impersonal("document", document), impersonal("method", method)...); len(bad) > 0 {
		return blanks.Destruction{}, fail.New(fail.Invalid, "destruction", "the record has an identity number in it").In("销毁信息中不得写身份证号码").At(bad...)
	}
	var out blanks.Destruction
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = blanks.Destruction{}
		if len(by.Roles) == 0 {
			return may(by, KeepBlanks, Object{})
		}
		d, err := need(tx, destructions, kv.Key(id), "batch", "销毁批次", id)
		if err != nil {
			return err
		}
		if err := may(by, KeepBlanks, Object{Institution: d.Institution, Region: d.Region}); err != nil {
			return err
		}
		if d, err = d.End(do, partyOf(by), document, method, tx.Now()); err != nil {
			return err
		}
		act := blanks.Destroy
		if do == blanks.DissolveBatch {
			act = blanks.Release
		}
		for _, one := range d.Ranges {
			if _, err := moveBlanks(tx, blanks.Move{Act: act, Range: one, Institution: d.Institution, Destruction: d.ID}); err != nil {
				return err
			}
		}
		out, err = r.putDestruction(tx, by, d)
		return err
	})
	if err != nil {
		return blanks.Destruction{}, fmt.Errorf("%s blanks: %w", do, err)
	}
	return out, nil
}

// Destructions is one page of an institution's batches of destruction, the newest
// first.
func (r *Registry) Destructions(ctx context.Context, by Actor, institution string, page Page) (out []blanks.Destruction, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := blanksFor(rd, by, ReadBlanks, institution)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(inst.ID))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, destructions, indexDestructions, rng, page)
		return err
	})
	return out, next, err
}

// Stocktaking is one count of the blanks in stock 盘点. It changes no blank: what is
// missing is then reported lost by its code, and what is surplus looked into.
type Stocktaking struct {
	ID          string         `json:"id"`
	Institution string         `json:"institution"`
	Counted     []blanks.Range `json:"counted"`
	Quantity    int            `json:"quantity"` // counted
	Ledger      int            `json:"ledger"`   // in stock by the ledger
	// Missing are in the ledger's stock alone, Surplus were counted alone.
	Missing  []blanks.Range `json:"missing,omitempty"`
	Surplus  []blanks.Range `json:"surplus,omitempty"`
	Note     string         `json:"note,omitempty"`
	By       string         `json:"by"` // account
	At       time.Time      `json:"at"`
	LogIndex uint64         `json:"log_index"`
}

// stockRunsMost is how many runs of stock one count is held against.
const stockRunsMost = 5000

// CountBlanks records a count of what is in stock and answers the differences.
// Invalid: ranges that are none, or counted twice.
func (r *Registry) CountBlanks(ctx context.Context, by Actor, institution string, counted []blanks.Range, note string) (Stocktaking, error) {
	note = strings.TrimSpace(note)
	bad := impersonal("note", note)
	if len([]rune(note)) > blanks.TextMost {
		bad = append(bad, fail.Field{Name: "note", Code: "length", ZH: fmt.Sprintf("不超过 %d 字", blanks.TextMost), EN: fmt.Sprintf("at most %d characters", blanks.TextMost)})
	}
	if len(bad) > 0 {
		return Stocktaking{}, fail.New(fail.Invalid, "stocktaking", "the note cannot be taken").In("说明填写有误").At(bad...)
	}
	if err := checkRanges("counted", counted); err != nil {
		return Stocktaking{}, err
	}
	id := r.rand.id("bs")
	var out Stocktaking
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Stocktaking{}
		inst, err := blanksFor(tx, by, KeepBlanks, institution)
		if err != nil {
			return err
		}
		if earlier, again, err := repeatedCount(tx, by, inst.ID); err != nil || again {
			out = earlier
			return err
		}
		rng := kv.Prefix(kv.Key(inst.ID, string(blanks.InStock)))
		rng.Limit = stockRunsMost
		runs, more, err := blankRuns.ScanIndex(tx, indexRunsByInstitution, rng)
		if err != nil {
			return err
		}
		if more != nil {
			return fail.New(fail.Conflict, "blank_runs", "the stock is in more than %d stretches", stockRunsMost).In("库存过于零散（超过 %d 段）", stockRunsMost)
		}
		var ledger []blanks.Range
		for _, run := range runs {
			ledger = append(ledger, run.Range)
		}
		one := Stocktaking{ID: id, Institution: inst.ID, Counted: counted, Quantity: blanks.Sum(counted), Ledger: blanks.Sum(ledger), Note: note, By: by.Account, At: tx.Now()}
		if one.Missing, one.Surplus, err = blanks.Compare(ledger, counted); err != nil {
			return err
		}
		if one.LogIndex, err = r.appendEvent(tx, by, Event{Kind: BlanksCounted, Object: id, Institution: inst.ID, Detail: map[string]any{
			"counted": one.Quantity, "ledger": one.Ledger, "missing": rangeTexts(one.Missing), "surplus": rangeTexts(one.Surplus), "note": note, "record_sha256": recordDigest(one)}}); err != nil {
			return err
		}
		stock, err := stockOf(tx, inst.ID)
		if err != nil {
			return err
		}
		stock.Counted = standards.DateOf(tx.Now())
		if err := blankStocks.Put(tx, stock); err != nil {
			return err
		}
		out = one
		if err := stocktakings.Put(tx, one); err != nil {
			return err
		}
		return remember(tx, by, fmt.Sprintf("%d/%s", one.At.Unix(), id))
	})
	if err != nil {
		return Stocktaking{}, fmt.Errorf("count blanks: %w", err)
	}
	return out, nil
}

// repeatedCount is what an earlier request under the same key recorded.
func repeatedCount(tx kv.Tx, by Actor, institution string) (out Stocktaking, again bool, err error) {
	earlier, again, err := repeated(tx, by, tx.Now())
	if err != nil || !again {
		return out, again, err
	}
	var at uint64
	var id string
	if _, err := fmt.Sscanf(earlier, "%d/%s", &at, &id); err != nil {
		return out, false, fmt.Errorf("stocktaking %s: %w", earlier, err)
	}
	out, err = need(tx, stocktakings, kv.Key(institution, at, id), "stocktaking", "盘点", id)
	return out, true, err
}

// Stocktakings is one page of an institution's counts, the newest first.
func (r *Registry) Stocktakings(ctx context.Context, by Actor, institution string, page Page) (out []Stocktaking, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := blanksFor(rd, by, ReadBlanks, institution)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(inst.ID))
		rng.Reverse = true
		out, next, err = scanPage(rd, stocktakings, rng, page)
		return err
	})
	return out, next, err
}
