package standards

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tradeGlyphs are the traditional characters, each before its simplified form,
// that occur in names of occupations and trades. It is no dictionary: a character
// that is not here stays as it is.
const tradeGlyphs = "級级學学師师資资職职業业國国電电車车鉗钳銲焊護护養养調调員员機机維维術术藝艺製制廚厨髮发點点麵面營营運运輸输務务倉仓儲储網网絡络訊讯" +
	"檢检驗验測测縫缝紉纫設设備备裝装飾饰築筑鋼钢筋筋鍋锅爐炉鑄铸鍛锻熱热處处銑铣鑽钻數数據据軟软體体資资訊讯傳传導导遊游園园蠶蚕獸兽醫医藥药劑剂兒儿嬰婴幼幼" +
	"衛卫環环節节能能劃划畫画攝摄書书録录語语譯译財财貿贸銷销購购計计審审稅税險险證证務务農农漁渔飼饲餵喂種种樹树織织紡纺染染編编條条綫线線线纜缆開开關关閥阀門门窗窗" +
	"壓压氣气氧氧銀银鐵铁鋁铝銅铜錶表鐘钟錄录樂乐樓楼廠厂礦矿場场聯联訓训練练試试選选採采礎础類类"

var tradeForms = func() *strings.Replacer {
	glyphs := []rune(tradeGlyphs)
	var pairs []string
	for i := 0; i+1 < len(glyphs); i += 2 {
		pairs = append(pairs, string(glyphs[i]), string(glyphs[i+1]))
	}
	return strings.NewReplacer(pairs...)
}()

// NormaliseTrade returns the form in which names of occupations and trades are
// compared: compatibility forms unified (full width), traditional characters
// simplified where the name of an occupation has them, Latin letters in lower
// case, brackets of one kind, without spaces, dots, dashes and invisible
// characters. Names that say that there is no trade (--, 无, 无工种) are empty. It
// is not for showing.
func NormaliseTrade(s string) string {
	for range 4 {
		t := tradeForms.Replace(strings.ToLower(norm.NFKC.String(s)))
		t = strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), r == '.', strings.ContainsRune(nameDots, r), strings.ContainsRune("-—–‐−－_/\\、,，", r):
				return -1
			case strings.ContainsRune("[{【〔〈《", r):
				return '('
			case strings.ContainsRune("]}】〕〉》", r):
				return ')'
			}
			return r
		}, t)
		if t == s {
			break
		}
		s = t
	}
	switch s {
	case "无", "無", "无工种", "無工种", "無工種", "()":
		return ""
	}
	return s
}
