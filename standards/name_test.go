package standards

import (
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"张三": "张三", " 张三 ": "张三", "　张三": "张三", "张　三": "张 三", "张  三": "张 三",
		"阿卜杜拉•买买提": "阿卜杜拉·买买提", "阿卜杜拉・买买提": "阿卜杜拉·买买提", "阿卜杜拉．买买提": "阿卜杜拉·买买提", "阿卜杜拉‧买买提": "阿卜杜拉·买买提", "阿卜杜拉 · 买买提": "阿卜杜拉·买买提",
		"𬭎": "𬭎", "𠮷野": "𠮷野", "李𱍐": "李𱍐", "〇〇": "〇〇", "John O'Neill-Smith Jr.": "John O'Neill-Smith Jr.", "Jose\u0301": "José", "ＪＯＨＮ": "ＪＯＨＮ", "\uFEFF李四": "李四",
	} {
		if got, err := CleanName(in); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	for in, code := range map[string]string{
		"": "name_missing", "  ": "name_missing", "··": "name_missing", strings.Repeat("好", 41): "name_length", strings.Repeat("a", 10000): "name_length",
		"王\uE863": "name_private_character", "王\U000F0000": "name_private_character", "王?": "name_lost_character", "王\uFFFD": "name_lost_character", "王\xff": "name_lost_character",
		"王\x07": "name_character", "张3": "name_character", "<b>王": "name_character",
	} {
		e := wantCode(t, errOf(CleanName(in)), code)
		if code == "name_private_character" && !strings.Contains(e.ZH, "第2个字是自造字（U+") {
			t.Error(e.ZH)
		}
	}
}

func TestNormaliseNameMatchesTheSameName(t *testing.T) {
	for _, pair := range [][2]string{{"阿卜杜拉·买买提", "阿卜杜拉．买买提"}, {"John Smith", "ＪＯＨＮ　SMITH"}, {"张 三", "张三"}, {"阿卜杜拉买买提", "阿卜杜拉.买买提"}, {"José", "JOSE\u0301"}} {
		if NormaliseName(pair[0]) != NormaliseName(pair[1]) {
			t.Errorf("%q and %q: %q %q", pair[0], pair[1], NormaliseName(pair[0]), NormaliseName(pair[1]))
		}
	}
	if NormaliseName("张三") == NormaliseName("张山") {
		t.Error("different names")
	}
}
