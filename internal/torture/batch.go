package torture

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimFile is a file of n claims on holdings of the scene, each again under
// another reference when there are fewer.
func (s *Scene) ClaimFile(n int) []byte { return s.ClaimFileBy(FirstLanguage, n) }

// ClaimFileBy is ClaimFile with the facts that another policy asks for.
func (s *Scene) ClaimFileBy(law string, n int) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	facts := s.claim(law, Holding{}).Facts
	kinds := slices.Sorted(maps.Keys(facts))
	header := []string{"reference", "certificate", "document", "name"}
	for _, kind := range kinds {
		header = append(header, string(kind))
	}
	_ = w.Write(header) // into memory
	for i := range n {
		h := s.Claims[i%len(s.Claims)]
		p := invented.PersonAt(h.Person)
		row := []string{fmt.Sprintf("B-%d", i), h.Number, p.Document, p.Name}
		for _, kind := range kinds {
			row = append(row, facts[kind].Value)
		}
		_ = w.Write(row)
	}
	w.Flush()
	return out.Bytes()
}

// CheckFile checks a file of claims as a payer would, from its bytes to its signed
// decision.
func (s *Scene) CheckFile(ctx context.Context, reg *registry.Registry, file []byte) (registry.ClaimBatch, error) {
	return s.CheckFileBy(ctx, reg, FirstLanguage, file)
}

// CheckFileBy is CheckFile by another policy.
func (s *Scene) CheckFileBy(ctx context.Context, reg *registry.Registry, law string, file []byte) (registry.ClaimBatch, error) {
	j, err := reg.OpenClaimBatch(ctx, s.payer(), registry.ClaimBatchFile{File: bytes.NewReader(file),
		Ask: registry.ClaimBatchAsk{Policy: law, Source: "耐久测试", At: s.Clock, Reference: "CB-1"}})
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
	facts := TownClaim(law.ID, Holding{}, standards.DateOf(at), at, "").Facts
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
					Facts: facts})
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
