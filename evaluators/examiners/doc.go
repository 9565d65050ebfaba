// Package examiners has the rules for the people of an evaluation: 考评员 and
// 高级考评员, who examine; 考务人员, who invigilate; 内督 and 外督, who supervise.
// It says who may hold a card and for how long, who may sit in which session, and
// what a 督导报告 is made of. It is pure: no clock, no store, no I/O.
//
// What differs by place and time is a rule file ([Rules], data/*.yaml); each entry
// has its source or says that it is a sample. Every refusal names the rule and
// where it comes from.
//
// # States of a card
//
// A card has terms, which its first registration and each renewal add, and
// measures, which suspend or revoke it. Both are dated facts and are never taken
// back; what they say on a date, as it was known at a time, is the card's status.
// A pair that is not in the table is refused as a conflict. The test of this
// package reads this table.
//
//	state     | renew | suspend   | restore | revoke
//	----------+-------+-----------+---------+--------
//	not_begun | -     | -         | -       | -
//	valid     | valid | suspended | -       | revoked
//	suspended | -     | -         | valid   | revoked
//	expired   | valid | -         | -       | revoked
//	revoked   | -     | -         | -       | -
//
// A suspension ends on its last day by itself. Restoring a card whose term is past
// meanwhile leaves it expired. A revocation ends only by a successful appeal; its
// last day, if it has one, is the day until which the person gets no new card.
//
// # Appeals against a measure
//
// One appeal can be lodged against each measure, within the days of the rule file.
//
//	state      | lodge  | uphold | overturn
//	-----------+--------+--------+-----------
//	none       | lodged | -      | -
//	lodged     | -      | upheld | overturned
//	upheld     | -      | -      | -
//	overturned | -      | -      | -
//
// An appeal does not stop a measure. A measure that is overturned has no effect
// from the day of that answer on.
//
// # Two times
//
// A question about a date, asked with what was known at a time, looks only at what
// was recorded by then. A suspension that is recorded after an exam says nothing
// about who might examine in it; it is a reason to open a review.
package examiners
