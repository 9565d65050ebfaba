package credentials

import (
	"fmt"
	"time"
)

// Lang is a language of the sentences.
type Lang string

// The languages. Any other counts as ZH.
const (
	ZH Lang = "zh"
	EN Lang = "en"
)

// Args fills the gaps in a sentence. Since is a civil date YYYY-MM-DD or empty;
// Credential says that the sentence is about a W3C credential, not a QR code.
type Args struct {
	Since      string
	Credential bool
}

type words struct{ zh, en string }

func (w words) in(lang Lang) string {
	if lang == EN {
		return w.en
	}
	return w.zh
}

// sentences holds, for each reason, what officials would say and what to do
// next. The golden test shows them all at once.
var sentences = map[Reason]struct{ say, next words }{
	ReasonValid: {
		words{"证书有效", "Valid certificate"},
		words{"请核对姓名和证件号码", "Compare the name and the document number with the holder"},
	},
	ReasonVoided: {
		words{"证书已撤销，自始无效", "Voided: this certificate was never valid"},
		words{"请勿采信；如已发放补贴请联系经办机构", "Do not rely on it; if a subsidy was paid on it, contact the paying office"},
	},
	ReasonCancelled: {
		words{"证书已注销", "Cancelled"},
		words{"此日期之前的使用不受影响", "Use before that date is not affected"},
	},
	ReasonSuspended: {
		words{"证书核查中，暂停使用", "Under review: suspended"},
		words{"核查结束前请勿作为依据；可稍后再查", "Do not rely on it before the review ends; check again later"},
	},
	ReasonSuperseded: {
		words{"信息已更正或补发，请以新版本为准", "Corrected or reissued: the newer version counts"},
		words{"请持证人出示新证书", "Ask the holder for the new certificate"},
	},
	ReasonNotYetPublished: {
		words{"已登记，全国查询尚未更新", "Registered; the national query is not yet updated"},
		words{"一般需若干工作日", "This usually takes some working days"},
	},
	ReasonIssuerNotEntitled: {
		words{"发证时该机构未备案本职业（工种）本等级", "The institution was not filed for this occupation (trade) and level at issue"},
		words{"请联系评价机构或拨打12333", "Contact the institution or call 12333"},
	},
	ReasonReceivedTooLate: {
		words{"暂停或退出后上报，不予认可", "Reported after the institution was suspended or had left: not recognised"},
		words{"请联系评价机构或拨打12333", "Contact the institution or call 12333"},
	},
	ReasonBadSignature: {
		words{"二维码内容被改动", "The content of the QR code was altered"},
		words{"可能是仿冒，请举报", "It may be a forgery; please report it"},
	},
	ReasonUnknownKey: {
		words{"不是本系统的二维码", "Not a QR code of this system"},
		words{"可能是仿冒，请举报；离线查验的，请先更新公钥再查", "It may be a forgery; please report it. If you check offline, first update the public keys"},
	},
	ReasonWrongRegistry: {
		words{"不是本系统的二维码", "Not a QR code of this system"},
		words{"可能是仿冒，请举报", "It may be a forgery; please report it"},
	},
	ReasonUnknownCertificate: {
		words{"未查到，不等于假证", "Not found; that does not mean that it is false"},
		words{"请核对编号，或拨打12333咨询", "Check the number, or call 12333"},
	},
	ReasonRevoked: {
		words{"证书已失效（撤销、注销或已有新版本）", "No longer in force (voided, cancelled or replaced by a newer version)"},
		words{"请勿采信；联网查验可知原因", "Do not rely on it; an online check tells why"},
	},
	ReasonKeyDistrusted: {
		words{"签名密钥已停止信任，不能据此认定", "Signed with a key that is no longer trusted: proves nothing"},
		words{"请联网查验登记记录", "Check the register online"},
	},
	ReasonStatusStale: {
		words{"签名有效，状态清单已过期", "Issued so; the status list is out of date"},
		words{"请联网查验，或更新状态清单后再查", "Check online, or update the status list and check again"},
	},
	ReasonStatusUnchecked: {
		words{"签名有效，未查状态", "Issued so; status not checked"},
		words{"只证明当时如此发证；请联网查验是否仍然有效", "This proves only that it was issued so; check online whether it is still valid"},
	},
}

// credentialSentences take the place of the first lines that speak of a QR code.
var credentialSentences = map[Reason]words{
	ReasonBadSignature:  {"电子凭证内容被改动", "The content of the electronic credential was altered"},
	ReasonUnknownKey:    {"不是本系统的电子凭证", "Not an electronic credential of this system"},
	ReasonWrongRegistry: {"不是本系统的电子凭证", "Not an electronic credential of this system"},
}

// credentialNext is what to do about a credential whose key is not trusted any
// more: there is no evidence of when it was signed, and a new one is to be had.
var credentialNext = words{"请持证人重新下载电子凭证，或查验证书上的二维码", "Ask the holder to download the credential anew, or check the QR code on the certificate"}

// Sentence returns what a verdict with the reason r says, as an official would.
func Sentence(r Reason, lang Lang, args Args) string {
	if day, err := time.Parse(time.DateOnly, args.Since); err == nil && r == ReasonCancelled {
		if lang == EN {
			return "Cancelled on " + day.Format("2 January 2006")
		}
		return "证书已于 " + day.Format("2006年1月2日") + " 注销"
	}
	if w, ok := credentialSentences[r]; ok && args.Credential {
		return w.in(lang)
	}
	return sentences[r].say.in(lang)
}

// Next returns what a person who gets the reason r should do next.
func Next(r Reason, lang Lang) string { return sentences[r].next.in(lang) }

var institutionWords = map[InstitutionStatus]words{
	Filed:              {"已备案", "filed"},
	Rectifying:         {"整改中", "under rectification"},
	InstitutionOnHold:  {"已暂停", "suspended"},
	FilingExpired:      {"已到期", "expired"},
	FilingEnded:        {"已终止", "ended"},
	FilingRemoved:      {"已取消备案并移出目录", "removed from the directory"},
	InstitutionExited:  {"已退出", "left"},
	InstitutionUnknown: {"无记录", "not recorded"},
}

// Text returns the status in words.
func (s InstitutionStatus) Text(lang Lang) string {
	if w, ok := institutionWords[s]; ok {
		return w.in(lang)
	}
	return string(s)
}

// Standing returns the line under the institution's name: "发证时 已备案 · 现在
// 已退出（不影响本证书）". The remark is there only for a certificate that is
// valid although its institution is no longer filed. It is empty when no status
// is known.
func (v Verdict) Standing(lang Lang) string {
	i := v.Institution
	if i == nil || i.StatusAtIssue == InstitutionUnknown && i.StatusNow == InstitutionUnknown {
		return "" // nothing is recorded, or no directory is at hand
	}
	remark := v.Valid && i.StatusAtIssue == Filed && i.StatusNow != Filed && i.StatusNow != InstitutionUnknown
	if lang == EN {
		s := fmt.Sprintf("at issue %s · now %s", i.StatusAtIssue.Text(EN), i.StatusNow.Text(EN))
		if remark {
			s += " (this certificate is not affected)"
		}
		return s
	}
	s := fmt.Sprintf("发证时 %s · 现在 %s", i.StatusAtIssue.Text(ZH), i.StatusNow.Text(ZH))
	if remark {
		s += "（不影响本证书）"
	}
	return s
}

// Basis returns the line under the first one: how and when it was checked, and
// how old the status list is: "离线查验 · 状态清单更新于 3 小时前".
func (v Verdict) Basis(lang Lang) string {
	when := v.CheckedAt.In(civil).Format("2006-01-02 15:04")
	if v.Online {
		return words{"在线查验 " + when, "Checked online " + when}.in(lang)
	}
	if v.StatusChecked == nil {
		return words{"离线查验 " + when + " · 无状态清单", "Checked offline " + when + " · no status list"}.in(lang)
	}
	old := age(v.CheckedAt.Sub(*v.StatusChecked))
	return words{"离线查验 · 状态清单更新于 " + old.zh + "前", "Checked offline · status list " + old.en + " old"}.in(lang)
}

func age(d time.Duration) words {
	count := func(n int, zh, en string) words {
		if n != 1 {
			en += "s"
		}
		return words{fmt.Sprintf("%d %s", n, zh), fmt.Sprintf("%d %s", n, en)}
	}
	switch {
	case d < time.Hour:
		return count(max(int(d/time.Minute), 0), "分钟", "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "小时", "hour")
	}
	return count(int(d/(24*time.Hour)), "天", "day")
}

// levels names the level digits of a certificate number.
var levels = map[byte]struct{ code, zh, en string }{
	'5': {"junior", "五级/初级工", "Junior skilled worker"},
	'4': {"intermediate", "四级/中级工", "Intermediate skilled worker"},
	'3': {"senior", "三级/高级工", "Senior skilled worker"},
	'2': {"technician", "二级/技师", "Technician"},
	'1': {"senior_technician", "一级/高级技师", "Senior technician"},
}
