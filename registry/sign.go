package registry

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

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

// signPage signs the next certificates outside the writer, in parallel, and
// stores tokens, sealed papers and log entries in one Update. Durable
// afterwards: signatures that nobody can see. A crash before the Update loses
// only the work of one page.
func (r *Registry) signPage(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	page, papers, err := r.unsignedPage(ctx, seen)
	if err != nil {
		return seen, err
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return seen, err
	}
	group, _ := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range page {
		group.Go(func() error { return r.signOne(signer, &page[i], papers[i]) })
	}
	if err := group.Wait(); err != nil {
		return seen, err
	}
	return r.onPage(ctx, seen, func(tx kv.Tx, _ Session, b Batch) (Batch, error) {
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
