package standards

import (
	"strings"
	"testing"
)

func TestUSCCVectors(t *testing.T) { // GB 32100-2015, GB 11714
	for _, c := range []string{"91350100M000100Y43", " 91350100m000100y43 ", "９１３５０１００M000100Y43"} {
		got, w, err := ParseUSCC(c)
		if err != nil || w != nil || got != "91350100M000100Y43" {
			t.Errorf("%q: %q %v %v", c, got, w, err)
		}
	}
	if c, ok := OrganisationCheck("M000100Y"); !ok || c != '4' {
		t.Errorf("%c", c)
	}
	if c, ok := USCCCheck("91350100M000100Y4"); !ok || c != '3' {
		t.Errorf("%c", c)
	}
}

func TestEverySingleChangeOfAUSCCWarnsOrIsRefused(t *testing.T) {
	const code = "91350100M000100Y43"
	for i := range code {
		for b := range 256 {
			mutant := []byte(code)
			mutant[i] = byte(b)
			got, w, err := ParseUSCC(string(mutant))
			if err == nil && got != code && w == nil {
				t.Fatalf("position %d byte %#x: no warning", i+1, b)
			}
		}
	}
}

func TestUSCCWarnsButDoesNotRefuse(t *testing.T) { // practice: some early real codes fail the check of GB 32100-2015
	got, w, err := ParseUSCC("91350100M000100Y4A")
	if err != nil || got != "91350100M000100Y4A" || w == nil || w.Code != "uscc_check_digit" || !strings.Contains(w.ZH, "应为 3，现为 A") {
		t.Fatal(got, w, err)
	}
	first := "91350100M000100Y5" // organisation code wrong, outer check right
	c, _ := USCCCheck(first)
	if _, w, err = ParseUSCC(first + string(rune(c))); err != nil || w == nil || w.Code != "uscc_organisation_check" {
		t.Fatal(w, err)
	}
	first = "99350100M000100Y4"
	c, _ = USCCCheck(first)
	if _, w, err = ParseUSCC(first + string(rune(c))); err != nil || w == nil || w.Code != "uscc_kind" {
		t.Fatal(w, err)
	}
}

func TestUSCCErrors(t *testing.T) {
	for s, code := range map[string]string{
		"": "uscc_missing", "91350100M000100Y4": "uscc_length", "350100000000001": "uscc_length", "91350100M0001O0Y43": "uscc_character", "9135O100M000100Y43": "uscc_character", "91350100M000100Y4李": "uscc_character",
	} {
		_, _, err := ParseUSCC(s)
		e := wantCode(t, err, code)
		zh := map[string]string{"91350100M0001O0Y43": "第14位", "350100000000001": "旧工商注册号", "91350100M000100Y4": "现为17位"}[s]
		if !strings.Contains(e.ZH, zh) {
			t.Error(e.ZH)
		}
	}
}
