package signs

import (
	"slices"

	"bajigong/standards"
)

// Day is what one institution published on one civil date (Asia/Shanghai), or
// had registered as issued elsewhere.
type Day struct {
	Institution  string         `json:"institution"`
	Date         standards.Date `json:"date"`
	Batches      int            `json:"batches,omitempty"`
	Certificates int            `json:"certificates,omitempty"`
	// NearTrades and ManyCertificates are the certificates 人次 of the day by which
	// a person came over the limit of the rule of that name.
	NearTrades       int `json:"near_trades,omitempty"`
	ManyCertificates int `json:"many_certificates,omitempty"`
}

// Past is the daily counts of one institution.
type Past struct {
	Admitted standards.Date // the first day of its first filing
	First    standards.Date // the first day this register counted anything for it; empty for none
	Days     []Day          // in the order of their dates, each once
}

// sum adds up the days from a to b, both included.
func (p Past) sum(a, b standards.Date) (out Day) {
	for _, d := range p.Days {
		if d.Date >= a && d.Date <= b {
			out.Batches += d.Batches
			out.Certificates += d.Certificates
			out.NearTrades += d.NearTrades
			out.ManyCertificates += d.ManyCertificates
		}
	}
	return out
}

func batches(d Day) int      { return d.Batches }
func certificates(d Day) int { return d.Certificates }

// peak is the most of anything in any n days in a row that lie from a to b.
func (p Past) peak(a, b standards.Date, n int, of func(Day) int) (most int) {
	start, sum := -1, 0
	for end, d := range p.Days {
		if d.Date < a || d.Date > b {
			continue
		}
		if start < 0 {
			start = end
		}
		sum += of(d)
		for first := d.Date.AddDays(-n + 1); p.Days[start].Date < first; start++ {
			sum -= of(p.Days[start])
		}
		most = max(most, sum)
	}
	return most
}

// velocity looks for many batches or certificates soon after the first filing
// began. Xianning: 25 batches and more than 2,600 certificates within two
// months. An institution that has been filed for longer is not looked at.
func (r Rules) velocity(p Past, today standards.Date) (Sign, bool) {
	v := r.Velocity
	age := today.DaysSince(p.Admitted) + 1 // both days count
	if v == nil || p.Admitted == "" || age < 1 || age > v.Days {
		return Sign{}, false
	}
	sum := p.sum(p.Admitted, today)
	s := r.sign(KindVelocity, string(p.Admitted), today,
		Measure{"batches", sum.Batches, v.Batches.After(age)}, Measure{"certificates", sum.Certificates, v.Certificates.After(age)})
	s.Running = true
	return s.says(
		text("备案 %d 天内已发证 %d 批、%d 份（阈值 %d 批、%d 份）", age, sum.Batches, sum.Certificates, s.Measures[0].Limit, s.Measures[1].Limit),
		text("%d batches and %d certificates within %d days of the first filing (thresholds %d and %d)", sum.Batches, sum.Certificates, age,
			s.Measures[0].Limit, s.Measures[1].Limit)), s.over()
}

// jump looks for a recent period far above the institution's own past.
func (r Rules) jump(p Past, today standards.Date) (Sign, bool) {
	j := r.Jump
	if j == nil || p.First == "" {
		return Sign{}, false
	}
	before := today.AddDays(-j.Days) // the last day of the past
	from := max(before.AddDays(-j.History+1), p.First)
	length := before.DaysSince(from) + 1
	if length < j.LeastHistory {
		return Sign{}, false
	}
	recent := p.sum(before.AddDays(1), today).Certificates
	mean := p.sum(from, before).Certificates * j.Days / length
	peak := p.peak(from, before, j.Days, certificates)
	limit := max(j.Certificates, mean*j.MeanPercent/100, peak*j.PeakPercent/100)
	s := r.sign(KindJump, month(today), today, Measure{"certificates", recent, limit})
	s.Running = true
	return s.says(
		text("最近 %d 天发证 %d 份；此前 %d 天内同样长度平均 %d 份、最高 %d 份（阈值 %d 份）", j.Days, recent, length, mean, peak, limit),
		text("%d certificates in the last %d days; in the %d days before, as many days had %d on average and %d at most (threshold %d)",
			recent, j.Days, length, mean, peak, limit)), s.over()
}

// AfterDecision looks at the days up to the one on which a suspension or removal was
// recorded, for a rush to issue what could still be issued.
func (r Rules) AfterDecision(p Past, decision string, recorded standards.Date) []Sign {
	u := r.Rush
	if u == nil || p.First == "" {
		return nil
	}
	before := recorded.AddDays(-u.Days)
	from := max(before.AddDays(-u.History+1), p.First)
	recent, mean, peak := p.sum(before.AddDays(1), recorded), Day{}, Day{}
	if length := before.DaysSince(from) + 1; length >= u.Days {
		mean = p.sum(from, before)
		mean.Batches, mean.Certificates = mean.Batches*u.Days/length, mean.Certificates*u.Days/length
		peak.Batches, peak.Certificates = p.peak(from, before, u.Days, batches), p.peak(from, before, u.Days, certificates)
	}
	s := r.sign(KindRush, decision, recorded,
		Measure{"batches", recent.Batches, max(u.Batches, mean.Batches*u.MeanPercent/100, peak.Batches*u.PeakPercent/100)},
		Measure{"certificates", recent.Certificates, max(u.Certificates, mean.Certificates*u.MeanPercent/100, peak.Certificates*u.PeakPercent/100)}).
		Naming(Record{"decision", decision}).Naming(p.busiest(before.AddDays(1), recorded)...)
	if !s.over() {
		return nil
	}
	return []Sign{s.says(
		text("决定记录前 %d 天内发证 %d 批、%d 份；此前同样长度平均 %d 批、%d 份，最高 %d 批、%d 份（阈值 %d 批、%d 份）", u.Days, recent.Batches, recent.Certificates,
			mean.Batches, mean.Certificates, peak.Batches, peak.Certificates, s.Measures[0].Limit, s.Measures[1].Limit),
		text("%d batches and %d certificates in the %d days before the decision was recorded; as many days before had %d and %d on average, %d and %d at most (thresholds %d and %d)",
			recent.Batches, recent.Certificates, u.Days, mean.Batches, mean.Certificates, peak.Batches, peak.Certificates, s.Measures[0].Limit, s.Measures[1].Limit))}
}

// busiest names the days from a to b on which something was published, the
// newest first.
func (p Past) busiest(a, b standards.Date) (out []Record) {
	for _, d := range slices.Backward(p.Days) {
		if d.Date >= a && d.Date <= b && d.Certificates > 0 {
			out = append(out, Record{"day", string(d.Date)})
		}
	}
	return out
}

// AfterPublishing looks at the daily counts after a batch, named in about, was
// published or certificates from elsewhere came in.
func (r Rules) AfterPublishing(p Past, today standards.Date, about ...Record) (out []Sign) {
	for _, look := range []func(Past, standards.Date) (Sign, bool){r.velocity, r.jump} {
		if s, ok := look(p, today); ok {
			out = append(out, s.Naming(about...).Naming(p.busiest("", today)...))
		}
	}
	for _, s := range r.people(p, today) {
		out = append(out, s.Naming(about...))
	}
	return out
}

// people looks for certificates, in the last days, by which single people came
// to many near trades, or to many certificates in a year.
func (r Rules) people(p Past, today standards.Date) (out []Sign) {
	if n := r.NearTrades; n != nil {
		times := p.sum(today.AddDays(-n.Days+1), today).NearTrades
		s := r.sign(KindNearTrades, month(today), today, Measure{"person_times", times, n.Times})
		s.Running = true
		if s.over() {
			out = append(out, s.says(
				text("最近 %d 天有 %d 人次在 12 个月内取得同一小类超过 %d 个职业（工种）的证书（阈值 %d 人次）", n.Days, times, n.Trades, n.Times),
				text("in the last %d days %d certificates gave a person more than %d occupations or trades of one minor group within 12 months (threshold %d)",
					n.Days, times, n.Trades, n.Times)))
		}
	}
	if m := r.ManyCertificates; m != nil {
		times := p.sum(today.AddDays(-m.Days+1), today).ManyCertificates
		s := r.sign(KindManyCertificates, month(today), today, Measure{"person_times", times, m.Times})
		s.Running = true
		if s.over() {
			out = append(out, s.says(
				text("最近 %d 天有 %d 人次在一个自然年内取得超过 %d 份证书（阈值 %d 人次）", m.Days, times, m.Certificates, m.Times),
				text("in the last %d days %d certificates gave a person more than %d in one natural year (threshold %d)", m.Days, times, m.Certificates, m.Times)))
		}
	}
	return out
}

// History is how many days of counts the rules look back over, today included.
func (r Rules) History() int {
	n := 1
	if r.Velocity != nil {
		n = max(n, r.Velocity.Days)
	}
	if r.Jump != nil {
		n = max(n, r.Jump.Days+r.Jump.History)
	}
	if r.Rush != nil {
		n = max(n, r.Rush.Days+r.Rush.History)
	}
	if r.NearTrades != nil {
		n = max(n, r.NearTrades.Days)
	}
	if r.ManyCertificates != nil {
		n = max(n, r.ManyCertificates.Days)
	}
	return n
}

// Recent reports whether a certificate that came in from elsewhere is new enough
// to count for the speed of its institution: one that is not is a matter of
// lateness, or of taking over the past.
func (r Rules) Recent(issued, today standards.Date) bool {
	return r.Backdated == nil || today.DaysSince(issued) <= r.Backdated.Days
}
