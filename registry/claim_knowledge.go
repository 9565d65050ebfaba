package registry

import (
	"cmp"
	"maps"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// knowledge is what the register knows of how the claimed certificate came about
// and a policy asks. Empty is not known: the rule then asks for it as a fact.
type knowledge struct {
	supervised, payLinked, pilot, listed policy.Known
}

// over is the certificate with what is known of it.
func (k knowledge) over(c policy.Certificate) policy.Certificate {
	c.Supervised, c.PayLinked, c.PilotRecognised, c.TaskListed = k.supervised, k.payLinked, k.pilot, k.listed
	return c
}

// knowledgeOf is what of a certificate was known before.
func knowledgeOf(c policy.Certificate) knowledge {
	return knowledge{supervised: c.Supervised, payLinked: c.PayLinked, pilot: c.PilotRecognised, listed: c.TaskListed}
}

// knows reads what a policy asks about a certificate that became public at
// received. Of those from elsewhere nothing is known.
func (r *Registry) knows(rd kv.Reader, asks policy.Needs, payerRegion string, c Certificate, received, now time.Time) (k knowledge, err error) {
	if c.Origin != OriginHere {
		return k, nil
	}
	if asks.PayLinked || asks.PilotRecognised {
		f, err := filingByID(rd, c.Filing)
		if err != nil {
			return k, err
		}
		if asks.PayLinked {
			k.payLinked = recognisedThen(f, evaluators.PayLinked, c.Issued, received, now)
		}
		if asks.PilotRecognised {
			k.pilot = recognisedThen(f, evaluators.PilotRecognised, c.Issued, received, now)
		}
	}
	if !asks.Supervised && !asks.TaskListed {
		return k, nil
	}
	s, err := need(rd, sessions, kv.Key(c.Session), "session", "认定批次", c.Session)
	if err != nil {
		return k, err
	}
	if asks.Supervised {
		k.supervised = policy.KnownIf(s.Platform != "")
	}
	if asks.TaskListed {
		own, err := entriesOf(rd, c.Institution)
		if err != nil {
			return k, err
		}
		k.listed = listedThen(own, credit.ListQuery{Occupation: c.Occupation, Region: payerRegion, On: s.ExamDate}, now)
	}
	return k, nil
}

// recognisedThen says whether something was recognised in an employer on the day
// of issue. What was recorded when the certificate came counts. A recognition
// that was only recorded afterwards makes it neither yes nor no: it may be late
// paperwork or an afterthought, and whoever is asked for the fact says which.
func recognisedThen(f evaluators.Filing, kind evaluators.RecognitionKind, issued standards.Date, received, now time.Time) policy.Known {
	if _, then := f.Recognised(kind, issued, received); then {
		return policy.Yes
	}
	if _, since := f.Recognised(kind, issued, now); since {
		return ""
	}
	return policy.No
}

// listedThen says whether an institution stood on a task list on the day of the
// exam, as recorded by the end of that day; of what was recorded later the same
// holds as for recognitions.
func listedThen(own []credit.Entry, q credit.ListQuery, now time.Time) policy.Known {
	q.Known = q.On.AddDays(1).Time().Add(-time.Second)
	if len(credit.Listed(own, q)) > 0 {
		return policy.Yes
	}
	if q.Known = now; len(credit.Listed(own, q)) > 0 {
		return ""
	}
	return policy.No
}

// personOf is what a document says of its holder and a policy asks.
func personOf(d standards.Document, asks policy.Needs) (p policy.Person) {
	if !asks.Person || d.Kind != standards.ResidentID {
		return p
	}
	p.Born, _ = d.Birth()
	if male, ok := d.Male(); ok {
		p.Sex = policy.Female
		if male {
			p.Sex = policy.Male
		}
	}
	return p
}

// facts are a request's facts with those in their place that a policy asks as facts
// and the register knows of the certificate: whether its institution links pay to
// the level, is recognised as a pilot or stood on the list of those charged, and
// whether its exam was on the supervised platform. They are of its own days, the day
// of the exam or of issue, so a rule that asks for another date is left to who knows.
// They are recorded with the claim, so that replaying it asks nobody again.
func (k knowledge) facts(p policy.Policy, c Certificate, stated policy.Facts, now time.Time) policy.Facts {
	out, own := stated, false
	for kind, known := range map[policy.FactKind]policy.Known{policy.IssuerPayLinked: k.payLinked, policy.IssuerPilot: k.pilot,
		policy.IssuerTaskListed: k.listed, policy.IsSupervised: k.supervised} {
		if known == "" || !p.AsksFact(kind) {
			continue
		}
		if !own { // the request's stay as they are
			out, own = policy.Facts{}, true
			maps.Copy(out, stated)
		}
		out[kind] = policy.Fact{Value: string(known), Source: "登记系统评价机构和认定批次记录", At: now, Reference: cmp.Or(c.Session, c.Filing)}
	}
	return out
}
