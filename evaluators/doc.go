// Package evaluators has the rules for evaluation institutions 评价机构: who is
// filed 备案 for what, which decisions have hit them, and whether they were
// entitled to issue a certificate at a moment. It is pure: it holds no clock, no
// store and does no I/O. Every transition is a function of the recorded state,
// the input and the store's time, and returns the record to be stored:
//
//	Register             a new Institution
//	Institution.Rename   the institution with one more name in its history
//	Admit                a Filing 备案: its number parts, dates, scope and serial ranges
//	Decide               a Decision: warning, rectification, suspension, exit, blacklist
//	Apply                an Application 备案申请; its methods take it through
//	                     [ApplicationState] to the Filing it asks for, or renews
//	Filing.ChangeScope   扩项、减项        Filing.ChangeSite   考点, see [SiteState]
//	Filing.Supervise     who stands in which [Relation] to it
//	Filing.AdmitGroup, Filing.Recognise   class Y: whom it examines, 薪酬挂钩, 试点认定
//	Institution.Readmit  重新准入: the one way back after an exit, by a new filing
//
// # States of what a decision names
//
// A decision names a [Target]: a whole institution, one of its filings or sites,
// and under any of these an occupation, one of its trades, or levels. Each target
// that was ever named has a state of its own; no decision yet means registered. A
// pair that is not in the table is refused as a conflict. The test of this
// package reads this table.
//
//	state                | warn                 | rectify              | accept     | suspend              | resume     | exit_voluntary | exit_expired | exit_ordered
//	---------------------+----------------------+----------------------+------------+----------------------+------------+----------------+--------------+-------------
//	registered           | registered           | rectifying           | -          | suspended            | -          | exited         | exited       | removed
//	rectifying           | rectifying           | -                    | registered | suspended+rectifying | -          | exited         | exited       | removed
//	suspended            | suspended            | suspended+rectifying | -          | -                    | registered | exited         | exited       | removed
//	suspended+rectifying | suspended+rectifying | -                    | suspended  | -                    | rectifying | exited         | exited       | removed
//	exited               | -                    | -                    | -          | -                    | -          | -              | -            | -
//	removed              | -                    | -                    | -          | -                    | -          | -              | -            | -
//
// exited and removed are final. What hits a target hits everything under it, and
// is lifted only by a decision on the very same target: resuming a filing does
// not lift the suspension of its institution. No decision can be recorded on a
// part of something that has ended.
//
// A suspension with a last day ends by itself when that day is over: suspended
// becomes registered, suspended+rectifying becomes rectifying. Where two
// suspensions of one target overlap, because one of them had been recorded for a
// later date, the longer one lasts. A rectification has no last day: it ends when
// it is accepted. exit_expired 期满不续 needs filings that have run out.
//
// # Blacklist 黑名单
//
// The blacklist is a track beside these, of whole institutions only, whatever
// their state. It says nothing about what an institution may do under the filings
// it has; while it runs it gets no new one ([Barred]). A blacklisting always has
// a last day, after which it ends by itself.
//
//	state  | blacklist | unlist
//	-------+-----------+-------
//	free   | listed    | -
//	listed | -         | free
//
// A filing has no decisions of its own kind; its status follows from its dates
// and from what has ended it:
//
//	not_filed  未备案  not recorded yet, or its first day has not come
//	filed      已备案  within its dates
//	expired    已到期  its last day is past
//	terminated 已终止  an exit of the filing or its institution is in force
//
// # Two times
//
// Every decision has an effective date, which is law, and a recorded time, which
// is the store's and cannot be chosen. A question about a date, asked with what
// was known at a time, looks at the decisions recorded by then whose effective
// date has come by that date, in the order in which they came into force: the
// later of being recorded and the beginning of the effective date (civil dates
// begin at 00:00 in Asia/Shanghai). So a decision counts from the moment it is
// recorded, or from its effective date if that is later, and a decision with an
// effective date in the past changes no answer that was given before it was
// recorded. What it says about the past is seen by asking with today's knowledge,
// and is a reason to open a review.
//
// Decisions are passed in the order of the log. That order settles which of two
// decisions of the same second is the later one.
package evaluators
