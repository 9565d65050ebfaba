// Package credit has the rules for the credit 信用, stars 星级 and task lists
// 承接补贴任务名单 of evaluation institutions, and for the integrity files 诚信档案
// of candidates and examiners. What an event costs, where a band begins and how
// long a thing counts is data ([Rules], [StarRules], [ListRules],
// [IntegrityRules]); what follows from it is pure: no clock, no store, no I/O.
//
// # The ledger
//
// An [Event] is one of three: an item of the rule file that befell an
// institution, a repair 修复 of such an event, or a correction that takes back an
// event or a repair which should not have been recorded. Events are never
// changed; the ledger of an institution only grows. An event has an effective
// day, which is when the thing happened, and a recorded time, which is the
// store's.
//
// An event is judged once, when it is recorded, by the rule file in force in the
// institution's region on the event's effective day, as the files were then. The
// [Judgement] stays with the event: a file that comes later, whatever its first
// day, and a file that is changed in place alter nothing that was recorded.
//
// Base points, bands, consequences and what the public sees go by the file in
// force on the day that is asked about.
//
// # The score
//
// The score on a day, as known at a time, is the base and what each group gives.
// A group is the events of one item, one credit year and one rule file; it gives
// the sum of the points of its events that count on the day, held within its cap
// (20 with a cap of 20 means no less than −20 and no more than 20). An event
// counts on a day
//
//   - from its effective day, if it was recorded by the time asked about,
//   - through its last day: that of its term, and of its credit year when the
//     file begins each year anew (carry_over: reset) or the item ends with it,
//   - not from the day on which a repair of it takes effect,
//   - not at all once a correction of it is known.
//
// A veto 一票否决 holds the band no better than the one it names. It counts as its
// event does, but a new credit year alone does not end it: only the item's own
// term does.
//
// Groups are sums, so the order in which events are recorded does not matter to
// the score on a day, and late events need no special case: [Change] turns what
// an event alters into sums by day, ten days, month, quarter and year ([Sum]),
// and the score on a day is that of the [Periods] up to it, however many events
// there are. [Replay] computes the same from the ledger alone.
//
// The credit year begins on the day the file names. A year is called by the
// calendar year in which it begins.
//
// # Stars 星级
//
// A star rating is a periodic assessment, apart from credit points. Its parts
// (self assessment, third party, spot check) are scored in draft; the result is
// computed from them when its publicity 公示 begins. A pair that is not in the
// table is refused as a conflict. The test of this package reads this table.
//
//	state      | score | publicise  | object     | uphold | reject     | confirm  | withdraw
//	-----------+-------+------------+------------+--------+------------+----------+----------
//	draft      | draft | publicised | -          | -      | -          | -        | withdrawn
//	publicised | -     | -          | publicised | draft  | publicised | in_force | withdrawn
//	in_force   | -     | -          | -          | -      | -          | -        | withdrawn
//	expired    | -     | -          | -          | -      | -          | -        | -
//	withdrawn  | -     | -          | -          | -      | -          | -        | -
//
// An objection is taken while the publicity runs; it is upheld or rejected with
// a reason, and nothing is confirmed while one is open. A rating is confirmed
// after the last day of publicity. expired follows from the last day of the
// term and needs no act.
//
// # Integrity files 诚信档案
//
// An entry on a person names a kind of the rule file, which says for how long
// the person is barred and how long the entry stays on file.
//
//	state     | appeal   | uphold   | reject
//	----------+----------+----------+----------
//	in_force  | appealed | -        | -
//	appealed  | -        | annulled | confirmed
//	annulled  | -        | -        | -
//	confirmed | -        | -        | -
//
// An upheld appeal annuls the entry from the start. Whether a bar holds while an
// appeal runs is a rule of the kind.
package credit
