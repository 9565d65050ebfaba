// Package eligibility says who may apply for a level 申报条件: which of the
// conditions of the standard in force a person satisfies, by what evidence and
// since when, and what is missing for the others. It is pure. The conditions are
// data ([File]); only the words in which they are written are code ([Need]).
//
//	set, err := eligibility.Embedded()
//	rules, ok := set.On("320583", "6-31-01-03", "2026-03-02")
//	result := eligibility.Evaluate(rules, record, eligibility.Question{
//		Occupation: "6-31-01-03", Level: standards.Senior, On: "2026-03-02"})
//	ok, keys, reasons := eligibility.Eligible(result, eligibility.Basis{Kind: eligibility.Normal})
//
// # Any one condition is enough
//
// A level has several conditions; each has one or more needs, all of which must
// be met. Needs are read literally: a 四级 certificate is a certificate of that
// level, not of a higher one, unless the file says or_higher.
//
// # Whole completed years 满
//
// A period of N years that begins on a day is complete on the corresponding day
// N years later; where there is none (29 February), on the last day of that
// month, 28 February (民法典 第二百零二条: 到期月的对应日为期间的最后一日；没有对应日
// 的，月末日为期间的最后一日). On that day itself the years count as complete
// (第一千二百五十九条: 届满包括本数). Who was born, began to work or was given a
// certificate on 2020-02-29 has one whole year on 2021-02-28, and four on
// 2024-02-29. Age counts in the same way.
//
// The day asked about is not over and is not counted as worked; the first day is
// (第二百零一条 leaves out the first day and counts the last, which is the same
// length). So work from 2020-03-01 has five years on 2025-03-01, and a period
// recorded as 2020-03-01 to 2025-02-28, both days worked, has five years too.
//
// # Work in several periods 累计
//
//  1. Only work in the occupation itself or a related one 相关职业 counts (see
//     [Rules.Scope]).
//  2. Periods are cut at the day asked about, and for "after the certificate" or
//     "after the title" at the day of issue, which is counted.
//  3. Periods that overlap or follow on one another are one; no day counts twice.
//  4. The periods are pushed together to the first day of the first: N years are
//     complete when the days worked are as many as those from that day to its
//     corresponding day N years later. Days between the periods do not count.
//
// One unbroken period therefore has exactly the rule of the corresponding day,
// and broken ones are neither rounded up nor down: there is no year of 365 days
// and no conversion. Adding work never takes a condition away (but for a day at
// the turn to 2100, which has no leap day).
//
// # Application basis 申报依据
//
// 正常, 破格 and 越级 say on what basis somebody applies ([Basis]). The latter two
// need a document, an approver and a date, and waive what the file of the region
// says at the levels it says ([Waiver]); where no file does, nothing. They never
// waive scores or publicity, which are not this package's.
package eligibility
