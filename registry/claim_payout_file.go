package registry

import (
	"io"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// PayoutFileMaxBytes is the size of a payout file.
const PayoutFileMaxBytes = 4 << 20

// PayoutColumns are the columns of a payout file (XLSX or CSV), one line a row.
// What banks and finance systems give back has no common form; these are read under
// the names that such files use.
var PayoutColumns = []sheet.Column{
	{Name: "申领编号", Also: []string{"claim", "claim_id"}},
	{Name: "申领流水号", Also: []string{"业务流水号", "流水号", "reference"}},
	{Name: "金额", Also: []string{"发放金额", "金额（元）", "amount"}, Required: true},
	{Name: "发放日期", Also: []string{"日期", "拨付日期", "paid_on"}, Required: true},
	{Name: "支付流水号", Also: []string{"支付凭证号", "payment"}, Required: true},
	{Name: "结果", Also: []string{"发放结果", "处理结果", "result"}},
	{Name: "退票原因", Also: []string{"失败原因", "原因", "reason"}},
}

var payoutResults = map[string]LineResult{
	"": LinePaid, "成功": LinePaid, "已发放": LinePaid, "发放成功": LinePaid, "paid": LinePaid,
	"退票": LineFailed, "失败": LineFailed, "发放失败": LineFailed, "failed": LineFailed, "returned": LineFailed,
}

// ReadPayout reads the lines of a payout file, and the row of the file that each
// stands in. Amounts are in yuan. Without 结果, or where it is empty, a row was paid.
// Errors: those of sheet.Read and Select, and Invalid payout_file, naming every row
// that cannot be understood.
func ReadPayout(file io.Reader) (lines []PayoutLine, rows []int, err error) {
	s, err := sheet.Read(file, sheet.Limits{Bytes: PayoutFileMaxBytes, Rows: PayoutMaxLines})
	if err != nil {
		return nil, nil, err
	}
	if s, err = s.Select(PayoutColumns); err != nil {
		return nil, nil, err
	}
	var bad []fail.Field
	for _, row := range s.Rows {
		wrong := func(name, code, zh, en string) {
			bad = append(bad, fail.Field{Name: name, Row: row.Number, Code: code, ZH: zh, EN: en})
		}
		l := PayoutLine{Claim: row.Get("申领编号"), Reference: row.Get("申领流水号"), Payment: row.Get("支付流水号"), Reason: row.Get("退票原因")}
		if l.Claim != "" {
			l.Reference = "" // the id says it; files often give both
		}
		var ok bool
		if l.Amount, ok = policy.ParseFen(row.Get("金额")); !ok {
			wrong("金额", "amount", "以元为单位，形如 2000 或 2600.50", "in yuan, like 2000 or 2600.50")
		}
		if l.PaidOn, err = standards.ParseDate(row.Get("发放日期")); err != nil {
			e := fail.Of(err)
			wrong("发放日期", e.Code, e.ZH, e.Text)
		}
		if l.Result, ok = payoutResults[strings.ToLower(row.Get("结果"))]; !ok {
			wrong("结果", "unknown", "应为 成功 或 退票", "paid or failed")
		}
		lines, rows = append(lines, l), append(rows, row.Number)
	}
	if len(bad) > 0 {
		return nil, nil, fail.New(fail.Invalid, "payout_file", "%d cells of the payout cannot be understood; nothing was sent", len(bad)).
			In("发放文件有 %d 处无法识别，本次未提交", len(bad)).At(bad[:min(len(bad), 1000)]...)
	}
	return lines, rows, nil
}
