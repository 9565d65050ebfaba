package credit

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// An Event is one entry of an institution's ledger 信用记录. Exactly one of Item,
// Repairs and Corrects is set. Events are never changed or removed.
type Event struct {
	ID          string `json:"id"` // ids of one institution order as the ledger does
	Institution string `json:"institution"`

	Item     string `json:"item,omitempty"`     // an item of the rule file
	Repairs  string `json:"repairs,omitempty"`  // 修复: the event that was put right
	Corrects string `json:"corrects,omitempty"` // 更正: the event or repair that is taken back

	Effective standards.Date `json:"effective"` // when it happened; a correction has none of its own
	Recorded  time.Time      `json:"recorded"`  // the store's time, UTC
	Document  string         `json:"document"`  // 文号 or number of the report
	Basis     string         `json:"basis,omitempty"`
	Origin    Origin         `json:"origin"`
	Reference string         `json:"reference,omitempty"` // id of the report, case or sign
	Note      string         `json:"note,omitempty"`

	Judgement
}

// A Judgement is what the rules made of an event when it was recorded. It stays
// with the event.
type Judgement struct {
	Rules string `json:"rules"` // id of the rule file
	// Subject is the event with the item that this one is, repairs or corrects.
	Subject string `json:"subject"`
	// Year is the credit year of the subject.
	Year int `json:"year"`

	// Of an event with an item:
	Name   Text           `json:"name,omitzero"`
	Points int            `json:"points,omitempty"`
	Cap    int            `json:"cap,omitempty"`
	Until  standards.Date `json:"until,omitempty"` // last day on which the points count; none when empty
	Veto   string         `json:"veto,omitempty"`  // band
	// VetoUntil is the last day of the veto; none when empty.
	VetoUntil standards.Date `json:"veto_until,omitempty"`
}

// Standing is an event with an item, together with what later events made of it.
type Standing struct {
	Event     Event
	Corrected string // id of the correction; empty when there is none
	Repair    *Event // the repair that holds
}

// Standings reads a ledger, or any part of it that has every event of its
// subjects, in its order.
func Standings(ledger []Event) []Standing {
	at := map[string]int{}
	var out []Standing
	for _, e := range ledger {
		if e.Item != "" {
			at[e.ID] = len(out)
			out = append(out, Standing{Event: e})
			continue
		}
		i, ok := at[e.Subject]
		if !ok {
			continue
		}
		s := &out[i]
		switch {
		case e.Repairs != "":
			s.Repair = &e
		case e.Corrects == e.Subject:
			s.Corrected = e.ID
		case s.Repair != nil && s.Repair.ID == e.Corrects:
			s.Repair = nil
		}
	}
	return out
}

// MaxFollowers is how many repairs and corrections one event can have.
const MaxFollowers = 20

// Record returns in as it is to be stored, judged and recorded at now. files are
// those in use, region the institution's. subject is the event that in repairs,
// or that in corrects itself or a repair of, with its followers; nil for an item.
// tier is that of the authority which records it.
//
// Errors: Invalid credit_event_invalid with a field for everything wrong;
// Conflict credit_rules_missing, credit_not_repairable, credit_repair_too_early,
// credit_already_repaired, credit_already_corrected, credit_ended,
// credit_follower_unknown.
func Record(files rulefile.Set[Rules], region string, subject *Standing, in Event, tier Tier, now time.Time) (Event, error) {
	today := standards.DateOf(now)
	if err := in.problems(today); err != nil {
		return Event{}, err
	}
	in.Recorded, in.Judgement = now.UTC(), Judgement{}
	if in.Corrects != "" {
		return correct(subject, in)
	}
	rules, ok := files.On(region, string(in.Effective))
	if !ok {
		return Event{}, conflict("credit_rules_missing", fmt.Sprintf("%s 没有在 %s 施行的信用规则文件", region, in.Effective.Chinese()),
			fmt.Sprintf("no credit rule file is in force in %s on %s", region, in.Effective))
	}
	if in.Repairs != "" {
		return repair(files, rules, subject, in)
	}
	return rules.judge(in, tier)
}

func (e Event) problems(today standards.Date) error {
	var f faults
	f.text("id", e.ID, true, 64, "标识", "id")
	set := 0
	for _, v := range []string{e.Item, e.Repairs, e.Corrects} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		f.add("item", "one_of", "item（事项）、repairs（修复）、corrects（更正）应且只应填一项", "exactly one of item, repairs and corrects is given")
	}
	if e.Corrects == "" {
		f.past("effective", e.Effective, today, "生效日期", "effective day")
	} else if e.Effective != "" {
		f.add("effective", "not_of_a_correction", "更正不填生效日期：所更正的记录自始不计", "a correction has no effective day: what it corrects never counts")
	}
	if !slices.Contains(Origins(), e.Origin) {
		f.add("origin", "unknown", "来源应为 supervision、case、sign 或 manual", "origin is supervision, case, sign or manual")
	}
	f.text("document", e.Document, true, 100, "文号或报告编号", "document")
	f.text("basis", e.Basis, false, 500, "依据", "basis")
	f.text("reference", e.Reference, e.Origin != OriginManual, 128, "来源记录标识", "reference")
	f.text("note", e.Note, false, 500, "说明", "note")
	return f.refuse("credit_event_invalid", "信用记录有误", "the credit event is not right")
}

// judge applies the rules to an event with an item.
func (r Rules) judge(e Event, tier Tier) (Event, error) {
	var f faults
	item, ok := r.Item(e.Item)
	switch {
	case !ok:
		f.add("item", "unknown", fmt.Sprintf("信用规则 %s 中没有事项 %s", r.ID, e.Item), fmt.Sprintf("the credit rules %s have no item %s", r.ID, e.Item))
	case !slices.Contains(item.Origins, e.Origin):
		f.add("origin", "not_of_item", fmt.Sprintf("事项 %s 的来源应为 %v", e.Item, item.Origins), fmt.Sprintf("item %s arises from %v", e.Item, item.Origins))
	case e.Origin == OriginManual && !slices.Contains(item.By, tier):
		f.add("origin", "not_of_tier", fmt.Sprintf("事项 %s 由 %v 级人社部门记录", e.Item, item.By), fmt.Sprintf("item %s is recorded by hand by authorities of the tiers %v", e.Item, item.By))
	}
	if err := f.refuse("credit_event_invalid", "信用记录有误", "the credit event is not right"); err != nil {
		return Event{}, err
	}
	year := r.YearOf(e.Effective)
	until, veto := standards.Date(""), standards.Date("")
	if months, whole, _ := ParseTerm(item.Expires); whole {
		until = r.YearEnd(year)
	} else if months > 0 {
		until = addMonths(e.Effective, months).AddDays(-1)
	}
	if item.Veto != "" {
		veto = until
	}
	if end := r.YearEnd(year); r.CarryOver == Reset && (until == "" || end < until) {
		until = end
	}
	e.Judgement = Judgement{Rules: r.ID, Subject: e.ID, Year: year, Name: item.Name, Points: item.Points, Cap: item.Cap,
		Until: until, Veto: item.Veto, VetoUntil: veto}
	return e, nil
}

// repair records that an event was put right. Whether its item can be repaired
// and after how long is for the rules of the day of the repair; when they no
// longer know the item, for those by which it was judged.
func repair(files rulefile.Set[Rules], rules Rules, subject *Standing, in Event) (Event, error) {
	if subject == nil || subject.Event.ID != in.Repairs {
		return Event{}, conflict("credit_follower_unknown", "只能修复事项记录，修复和更正本身不能修复", "only an event with an item can be repaired")
	}
	e := subject.Event
	if _, ok := rules.Item(e.Item); !ok {
		if old, known := file(files, e.Rules); known {
			rules = old
		}
	}
	how, ok := rules.RepairOf(e.Item)
	ends := e.ends()
	switch {
	case subject.Corrected != "":
		return Event{}, conflict("credit_already_corrected", fmt.Sprintf("记录 %s 已被更正，不计分，无需修复", e.ID), fmt.Sprintf("event %s was corrected and does not count; there is nothing to repair", e.ID))
	case subject.Repair != nil:
		return Event{}, conflict("credit_already_repaired", fmt.Sprintf("记录 %s 已于 %s 修复", e.ID, subject.Repair.Effective.Chinese()), fmt.Sprintf("event %s was repaired on %s already", e.ID, subject.Repair.Effective))
	case !ok:
		return Event{}, conflict("credit_not_repairable", fmt.Sprintf("按信用规则 %s，事项“%s”不予修复", rules.ID, e.Name.ZH), fmt.Sprintf("by the credit rules %s the item “%s” cannot be repaired", rules.ID, e.Name.EN))
	case in.Effective < addMonths(e.Effective, how.WaitMonths):
		first := addMonths(e.Effective, how.WaitMonths)
		return Event{}, conflict("credit_repair_too_early", fmt.Sprintf("按信用规则 %s，事项“%s”自发生之日起满 %d 个月方可修复，最早为 %s；要求：%s", rules.ID, e.Name.ZH, how.WaitMonths, first.Chinese(), how.Requirement.ZH),
			fmt.Sprintf("by the credit rules %s the item “%s” can be repaired %d months after it happened, from %s on; required: %s", rules.ID, e.Name.EN, how.WaitMonths, first, how.Requirement.EN))
	case ends != "" && in.Effective > ends:
		return Event{}, conflict("credit_ended", fmt.Sprintf("记录 %s 自 %s 之后已不计分，无需修复", e.ID, ends.Chinese()), fmt.Sprintf("event %s does not count after %s any more; there is nothing to repair", e.ID, ends))
	}
	in.Judgement = Judgement{Rules: rules.ID, Subject: e.ID, Year: e.Year}
	return in, nil
}

// ends is the last day on which an event counts in any way; none when empty.
func (e Event) ends() standards.Date {
	switch {
	case e.Until == "" || e.Veto != "" && e.VetoUntil == "":
		return ""
	case e.Veto != "":
		return max(e.Until, e.VetoUntil)
	}
	return e.Until
}

// correct takes back an event or the repair of it that holds.
func correct(subject *Standing, in Event) (Event, error) {
	switch {
	case subject == nil:
		return Event{}, conflict("credit_follower_unknown", "更正本身不能再更正；请重新记录原事项", "a correction cannot be corrected; record the event anew")
	case subject.Corrected != "":
		return Event{}, conflict("credit_already_corrected", fmt.Sprintf("记录 %s 已被更正", subject.Event.ID), fmt.Sprintf("event %s was corrected already", subject.Event.ID))
	case in.Corrects != subject.Event.ID && (subject.Repair == nil || subject.Repair.ID != in.Corrects):
		return Event{}, conflict("credit_follower_unknown", fmt.Sprintf("%s 不是仍有效的事项或修复", in.Corrects), fmt.Sprintf("%s is not an event or a repair that holds", in.Corrects))
	}
	in.Judgement = Judgement{Rules: subject.Event.Rules, Subject: subject.Event.ID, Year: subject.Event.Year}
	return in, nil
}

// Followed refuses one more follower of an event that has MaxFollowers.
func Followed(n int) error {
	if n < MaxFollowers {
		return nil
	}
	return fail.New(fail.Conflict, "credit_too_many_followers", "the event has %d repairs and corrections already; record it anew", n).
		In("该记录已有 %d 次修复或更正；请更正后重新记录", n)
}
