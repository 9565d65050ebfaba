package registry

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// directoryCache keeps the signed directory by the version it was made from and
// the civil day, since a filing runs out by itself.
type directoryCache struct {
	mu      sync.Mutex
	version uint64
	day     standards.Date
	key     string // that signed it: another one signs it anew
	body    string
}

// Directory is /directory.jws: who is behind the first 13 characters of a
// number, with names and statuses by date, and the names of occupations and
// trades. An offline verifier needs nothing else to show a whole paper.
func (r *Registry) Directory(ctx context.Context) (string, error) {
	var d credentials.Directory
	var version uint64
	var day standards.Date
	cached := ""
	signer, err := r.cfg.Keys.Signer(jws.Directory)
	if err != nil {
		return "", err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		var err error
		if version, err = counter(rd, counterDirectory(), 0); err != nil {
			return err
		}
		day = standards.DateOf(now)
		r.directory.mu.Lock()
		defer r.directory.mu.Unlock()
		if r.directory.body != "" && r.directory.version == version && r.directory.day == day && r.directory.key == signer.KID() {
			cached = r.directory.body
			return nil
		}
		d, err = r.readDirectory(rd, now)
		return err
	})
	if err != nil || cached != "" {
		return cached, err
	}
	body, err := credentials.SignDirectory(signer, d)
	if err != nil {
		return "", err
	}
	r.directory.mu.Lock()
	defer r.directory.mu.Unlock()
	if version >= r.directory.version {
		r.directory.version, r.directory.day, r.directory.key, r.directory.body = version, day, signer.KID(), body
	}
	return body, nil
}

func (r *Registry) readDirectory(rd kv.Reader, now time.Time) (credentials.Directory, error) {
	d := credentials.Directory{Registry: r.cfg.Keys.Code(), Name: r.cfg.OperatorZH, Origin: r.cfg.Origin, IssuedAt: now,
		Institutions: []credentials.DirectoryInstitution{}, Occupations: map[string]credentials.DirectoryOccupation{}}
	for from := []byte(nil); ; {
		page, next, err := institutions.Scan(rd, kv.Range{From: from, Limit: pageMax})
		if err != nil {
			return d, err
		}
		for _, inst := range page {
			_, filed, past, err := recorded(rd, inst.ID)
			if err != nil {
				return d, err
			}
			d.Institutions = append(d.Institutions, directoryOf(inst, filed, past, now)...)
			if err := r.addOccupations(rd, d.Occupations, filed); err != nil {
				return d, err
			}
		}
		if from = next; from == nil {
			break
		}
	}
	slices.SortFunc(d.Institutions, func(a, b credentials.DirectoryInstitution) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return d, nil
}

// directoryOf is one entry per number prefix of an institution. It is pure.
func directoryOf(inst evaluators.Institution, filed []evaluators.Filing, past []evaluators.Decision, now time.Time) []credentials.DirectoryInstitution {
	byPrefix := map[string][]evaluators.Filing{}
	for _, f := range filed {
		byPrefix[f.Prefix()] = append(byPrefix[f.Prefix()], f)
	}
	var out []credentials.DirectoryInstitution
	for prefix, fs := range byPrefix {
		entry := credentials.DirectoryInstitution{Prefix: prefix}
		for _, n := range inst.Names {
			entry.Names = append(entry.Names, credentials.DatedName{From: string(n.From), Name: n.Name})
		}
		entry.Statuses = statusHistory(fs, past, now)
		out = append(out, entry)
	}
	return out
}

// statusHistory asks for the status at every moment at which it can have changed.
func statusHistory(fs []evaluators.Filing, past []evaluators.Decision, now time.Time) []credentials.DatedStatus {
	var moments []time.Time
	for _, f := range fs {
		begin := f.From.Time()
		if f.Recorded.After(begin) {
			begin = f.Recorded
		}
		moments = append(moments, begin, f.Until.AddDays(1).Time())
	}
	for _, d := range past {
		moments = append(moments, d.InForce())
		if d.Until != "" {
			moments = append(moments, d.Until.AddDays(1).Time())
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	var out []credentials.DatedStatus
	for _, at := range moments {
		status := statusOver(fs, past, at)
		if at.After(now) || status == credentials.InstitutionUnknown {
			continue
		}
		from := string(standards.DateOf(at))
		if n := len(out); n > 0 && out[n-1].From == from {
			out = out[:n-1] // the last word of a day counts
		}
		if n := len(out); n == 0 || out[n-1].Status != status {
			out = append(out, credentials.DatedStatus{From: from, Recorded: at.UTC(), Status: status})
		}
	}
	return out
}

// statusOver is the best status that any filing of one prefix has at a moment.
func statusOver(fs []evaluators.Filing, past []evaluators.Decision, at time.Time) credentials.InstitutionStatus {
	best := credentials.InstitutionUnknown
	for _, f := range fs {
		s := institutionStatus(evaluators.StatusNow(f, past, "", at))
		if best == credentials.InstitutionUnknown || s == credentials.Filed {
			best = s
		}
	}
	return best
}

func (r *Registry) addOccupations(rd kv.Reader, into map[string]credentials.DirectoryOccupation, filed []evaluators.Filing) error {
	for _, f := range filed {
		for _, code := range f.Occupations() {
			if _, have := into[code]; have {
				continue
			}
			o, err := r.occupation(rd, code)
			if err != nil {
				return err
			}
			entry := credentials.DirectoryOccupation{Name: o.Name}
			for _, t := range o.Trades {
				if entry.Trades == nil {
					entry.Trades = map[string]string{}
				}
				entry.Trades[t.ID] = t.Name
			}
			into[o.Code] = entry
		}
	}
	return nil
}
