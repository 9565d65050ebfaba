package registry

import (
	"bajigong/internal/kv"
	"bajigong/internal/rulefile"
	"bajigong/registry/policy"
	"bajigong/standards"
	"bajigong/standards/sameness"
)

// sameJobs is a table of same occupations as the policies ask it.
type sameJobs struct{ table sameness.Table }

var _ policy.Equivalence = sameJobs{}

// Same reports whether two occupations count as the same.
func (s sameJobs) Same(a, b policy.Job) bool { return s.table.Same(jobOf(a), jobOf(b)) }

// Digest is the SHA-256 of the table, hexadecimal.
func (s sameJobs) Digest() string { return s.table.Digest() }

func jobOf(j policy.Job) sameness.Job {
	return sameness.Job{Edition: j.Edition, Code: j.Code, Name: j.Name}
}

// sameTables are the tables of a register: the one that holds now and those that
// held before, so that what was decided by one can be decided by it again.
type sameTables struct {
	begins []string // days, the oldest first
	tables []sameJobs
}

// newSameTables makes the tables of a region, one for each day on which a file
// begins.
func newSameTables(set rulefile.Set[sameness.File], region string) (out sameTables) {
	for _, day := range sameness.Begins(set) {
		out.begins = append(out.begins, day)
		out.tables = append(out.tables, sameJobs{sameness.On(set, region, day)})
	}
	return out
}

// samenessOn is what decides on a day which occupations are the same; nil when no
// rule file says anything, and then they are the same when edition and code are.
func (r *Registry) samenessOn(day standards.Date) policy.Equivalence {
	if r.cfg.Sameness != nil {
		return r.cfg.Sameness
	}
	for i := len(r.same.begins) - 1; i >= 0; i-- {
		if r.same.begins[i] <= string(day) {
			return r.same.tables[i]
		}
	}
	return nil
}

// samenessWith is the table with a digest, for deciding again what was decided by
// it: one in use, or else the text that was kept; false when there is neither.
func (r *Registry) samenessWith(rd kv.Reader, digest string) (policy.Equivalence, bool) {
	if r.cfg.Sameness != nil && r.cfg.Sameness.Digest() == digest {
		return r.cfg.Sameness, true
	}
	for _, t := range r.same.tables {
		if t.Digest() == digest {
			return t, true
		}
	}
	l, ok, err := laws.Get(rd, kv.Key(digest))
	if err != nil || !ok || l.Kind != LawSameness || !l.sound() {
		return nil, false
	}
	t, err := sameness.ParseTable(l.Text)
	return sameJobs{t}, err == nil
}

// OccupationsNamed lists the occupations of any edition, in the table of same
// occupations in force today, that have or had a name, however it is spelled.
func (r *Registry) OccupationsNamed(name string) []sameness.Job {
	t, ok := r.samenessOn(standards.DateOf(r.cfg.Now())).(sameJobs)
	if !ok {
		return nil
	}
	return t.table.Lookup(name)
}
