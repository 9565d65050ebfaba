package standards

// provinces are the two-digit codes of GB/T 2260 in use. 66 is the Production
// and Construction Corps in filings (recalled, not confirmed: accepted by table).
var provinces = map[string]string{
	"11": "北京", "12": "天津", "13": "河北", "14": "山西", "15": "内蒙古",
	"21": "辽宁", "22": "吉林", "23": "黑龙江",
	"31": "上海", "32": "江苏", "33": "浙江", "34": "安徽", "35": "福建", "36": "江西", "37": "山东",
	"41": "河南", "42": "湖北", "43": "湖南", "44": "广东", "45": "广西", "46": "海南",
	"50": "重庆", "51": "四川", "52": "贵州", "53": "云南", "54": "西藏",
	"61": "陕西", "62": "甘肃", "63": "青海", "64": "宁夏", "65": "新疆", "66": "新疆生产建设兵团",
	"71": "台湾", "81": "香港", "82": "澳门",
}

// Province returns the short Chinese name of a two-digit region code as it
// occurs in certificate numbers, 66 (兵团) included.
func Province(code string) (name string, ok bool) {
	name, ok = provinces[code]
	return name, ok
}

// identityRegion reports whether code begins identity numbers: a province of
// GB/T 2260, or 83, which stands only in residence permits of Taiwan residents.
// The Corps has no identity numbers of its own.
func identityRegion(code string) bool {
	if code == "83" {
		return true
	}
	_, ok := provinces[code]
	return ok && code != "66"
}
