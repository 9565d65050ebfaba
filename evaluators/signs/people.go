package signs

import (
	"cmp"
	"slices"

	"bajigong/standards"
)

// maxMarks is how many certificates of one person the signs remember.
const maxMarks = 64

// Mark is one certificate of a person, as far as the signs remember it.
type Mark struct {
	Number     string          `json:"number"`
	Occupation string          `json:"occupation"` // d-dd-dd-dd
	Trade      string          `json:"trade,omitempty"`
	Level      standards.Level `json:"level"`
	On         standards.Date  `json:"on"` // 发证日期
}

func (m Mark) same(n Mark) bool {
	return m.Occupation == n.Occupation && m.Trade == n.Trade && m.Level == n.Level
}

// group is the 小类 of an occupation: the first three parts of d-dd-dd-dd
// (职业分类大典).
func group(occupation string) string {
	if len(occupation) < 7 {
		return occupation
	}
	return occupation[:7]
}

// Marks are the certificates of one person of the last years, oldest first.
type Marks []Mark

// Add returns the marks with one more. A certificate for the same occupation,
// trade and level takes the place of the one before: a batch that was aborted
// and issued anew is not two certificates. Marks of more than two years before
// the newest are forgotten.
func (ms Marks) Add(m Mark) Marks {
	out := slices.DeleteFunc(slices.Clone(ms), m.same)
	out = append(out, m)
	slices.SortStableFunc(out, func(a, b Mark) int { return cmp.Compare(a.On, b.On) })
	oldest := out[len(out)-1].On.AddDays(-2 * 366)
	out = slices.DeleteFunc(out, func(a Mark) bool { return a.On < oldest })
	if len(out) > maxMarks {
		out = out[len(out)-maxMarks:]
	}
	return out
}

// near is the most occupations and trades of m's 小类 in any 12 months that m
// lies in.
func (ms Marks) near(m Mark) (most int) {
	for _, end := range ms {
		if end.On < m.On || end.On >= yearAfter(m.On) {
			continue
		}
		kinds := map[[2]string]bool{}
		for _, other := range ms {
			if other.On <= end.On && yearAfter(other.On) > end.On && group(other.Occupation) == group(m.Occupation) {
				kinds[[2]string{other.Occupation, other.Trade}] = true
			}
		}
		most = max(most, len(kinds))
	}
	return most
}

// inYear counts the certificates of m's natural year.
func (ms Marks) inYear(m Mark) (n int) {
	for _, other := range ms {
		if other.On.Year() == m.On.Year() {
			n++
		}
	}
	return n
}

// yearAfter is the same day of the next year; of 29 February the 1 March.
func yearAfter(d standards.Date) standards.Date {
	if next, ok := standards.NewDate(d.Year()+1, int(d.Time().In(standards.Zone).Month()), d.Time().In(standards.Zone).Day()); ok {
		return next
	}
	return d.AddDays(366)
}

// PeopleFigures counts certificates of one batch by which a person came over a
// limit. Examples are certificate numbers.
type PeopleFigures struct {
	NearTrades       int      `json:"near_trades,omitempty"`
	ManyCertificates int      `json:"many_certificates,omitempty"`
	Examples         []string `json:"examples,omitempty"`
}

// maxExamples bounds the numbers that a batch's figures name.
const maxExamples = 10

// Count adds a certificate that was just added to its holder's marks.
func (r Rules) Count(f PeopleFigures, ms Marks, m Mark) PeopleFigures {
	near := r.NearTrades != nil && ms.near(m) > r.NearTrades.Trades
	many := r.ManyCertificates != nil && ms.inYear(m) > r.ManyCertificates.Certificates
	if near {
		f.NearTrades++
	}
	if many {
		f.ManyCertificates++
	}
	if (near || many) && len(f.Examples) < maxExamples {
		f.Examples = append(slices.Clip(f.Examples), m.Number)
	}
	return f
}

// Arrival is one certificate that an institution registered under its own
// number instead of issuing it here.
type Arrival struct {
	Number   string
	Issued   standards.Date
	Entitled bool // what was asked when it came in
}

// Joined is when an institution came under this register.
type Joined struct {
	Admitted standards.Date // the first day of its first filing
	Recorded standards.Date // the day its first filing was recorded here
}

// AfterArrivals looks for certificates whose date does not go with the day they
// came in: received long after issue, issued before the institution was filed,
// or sent while it was not entitled. Only when it came in is certain; the date
// on the paper is the issuer's word.
func (r Rules) AfterArrivals(j Joined, in []Arrival, today standards.Date) []Sign {
	b := r.Backdated
	if b == nil {
		return nil
	}
	joining := today.DaysSince(j.Recorded) <= b.JoiningDays
	var late, before, unentitled int
	var records []Record
	for _, a := range in {
		tooLate := today.DaysSince(a.Issued) > b.Days && !(joining && a.Issued < j.Recorded)
		if tooLate {
			late++
		}
		if a.Issued < j.Admitted {
			before++
		}
		if !a.Entitled {
			unentitled++
		}
		if tooLate || a.Issued < j.Admitted || !a.Entitled {
			records = append(records, Record{"certificate", a.Number})
		}
	}
	s := r.sign(KindBackdated, month(today), today, Measure{"late", late, b.Late}, Measure{"before_filing", before, b.BeforeFiling},
		Measure{"unentitled", unentitled, b.Unentitled}).Naming(records...)
	if !s.over() {
		return nil
	}
	return []Sign{s.says(
		text("一次登记 %d 份：发证日期距收到超过 %d 天的 %d 份、早于首次备案的 %d 份、收到时机构无资格的 %d 份（阈值 %d、%d、%d 份）",
			len(in), b.Days, late, before, unentitled, b.Late, b.BeforeFiling, b.Unentitled),
		text("of %d certificates registered at once %d came more than %d days after their date, %d are dated before the first filing, %d came while the institution was not entitled (thresholds %d, %d, %d)",
			len(in), late, b.Days, before, unentitled, b.Late, b.BeforeFiling, b.Unentitled))}
}

// ExaminerDay is what one examiner has been given for one day, over all
// institutions, and in a row at the one that arranges.
type ExaminerDay struct {
	Examiner   string         `json:"examiner"` // id of the examiner
	Day        standards.Date `json:"day"`
	Sessions   int            `json:"sessions"`
	Candidates int            `json:"candidates"`
	// InARow is how many sessions in a row the examiner has at this institution
	// with this one; 0 when not known.
	InARow int `json:"in_a_row,omitempty"`
}

// AfterArrangement looks at the panel of a session that was arranged.
func (r Rules) AfterArrangement(panel []ExaminerDay, today standards.Date) (out []Sign) {
	if l := r.ExaminerLoad; l != nil {
		worst := ExaminerDay{}
		var records []Record
		for _, d := range panel {
			if d.Sessions > l.Sessions || d.Candidates > l.Candidates {
				records = append(records, Record{"examiner", d.Examiner}, Record{"day", string(d.Day)})
				worst.Sessions, worst.Candidates = max(worst.Sessions, d.Sessions), max(worst.Candidates, d.Candidates)
			}
		}
		if len(records) > 0 {
			out = append(out, r.sign(KindExaminerLoad, month(today), today, Measure{"sessions", worst.Sessions, l.Sessions},
				Measure{"candidates", worst.Candidates, l.Candidates}).says(
				text("%d 名考评员单日安排超量，最多 %d 批、%d 名考生（阈值 %d 批、%d 名）", len(records)/2, worst.Sessions, worst.Candidates, l.Sessions, l.Candidates),
				text("%d examiners have more than a day's work, at most %d sessions and %d candidates (thresholds %d and %d)",
					len(records)/2, worst.Sessions, worst.Candidates, l.Sessions, l.Candidates)).Naming(records...))
		}
	}
	if c := r.ExaminerInARow; c != nil {
		var records []Record
		for _, d := range panel {
			if d.InARow > c.InARow {
				records = append(records, Record{"examiner", d.Examiner})
			}
		}
		s := r.sign(KindExaminerInARow, month(today), today, Measure{"examiners", len(records), c.Examiners})
		if s.over() {
			out = append(out, s.says(
				text("本批 %d 名考评员在该机构连续执考超过 %d 次（阈值 %d 名）", len(records), c.InARow, c.Examiners),
				text("%d examiners of the panel are at more than their session %d in a row at this institution (threshold %d)", len(records), c.InARow, c.Examiners)).
				Naming(records...))
		}
	}
	return out
}
