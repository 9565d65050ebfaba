package standards

import (
	"testing"
	"time"
)

func TestParseDateReadsWhatPeopleAndSpreadsheetsWrite(t *testing.T) { // practice: 2025.3.1, 2025年3月1日, 45717
	for s, want := range map[string]Date{
		"2025-03-01": "2025-03-01", "2025-3-1": "2025-03-01", "2025.3.1": "2025-03-01", "2025.03.01": "2025-03-01", "2025年3月1日": "2025-03-01",
		"2025 年 3 月 1 日": "2025-03-01", "2025/3/1": "2025-03-01", "20250301": "2025-03-01", "45717": "2025-03-01", "２０２５-３-１": "2025-03-01",
		"2025/3/1 0:00": "2025-03-01", "2025-03-01 00:00:00": "2025-03-01", "2025-03-01T00:00:00": "2025-03-01", " 2024-02-29 ": "2024-02-29",
		"18264": "1950-01-01", "73050": "2099-12-31", "1900-01-01": "1900-01-01",
	} {
		if got, err := ParseDate(s); err != nil || got != want {
			t.Errorf("%q: %q %v, want %s", s, got, err, want)
		}
	}
	for s, code := range map[string]string{
		"": "date_missing", "2025-02-29": "date_nonexistent", "2025-13-01": "date_nonexistent", "20251301": "date_nonexistent", "2025-04-31": "date_nonexistent", "1899-12-31": "date_nonexistent", "2200-01-01": "date_nonexistent",
		"3/1/2025": "date_format", "25-3-1": "date_format", "2025年3月": "date_format", "2025": "date_format", "99999": "date_format", "100": "date_format", "45717.5": "date_format", "2025-03-01 12:30": "date_format", "长期": "date_format", "2025-03-011": "date_format",
	} {
		_, err := ParseDate(s)
		wantCode(t, err, code)
	}
}

func TestDateOfIsTheDayInShanghai(t *testing.T) { // our reading: days and years are those of Asia/Shanghai
	if d := DateOf(time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC)); d != "2026-01-01" || d.Year() != 2026 {
		t.Error(d)
	}
	if d := DateOf(time.Date(2025, 12, 31, 15, 59, 59, 0, time.UTC)); d != "2025-12-31" {
		t.Error(d)
	}
	if tm := Date("2026-01-01").Time(); !tm.Equal(time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC)) {
		t.Error(tm)
	}
}

func TestDateArithmetic(t *testing.T) {
	d := Date("2024-02-28")
	if d.AddDays(1) != "2024-02-29" || d.AddDays(2) != "2024-03-01" || d.AddDays(-59) != "2023-12-31" || d.Chinese() != "2024年2月28日" {
		t.Error(d.AddDays(1), d.AddDays(2), d.AddDays(-59), d.Chinese())
	}
	if n := Date("2024-03-01").DaysSince(d); n != 2 {
		t.Error(n)
	}
	if Date("").AddDays(1) != "" || Date("").Year() != 0 || Date("").Valid() || Date("2025-02-29").Valid() || !Date("2024-02-29").Valid() || Date("2024-2-29").Valid() {
		t.Error("empty or invalid dates")
	}
	if NewYear(2025) != "2025-01-01" || NewYear(0) != "" {
		t.Error("NewYear")
	}
}
