package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/figures"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// InstitutionHistory is what the public may know of an institution over time.
type InstitutionHistory struct {
	ID        string                  `json:"id"`
	Name      string                  `json:"name"`
	USCC      string                  `json:"uscc"`
	Region    string                  `json:"region"`
	Status    evaluators.Status       `json:"status"` // of the institution, today
	Names     []evaluators.NameChange `json:"names"`  // oldest first
	Filings   []FilingHistory         `json:"filings"`
	Decisions []PublicDecision        `json:"decisions"` // in the order recorded
	Issued    []IssuedInYear          `json:"issued"`    // the newest year first
	// Behind says that a batch was published that is not counted in Issued yet.
	Behind bool      `json:"behind"`
	At     time.Time `json:"at"`
}

// FilingHistory is a filing with its statuses from day to day.
type FilingHistory struct {
	evaluators.Filing
	Prefix   string                        `json:"prefix"`
	Status   credentials.InstitutionStatus `json:"status"` // today
	Statuses []credentials.DatedStatus     `json:"statuses"`
}

// PublicDecision is a decision as it is published. It has no account in it. One
// that is not published, or not any more, is not in the history: see publish.
type PublicDecision struct {
	Kind       evaluators.Kind    `json:"kind"`
	Filing     string             `json:"filing,omitempty"`     // empty when it is not about one filing
	Province   string             `json:"province,omitempty"`   // of a site
	Site       string             `json:"site,omitempty"`       // empty when it is not about one site
	Occupation string             `json:"occupation,omitempty"` // empty when it is about all of them
	Trade      string             `json:"trade,omitempty"`      // catalogue id
	Levels     standards.LevelSet `json:"levels,omitempty"`     // none when it is about every level
	Document   string             `json:"document,omitempty"`
	Effective  standards.Date     `json:"effective"`
	Until      standards.Date     `json:"until,omitempty"`     // the last day
	Withdrawn  standards.Date     `json:"withdrawn,omitempty"` // revoked by a review from that day
	Recorded   time.Time          `json:"recorded"`
	Basis      string             `json:"basis"`
	Reason     string             `json:"reason,omitempty"`
}

// IssuedInYear counts certificates of an institution by year of 发证日期: those
// issued here, and those registered from elsewhere under its own number parts.
type IssuedInYear struct {
	Year        int             `json:"year"`
	Issued      uint64          `json:"issued"`       // issued here, 人次
	Elsewhere   uint64          `json:"elsewhere"`    // registered
	VoidedSince uint64          `json:"voided_since"` // of both, void by now
	Levels      []IssuedAtLevel `json:"levels"`       // of those issued here
	Cancelled   uint64          `json:"cancelled"`    // cancellations recorded in the year
	Voided      uint64          `json:"voided"`       // voidings recorded in the year
}

// IssuedAtLevel is one level of a year.
type IssuedAtLevel struct {
	Level  standards.Level `json:"level"`
	Issued uint64          `json:"issued"`
}

// HistoryOf shows the public an institution's names, filings, decisions and what
// it issued. NotFound: there is no such institution.
func (r *Registry) HistoryOf(ctx context.Context, id string) (out InstitutionHistory, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = InstitutionHistory{}
		inst, filed, past, err := recorded(rd, id)
		if err != nil {
			return err
		}
		status, _ := inst.StatusAt(past, standards.DateOf(now), now)
		out = InstitutionHistory{ID: inst.ID, Name: inst.Name, USCC: inst.USCC, Region: inst.Region, Status: status, Names: inst.Names,
			Filings: []FilingHistory{}, Decisions: []PublicDecision{}, Issued: []IssuedInYear{}, At: now}
		for _, f := range filed {
			out.Filings = append(out.Filings, FilingHistory{Filing: f, Prefix: f.Prefix(),
				Status: institutionStatus(evaluators.StatusNow(f, past, "", now)), Statuses: statusHistory([]evaluators.Filing{f}, past, now)})
		}
		if out.Decisions, err = publicDecisions(rd, past, standards.DateOf(now)); err != nil {
			return err
		}
		if out.Issued, err = issuedByYear(rd, inst.ID); err != nil {
			return err
		}
		out.Behind, err = behind(rd)
		return err
	})
	return out, err
}

// publicDecisions are those of an institution's decisions that are published and
// still shown, in the order recorded.
func publicDecisions(rd kv.Reader, past []evaluators.Decision, today standards.Date) ([]PublicDecision, error) {
	out := []PublicDecision{}
	for start := 0; start < len(past); start += bulkPage {
		page := past[start:min(start+bulkPage, len(past))]
		entries := make([][]byte, len(page))
		for i, d := range page {
			entries[i] = kv.Key(d.ID)
		}
		keys, err := rd.GetMany(indexPublicationsByID, entries)
		if err != nil {
			return nil, err
		}
		var asked [][]byte
		var about []evaluators.Decision
		for i, key := range keys {
			if key != nil {
				asked, about = append(asked, key), append(about, page[i])
			}
		}
		shown, _, err := publications.GetMany(rd, asked)
		if err != nil {
			return nil, err
		}
		for i, p := range shown {
			if d := about[i]; p.ShownUntil == "" || today <= p.ShownUntil {
				out = append(out, PublicDecision{Kind: d.Kind, Filing: d.Filing, Province: d.Province, Site: d.Site, Occupation: d.Occupation, Trade: d.Trade, Levels: d.Levels,
					Document: d.Document, Effective: d.Effective, Until: d.Until, Withdrawn: p.Withdrawn, Recorded: d.Recorded, Basis: d.Basis, Reason: d.Reason})
			}
		}
	}
	return out, nil
}

// issuedByYear reads the kept figures of one institution: a few for each year.
func issuedByYear(rd kv.Reader, institution string) ([]IssuedInYear, error) {
	out := []IssuedInYear{}
	err := kv.Each(rd, tableFigureIssuers, kv.Prefix(kv.Key(institution)), func(e kv.Entry) error {
		at, err := parseIssuer(e.Key)
		if err != nil {
			return err
		}
		c, err := parseCount(e.Value)
		if err != nil {
			return err
		}
		if n := len(out); n == 0 || out[n-1].Year != at.year {
			out = append(out, IssuedInYear{Year: at.year, Levels: []IssuedAtLevel{}})
		}
		out[len(out)-1].add(at, c)
		return nil
	})
	slices.Reverse(out)
	return out, err
}

func (y *IssuedInYear) add(at issuerFigure, c figures.Count) {
	y.VoidedSince, y.Voided, y.Cancelled = y.VoidedSince+c.VoidedSince, y.Voided+c.Voided, y.Cancelled+c.Cancelled
	if at.origin != string(OriginHere) {
		y.Elsewhere += c.Issued
		return
	}
	y.Issued += c.Issued
	if c.Issued > 0 {
		y.Levels = append(y.Levels, IssuedAtLevel{at.level, c.Issued})
	}
}

func parseIssuer(key []byte) (out issuerFigure, err error) {
	parts, err := kv.ParseKey(key)
	if err == nil && len(parts) == 4 {
		institution, ok1 := parts[0].(string)
		year, ok2 := parts[1].(uint64)
		origin, ok3 := parts[2].(string)
		level, ok4 := parts[3].(uint64)
		if ok1 && ok2 && ok3 && ok4 {
			return issuerFigure{institution, int(year), origin, standards.Level(level)}, nil
		}
	}
	return out, fmt.Errorf("figure_issuers: key %x is none", key)
}
