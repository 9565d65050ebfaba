// Package figures is how certificates are counted for 季报 and 年报. It is pure:
// the registry keeps the counts, this package says which they are and what they
// mean.
//
// # What is counted
//
//	measure       Chinese   what
//	issued        人次       certificates, by the month of 发证日期
//	people        人数       distinct persons who were issued at least one of them
//	voided        撤销数     certificates voided, by the month in which the voiding was recorded
//	cancelled     注销数     certificates cancelled, by the month in which that was recorded
//	voided_since  其中已撤销  of those issued in the period, how many are void by now
//
// A certificate counts from the moment it is public: with its whole batch, or
// when it was registered from elsewhere. An aborted batch never counts. What was
// issued stays counted when it is voided; net figures are issued − voided_since.
// 人次 and 人数 are different figures and are never added to each other.
//
// # Along what
//
// Every certificate is one [Fact]. Its [Sum]s are kept for its month, quarter and
// year; for its region and those above it (county, prefecture, province, nation);
// as a total and by occupation, class of institution, group 人员类别 and mode 取得方式;
// for its level, for all levels, and in totals for 高技能 (see [High]). Certificates
// issued here and certificates registered from elsewhere are counted apart.
//
// 人数 is exact in every one of these cells, and in no other figure: persons of two
// months, two counties or two occupations cannot be added, because one person may
// be in both. It is exact because for each person and year the facts that were
// counted are kept: a cell has one person more when none of that person's earlier
// facts of the year lies in it. So there is 人数 by level, region, occupation, class,
// group and mode, and none by field 领域, which is a sum of occupations made when
// the report is asked for (the map from occupations to fields is data and may
// change), nor for periods other than a month, quarter or year.
//
// # What is data
//
// The fields with the occupations in them ([Fields]) and the targets of a region
// ([Targets]) are rule files.
package figures
