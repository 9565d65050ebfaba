package evaluators

import (
	"cmp"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A Face is what a certificate says beside its number, and the day of its exam.
type Face struct {
	Occupation string
	Trade      string // catalogue id, empty when the certificate shows --
	Level      standards.Level
	ExamDate   standards.Date // empty for a certificate without an exam: the date of issue stands for it
	Issued     standards.Date // 发证日期
	// Filed are the institution's filings: one that renews the filing without a
	// gap stands for it on the day of issue. May be empty.
	Filed []Filing
	// Known is the time whose knowledge of the filing counts; zero is all that is
	// recorded. For the scope on the day of an exam it is the beginning of that day.
	Known time.Time
	// Own is the institution's 统一社会信用代码 and Employer that of the holder's
	// unit: rule E10 asks when Own is given.
	Own, Employer string
}

// A Problem is one way in which a certificate number contradicts the record. The
// number has no check digit, so this comparison is all that catches a mistyped
// one. Rule is one of
//
//	E1 shape     a part does not fit its place in the 22 characters
//	E2 province  no such province
//	E3 class     neither Y nor S, or not the filing's
//	E4 code      not the institution code of the filing
//	E5 filing    no filing with these parts, another site or province, or not in its dates on the day of issue
//	E6 year      not the year of issue
//	E7 level     not the level of the certificate
//	E8 scope     occupation, trade or level not in the scope on the day of the exam
//	E9 serial    000000, or outside the granted ranges
//	E10 people   class Y, and the holder's unit is neither the institution nor admitted
type Problem struct {
	Rule string `json:"rule"`
	fail.Field
}

type numberCheck []Problem

func (ps numberCheck) add(rule, code, zh, en string) numberCheck {
	return append(ps, Problem{Rule: rule, Field: wrong("number", code, zh, en)})
}

// CheckNumber compares a certificate number with the filing it should have been
// issued under and with the certificate's face, and returns every problem, in
// the order of the rules; none if all agree. A Filing without an ID means that
// there is none with the number's parts. Decisions are not looked at here: see
// [Entitled]. That a serial is free is for the registry to say.
func CheckNumber(n standards.LevelNumber, f Filing, face Face) []Problem {
	ps := checkShape(nil, n)
	if f.ID == "" {
		ps = ps.add("E5", "number_filing",
			fmt.Sprintf("没有编码为 %s 的备案", n.Prefix()), fmt.Sprintf("there is no filing with the number parts %s", n.Prefix()))
		return checkFace(ps, n, face)
	}
	ps = checkParts(ps, n, f, face)
	ps = checkFace(ps, n, face)
	ps = checkGrant(ps, n, f, face)
	if face.Own != "" {
		if ok, why := f.AdmitsEmployer(face.Employer, face.Own, cmp.Or(face.ExamDate, face.Issued), face.known()); !ok {
			ps = append(ps, Problem{Rule: "E10", Field: why})
		}
	}
	return ps
}

// known is the time whose knowledge counts, later than all when none is given.
func (face Face) known() time.Time {
	if face.Known.IsZero() {
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return face.Known
}

// checkShape: E1, E2, and E3 as far as no filing is needed.
func checkShape(ps numberCheck, n standards.LevelNumber) numberCheck {
	leveled := n.Level.Examined() || n.Level == standards.SpecialTechnician
	if len(digits("", n.Institution, 4, "", "")) > 0 || len(digits("", n.Site, 6, "", "")) > 0 ||
		len(digits("", n.Province, 2, "", "")) > 0 || n.Year < 2000 || n.Year > 2099 ||
		!leveled || n.Serial < 0 || n.Serial > standards.MaxSerial {
		ps = ps.add("E1", "number_shape", "证书编号不是有效的 22 位编码", "the number is not a well-formed number of 22 characters")
	}
	if _, ok := standards.Province(n.Province); !ok {
		ps = ps.add("E2", "number_province",
			fmt.Sprintf("省级代码 %q 不存在", n.Province), fmt.Sprintf("there is no province %q", n.Province))
	}
	if c := Class(n.Class); c != Employer && c != Social {
		ps = ps.add("E3", "number_class",
			fmt.Sprintf("机构类别应为 Y 或 S，实为 %q", string(rune(n.Class))), fmt.Sprintf("the class must be Y or S, not %q", string(rune(n.Class))))
	}
	return ps
}

// checkParts: E3 to E5, the first 13 characters against the filing.
func checkParts(ps numberCheck, n standards.LevelNumber, f Filing, face Face) numberCheck {
	for _, p := range []struct{ rule, code, have, want, zh, en string }{
		{"E3", "number_class", string(rune(n.Class)), string(f.Class), "机构类别", "class"},
		{"E4", "number_institution", n.Institution, f.Code, "评价机构代码", "institution code"},
		{"E5", "number_filing", n.Province, f.Province, "省级代码", "province"},
		{"E5", "number_filing", n.Site, f.Site, "机构（站点）序列码", "site code"},
	} {
		if p.have != p.want {
			ps = ps.add(p.rule, p.code,
				fmt.Sprintf("编号中的%s为 %s，备案 %s 为 %s", p.zh, p.have, f.ID, p.want),
				fmt.Sprintf("the %s in the number is %s, of filing %s it is %s", p.en, p.have, f.ID, p.want))
		}
	}
	if !f.InLine(face.Filed, face.Issued, face.known()).Covers(face.Issued) {
		ps = ps.add("E5", "number_filing",
			fmt.Sprintf("发证日期 %s 不在备案 %s 的有效期 %s 至 %s 内", face.Issued, f.ID, f.From, f.Until),
			fmt.Sprintf("the date of issue %s is not within filing %s, %s to %s", face.Issued, f.ID, f.From, f.Until))
	}
	return ps
}

// checkFace: E6 and E7, year and level against the certificate.
func checkFace(ps numberCheck, n standards.LevelNumber, face Face) numberCheck {
	if n.Year != face.Issued.Year() {
		ps = ps.add("E6", "number_year",
			fmt.Sprintf("编号中的年份为 %d，发证日期为 %s", n.Year, face.Issued),
			fmt.Sprintf("the year in the number is %d, the date of issue %s", n.Year, face.Issued))
	}
	if n.Level != face.Level {
		ps = ps.add("E7", "number_level",
			fmt.Sprintf("编号中的等级为%s，证书为%s", n.Level.Certificate(), face.Level.Certificate()),
			fmt.Sprintf("the level in the number is %s, of the certificate %s", n.Level.Code(), face.Level.Code()))
	}
	return ps
}

// checkGrant: E8 and E9, what the filing may examine and which serials it has.
func checkGrant(ps numberCheck, n standards.LevelNumber, f Filing, face Face) numberCheck {
	day, known := face.ExamDate, knownAtExam(face.ExamDate, face.known())
	if day == "" {
		day, known = face.Issued, face.known()
	}
	_, missing := f.scope(face.Occupation, face.Trade, face.Level, known)
	if missing == "" && !f.covers(face.Occupation, face.Trade, face.Level, day, known) {
		missing = ReasonExamOutsideScope
	}
	if missing != "" {
		ps = ps.add("E8", "number_scope", missing.Chinese(), missing.English())
	}
	switch {
	case n.Serial == 0:
		ps = ps.add("E9", "number_serial", "证书序列码不能为 000000", "the serial must not be 000000")
	case n.Serial > 0 && n.Serial <= standards.MaxSerial && !f.InLine(face.Filed, face.Issued, face.known()).Granted(n.Year, n.Level, n.Serial):
		ps = ps.add("E9", "number_serial",
			fmt.Sprintf("序列码 %06d 不在备案 %s 获得的号段内", n.Serial, f.ID),
			fmt.Sprintf("serial %06d is outside the ranges granted to filing %s", n.Serial, f.ID))
	}
	return ps
}
