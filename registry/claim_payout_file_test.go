package registry

import (
	"bytes"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

func TestReadPayout(t *testing.T) {
	lines, rows, err := ReadPayout(strings.NewReader("申领编号,流水号,发放金额,发放日期,支付凭证号,结果,退票原因\n" +
		"c-1,KS-1,2600.00,2026-04-01,B-1,成功,\n\n,KS-2,2000,2026年4月1日,B-2,,\nc-3,,1500.5,46113,B-3,退票,账户状态异常\n"))
	if err != nil || len(lines) != 3 || rows[1] != 4 {
		t.Fatalf("%+v %v, %v", lines, rows, err)
	}
	if l := lines[0]; l.Claim != "c-1" || l.Reference != "" || l.Amount != 260000 || l.PaidOn != "2026-04-01" || l.Result != LinePaid {
		t.Errorf("%+v", l)
	}
	if l := lines[1]; l.Reference != "KS-2" || l.PaidOn != "2026-04-01" || l.Result != LinePaid {
		t.Errorf("%+v", l)
	}
	if l := lines[2]; l.Amount != 150050 || l.PaidOn != "2026-04-01" || l.Result != LineFailed || l.Reason != "账户状态异常" {
		t.Errorf("%+v", l)
	}
	_, _, err = ReadPayout(strings.NewReader("申领编号,金额,发放日期,支付流水号,结果\nc-1,2000元,2026-02-30,B,也许\nc-2,1,2026-04-01,B,\n"))
	if fs := fail.Of(err).Fields; fail.CodeOf(err) != "payout_file" || len(fs) != 3 || fs[0].Row != 2 {
		t.Errorf("%v %+v", err, fs)
	}
	if _, _, err := ReadPayout(strings.NewReader("申领编号,发放日期\nc-1,2026-04-01\n")); fail.CodeOf(err) != "sheet_header" {
		t.Errorf("without columns: %v", err)
	}
}

// Whatever a file says, it is lines that a batch can be made of, or every row that
// is wrong in both languages; and a batch is read in one form only.
func FuzzReadPayout(f *testing.F) {
	f.Add([]byte("申领编号,金额,发放日期,支付流水号,结果,退票原因\nc-1,2600.00,2026-04-01,B-1,退票,账户状态异常\n"))
	f.Add([]byte("reference,amount,paid_on,payment\nKS-1,1,45717,x\n"))
	f.Add([]byte("流水号,金额,日期,支付流水号\n,-1,,\n"))
	f.Add([]byte{0xff, 0xfe, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, rows, err := ReadPayout(bytes.NewReader(data))
		if err != nil {
			for _, x := range fail.Of(err).Fields {
				if x.ZH == "" || x.EN == "" {
					t.Fatalf("%+v has no words", x)
				}
			}
			return
		}
		if len(lines) != len(rows) {
			t.Fatalf("%d lines of %d rows", len(lines), len(rows))
		}
		once, sum, err := NewPayout{Reference: "B", Lines: lines}.parse()
		if err != nil {
			return
		}
		if again, same, err := once.parse(); err != nil || !bytes.Equal(sum, same) || len(again.Lines) != len(lines) {
			t.Fatalf("read again it is another batch: %v", err)
		}
	})
}
