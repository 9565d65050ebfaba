package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Handout is that the paper of one version of a certificate was handed out 领取.
// Who fetched it for the holder stands sealed.
type Handout struct {
	Number   string         `json:"number"`
	Version  int            `json:"version"`
	Date     standards.Date `json:"date"`
	Proxy    bool           `json:"proxy,omitempty"` // 代领
	By       string         `json:"by"`              // account that recorded it
	At       time.Time      `json:"at"`
	LogIndex uint64         `json:"log_index"`
}

// NewHandout is what is recorded of a handing out. Who fetches it for the holder
// 代领 is named with his document.
type NewHandout struct {
	Date              standards.Date `json:"date,omitempty"` // today when empty
	ProxyName         string         `json:"proxy_name,omitempty"`
	ProxyDocumentKind string         `json:"proxy_document_kind,omitempty"` // resident_id when empty
	ProxyDocument     string         `json:"proxy_document,omitempty"`
}

// HandoutView is a handing out as its institution sees it.
type HandoutView struct {
	Handout
	ProxyName     string `json:"proxy_name,omitempty"`
	ProxyDocument string `json:"proxy_document,omitempty"` // masked
}

// RecordHandout records that the paper of a certificate's newest version was handed
// out. The same again changes nothing. Conflict handed_out: it was, on another day
// or to somebody else; certificate_status: it is not valid. Invalid handout.
func (r *Registry) RecordHandout(ctx context.Context, by Actor, number string, in NewHandout) (HandoutView, error) {
	key, err := r.numberKey(number)
	if err != nil {
		return HandoutView{}, err
	}
	var out HandoutView
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = HandoutView{}
		c, _, err := r.publicCertificate(tx, key)
		if err != nil {
			return err
		}
		if err := may(by, RecordPrints, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		h, who, err := in.parse(c, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		there, had, err := handouts.Get(tx, handouts.Key(h))
		if err != nil {
			return err
		}
		if had {
			out, err = r.handedBefore(tx, there, h, who)
			return err
		}
		if err := c.mayBePrinted(); err != nil {
			return err
		}
		h.By, h.At = by.Account, tx.Now()
		if h.LogIndex, err = r.appendEvent(tx, by, Event{Kind: CertificateHandedOut, Object: c.Number, Institution: c.Institution,
			Detail: map[string]any{"version": h.Version, "date": h.Date, "proxy": h.Proxy}}); err != nil {
			return err
		}
		if h.Proxy {
			if err := r.vault.seal(tx, sealedProxy(h.Number, h.Version), who); err != nil {
				return err
			}
		}
		out = h.view(who)
		return handouts.Put(tx, h)
	})
	if err != nil {
		return HandoutView{}, fmt.Errorf("record handout: %w", err)
	}
	return out, nil
}

func (h Handout) view(who Paper) HandoutView {
	out := HandoutView{Handout: h, ProxyName: who.Name}
	if h.Proxy {
		out.ProxyDocument = who.Document.Masked()
	}
	return out
}

func (in NewHandout) parse(c Certificate, today standards.Date) (h Handout, who Paper, err error) {
	h = Handout{Number: c.Number, Version: c.Versions, Date: in.Date, Proxy: in.ProxyName != "" || in.ProxyDocument != "" || in.ProxyDocumentKind != ""}
	var bad []fail.Field
	wrong := func(name string, err error) {
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: name, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	if h.Date == "" {
		h.Date = today
	}
	if h.Date, err = standards.ParseDate(string(h.Date)); err != nil {
		wrong("date", err)
	} else if h.Date > today || h.Date < c.Issued {
		wrong("date", fail.New(fail.Invalid, "date", "not before the issue and not after today").In("领取日期不得早于发证日期或晚于今天"))
	}
	if h.Proxy {
		kind := standards.ResidentID
		who.Name, err = standards.CleanName(in.ProxyName)
		wrong("proxy_name", err)
		if in.ProxyDocumentKind != "" {
			kind, err = standards.ParseDocumentKind(in.ProxyDocumentKind)
			wrong("proxy_document_kind", err)
		}
		if kind != "" {
			who.Document, err = standards.ParseDocument(kind, in.ProxyDocument, today)
			wrong("proxy_document", err)
		}
	}
	if len(bad) > 0 {
		return h, who, fail.New(fail.Invalid, "handout", "the record cannot be taken").In("领取登记有误").At(bad...)
	}
	return h, who, nil
}

// handedBefore answers a handing out that is on record already.
func (r *Registry) handedBefore(rd kv.Reader, there, again Handout, who Paper) (HandoutView, error) {
	was, err := r.proxyOf(rd, there)
	if err != nil {
		return HandoutView{}, err
	}
	if there.Date != again.Date || there.Proxy != again.Proxy || was.Document != who.Document {
		return HandoutView{}, fail.New(fail.Conflict, "handed_out", "this version was handed out on %s", there.Date).In("该版本证书已于%s领取", there.Date.Chinese())
	}
	return there.view(was), nil
}

func (r *Registry) proxyOf(rd kv.Reader, h Handout) (who Paper, err error) {
	if !h.Proxy {
		return who, nil
	}
	ok, err := r.vault.open(rd, sealedProxy(h.Number, h.Version), &who)
	if err == nil && !ok {
		err = fmt.Errorf("handout of %s version %d has no sealed block", h.Number, h.Version)
	}
	return who, err
}

// HandoutsOfCertificate are the handings out of a certificate, one for each version
// at most, the oldest first.
func (r *Registry) HandoutsOfCertificate(ctx context.Context, by Actor, number string) (out []HandoutView, err error) {
	key, err := r.numberKey(number)
	if err != nil {
		return nil, err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		c, _, err := r.publicCertificate(rd, key)
		if err != nil {
			return err
		}
		if err := may(by, ReissueCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err // names a person: not for auditors
		}
		rng := kv.Prefix(kv.Key(c.Number))
		rng.Limit = pageMax
		found, _, err := handouts.Scan(rd, rng)
		if err != nil {
			return err
		}
		for _, h := range found {
			who, err := r.proxyOf(rd, h)
			if err != nil {
				return err
			}
			out = append(out, h.view(who))
		}
		return nil
	})
	return out, err
}
