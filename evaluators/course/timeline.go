package course

import "bajigong/standards"

// Dates are the days on which the steps of a session were done; a step that is
// not done is not there. The exam's day counts as done when it has come.
type Dates map[Step]standards.Date

// Mark is one step on the timeline of a session.
type Mark struct {
	Step Step           `json:"step"`
	Due  standards.Date `json:"due,omitempty"`  // the last day on time; empty when the rules set none or its start is open
	Done standards.Date `json:"done,omitempty"` // empty when not done yet
	// Late is how many working days after Due it was done, or it is today.
	Late  int             `json:"late,omitempty"`
	Basis standards.Basis `json:"basis,omitempty"` // how working days were known
}

// Steps lists the steps in their order.
func Steps() []Step {
	return []Step{StepPlan, StepRoster, StepArrangement, StepExam, StepResults, StepPublicity, StepIssue}
}

// Timeline says for each step when it is due, when it was done and how late it
// is on a day. Lateness is a mark and never a refusal: a late certificate is not
// the candidate's fault.
func Timeline(r Rules, cal standards.Calendar, exam standards.Date, done Dates, today standards.Date) []Mark {
	var out []Mark
	for _, step := range Steps() {
		m := Mark{Step: step, Done: done[step]}
		if step == StepExam {
			m.Due = exam
			if exam <= today {
				m.Done = exam
			}
			out = append(out, m)
			continue
		}
		m.Due, m.Basis = r.due(cal, step, exam, done)
		if m.Due != "" {
			until := m.Done
			if until == "" {
				until = today
			}
			if until > m.Due {
				m.Late, m.Basis = cal.WorkingDaysBetween(m.Due, until)
			}
		}
		out = append(out, m)
	}
	return out
}

func (r Rules) due(cal standards.Calendar, step Step, exam standards.Date, done Dates) (standards.Date, standards.Basis) {
	for _, d := range r.Steps {
		if d.Step != step {
			continue
		}
		from := done[d.After]
		if d.After == StepExam {
			from = exam
		}
		if from == "" {
			return "", ""
		}
		return cal.AddWorkingDays(from, d.Days)
	}
	return "", ""
}

// Late reports whether any mark is late.
func Late(marks []Mark) bool {
	for _, m := range marks {
		if m.Late > 0 {
			return true
		}
	}
	return false
}

// KeptUntil is the last day on which a passed part of an exam may be used again.
// Whole months: the day of that number, or the last of the month when it has
// none (民法典第二百零二条).
func (r Rules) KeptUntil(exam standards.Date) standards.Date { return exam.AddMonths(r.RetainMonths) }
