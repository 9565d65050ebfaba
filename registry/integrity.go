package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// NewIntegrityEntry is an entry in the integrity file 诚信档案 of a person: of a
// candidate by document, or by the number of a certificate that the person has
// here, or of an examiner by id. Nothing of the document is kept but the person
// it stands for.
type NewIntegrityEntry struct {
	DocumentKind   standards.DocumentKind `json:"document_kind,omitempty"`
	DocumentNumber string                 `json:"document_number,omitempty"`
	Certificate    string                 `json:"certificate,omitempty"`
	Examiner       string                 `json:"examiner,omitempty"`
	Region         string                 `json:"region,omitempty"` // of the authority that records it; the caller's own when empty
	Kind           string                 `json:"kind"`
	Occurred       standards.Date         `json:"occurred"`
	Session        string                 `json:"session,omitempty"`
	Document       string                 `json:"document"`
	Basis          string                 `json:"basis"`
}

// IntegrityView is one entry with whose it is.
type IntegrityView struct {
	Subject credit.Subject        `json:"subject"`
	Entry   credit.IntegrityEntry `json:"entry"`
	Today   Text                  `json:"today"`
}

// Text is a text for people in both languages.
type Text = credit.Text

// RecordIntegrity enters something in a person's integrity file. A bar counts
// from the day it is recorded.
func (r *Registry) RecordIntegrity(ctx context.Context, by Actor, in NewIntegrityEntry) (IntegrityView, error) {
	if err := noIdentity("integrity_invalid", [2]string{"document", in.Document}, [2]string{"basis", in.Basis}, [2]string{"session", in.Session}, [2]string{"examiner", in.Examiner}); err != nil {
		return IntegrityView{}, err
	}
	if in.Region == "" {
		in.Region = by.Region
	}
	id, fresh := r.rand.id("ie"), r.rand.person()
	var out IntegrityView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = IntegrityView{}
		if err := may(by, KeepIntegrity, Object{Region: in.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = integrityByEntry(tx, by, id)
			}
			return err
		}
		subject, err := r.integritySubject(tx, in, fresh)
		if err != nil {
			return err
		}
		if in.Session != "" {
			if _, err := need(tx, sessions, kv.Key(in.Session), "session", "认定批次", in.Session); err != nil {
				return err
			}
		}
		file, _, err := integrityFiles.Get(tx, integrityFiles.Key(credit.IntegrityFile{Subject: subject}))
		if err != nil {
			return err
		}
		file.Subject = subject
		if file, err = file.Enter(r.cfg.Rules.Credit.Integrity, r.cfg.Calendar, credit.IntegrityEntry{ID: id, Kind: in.Kind, Region: in.Region,
			Occurred: in.Occurred, Session: in.Session, Document: in.Document, Basis: in.Basis}, tx.Now()); err != nil {
			return err
		}
		if out, err = r.storeIntegrity(tx, by, IntegrityRecorded, file, id); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return IntegrityView{}, fmt.Errorf("record integrity entry: %w", err)
	}
	return out, nil
}

// integritySubject finds whom an entry is about.
func (r *Registry) integritySubject(tx kv.Tx, in NewIntegrityEntry, fresh PersonID) (credit.Subject, error) {
	given := 0
	for _, v := range []string{in.DocumentNumber, in.Certificate, in.Examiner} {
		if v != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return credit.Subject{}, fail.New(fail.Invalid, "integrity_invalid", "name the person in one way: document_number, certificate or examiner").
			In("请以一种方式指明人员：document_number（证件号码）、certificate（证书编号）或 examiner（考评人员）").
			At(fail.Field{Name: "document_number", Code: "one_of", ZH: "三项应且只应填一项", EN: "exactly one of the three is given"})
	case in.Examiner != "":
		if len(in.Examiner) > 64 {
			return credit.Subject{}, notFound("examiner", "考评人员", "")
		}
		return credit.Subject{Kind: credit.SubjectExaminer, ID: in.Examiner}, nil
	case in.Certificate != "":
		c, err := r.certificateOf(tx, in.Certificate)
		return credit.Subject{Kind: credit.SubjectCandidate, ID: c.Person.String()}, err
	}
	kind := in.DocumentKind
	if kind == "" {
		kind = standards.ResidentID
	}
	d, err := standards.ParseDocument(kind, in.DocumentNumber, standards.DateOf(tx.Now()))
	if err != nil {
		return credit.Subject{}, err
	}
	people, err := r.peopleFor(tx, []standards.Document{d}, []PersonID{fresh})
	if err != nil {
		return credit.Subject{}, err
	}
	return credit.Subject{Kind: credit.SubjectCandidate, ID: people[0].String()}, nil
}

func (r *Registry) certificateOf(rd kv.Reader, number string) (Certificate, error) {
	n, err := standards.ParseNumber(number)
	if err != nil {
		return Certificate{}, err
	}
	return need(rd, certificates, kv.Key(r.storedNumber(n)), "certificate", "证书", n.Masked())
}

// storeIntegrity writes a file and logs its entry, by ids alone.
func (r *Registry) storeIntegrity(tx kv.Tx, by Actor, kind EventKind, file credit.IntegrityFile, id string) (IntegrityView, error) {
	if err := integrityFiles.Put(tx, file); err != nil {
		return IntegrityView{}, err
	}
	v := entryView(file, id, standards.DateOf(tx.Now()))
	index, err := r.appendEvent(tx, by, Event{Kind: kind, Object: id, Detail: map[string]any{"subject": v.Subject, "entry": v.Entry}})
	if err != nil {
		return v, err
	}
	return v, r.relianceOfIntegrity(tx, kind, v.Subject, index)
}

func entryView(file credit.IntegrityFile, id string, today standards.Date) IntegrityView {
	for _, e := range file.Entries {
		if e.ID == id {
			return IntegrityView{Subject: file.Subject, Entry: e, Today: integrityText(e, today)}
		}
	}
	return IntegrityView{}
}

func integrityText(e credit.IntegrityEntry, today standards.Date) Text {
	t := Text{ZH: fmt.Sprintf("%s（%s），%s", e.Name.ZH, e.Document, e.State.Chinese()), EN: fmt.Sprintf("%s (%s), %s", e.Name.EN, e.Document, e.State)}
	if e.From != "" && e.State != credit.IntegrityAnnulled {
		t.ZH += fmt.Sprintf("；%s 至 %s 不得参加", e.From, e.Until)
		t.EN += fmt.Sprintf("; barred from %s to %s", e.From, e.Until)
	}
	if today > e.FileUntil {
		t.ZH += fmt.Sprintf("；已于 %s 期满，不再列入诚信档案", e.FileUntil)
		t.EN += fmt.Sprintf("; off the file since the end of %s", e.FileUntil)
	}
	return t
}

// integrityByEntry finds an entry that by may see.
func integrityByEntry(rd kv.Reader, by Actor, id string) (IntegrityView, error) {
	file, e, err := fileOfEntry(rd, by, id)
	if err != nil {
		return IntegrityView{}, err
	}
	return entryView(file, e.ID, standards.DateOf(e.Recorded)), nil
}

func fileOfEntry(rd kv.Reader, by Actor, id string) (credit.IntegrityFile, credit.IntegrityEntry, error) {
	file, ok, err := integrityFiles.Lookup(rd, indexIntegrityByEntry, kv.Key(id))
	if err != nil {
		return file, credit.IntegrityEntry{}, err
	}
	if ok {
		e := entryView(file, id, "").Entry
		// Somebody else's entry answers like one that is not there.
		if may(by, KeepIntegrity, Object{Region: e.Region}) == nil {
			return file, e, nil
		}
	}
	return credit.IntegrityFile{}, credit.IntegrityEntry{}, notFound("integrity entry", "诚信记录", id)
}

// AppealIntegrity files the appeal 申诉 of the person, which the authority took.
func (r *Registry) AppealIntegrity(ctx context.Context, by Actor, id, ground string) (IntegrityView, error) {
	return r.changeIntegrity(ctx, by, id, [][2]string{{"ground", ground}}, func(p credit.IntegrityFile, now time.Time) (credit.IntegrityFile, error) {
		return p.Appeal(id, ground, now)
	})
}

// DecideIntegrityAppeal decides on an appeal. Upheld, the entry is void from the
// start.
func (r *Registry) DecideIntegrityAppeal(ctx context.Context, by Actor, id string, upheld bool, document, reason string) (IntegrityView, error) {
	return r.changeIntegrity(ctx, by, id, [][2]string{{"document", document}, {"reason", reason}}, func(p credit.IntegrityFile, now time.Time) (credit.IntegrityFile, error) {
		return p.Decide(id, upheld, document, reason, now)
	})
}

func (r *Registry) changeIntegrity(ctx context.Context, by Actor, id string, texts [][2]string, rule func(credit.IntegrityFile, time.Time) (credit.IntegrityFile, error)) (IntegrityView, error) {
	if err := noIdentity("integrity_invalid", texts...); err != nil {
		return IntegrityView{}, err
	}
	var out IntegrityView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = IntegrityView{}
		if len(by.Roles) == 0 {
			return may(by, KeepIntegrity, Object{})
		}
		file, _, err := fileOfEntry(tx, by, id)
		if err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out = entryView(file, id, standards.DateOf(tx.Now()))
			}
			return err
		}
		if file, err = rule(file, tx.Now()); err != nil {
			return err
		}
		if out, err = r.storeIntegrity(tx, by, IntegrityChanged, file, id); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return IntegrityView{}, fmt.Errorf("change integrity entry %s: %w", id, err)
	}
	return out, nil
}

// Bar says that a person may not take part.
type Bar struct {
	Entry string         `json:"entry"`
	Kind  Text           `json:"kind"`
	From  standards.Date `json:"from"`
	Until standards.Date `json:"until"`
	Rules string         `json:"rules"`
}

// barredPersons tells which of some persons may not take part in an exam on a
// day, by what is recorded. It reads once for all of them.
func (r *Registry) barredPersons(rd kv.Reader, persons []PersonID, on standards.Date) (map[PersonID]Bar, error) {
	ids, err := identitiesOf(rd, persons)
	if err != nil {
		return nil, err
	}
	var subjects []credit.Subject
	var whose []PersonID // of the subject, who was asked about
	for i, p := range persons {
		for _, id := range ids[i] {
			subjects, whose = append(subjects, credit.Subject{Kind: credit.SubjectCandidate, ID: id.String()}), append(whose, p)
		}
	}
	bars, err := r.bars(rd, subjects, on)
	if err != nil {
		return nil, err
	}
	out := map[PersonID]Bar{}
	for i, p := range whose {
		if was, barred := out[p]; bars[i] != nil && (!barred || bars[i].Until > was.Until) {
			out[p] = *bars[i]
		}
	}
	return out, nil
}

// barredExaminers is barredPersons for examiners, by id.
func (r *Registry) barredExaminers(rd kv.Reader, examiners []string, on standards.Date) (map[string]Bar, error) {
	subjects := make([]credit.Subject, len(examiners))
	for i, id := range examiners {
		subjects[i] = credit.Subject{Kind: credit.SubjectExaminer, ID: id}
	}
	bars, err := r.bars(rd, subjects, on)
	if err != nil {
		return nil, err
	}
	out := map[string]Bar{}
	for i, id := range examiners {
		if bars[i] != nil {
			out[id] = *bars[i]
		}
	}
	return out, nil
}

func (r *Registry) bars(rd kv.Reader, subjects []credit.Subject, on standards.Date) ([]*Bar, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	now, err := r.now(rd)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(subjects))
	for i, s := range subjects {
		keys[i] = integrityFiles.Key(credit.IntegrityFile{Subject: s})
	}
	files, _, err := integrityFiles.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	out := make([]*Bar, len(subjects))
	for i, f := range files {
		if e, barred := f.Barred(on, now); barred {
			out[i] = &Bar{Entry: e.ID, Kind: e.Name, From: e.From, Until: e.Until, Rules: e.Rules}
		}
	}
	return out, nil
}

// IntegrityFileView is what an authority sees of a person's integrity file: the
// entries of its region that are still on file, and any bar in force.
type IntegrityFileView struct {
	Subject *credit.Subject `json:"subject,omitempty"`
	Barred  *Bar            `json:"barred,omitempty"`
	Entries []IntegrityView `json:"entries"`
}

// LookupIntegrity shows the integrity file of a person, named as in
// NewIntegrityEntry; nobody is made up for it. Annulled entries and those whose
// time on file has ended are left out.
func (r *Registry) LookupIntegrity(ctx context.Context, by Actor, in NewIntegrityEntry) (out IntegrityFileView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = IntegrityFileView{Entries: []IntegrityView{}}
		if err := may(by, KeepIntegrity, Object{Region: by.Region}); err != nil {
			return err
		}
		subject, known, err := r.knownSubject(rd, in, now)
		if err != nil || !known {
			return err
		}
		out.Subject = &subject
		today := standards.DateOf(now)
		bars, err := r.bars(rd, []credit.Subject{subject}, today)
		if err != nil {
			return err
		}
		out.Barred = bars[0]
		file, _, err := integrityFiles.Get(rd, integrityFiles.Key(credit.IntegrityFile{Subject: subject}))
		if err != nil {
			return err
		}
		for _, e := range file.OnFile(today) {
			if may(by, KeepIntegrity, Object{Region: e.Region}) == nil {
				out.Entries = append(out.Entries, IntegrityView{Subject: subject, Entry: e, Today: integrityText(e, today)})
			}
		}
		return nil
	})
	return out, err
}

func (r *Registry) knownSubject(rd kv.Reader, in NewIntegrityEntry, now time.Time) (credit.Subject, bool, error) {
	switch {
	case in.Examiner != "" && len(in.Examiner) <= 64:
		return credit.Subject{Kind: credit.SubjectExaminer, ID: in.Examiner}, true, nil
	case in.Certificate != "":
		c, err := r.certificateOf(rd, in.Certificate)
		return credit.Subject{Kind: credit.SubjectCandidate, ID: c.Person.String()}, err == nil, err
	}
	kind := in.DocumentKind
	if kind == "" {
		kind = standards.ResidentID
	}
	d, err := standards.ParseDocument(kind, in.DocumentNumber, standards.DateOf(now))
	if err != nil {
		return credit.Subject{}, false, err
	}
	p, ok, err := r.personByDocument(rd, d)
	return credit.Subject{Kind: credit.SubjectCandidate, ID: p.String()}, ok, err
}
