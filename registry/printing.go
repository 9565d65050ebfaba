package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// NewPrint is one print of a certificate. Code is the blank's 印制流水码, taken for
// the certificate's session; none where it is printed on plain paper, which the
// rules of the region may forbid. Reason is needed for a reprint 补打.
type NewPrint struct {
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// RecordPrint records one print of a certificate in its newest version. Errors:
// Conflict certificate_status, issued_elsewhere, blank_state, blank_session,
// blank_needed; Invalid print_reason: it was printed before.
func (r *Registry) RecordPrint(ctx context.Context, by Actor, number string, in NewPrint) (blanks.Printing, error) {
	key, err := r.numberKey(number)
	if err != nil {
		return blanks.Printing{}, err
	}
	if bad := impersonal("reason", in.Reason); bad != nil {
		return blanks.Printing{}, fail.New(fail.Invalid, "print", "the reason has an identity number in it").In("原因中不得写身份证号码").At(bad...)
	}
	var out blanks.Printing
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = blanks.Printing{}
		c, _, err := r.publicCertificate(tx, key)
		if err != nil {
			return err
		}
		if err := may(by, RecordPrints, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = printNamed(tx, c.Number, earlier)
			}
			return err
		}
		p, err := r.printOne(tx, by, c, in)
		if err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: PrintsRecorded, Object: c.Number, Institution: c.Institution, Detail: map[string]any{
			"version": p.Version, "n": p.N, "code": p.Code, "kind": p.Kind, "reason": p.Reason}}); err != nil {
			return err
		}
		out = p
		return remember(tx, by, fmt.Sprint(p.N))
	})
	if err != nil {
		return blanks.Printing{}, fmt.Errorf("record print: %w", err)
	}
	return out, nil
}

func printNamed(rd kv.Reader, number, n string) (blanks.Printing, error) {
	var i uint64
	if _, err := fmt.Sscan(n, &i); err != nil {
		return blanks.Printing{}, fmt.Errorf("print %s of %s: %w", n, number, err)
	}
	return need(rd, prints, kv.Key(number, i), "print", "打印记录", number)
}

func (r *Registry) printOne(tx kv.Tx, by Actor, c Certificate, in NewPrint) (blanks.Printing, error) {
	if err := c.mayBePrinted(); err != nil {
		return blanks.Printing{}, err
	}
	before, _, err := printed.Get(tx, kv.Key(c.Number))
	if err != nil {
		return blanks.Printing{}, err
	}
	after, kind, err := before.Next(c.Versions, in.Reason)
	if err != nil {
		return blanks.Printing{}, err
	}
	after.Number = c.Number
	p := blanks.Printing{Number: c.Number, N: after.N, Version: c.Versions, Kind: kind, Reason: strings.TrimSpace(in.Reason), Session: c.Session, By: by.Account, At: tx.Now()}
	if err := r.blankOf(tx, c, in.Code, &p); err != nil {
		return p, err
	}
	if err := prints.Put(tx, p); err != nil {
		return p, err
	}
	return p, printed.Put(tx, after)
}

// mayBePrinted refuses to print what is not valid, or was issued elsewhere.
func (c Certificate) mayBePrinted() error {
	if c.Origin != OriginHere {
		return fail.New(fail.Conflict, "issued_elsewhere", "the certificate was issued elsewhere and is printed there").In("该证书由其他系统签发，请在原系统打印")
	}
	if c.Status != CertificateValid {
		return fail.New(fail.Conflict, "certificate_status", "a certificate that is %s is not printed", c.Status).In("证书当前状态不允许打印")
	}
	return nil
}

// blankOf takes the named blank for a print.
func (r *Registry) blankOf(tx kv.Tx, c Certificate, code string, p *blanks.Printing) error {
	if strings.TrimSpace(code) == "" {
		return r.mayPrintPlain(tx, c.Institution, tx.Now())
	}
	one, err := blanks.ParseCode(code)
	if err != nil {
		return err
	}
	p.Code = &one
	_, err = moveBlanks(tx, blanks.Move{Act: blanks.Print, Range: blanks.One(one), Institution: c.Institution, Session: c.Session})
	return err
}

// mayPrintPlain refuses plain paper where the rules want numbered blanks.
func (r *Registry) mayPrintPlain(rd kv.Reader, institution string, now time.Time) error {
	inst, err := institutionByID(rd, institution)
	if err != nil {
		return err
	}
	rules, err := r.blankRulesOf(inst, now)
	if err != nil {
		return err
	}
	if rules.NumberedOnly {
		return fail.New(fail.Conflict, "blank_needed", "in this region certificates are printed on numbered blanks only (rules %s); name the blank's code", rules.ID).
			In("按本地区规则（%s），证书须打印在有印制流水码的空白证书上，请填写流水码", rules.ID).
			At(fail.Field{Name: "code", Code: "required", ZH: "请填写印制流水码", EN: "the blank's code is needed"})
	}
	return nil
}

// spoilPrints takes the prints of spoiled blanks with them: their certificates are
// due to be printed again.
func spoilPrints(tx kv.Tx, by Actor, moved []blanks.Moved, reason string) error {
	var keys [][]byte
	for _, m := range moved {
		if m.From != blanks.Printed {
			continue
		}
		for code := m.First; code.Number <= m.Last.Number; code.Number++ {
			keys = append(keys, blankKey(code))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := tx.GetMany(indexPrintsByCode, keys)
	if err != nil {
		return err
	}
	spoiled, there, err := prints.GetMany(tx, found)
	if err != nil {
		return err
	}
	numbers := make([][]byte, len(spoiled))
	for i := range spoiled {
		if !there[i] {
			return fmt.Errorf("printed blank %x has no print", keys[i])
		}
		spoiled[i].Spoiled = &blanks.Step{By: by.Account, At: tx.Now(), Note: reason}
		numbers[i] = kv.Key(spoiled[i].Number)
	}
	sums, _, err := printed.GetMany(tx, numbers)
	if err != nil {
		return err
	}
	byNumber := map[string]blanks.Prints{} // one certificate may have several of the prints
	for i, p := range spoiled {
		sum, ok := byNumber[p.Number]
		if !ok {
			sum = sums[i]
		}
		byNumber[p.Number] = sum.Spoil(p.Version)
	}
	after := make([]blanks.Prints, 0, len(byNumber))
	for _, p := range spoiled {
		if sum, ok := byNumber[p.Number]; ok {
			after = append(after, sum)
			delete(byNumber, p.Number)
		}
	}
	if err := printed.PutMany(tx, after); err != nil {
		return err
	}
	return prints.PutMany(tx, spoiled)
}

// PrintsOfCertificate is one page of the prints of a certificate, the oldest first.
func (r *Registry) PrintsOfCertificate(ctx context.Context, by Actor, number string, page Page) (out []blanks.Printing, next string, err error) {
	key, err := r.numberKey(number)
	if err != nil {
		return nil, "", err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, _, err := r.publicCertificate(rd, key)
		if err != nil {
			return err
		}
		if err := may(by, ReadCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		out, next, err = scanPage(rd, prints, kv.Prefix(kv.Key(c.Number)), page)
		return err
	})
	return out, next, err
}

// PrintsOfSession is one page of the prints of a session's certificates, by number.
func (r *Registry) PrintsOfSession(ctx context.Context, by Actor, session string, page Page) (out []blanks.Printing, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		s, err := sessionFor(rd, by, ReadCertificate, session)
		if err != nil {
			return err
		}
		out, next, err = scanIndexPage(rd, prints, indexPrintsBySession, kv.Prefix(kv.Key(s.ID)), page)
		return err
	})
	return out, next, err
}
