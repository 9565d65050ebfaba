package torture

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"runtime"
	"sync"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimFile is a file of n claims on holdings of the scene, each again under
// another reference when there are fewer.
func (s *Scene) ClaimFile(n int) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"流水号", "证书编号", "证件号码", "姓名", "参保"}) // into memory
	for i := range n {
		h := s.Claims[i%len(s.Claims)]
		p := invented.PersonAt(h.Person)
		_ = w.Write([]string{fmt.Sprintf("B-%d", i), h.Number, p.Document, p.Name, "是"})
	}
	w.Flush()
	return out.Bytes()
}

// CheckFile checks a file of claims as a payer would, from its bytes to its signed
// decision.
func (s *Scene) CheckFile(ctx context.Context, reg *registry.Registry, file []byte) (registry.ClaimBatch, error) {
	j, err := reg.OpenClaimBatch(ctx, s.payer(), registry.ClaimBatchFile{File: bytes.NewReader(file),
		Ask: registry.ClaimBatchAsk{Policy: "sample-2026", Source: "耐久测试", At: s.Clock, Reference: "CB-1"}})
	if err != nil {
		return registry.ClaimBatch{}, err
	}
	defer j.Close(ctx)
	return j.Run(ctx, func([]byte) error { return nil })
}

// CheckParts does by itself what no check of n claims can do without: the HMAC of
// each document, the opening of each sealed paper and the rules, on all processors.
func (c *Crypto) CheckParts(law policy.Policy, at time.Time, n int) error {
	var done sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	for i := range workers {
		done.Go(func() {
			for row := n * i / workers; row < n*(i+1)/workers; row++ {
				mac := hmac.New(sha256.New, c.digest[:])
				fmt.Fprintf(mac, "document\x00%s\x00%s", standards.ResidentID, "11010519491231002X")
				mac.Sum(nil)
				if err := c.Open(); err != nil {
					errs[i] = err
				}
				cert := policy.Certificate{Number: "S000032058301263000001", Kind: policy.KindSkillLevel, Occupation: occupation, Edition: "2022", Level: standards.Senior,
					Issued: standards.DateOf(at), Mode: policy.ModeExam, Origin: policy.OriginHere, State: policy.CertificateValid, Entitled: policy.Entitled}
				law.Evaluate(policy.Input{Now: at, Received: standards.DateOf(at), Payer: "payer", Certificate: cert, Others: []policy.Certificate{cert},
					Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "耐久测试", At: at, Reference: "CB-1"}}})
			}
		})
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
