package eligibility

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the files that come with the product. Which of them are
// samples stands in each.
func Embedded() (Set, error) { return ReadSet(files, "data/*.yaml") }

// Set is the files in use. It does not change once made.
type Set struct{ files []File }

// NewSet makes a set. Error: Invalid rulefile_invalid when two files have one
// id, or two say the same thing for one region, occupation and first day.
func NewSet(list ...File) (Set, error) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b File) int { return strings.Compare(a.From+a.ID, b.From+b.ID) })
	seen := map[string]string{}
	for _, f := range list {
		for _, what := range append(f.places(), "id "+f.ID) {
			if other, twice := seen[what]; twice {
				return Set{}, fail.New(fail.Invalid, "rulefile_invalid", "files %s and %s both are for %s", other, f.ID, what).
					In("规则文件 %s 与 %s 重复：%s", other, f.ID, what)
			}
			seen[what] = f.ID
		}
	}
	return Set{list}, nil
}

// places lists what a file decides, so that no two decide the same.
func (f File) places() []string {
	at := " in " + f.Region + " from " + f.From
	var out []string
	if len(f.Conditions) > 0 {
		for _, code := range f.Occupations {
			out = append(out, "conditions of "+code+at)
		}
		if len(f.Occupations) == 0 {
			out = append(out, "conditions"+at)
		}
	}
	for _, r := range f.Related {
		out = append(out, "related of "+r.Occupation+at)
	}
	if len(f.Waivers) > 0 {
		out = append(out, "waivers"+at)
	}
	return out
}

// ReadSet reads every file of fsys that matches pattern.
func ReadSet(fsys fs.FS, pattern string) (Set, error) {
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		return Set{}, err
	}
	var list []File
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return Set{}, fmt.Errorf("read rule file: %w", err)
		}
		f, err := rulefile.Parse[File](name, src)
		if err != nil {
			return Set{}, err
		}
		list = append(list, f)
	}
	return NewSet(list...)
}

// With returns the set with more files; one with an id of the set takes its place.
func (s Set) With(more ...File) (Set, error) {
	list := slices.DeleteFunc(slices.Clone(s.files), func(f File) bool {
		return slices.ContainsFunc(more, func(m File) bool { return m.ID == f.ID })
	})
	return NewSet(append(list, more...)...)
}

// All returns the files, the oldest first.
func (s Set) All() []File { return slices.Clone(s.files) }

// Rules are what is in force for one occupation, in one region, on one date.
type Rules struct {
	Files      []string    // ids of the files it was taken from
	Version    string      // of the standard or technical rule
	Occupation string      // that it is for
	Conditions []Condition // of all levels
	FinalYear  int         // months before graduation in which a student is 应届; 0 for none
	Related    []string    // codes of the 相关职业
	Listed     bool        // whether Related is the standard's own list, by its source; a sample is not
	Waivers    []Waiver
}

// On returns the rules in force; false when there are no conditions. The three
// parts are found apart:
//
//   - conditions: of the occupation's own standard in the nearest region that has
//     one, else the default of the nearest region; a new default does not replace
//     a standard that was issued earlier and is still in force;
//   - related occupations: the newest list for the occupation, nearest region first;
//   - waivers: those of the nearest region that has any.
//
// The newest file that has begun by the date counts. date is that of
// registration.
func (s Set) On(region, occupation string, date standards.Date) (Rules, bool) {
	out := Rules{Occupation: occupation}
	use := func(f File) {
		if !slices.Contains(out.Files, f.ID) {
			out.Files = append(out.Files, f.ID)
		}
	}
	own, found := s.nearest(region, date, func(f File) bool {
		return len(f.Conditions) > 0 && slices.Contains(f.Occupations, occupation)
	})
	if !found {
		own, found = s.nearest(region, date, func(f File) bool { return len(f.Conditions) > 0 && len(f.Occupations) == 0 })
	}
	if !found {
		return Rules{}, false
	}
	use(own)
	out.Version, out.Conditions = own.Version, own.Conditions
	if own.FinalYear != nil {
		out.FinalYear = own.FinalYear.Months
	}
	is := func(r Related) bool { return r.Occupation == occupation }
	if f, ok := s.nearest(region, date, func(f File) bool { return slices.ContainsFunc(f.Related, is) }); ok {
		use(f)
		list := f.Related[slices.IndexFunc(f.Related, is)]
		out.Related = list.Codes
		out.Listed = list.Source != "" || list.Sample == "" && f.Source != ""
	}
	if f, ok := s.nearest(region, date, func(f File) bool { return len(f.Waivers) > 0 }); ok {
		use(f)
		out.Waivers = f.Waivers
	}
	return out, true
}

func (s Set) nearest(region string, date standards.Date, has func(File) bool) (out File, ok bool) {
	for _, r := range rulefile.Upward(region) {
		for _, f := range s.files {
			if f.Region == r && f.From <= string(date) && has(f) {
				out, ok = f, true
			}
		}
		if ok {
			return out, true
		}
	}
	return File{}, false
}

// Scope says how work or a certificate stands to the occupation: Own, or
// OwnOrRelated for a related one; false when it does not count. A code is judged
// by the standard's list alone, where there is one with a source. A text that is
// no code, and a code where there is only a sample or nothing, count as related
// if the reviewer has marked them too.
func (r Rules) Scope(occupation string, marked bool) (Scope, bool) {
	switch {
	case occupation == r.Occupation:
		return Own, true
	case slices.Contains(r.Related, occupation):
		return OwnOrRelated, true
	case r.Listed && isCode(occupation):
		return "", false
	}
	return OwnOrRelated, marked
}

// isCode is ParseOccupationCode for the one form, without its cost.
func isCode(s string) bool {
	if len(s) != len("d-dd-dd-dd") {
		return false
	}
	for i := range len(s) {
		if dash := i == 1 || i == 4 || i == 7; dash != (s[i] == '-') || !dash && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}
