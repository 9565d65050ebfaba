package registry

import (
	"context"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// PersonRecord is what the register has of one person: certificates, and apart
// from them posts and apprenticeships.
type PersonRecord struct {
	Certificates []Certificate `json:"certificates"`
	Appointments []Appointment `json:"appointments"`
	Apprentices  []Apprentice  `json:"apprenticeships"`
}

// PersonByDocument shows the authority what it needs to decide about a person.
// NotFound when the document is not known here.
func (r *Registry) PersonByDocument(ctx context.Context, by Actor, kind, document string) (out PersonRecord, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = PersonRecord{Certificates: []Certificate{}, Appointments: []Appointment{}, Apprentices: []Apprentice{}}
		if err := may(by, ReadPerson, Object{Region: by.Region}); err != nil {
			return err
		}
		k, err := standards.ResidentID, error(nil)
		if kind != "" {
			k, err = standards.ParseDocumentKind(kind)
		}
		if err != nil {
			return err
		}
		d, err := standards.ParseDocument(k, document, standards.DateOf(now))
		if err != nil {
			return err
		}
		p, ok, err := r.personByDocument(rd, d)
		if err != nil {
			return err
		}
		if !ok {
			return fail.New(fail.NotFound, "not_found", "nothing is on record for this document").In("系统中没有该证件的记录")
		}
		out, err = r.personRecord(rd, p)
		return err
	})
	return out, err
}

func (r *Registry) personRecord(rd kv.Reader, p PersonID) (out PersonRecord, err error) {
	ids, err := identities(rd, p)
	if err != nil {
		return out, err
	}
	held, err := certificatesUnder(rd, ids, certificatesPerPerson-1)
	if err != nil {
		return out, err
	}
	out.Certificates = []Certificate{}
	for _, c := range held {
		ok, _, err := r.public(rd, c)
		if err != nil {
			return out, err
		}
		if ok {
			out.Certificates = append(out.Certificates, c)
		}
	}
	if out.Appointments, err = appointmentsOf(rd, p); err != nil {
		return out, err
	}
	out.Apprentices, err = apprenticeshipsOf(rd, p)
	return out, err
}
