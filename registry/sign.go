package registry

import (
	"context"
	"errors"
	"fmt"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// signed is one certificate of a page, signed outside the writer.
type signed struct {
	cert    Certificate
	version Version
	block   []byte
}

// signPages signs what is left of a batch, page by page, outside the writer and in
// parallel, and stores tokens, sealed papers and log entries of a page in one
// Update; while one page is stored the next is signed. Durable after each page:
// signatures that nobody can see. A crash loses only the work of two pages.
func (r *Registry) signPages(ctx context.Context, by Actor, b Batch, progress func(Batch)) (Batch, error) {
	ctx, cancel := context.WithCancel(ctx)
	next := r.signAhead(ctx, b)
	defer func() {
		cancel()
		next() // nothing signs on after the return
	}()
	for b.State == BatchSigning {
		page, err := next()
		if err != nil {
			return b, err
		}
		after := b
		if len(page) == bulkPage {
			after.SignedRow = page[len(page)-1].cert.Row
			next = r.signAhead(ctx, after)
		}
		if b, err = r.storeSigned(ctx, by, b, page); err != nil {
			return b, err
		}
		progress(b)
		if b.State == BatchSigning && b.SignedRow != after.SignedRow { // another process went on
			next()
			next = r.signAhead(ctx, b)
		}
	}
	return b, nil
}

// signAhead begins to sign the page after the last signed row of b; the function
// it returns waits for it.
func (r *Registry) signAhead(ctx context.Context, b Batch) func() ([]signed, error) {
	done := make(chan struct{})
	var page []signed
	var err error
	go func() {
		defer close(done)
		page, err = r.signPage(ctx, b)
	}()
	return func() ([]signed, error) {
		<-done
		return page, err
	}
}

// signPage signs the next certificates of a batch.
func (r *Registry) signPage(ctx context.Context, b Batch) ([]signed, error) {
	page, papers, err := r.unsignedPage(ctx, b)
	if err != nil {
		return nil, err
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(page))
	parallel(len(page), func(i int) { errs[i] = r.signOne(signer, &page[i], papers[i]) })
	return page, errors.Join(errs...)
}

// storeSigned stores a signed page of the batch as it was seen.
func (r *Registry) storeSigned(ctx context.Context, by Actor, seen Batch, page []signed) (Batch, error) {
	return r.onPage(ctx, seen, func(tx kv.Tx, s Session, b Batch) (Batch, error) {
		vs, cs := make([]Version, len(page)), make([]Certificate, len(page))
		for i, p := range page {
			index, err := r.appendEvent(tx, by, Event{Kind: CertificateSigned, Object: p.cert.Number, Institution: b.Institution,
				Detail: map[string]any{"batch": b.ID, "version": p.version.N, "status": p.version.Status, "kid": p.version.KID}})
			if err != nil {
				return b, err
			}
			v, c := p.version, p.cert
			v.Signed, v.LogIndex, c.LogIndex = true, index, index
			vs[i], cs[i] = v, c
			tx.Put(tableSealed, sealedVersion(c.Number, v.N).storeKey(), p.block)
			b.SignedRow = c.Row
			b.Signed++
		}
		if err := versions.PutMany(tx, vs); err != nil {
			return b, err
		}
		if err := certificates.PutMany(tx, cs); err != nil {
			return b, err
		}
		if err := r.signsAfterSigning(tx, &b, page); err != nil {
			return b, err
		}
		if len(page) < bulkPage {
			b.State = BatchSigned
		}
		if b.State == BatchSigned && b.Total <= r.fewRows {
			return r.publishIn(tx, by, s, b)
		}
		return b, batches.Put(tx, b)
	})
}

// unsignedPage reads the next certificates of a batch with the people they are
// for. Results do not change once publicity began, so a View may read them.
func (r *Registry) unsignedPage(ctx context.Context, b Batch) (page []signed, papers []Paper, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		page, papers = nil, nil
		s, err := need(rd, sessions, kv.Key(b.Session), "session", "认定批次", b.Session)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(b.ID))
		rng.From, rng.Limit = kv.Key(b.ID, uint64(b.SignedRow+1)), bulkPage
		cs, _, err := certificates.ScanIndex(rd, indexCertificatesByBatch, rng)
		if err != nil {
			return err
		}
		versionKeys, blockKeys := make([][]byte, len(cs)), make([][]byte, len(cs))
		places := make([]sealedPlace, len(cs))
		for i, c := range cs {
			places[i] = sealedCandidate(Candidate{Session: s.ID, Generation: s.Results.Generation, Row: c.Row})
			versionKeys[i], blockKeys[i] = versionKey(c.Number, 1), places[i].storeKey()
		}
		vs, _, err := versions.GetMany(rd, versionKeys)
		if err != nil {
			return err
		}
		blocks, err := rd.GetMany(tableSealed, blockKeys)
		if err != nil {
			return err
		}
		for i, c := range cs {
			var p Paper
			if blocks[i] == nil {
				return fmt.Errorf("session %s row %d has no sealed block", s.ID, c.Row)
			}
			if err := r.vault.openValue(places[i], blocks[i], &p); err != nil {
				return err
			}
			page, papers = append(page, signed{cert: c, version: vs[i]}), append(papers, p)
		}
		return photographed(rd, s, cs, papers)
	})
	return page, papers, err
}

func (r *Registry) signOne(signer jws.Signer, s *signed, p Paper) error {
	token, err := credentials.SignToken(signer, claimsOf(s.cert, s.version, p))
	if err != nil {
		return err
	}
	p.Token = string(token)
	s.version.KID = signer.KID()
	s.block, err = r.vault.sealValue(sealedVersion(s.cert.Number, s.version.N), p)
	return err
}

// claimsOf is what the QR code says: what the paper shows, and no more.
func claimsOf(c Certificate, v Version, p Paper) credentials.Claims {
	return credentials.Claims{Number: c.Number, Name: p.Name, DocumentMasked: p.Document.Masked(), Occupation: c.Occupation, Trade: c.Trade,
		Level: levelDigit(c.Level), Issued: string(c.Issued), Status: int(v.Status)}
}

func levelDigit(l standards.Level) byte {
	d, _ := l.Digit()
	return d
}
