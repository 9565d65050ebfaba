// Package cases has the rules for a case 案件: how an authority comes from a lead
// to a measure against an evaluation institution or a person, and what follows.
// It is pure: it holds no clock, no store and does no I/O. What differs by place
// and time, and every number of days, is data ([Rules]).
//
// # States of a case 案件
//
//	lead      线索          something was reported or has shown
//	inquiry   核查          it is looked into
//	noticed   拟处理告知     the party was told what is intended and may answer
//	heard     陈述申辩       it has answered
//	decided   决定          measures were decided, with document and basis
//	served    送达          the party has the decision
//	published 公开          the decision is public
//	settled   整改验收或恢复  what was wrong is put right
//	reviewing 复核          the party has asked for a review
//	reviewed  复核决定       the review is decided
//	closed    结案
//	dismissed 查无实据       closed without a measure
//
// A step that is not in the table is refused as a conflict. The test of this
// package reads this table.
//
//	state     | inquire | notify  | statement | decide  | serve  | publish   | report    | accept  | request_review | review   | close  | dismiss
//	----------+---------+---------+-----------+---------+--------+-----------+-----------+---------+----------------+----------+--------+----------
//	lead      | inquiry | -       | -         | -       | -      | -         | -         | -       | -              | -        | -      | dismissed
//	inquiry   | -       | noticed | -         | decided | -      | -         | -         | -       | -              | -        | -      | dismissed
//	noticed   | -       | noticed | heard     | decided | -      | -         | -         | -       | -              | -        | -      | dismissed
//	heard     | -       | noticed | heard     | decided | -      | -         | -         | -       | -              | -        | -      | dismissed
//	decided   | -       | -       | -         | -       | served | -         | -         | -       | -              | -        | -      | -
//	served    | -       | -       | -         | -       | -      | published | served    | settled | reviewing      | -        | closed | -
//	published | -       | -       | -         | -       | -      | -         | published | settled | reviewing      | -        | closed | -
//	settled   | -       | -       | -         | -       | -      | settled   | -         | -       | reviewing      | -        | closed | -
//	reviewing | -       | -       | -         | -       | -      | reviewing | reviewing | -       | -              | reviewed | -      | -
//	reviewed  | -       | -       | -         | -       | -      | reviewed  | reviewed  | settled | -              | -        | closed | -
//	closed    | -       | -       | -         | -       | -      | -         | -         | -       | -              | -        | -      | -
//	dismissed | -       | -       | -         | -       | -      | -         | -         | -       | -              | -        | -      | -
//
// Beyond the table:
//
//   - a measure that needs a notice is decided only when the period for an answer
//     is over or an answer has come, and only as far as it was announced: the same
//     kind, on the same target or a part of it, no longer;
//   - an acceptance that was not passed leaves the state as it is;
//   - a review can be asked for once, within its days from the service of the
//     decision; the measure stands while it runs;
//   - a case is closed when the days for a review are over or it is decided, what
//     has to be public is, and what has to be put right was accepted.
//
// # Texts
//
// A lead, the findings, an answer may name people. A case therefore holds no
// such text: [Step.Text] is for the caller to seal, the case keeps only that
// there is one. Document, basis and reason are public.
package cases
