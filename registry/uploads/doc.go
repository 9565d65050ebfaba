// Package uploads has the rules of reporting certificates to the national query
// 全国联网查询: in which states a report stands, what a certificate's own standing
// is, which changes have to be reported after it, how a receipt is read, and how
// late a report is. Who issues reports: 谁发证、谁负责 (人社鉴函〔2019〕20号). What
// differs by region and date, and what no public document says, is in rule files
// ([Rules]). Everything here is pure.
//
// # Reports to the national query
//
// One report is one file of at most [MaxRows] rows. return is a receipt that sends
// some or all rows back; the others count as accepted. The test of this package
// reads this table; a pair that is not in it is refused as a conflict:
//
//	state     | send | withdraw  | accept   | return   | show
//	----------+------+-----------+----------+----------+----------
//	generated | sent | withdrawn | -        | -        | -
//	sent      | -    | -         | accepted | returned | -
//	accepted  | -    | -         | -        | -        | queryable
//	returned  | -    | -         | -        | -        | queryable
//	queryable | -    | -         | -        | -        | -
//	withdrawn | -    | -         | -        | -        | -
//
// show records from which day the national query finds the rows that were not
// returned; a report of which every row was returned has none and is refused.
//
// # Certificates
//
// A certificate follows the report that has it. The first report of a batch covers
// a run of its rows ([Part]); only certificates that differ from their run have a
// standing of their own ([Row]): those returned, those left out because they were
// not valid when the file was made, and those changed afterwards. So the common
// certificate costs no read beyond its batch.
package uploads
