package eligibility

import (
	"fmt"
	"strings"

	"bajigong/standards"
)

// after is what years are counted from: nothing, a certificate or a title.
type after struct {
	certificate standards.Level
	title       Rank
}

var rankWords = map[Rank]struct{ zh, en string }{
	JuniorTitle: {"初级职称", "junior"}, MidTitle: {"中级职称", "intermediate"}, SeniorTitle: {"高级职称", "senior"},
}

func (a after) chinese() string {
	switch {
	case a.certificate != 0:
		return "取得" + a.certificate.Certificate() + "证书后"
	case a.title != "":
		return "取得" + rankWords[a.title].zh + "后"
	}
	return ""
}

func (a after) english() string {
	switch {
	case a.certificate != 0:
		return " after the " + a.certificate.Certificate() + " certificate"
	case a.title != "":
		return " after the " + rankWords[a.title].en + " title"
	}
	return ""
}

// sentence joins what is missing.
func sentence(missing []Missing) (zh, en string) {
	var zhs, ens []string
	for _, m := range missing {
		zhs, ens = append(zhs, m.ZH), append(ens, m.EN)
	}
	return strings.Join(zhs, "；"), strings.Join(ens, "; ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func noBirth() Missing {
	return Missing{Kind: MissingAge, ZH: "没有出生日期", EN: "there is no date of birth"}
}

func tooYoung(years, days int) Missing {
	return Missing{Kind: MissingAge, Days: days, ZH: fmt.Sprintf("年满 %d 周岁尚差 %d 天", years, days),
		EN: fmt.Sprintf("%s of age are reached in %s", plural(years, "year"), plural(days, "day"))}
}

func noIntention() Missing {
	return Missing{Kind: MissingIntention, ZH: "没有拟从事本职业或相关职业的声明", EN: "there is no declaration to work in this or a related occupation"}
}

func noWork(on standards.Date) Missing {
	return Missing{Kind: MissingWork, ZH: on.Chinese() + "没有从事本职业或相关职业的证明", EN: fmt.Sprintf("nothing proves work in this or a related occupation on %s", on)}
}

func noApprenticeship() Missing {
	return Missing{Kind: MissingTraining, ZH: "没有本职业或相关职业学徒期满的证明", EN: "nothing proves a completed apprenticeship in this or a related occupation"}
}

func tooFewYears(n, short int, any bool, a after, on standards.Date) Missing {
	if !any {
		return Missing{Kind: MissingYears, ZH: fmt.Sprintf("%s没有从事本职业或相关职业的工作记录，须累计满 %d 年", a.chinese(), n),
			EN: fmt.Sprintf("there is no work in this or a related occupation%s; %s are needed", a.english(), plural(n, "whole year"))}
	}
	return Missing{Kind: MissingYears, Days: short,
		ZH: fmt.Sprintf("%s累计从事本职业或相关职业工作满 %d 年，截至%s尚差 %d 天", a.chinese(), n, on.Chinese(), short),
		EN: fmt.Sprintf("%s short of %s of work in this or a related occupation%s, as of %s", plural(short, "day"), plural(n, "whole year"), a.english(), on)}
}

func tooEarly(n, short int, a after) Missing {
	if short == 0 {
		return Missing{Kind: MissingYears, ZH: fmt.Sprintf("%s须满 %d 年", a.chinese(), n), EN: fmt.Sprintf("%s have to pass%s", plural(n, "whole year"), a.english())}
	}
	return Missing{Kind: MissingYears, Days: short, ZH: fmt.Sprintf("%s满 %d 年尚差 %d 天", a.chinese(), n, short),
		EN: fmt.Sprintf("%s short of %s%s", plural(short, "day"), plural(n, "whole year"), a.english())}
}

func noCertificate(n NeedCertificate) Missing {
	where, whereEN := "本职业或相关职业", "this or a related occupation"
	if n.Scope == Own {
		where, whereEN = "本职业", "this occupation"
	}
	m := Missing{Kind: MissingCertificate, ZH: fmt.Sprintf("没有%s%s职业资格（职业技能等级）证书", where, n.Level.Certificate()),
		EN: fmt.Sprintf("there is no %s certificate (qualification or skill level) of %s", n.Level.Certificate(), whereEN)}
	if n.WorkYears > 0 {
		m.ZH += fmt.Sprintf("（取得后还须累计工作满 %d 年）", n.WorkYears)
		m.EN += fmt.Sprintf(" (after which %s of work are needed)", plural(n.WorkYears, "whole year"))
	}
	return m
}

func noTitle(n NeedTitle) Missing {
	w := rankWords[n.Rank]
	m := Missing{Kind: MissingTitle, ZH: "没有符合专业对应关系的" + w.zh + "（专业技术人员职业资格）", EN: fmt.Sprintf("there is no %s professional title that corresponds to the occupation", w.en)}
	if n.WorkYears > 0 {
		m.ZH += fmt.Sprintf("，取得后还须累计工作满 %d 年", n.WorkYears)
		m.EN += fmt.Sprintf(", after which %s of work are needed", plural(n.WorkYears, "whole year"))
	}
	return m
}

func noDiploma(n NeedDiploma) Missing {
	field, fieldEN := map[Scope]string{Own: "本专业", OwnOrRelated: "本专业或相关专业"}[n.Field], map[Scope]string{Own: " in the field itself", OwnOrRelated: " in the field or a related one"}[n.Field]
	m := Missing{Kind: MissingDiploma, ZH: "没有" + n.Words.ZH + field + "毕业证书", EN: "there is no diploma of " + n.Words.EN + fieldEN}
	if n.Evaluated {
		m.ZH, m.EN = "没有经评估论证的"+n.Words.ZH+field+"毕业证书", "there is no diploma of "+n.Words.EN+fieldEN+" that was evaluated"
	}
	if n.Students {
		m.ZH += "，也不是在读应届毕业生"
		m.EN += ", nor a place in its final year"
	}
	return m
}

func noStudent(n NeedStudent) Missing {
	return Missing{Kind: MissingStudent, ZH: "不是" + n.Words.ZH + "学生", EN: "not a student of " + n.Words.EN}
}
