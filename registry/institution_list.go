package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// DirectoryFilter narrows the public directory 目录; a zero field does not. Every
// filing that is listed satisfies all of it.
type DirectoryFilter struct {
	Occupation string                        // code d-dd-dd-dd, a name, or the beginning of one
	Level      standards.Level               // of the scope
	Region     string                        // of the site: 2, 4 or 6 digits of a province, prefecture or county, with all that is in it
	Status     credentials.InstitutionStatus // one of DirectoryStatuses; FilingEnded is every end: given up, removed, terminated
	Class      evaluators.Class
	Stars      int // at least so many, in a rating whose term runs today
}

// DirectoryStatuses are the statuses the directory can be filtered by.
func DirectoryStatuses() []credentials.InstitutionStatus {
	return []credentials.InstitutionStatus{credentials.Filed, credentials.InstitutionOnHold, credentials.FilingExpired, credentials.FilingEnded}
}

// DirectoryFiling is a filing with where it stands today; with an occupation in
// the filter, where it stands for that occupation.
type DirectoryFiling struct {
	evaluators.Filing
	Prefix string                        `json:"prefix"` // first 13 characters of its numbers
	Status credentials.InstitutionStatus `json:"status"`
	// ScopeNow is what it may examine today; of a filing that is over, on its last
	// day, of one to come, on its first.
	ScopeNow []evaluators.InScope `json:"scope_now"`
}

// DirectoryEntry is an institution with those of its filings that satisfy the
// filter. With a place or an occupation, an institution with sites in several
// regions has one entry in each.
type DirectoryEntry struct {
	evaluators.Institution
	Status  evaluators.Status `json:"status"`
	Stars   int               `json:"stars,omitempty"` // of the rating whose term runs today
	Filings []DirectoryFiling `json:"filings"`
}

// OccupationName is an occupation by code and name.
type OccupationName struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// DirectoryPage is one page of the directory. It may have fewer entries than were
// asked for, even none, and still go on: what was looked through is bounded.
type DirectoryPage struct {
	Items []DirectoryEntry `json:"items"`
	Next  string           `json:"next,omitempty"`
	// Occupation is the one that was meant by a name.
	Occupation *OccupationName `json:"occupation,omitempty"`
	// Choices are the occupations that a name fits when it fits several; nothing
	// is listed then.
	Choices []OccupationName `json:"choices,omitempty"`
}

// How much one page of the directory looks through, and how many choices it gives.
const (
	directoryLooks   = 500
	directoryChoices = 20
)

// FindInstitutions is one page of the public directory. Invalid: the filter.
func (r *Registry) FindInstitutions(ctx context.Context, f DirectoryFilter, page Page) (out DirectoryPage, err error) {
	if n := len(f.Region); n == 2 || n == 4 {
		f.Region += nation[n:]
	}
	if err := f.check(); err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = DirectoryPage{Items: []DirectoryEntry{}}
		f := f
		if f.Occupation != "" {
			found, err := r.occupationsCalled(rd, f.Occupation)
			if err != nil {
				return err
			}
			if len(found) != 1 {
				out.Choices = found
				return nil
			}
			out.Occupation, f.Occupation = &found[0], found[0].Code
		}
		w := f.walk()
		rng, err := page.within(w.rng)
		if err != nil {
			return err
		}
		limit := rng.Limit
		for looked := 0; len(out.Items) < limit && looked < directoryLooks; {
			rng.Limit = min(100, directoryLooks-looked)
			places, next, err := w.next(rd, rng)
			if err != nil {
				return err
			}
			for _, p := range places {
				looked++
				e, ok, err := f.entry(rd, p, now)
				if err != nil {
					return err
				}
				if ok {
					out.Items = append(out.Items, e)
				}
				if len(out.Items) == limit || looked == directoryLooks {
					out.Next = encodeCursor(p.after)
					return nil
				}
			}
			if next == nil {
				return nil
			}
			rng.From = next
		}
		return nil
	})
	return out, err
}

func (f DirectoryFilter) check() error {
	var bad []fail.Field
	if n := len([]rune(f.Occupation)); n > 60 {
		bad = append(bad, fail.Field{Name: "occupation", Code: "length", ZH: "职业编码或名称不超过 60 个字", EN: "a code or name of at most 60 characters"})
	}
	if f.Level != 0 && !f.Level.Valid() {
		bad = append(bad, fail.Field{Name: "level", Code: "unknown", ZH: "没有这个等级", EN: "there is no such level"})
	}
	if f.Region != "" && !regionCode(f.Region) {
		bad = append(bad, fail.Field{Name: "region", Code: "region", ZH: "地区应为 2、4 或 6 位行政区划代码，如 32、3205、320583", EN: "a region has 2, 4 or 6 digits, such as 32, 3205 or 320583"})
	}
	if f.Status != "" && !slices.Contains(DirectoryStatuses(), f.Status) {
		bad = append(bad, fail.Field{Name: "status", Code: "unknown", ZH: "应为 filed（已备案）、suspended（已暂停）、expired（已到期）或 ended（已终止）", EN: "filed, suspended, expired or ended"})
	}
	if f.Class != "" && f.Class != evaluators.Employer && f.Class != evaluators.Social {
		bad = append(bad, fail.Field{Name: "class", Code: "unknown", ZH: "应为 Y（用人单位）或 S（社会培训评价组织）", EN: "Y (employer) or S (social evaluator)"})
	}
	if f.Stars < 0 || f.Stars > 5 {
		bad = append(bad, fail.Field{Name: "stars", Code: "unknown", ZH: "星级应为 1 至 5", EN: "stars are 1 to 5"})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "directory_filter", "the directory cannot be filtered like this").In("目录筛选条件有误").At(bad...)
	}
	return nil
}

// occupationsCalled finds what is meant by a code or name: the code itself, the
// occupation with exactly that name, or all whose name has it in (those the
// program brings) or begins with it (those that were imported).
func (r *Registry) occupationsCalled(rd kv.Reader, text string) ([]OccupationName, error) {
	text = strings.TrimSpace(text)
	if code, err := standards.ParseOccupationCode(text); err == nil {
		name := OccupationName{Code: code}
		if o, err := r.occupation(rd, code); err == nil {
			name.Name = o.Name
		} else if fail.KindOf(err) != fail.NotFound {
			return nil, err
		}
		return []OccupationName{name}, nil
	}
	var exact, near []OccupationName
	add := func(o standards.Occupation) {
		one := OccupationName{o.Code, o.Name}
		if slices.Contains(near, one) {
			return
		}
		if near = append(near, one); o.Name == text {
			exact = append(exact, one)
		}
	}
	for _, o := range r.starter.Occupations() {
		if strings.Contains(o.Name, text) {
			add(o)
		}
	}
	from := kv.Key(text)
	from = from[:len(from)-1] // without its end, the keys of all names that begin with it follow
	imported, _, err := occupations.ScanIndex(rd, indexOccupationsByName, kv.Range{From: from, To: append(slices.Clone(from), 0xFF), Limit: directoryChoices + 1})
	if err != nil {
		return nil, err
	}
	for _, o := range imported {
		if _, ours := r.starter.Occupation(o.Code); !ours {
			add(o)
		}
	}
	if len(exact) == 1 {
		return exact, nil
	}
	return near[:min(len(near), directoryChoices)], nil
}

// place is one institution to look at: in a region, when the walk is by place.
// after is where the walk goes on behind it.
type place struct {
	institution, region string
	after               []byte
}

// walk is the index that lists the fewest institutions for a filter.
type walk struct {
	table kv.Table
	rng   kv.Range
	at    func(parts []any) (id, region string, length int) // length: how many parts of the key are of this place
}

func (f DirectoryFilter) walk() walk {
	switch {
	case f.Occupation != "" || f.Region != "":
		rng := kv.Prefix(kv.Key(f.Occupation))
		if f.Region != "" && f.Region != nation {
			low, high := within(f.Region)
			rng = kv.Range{From: kv.Key(f.Occupation, low), To: kv.Key(f.Occupation, high)}
		}
		return walk{indexDirectory, rng, func(parts []any) (string, string, int) {
			region, _ := parts[1].(string)
			id, _ := parts[2].(string)
			return id, region, 3
		}}
	case f.Status == credentials.FilingEnded || f.Status == credentials.InstitutionOnHold:
		// Only a decision ends or suspends; few institutions have one.
		return walk{tableDecisions, kv.Range{}, first}
	}
	return walk{tableInstitutions, kv.Range{}, first}
}

func first(parts []any) (string, string, int) {
	id, _ := parts[0].(string)
	return id, "", 1
}

// next reads on in the walk: places without repetition, and where the rest
// begins, nil at the end.
func (w walk) next(rd kv.Reader, rng kv.Range) (out []place, rest []byte, err error) {
	entries, err := rd.Scan(w.table, rng)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		parts, err := kv.ParseKey(e.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", w.table, err)
		}
		id, region, n := w.at(parts)
		p := place{id, region, kv.Prefix(kv.Key(parts[:n]...)).To}
		if len(out) == 0 || out[len(out)-1].institution != id || out[len(out)-1].region != region {
			out = append(out, p)
		}
	}
	if len(entries) == rng.Limit {
		rest = out[len(out)-1].after
	}
	return out, rest, nil
}

// entry looks at one institution.
func (f DirectoryFilter) entry(rd kv.Reader, p place, now time.Time) (e DirectoryEntry, ok bool, err error) {
	inst, filed, past, err := recorded(rd, p.institution)
	if err != nil {
		return e, false, err
	}
	today := standards.DateOf(now)
	status, _ := inst.StatusAt(past, today, now)
	e = DirectoryEntry{Institution: inst, Status: status, Filings: []DirectoryFiling{}}
	rating, _, err := starsOf(rd, inst.ID, today, now)
	if err != nil || rating.Stars < f.Stars {
		return e, false, err
	}
	e.Stars = rating.Stars
	for _, one := range filed {
		standing := institutionStatus(evaluators.StatusNow(one, past, f.Occupation, now))
		scope := one.ScopeOn(min(max(today, one.From), one.Until), now)
		if (p.region == "" || one.Region == p.region) && f.fits(one, scope, standing) {
			e.Filings = append(e.Filings, DirectoryFiling{one, one.Prefix(), standing, scope})
		}
	}
	return e, len(e.Filings) > 0 || f == DirectoryFilter{}, nil
}

func (f DirectoryFilter) fits(one evaluators.Filing, scope []evaluators.InScope, standing credentials.InstitutionStatus) bool {
	if f.Class != "" && one.Class != f.Class || f.Status != "" && listedAs(standing) != f.Status {
		return false
	}
	if f.Occupation == "" && f.Level == 0 {
		return true
	}
	return slices.ContainsFunc(scope, func(s evaluators.InScope) bool {
		return (f.Occupation == "" || s.Occupation == f.Occupation) && (f.Level == 0 || s.Levels.Has(f.Level))
	})
}

// listedAs is under which of DirectoryStatuses a status is found.
func listedAs(s credentials.InstitutionStatus) credentials.InstitutionStatus {
	switch s {
	case credentials.FilingRemoved, credentials.InstitutionExited:
		return credentials.FilingEnded
	}
	return s
}
