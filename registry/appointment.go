package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/posts"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Appointment is a post as 特级技师 or 首席技师 at an employer of the register
// 评聘. It is no certificate: claims never count it. Name and document are sealed.
type Appointment struct {
	ID          string   `json:"id"`
	Person      PersonID `json:"person"`
	Institution string   `json:"institution"`
	Region      string   `json:"region"`
	posts.Appointment
}

// NewAppointment is a post that an employer proposes.
type NewAppointment struct {
	Institution  string            `json:"institution"`
	Name         string            `json:"name"`
	DocumentKind string            `json:"document_kind,omitempty"`
	Document     string            `json:"document"`
	Post         posts.Appointment `json:"post"`
}

// AppointmentView is an appointment as its employer and the authority see it.
type AppointmentView struct {
	Appointment
	Name     string `json:"name"`
	Document string `json:"document"` // masked
}

// personalPaper checks the name and document of one person.
func personalPaper(name, kind, document string, today standards.Date) (p Paper, bad []fail.Field) {
	wrong := func(field string, err error) {
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: field, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	var err error
	p.Name, err = standards.CleanName(name)
	wrong("name", err)
	k := standards.ResidentID
	if kind != "" {
		k, err = standards.ParseDocumentKind(kind)
		wrong("document_kind", err)
	}
	if k != "" {
		p.Document, err = standards.ParseDocument(k, document, today)
		wrong("document", err)
	}
	return p, bad
}

// employerFor is an institution that may manage its own people: one with a filing
// of class Y 用人单位 in force.
func employerFor(rd kv.Reader, by Actor, id string, now time.Time) (evaluators.Institution, error) {
	inst, filed, past, err := recorded(rd, id)
	if err != nil {
		return inst, err
	}
	if err := may(by, ManagePosts, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
		return inst, err
	}
	today := standards.DateOf(now)
	for _, f := range filed {
		if f.Class == evaluators.Employer && f.StatusAt(past, today, now) == evaluators.Filed {
			return inst, nil
		}
	}
	return inst, fail.New(fail.Conflict, "not_an_employer", "institution %s has no filing as an employer in force", inst.ID).
		In("机构 %s 没有在有效期内的用人单位备案，不能办理评聘和学徒登记", inst.ID)
}

// ProposeAppointment proposes a post as 特级技师 or 首席技师, for the authority to
// file. Invalid: post_invalid with everything wrong; Conflict: the institution is
// no employer of the register.
func (r *Registry) ProposeAppointment(ctx context.Context, by Actor, in NewAppointment) (Appointment, error) {
	in.Post.Post, in.Post.List, in.Post.HeldProof = strings.TrimSpace(in.Post.Post), strings.TrimSpace(in.Post.List), strings.TrimSpace(in.Post.HeldProof)
	bad := append(append(impersonal("post", in.Post.Post), impersonal("list", in.Post.List)...), impersonal("held_proof", in.Post.HeldProof)...)
	if len(bad) > 0 {
		return Appointment{}, fail.New(fail.Invalid, "post_invalid", "the appointment has an identity number in it").In("评聘信息中不得写身份证号码").At(bad...)
	}
	id, fresh := r.rand.id("t"), r.rand.person()
	var out Appointment
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Appointment{}
		inst, err := employerFor(tx, by, in.Institution, tx.Now())
		if err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = appointmentFor(tx, by, id)
			}
			return err
		}
		today := standards.DateOf(tx.Now())
		paper, bad := personalPaper(in.Name, in.DocumentKind, in.Document, today)
		if len(bad) > 0 {
			return fail.New(fail.Invalid, "post_invalid", "the person is not right").In("人员信息有误").At(bad...)
		}
		people, err := r.peopleFor(tx, []standards.Document{paper.Document}, []PersonID{fresh})
		if err != nil {
			return err
		}
		p, err := r.proposal(tx, inst, people[0], in.Post, tx.Now())
		if err != nil {
			return err
		}
		a := Appointment{ID: id, Person: people[0], Institution: inst.ID, Region: inst.Region, Appointment: p}
		if err := r.vault.seal(tx, sealedAppointment(a.ID), paper); err != nil {
			return err
		}
		if err := r.putAppointment(tx, by, a, AppointmentProposed); err != nil {
			return err
		}
		out = a
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return Appointment{}, fmt.Errorf("propose appointment: %w", err)
	}
	return out, nil
}

// proposal applies the rules of the region to a proposed post.
func (r *Registry) proposal(rd kv.Reader, inst evaluators.Institution, p PersonID, in posts.Appointment, now time.Time) (posts.Appointment, error) {
	rules, ok := r.cfg.Rules.Posts.On(inst.Region, string(standards.DateOf(now)))
	if !ok {
		return in, fail.New(fail.Conflict, "no_post_rules", "region %s has no rules for posts", inst.Region).In("%s 尚无特级技师、首席技师评聘规则", inst.Region)
	}
	o, err := r.occupation(rd, in.Occupation)
	if err != nil {
		return in, err
	}
	trade, err := o.FindTrade(in.Trade)
	if err != nil {
		return in, err
	}
	_, senior := r.starter.Standard(o.Code, trade.ID, standards.SeniorTechnician, standards.DateOf(now))
	in.Occupation, in.Trade, in.Employer = o.Code, trade.ID, inst.USCC
	held, err := appointmentsOf(rd, p)
	if err != nil {
		return in, err
	}
	var before []posts.Appointment
	for _, a := range held {
		before = append(before, a.Appointment)
	}
	return posts.Propose(rules, senior == nil, before, in, now)
}

// postsPerPerson bounds what is read of one person.
const postsPerPerson = 200

func appointmentsOf(rd kv.Reader, p PersonID) ([]Appointment, error) {
	ids, err := identities(rd, p)
	if err != nil {
		return nil, err
	}
	var out []Appointment
	for _, id := range ids {
		rng := kv.Prefix(kv.Key(id[:]))
		rng.Limit = postsPerPerson
		own, _, err := appointments.ScanIndex(rd, indexAppointmentsByPerson, rng)
		if err != nil {
			return nil, err
		}
		out = append(out, own...)
	}
	return out, nil
}

func appointmentFor(rd kv.Reader, by Actor, id string) (Appointment, error) {
	a, err := need(rd, appointments, kv.Key(id), "appointment", "评聘记录", id)
	if err != nil {
		return a, err
	}
	return a, may(by, ReadPosts, Object{Institution: a.Institution, Region: a.Region})
}

func (r *Registry) putAppointment(tx kv.Tx, by Actor, a Appointment, kind EventKind) error {
	if err := appointments.Put(tx, a); err != nil {
		return err
	}
	_, err := r.appendEvent(tx, by, Event{Kind: kind, Object: a.ID, Institution: a.Institution, Detail: a})
	return err
}

// AppointmentChange is what becomes of an appointment. Do is file, refuse,
// withdraw or end.
type AppointmentChange struct {
	Do       string         `json:"do"`
	Document string         `json:"document,omitempty"` // 文号 of the filing or of the end
	Number   string         `json:"number,omitempty"`   // of the certificate, where the region gives one
	Reason   string         `json:"reason,omitempty"`
	On       standards.Date `json:"on,omitempty"`  // the post ended
	Why      posts.Ending   `json:"why,omitempty"` // it ended
}

// ChangeAppointment files, refuses, withdraws or ends an appointment. The
// authority files and refuses; the employer withdraws; both may end.
func (r *Registry) ChangeAppointment(ctx context.Context, by Actor, id string, in AppointmentChange) (Appointment, error) {
	bad := append(append(impersonal("document", in.Document), impersonal("reason", in.Reason)...), impersonal("number", in.Number)...)
	if len(bad) > 0 {
		return Appointment{}, fail.New(fail.Invalid, "post_invalid", "the texts have an identity number in them").In("不得写身份证号码").At(bad...)
	}
	var out Appointment
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Appointment{}
		a, err := appointmentFor(tx, by, id)
		if err != nil {
			return err
		}
		act, kind := ManagePosts, AppointmentChanged
		if in.Do == "file" || in.Do == "refuse" {
			act = FilePosts
		}
		if in.Do == "end" && may(by, FilePosts, Object{Institution: a.Institution, Region: a.Region}) == nil {
			act = FilePosts
		}
		if err := may(by, act, Object{Institution: a.Institution, Region: a.Region}); err != nil {
			return err
		}
		if a.Appointment, err = r.changed(a, in, tx.Now()); err != nil {
			return err
		}
		out = a
		return r.putAppointment(tx, by, a, kind)
	})
	if err != nil {
		return Appointment{}, fmt.Errorf("change appointment %s: %w", id, err)
	}
	return out, nil
}

func (r *Registry) changed(a Appointment, in AppointmentChange, now time.Time) (posts.Appointment, error) {
	switch in.Do {
	case "file":
		rules, _ := r.cfg.Rules.Posts.On(a.Region, string(standards.DateOf(a.Proposed)))
		return a.File(rules, posts.Filing{Document: in.Document, Number: in.Number}, now)
	case "refuse":
		return a.Refuse(in.Reason)
	case "withdraw":
		return a.Withdraw(in.Reason)
	case "end":
		return a.Finish(posts.End{On: in.On, Why: in.Why, Document: in.Document}, now)
	}
	return a.Appointment, fail.New(fail.Invalid, "post_invalid", "do is file, refuse, withdraw or end").In("办理事项应为备案、不予备案、撤回或终止").
		At(fail.Field{Name: "do", Code: "unknown", ZH: "应为 file、refuse、withdraw 或 end", EN: "file, refuse, withdraw or end"})
}

// Appointments is one page of an employer's appointments.
func (r *Registry) Appointments(ctx context.Context, by Actor, institution string, page Page) (out []AppointmentView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadPosts, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, appointments, indexAppointmentsByInstitution, kv.Prefix(kv.Key(inst.ID)), page)
		if err != nil {
			return err
		}
		for _, a := range found {
			v, err := r.appointmentView(rd, a)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

func (r *Registry) appointmentView(rd kv.Reader, a Appointment) (AppointmentView, error) {
	var p Paper
	ok, err := r.vault.open(rd, sealedAppointment(a.ID), &p)
	if err == nil && !ok {
		err = fmt.Errorf("appointment %s has no sealed block", a.ID)
	}
	return AppointmentView{Appointment: a, Name: p.Name, Document: p.Document.Masked()}, err
}
