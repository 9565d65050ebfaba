package uploads

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/sheet"
)

// ReceiptMaxBytes is the size of a receipt file.
const ReceiptMaxBytes = 1 << 20

// ReturnedRow is one row that a receipt sends back, named by its place in the
// report (from 1) or by the number of its certificate, or both.
type ReturnedRow struct {
	Row    int    `json:"row,omitempty"`
	Number string `json:"number,omitempty"`
	Reason string `json:"reason"` // as the national system says it, at most 200 characters
}

// ReceiptColumns are the columns of a receipt file. What the national system gives
// back is not published; these are read under the names that systems of this kind
// use. Without 处理结果 every row is one that was returned.
var ReceiptColumns = []sheet.Column{
	{Name: "序号", Also: []string{"行号", "row"}},
	{Name: "证书编号", Also: []string{"number", "certificate_number"}},
	{Name: "处理结果", Also: []string{"结果", "状态", "result", "status"}},
	{Name: "退回原因", Also: []string{"错误原因", "错误信息", "原因", "失败原因", "reason", "error"}},
}

var receiptResults = map[string]bool{
	"接收": false, "已接收": false, "成功": false, "通过": false, "accepted": false, "ok": false,
	"退回": true, "已退回": true, "失败": true, "不通过": true, "错误": true, "returned": true, "error": true,
}

// ReadReceipt reads the rows that a receipt file (XLSX or CSV) returns. Errors: those
// of sheet.Read, and Invalid receipt, naming the rows that cannot be understood.
func ReadReceipt(file io.Reader) ([]ReturnedRow, error) {
	s, err := sheet.Read(file, sheet.Limits{Bytes: ReceiptMaxBytes, Rows: MaxRows + 1})
	if err != nil {
		return nil, err
	}
	if s, err = s.Select(ReceiptColumns); err != nil {
		return nil, err
	}
	var out []ReturnedRow
	var bad []fail.Field
	for _, row := range s.Rows {
		returned := true
		if text := row.Get("处理结果"); text != "" {
			var known bool
			if returned, known = receiptResults[strings.ToLower(text)]; !known {
				bad = append(bad, fail.Field{Name: "处理结果", Row: row.Number, Code: "unknown", ZH: "应为 接收 或 退回", EN: "accepted or returned"})
				continue
			}
		}
		if !returned {
			continue
		}
		one := ReturnedRow{Number: row.Get("证书编号"), Reason: row.Get("退回原因")}
		if text := row.Get("序号"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				bad = append(bad, fail.Field{Name: "序号", Row: row.Number, Code: "shape", ZH: "序号应为 1 起的整数", EN: "a whole number from 1"})
				continue
			}
			one.Row = n
		}
		out = append(out, one)
	}
	if len(bad) > 0 {
		return nil, fail.New(fail.Invalid, "receipt", "%d rows of the receipt cannot be understood; nothing was stored", len(bad)).
			In("回执有 %d 行无法识别，本次未保存", len(bad)).At(bad...)
	}
	return out, nil
}

// Resolve finds the rows of a report that a receipt returns: the place in the
// report, from 0, and the reason of each. numbers are the report's certificates in
// their order. Invalid receipt: rows that are not in the report, named twice,
// without a reason, or whose place and number are not of one row.
func Resolve(in []ReturnedRow, numbers []string) (map[int]string, error) {
	place := make(map[string]int, len(numbers))
	for i, n := range numbers {
		place[n] = i
	}
	out := make(map[int]string, len(in))
	var bad []fail.Field
	for i, r := range in {
		say := func(name, code, zh, en string) {
			bad = append(bad, fail.Field{Name: name, Row: i + 1, Code: code, ZH: zh, EN: en})
		}
		number := strings.ToUpper(strings.Join(strings.Fields(r.Number), ""))
		at, there := place[number]
		switch {
		case number == "" && r.Row == 0:
			say("row", "required", "请写明序号或证书编号", "name the row or the certificate number")
			continue
		case number == "" && (r.Row < 0 || r.Row > len(numbers)):
			say("row", "not_in_report", "该次上报没有这一行", "the report has no such row")
			continue
		case number == "":
			at = r.Row - 1
		case !there:
			say("number", "not_in_report", "该次上报没有此证书编号", "the report does not have this certificate")
			continue
		case r.Row != 0 && r.Row != at+1:
			say("row", "another_row", "序号与证书编号不是同一行", "row and certificate number are not of one row")
			continue
		}
		if _, twice := out[at]; twice {
			say("row", "repeated", "同一行写了两次", "the row is named twice")
			continue
		}
		reason := strings.TrimSpace(r.Reason)
		if n := len([]rune(reason)); n == 0 || n > 200 {
			say("reason", "length", "请写明退回原因，1 至 200 字", "a reason of 1 to 200 characters")
			continue
		}
		out[at] = reason
	}
	if len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b fail.Field) int { return a.Row - b.Row })
		return nil, fail.New(fail.Invalid, "receipt", "the receipt has %d mistakes; nothing was stored", len(bad)).
			In("回执有 %d 处需要更正，本次未保存", len(bad)).At(bad...)
	}
	return out, nil
}
