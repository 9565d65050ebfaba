package credentials

import (
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// scriptFile is the module that does in browsers what VerifyOffline does here.
const scriptFile = "../web/static/bajigong-verify.js"

const wordsBegin, wordsEnd = "const WORDS = ", "// end of WORDS\n"

// offlineReasons are those that VerifyOffline gives, the gravest first.
func offlineReasons() (out []Reason) {
	for _, r := range Reasons() {
		switch r {
		case ReasonWrongRegistry, ReasonBadSignature, ReasonUnknownKey, ReasonKeyDistrusted, ReasonRevoked,
			ReasonSuspended, ReasonSuperseded, ReasonStatusStale, ReasonStatusUnchecked, ReasonValid:
			out = append(out, r)
		}
	}
	return out
}

// scriptErrors are the errors of the module, in Chinese and English: those of
// this package as it gives them, and a few that only the module has.
func scriptErrors(t *testing.T) []wordLine {
	t.Helper()
	var found []error
	for _, text := range []string{"hello", "HTTPS://X/c/7k3m9qh2c4x5t", "https://x/c/7", "1", strings.Repeat("1", MaxScanned+1), "https://x/c/7k3m9qh2c4x5t"} {
		_, err := VerifyOffline(text, Trust{}, testNow)
		found = append(found, err)
	}
	found = append(found, jws.ErrMalformed, jws.ErrTooLarge, jws.ErrNoncanonical, jws.ErrWrongType, jws.ErrUnknownKey,
		jws.ErrWrongPurpose, jws.ErrBadSignature, jws.ErrDistrusted,
		fail.New(fail.Invalid, "bad_key_set", "the key set is not what it should be").In("公钥集文件不合要求"),
		badDirectory("the directory is not what it should be"), badList("the status list is not what it should be"),
		fail.New(fail.Invalid, "status_list_length", "the status list is too short").In("状态清单长度不合要求"),
		fail.New(fail.Invalid, "status_list_not_yet_valid", "the status list is from the future; is the clock of this device right?").In("状态清单的时间晚于本机时间，请检查本机时钟"),
		fail.New(fail.Unavailable, "unreachable", "the register cannot be reached").In("无法连接登记系统"),
		fail.New(fail.Unavailable, "no_webcrypto", "this browser checks signatures only on https pages").In("此浏览器仅在 https 页面中支持验签"),
		fail.New(fail.Unavailable, "no_gzip", "this browser is too old to read status lists").In("浏览器版本过旧，无法读取状态清单"))
	var out []wordLine
	for _, err := range found {
		e := fail.Of(err)
		out = append(out, wordLine{e.Code, []string{e.ZH, e.Text}})
	}
	return out
}

type wordLine struct {
	key   string
	words []string
}

// scriptWords is the table of words of the module as JavaScript. A gap is "{}".
func scriptWords(t *testing.T) string {
	t.Helper()
	const gap = "{}"
	var reasons, institutions, levelLines, basis []wordLine
	for _, r := range offlineReasons() {
		reasons = append(reasons, wordLine{string(r), []string{string(r.Band()), Sentence(r, ZH, Args{}), Sentence(r, EN, Args{}), Next(r, ZH), Next(r, EN)}})
	}
	for _, s := range []InstitutionStatus{Filed, Rectifying, InstitutionOnHold, FilingExpired, FilingEnded, FilingRemoved, InstitutionExited, InstitutionUnknown} {
		institutions = append(institutions, wordLine{string(s), []string{s.Text(ZH), s.Text(EN)}})
	}
	if len(institutions) != len(institutionWords) {
		t.Fatal("a status of an institution is missing here")
	}
	for _, digit := range []byte("12345") {
		l := levels[digit]
		levelLines = append(levelLines, wordLine{string(digit), []string{l.code, l.zh, l.en}})
	}
	unchecked := Verdict{CheckedAt: testNow}
	when := testNow.In(civil).Format("2006-01-02 15:04")
	basis = append(basis, wordLine{"unchecked", []string{
		strings.ReplaceAll(unchecked.Basis(ZH), when, gap), strings.ReplaceAll(unchecked.Basis(EN), when, gap)}})
	old := testNow.Add(-3 * time.Hour)
	checked := Verdict{CheckedAt: testNow, StatusChecked: &old}
	basis = append(basis, wordLine{"checked", []string{
		strings.ReplaceAll(checked.Basis(ZH), age(3*time.Hour).zh, gap), strings.ReplaceAll(checked.Basis(EN), age(3*time.Hour).en, gap)}})
	standing := Verdict{Institution: &Issuer{StatusAtIssue: gap, StatusNow: gap}}
	unaffected := Verdict{Valid: true, Institution: &Issuer{StatusAtIssue: Filed, StatusNow: gap}}
	basis = append(basis, wordLine{"standing", []string{standing.Standing(ZH), standing.Standing(EN),
		strings.Replace(unaffected.Standing(ZH), Filed.Text(ZH), gap, 1), strings.Replace(unaffected.Standing(EN), Filed.Text(EN), gap, 1)}})

	var b strings.Builder
	b.WriteString("{\n")
	for _, group := range []struct {
		name  string
		lines []wordLine
	}{{"reasons", reasons}, {"institutions", institutions}, {"levels", levelLines}, {"errors", scriptErrors(t)}} {
		b.WriteString("  " + group.name + ": {\n")
		for _, l := range group.lines {
			b.WriteString("    " + l.script(t) + ",\n")
		}
		b.WriteString("  },\n")
	}
	for _, l := range basis {
		b.WriteString("  " + l.script(t) + ",\n")
	}
	var units [][2]string
	for _, d := range []time.Duration{time.Minute, time.Hour, 48 * time.Hour} {
		w := age(d)
		_, zh, _ := strings.Cut(w.zh, " ")
		_, en, _ := strings.Cut(w.en, " ")
		units = append(units, [2]string{zh, strings.TrimSuffix(en, "s")})
	}
	b.WriteString("  units: " + scriptValue(t, units) + ",\n};\n")
	return b.String()
}

func (l wordLine) script(t *testing.T) string {
	key := l.key
	if key == "" || strings.ContainsAny(key, "-") {
		key = scriptValue(t, key)
	}
	return key + ": " + scriptValue(t, l.words)
}

func scriptValue(t *testing.T, v any) string {
	t.Helper()
	b, err := marshalPlain(v)
	noFail(t, err)
	return strings.ReplaceAll(string(b), `","`, `", "`)
}

// TestWordsOfTheScript holds the sentences of the module to those of this
// package; with -update it writes them.
func TestWordsOfTheScript(t *testing.T) {
	script, err := os.ReadFile(scriptFile)
	noFail(t, err)
	before, rest, ok1 := strings.Cut(string(script), wordsBegin)
	have, after, ok2 := strings.Cut(rest, wordsEnd)
	if !ok1 || !ok2 {
		t.Fatal("the module has no place for its words")
	}
	want := scriptWords(t)
	if have == want {
		return
	}
	if *update {
		noFail(t, os.WriteFile(scriptFile, []byte(before+wordsBegin+want+wordsEnd+after), 0o644))
		return
	}
	t.Errorf("the words of %s differ; if that is meant, run the test with -update\n got: %s\nwant: %s", scriptFile, have, want)
}

// TestScriptIsSmall keeps the module to what a phone loads in a moment: 20 KB of
// code beside comments and words, 28 KB in all, 12 KB as it is sent packed.
func TestScriptIsSmall(t *testing.T) {
	script, err := os.ReadFile(scriptFile)
	noFail(t, err)
	_, rest, _ := strings.Cut(string(script), wordsBegin)
	words, _, _ := strings.Cut(rest, wordsEnd)
	code := 0
	for line := range strings.Lines(string(script)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "//") {
			code += len(line)
		}
	}
	code -= len(words)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(script)
	noFail(t, err)
	noFail(t, z.Close())
	t.Logf("%d bytes: %d of code, %d of words, the rest comments; %d packed", len(script), code, len(words), packed.Len())
	if code > 20<<10 || len(script) > 28<<10 || packed.Len() > 12<<10 {
		t.Error("the module has become too large")
	}
	for _, recent := range []string{"(?<!", "(?<=", "Object.hasOwn", ".at(", ".replaceAll(", "structuredClone"} {
		if bytes.Contains(script, []byte(recent)) {
			t.Errorf("the module uses %s, which phones of 2020 do not know", recent)
		}
	}
	if bytes.Contains(script, []byte("\nimport ")) {
		t.Error("the module needs another file")
	}
}
