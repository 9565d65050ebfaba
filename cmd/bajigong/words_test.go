package main

import (
	"bytes"
	"testing"
	"time"
)

func TestColumnsOfChineseAreTwo(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "证书": 4, "三级/高级工": 11, "“三”": 4} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, not %d", text, got, want)
		}
	}
	var out bytes.Buffer
	table(&out, [][]string{{"姓名", "x"}, {"ab", "y"}})
	facts(&out, [2]string{"等级", "三级"}, [2]string{"none", ""}, [2]string{"a", "b\x1b[31m"})
	if want := "姓名  x\nab    y\n  等级  三级\n  a     b [31m\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestAges(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Second: "5 秒前 (5 s old)", 61 * time.Minute: "1 小时前 (1 h old)", 3 * time.Minute: "3 分钟前 (3 min old)",
		72 * time.Hour: "3 天前 (3 days old)", -time.Minute: "1m0s 之后 (in the future)",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}
