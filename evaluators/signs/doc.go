// Package signs has the signs of fraud: what in an institution's figures is
// worth a look, and what becomes of it. A sign never punishes and proves
// nothing. It says what was measured, under which rule, against which threshold
// and on which records, and opens a [Review] for the authority. Thresholds are
// data ([Rules]); a region whose file leaves a rule out does not look for that
// sign. Everything here is pure: windows of daily counts, figures of one
// session, figures of a batch go in, findings come out.
//
// # Reviews of signs
//
// One review stands open for an institution, a kind of sign and a window (the
// admission, a month, a decision). Further findings are added to it instead of
// opening another. The test of this package reads this table; a pair that is not
// in it is refused as a conflict:
//
//	state     | look   | dismiss   | take_up
//	----------+--------+-----------+--------
//	open      | looked | -         | -
//	looked    | -      | dismissed | case
//	dismissed | -      | -         | -
//	case      | -      | -         | -
//
// dismissed needs a reason, case the id of the case 线索立案 that it became. When
// a review of the window has ended, the same records, or a running total that
// has not grown by Again percent, open no other.
//
// # Draws 双随机、一公开
//
// A draw is announced first: that fixes the population (the sessions of a region
// and time), the inspectors, how many are drawn, and where the seed will come
// from. The seed is known only afterwards, see [LogSeed], so that nobody can
// choose a population for what it will give. [Draw] and [Assign] compute the
// rest; anybody can repeat them.
//
//	state     | seed  | publish
//	----------+-------+----------
//	announced | drawn | -
//	drawn     | -     | published
//	published | -     | -
//
// A draw is published with the last of its inspections.
//
// # Inspections of a draw
//
//	state      | enter   | answer   | publish
//	-----------+---------+----------+----------
//	drawn      | entered | -        | -
//	entered    | -       | answered | published
//	answered   | -       | -        | published
//	published  | -       | -        | -
//
// publish from entered waits for the institution's answer until its time to
// answer has passed.
package signs
