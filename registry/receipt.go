package registry

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// ReceiptClaim is what somebody says a receipt 查验回执 was given for. All of it is
// printed on the page that was shown: the receipt, the certificate's number or the
// code 查验码 of 13 characters, the minute of the check, and the first line.
type ReceiptClaim struct {
	Receipt string `json:"receipt"` // 7K3M-9QH2
	Number  string `json:"number"`  // number, or code
	// At is the minute in civil time, "2026-11-21 20:53", as the page has it.
	At string `json:"at"`
	// Answer is the first line, by its reason: "valid", "voided", …
	Answer credentials.Reason `json:"answer"`
}

// ReceiptAnswer says whether a receipt was given for exactly that. What does not
// fit is not told: no part of it, and no certificate, is confirmed alone.
type ReceiptAnswer struct {
	True      bool      `json:"true"` // 属实
	CheckedAt time.Time `json:"checked_at"`
}

// receiptMinute is the form of ReceiptClaim.At.
const receiptMinute = "2006-01-02 15:04"

func (in ReceiptClaim) parse() (receipt string, at time.Time, err error) {
	var bad []fail.Field
	receipt = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(strings.TrimSpace(in.Receipt)))
	if len(receipt) != 8 || strings.Trim(receipt, upper(idAlphabet)) != "" {
		bad = append(bad, fail.Field{Name: "receipt", Code: "shape", ZH: "查验回执应为 8 位数字和字母，如 7K3M-9QH2", EN: "a receipt has 8 letters and digits, such as 7K3M-9QH2"})
	} else {
		receipt = receipt[:4] + "-" + receipt[4:]
	}
	if n := len(strings.TrimSpace(in.Number)); n == 0 || n > 128 {
		bad = append(bad, fail.Field{Name: "number", Code: "required", ZH: "请填写证书编号或 13 位查验码", EN: "the certificate number, or the code of 13 characters"})
	}
	text := strings.NewReplacer("T", " ", "/", "-").Replace(strings.TrimSpace(in.At))
	if at, err = time.ParseInLocation(receiptMinute, text, standards.Zone); err != nil {
		bad = append(bad, fail.Field{Name: "at", Code: "shape", ZH: "查验时间应如 2026-11-21 20:53，以页面所示为准", EN: "the time as the page shows it, such as 2026-11-21 20:53"})
	}
	if credentials.Sentence(in.Answer, credentials.EN, credentials.Args{}) == "" {
		bad = append(bad, fail.Field{Name: "answer", Code: "unknown", ZH: "请选择页面第一行的结论", EN: "the first line of the page, such as valid"})
	}
	if len(bad) > 0 {
		return "", at, fail.New(fail.Invalid, "receipt_claim", "the receipt cannot be checked as it is").In("回执信息填写有误").At(bad...)
	}
	return receipt, at, nil
}

// CheckReceipt recomputes a receipt: over the 60 seconds of the minute, the
// versions of the certificate, the answers that begin with the first line, and the
// keys that were ever in use. A wrong receipt fits by chance once in about 10^8
// tries. Error: Invalid receipt_claim.
func (r *Registry) CheckReceipt(ctx context.Context, in ReceiptClaim) (out ReceiptAnswer, err error) {
	receipt, at, err := in.parse()
	if err != nil {
		return out, err
	}
	var number string
	var first, last int
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = ReceiptAnswer{CheckedAt: now}
		number, first, last, err = r.receiptSubject(rd, in.Number)
		return err
	})
	if err != nil {
		return out, err
	}
	// No certificate, and one with few versions, cost the same: of a number that has
	// an identity number in it nobody may learn that it is there.
	first = max(first, 1)
	fits := r.receiptFits(receipt, number, first, max(last, first+receiptLeast-1), in.Answer, at)
	out.True = fits && number != ""
	return out, nil
}

// receiptSubject is the certificate of a claim and the versions that it may be
// about; the number is empty when there is none.
func (r *Registry) receiptSubject(rd kv.Reader, text string) (number string, first, last int, err error) {
	if h, err := credentials.ParseTypedHandle(text); err == nil {
		v, ok, err := versions.Lookup(rd, indexVersionsByHandle, kv.Key(string(h)))
		if err != nil || ok {
			return v.Number, v.N, v.N, err
		}
	}
	key, err := r.numberKey(text)
	if err != nil {
		return "", 0, 0, nil // it fits no certificate, like any other
	}
	c, ok, err := certificates.Get(rd, kv.Key(key))
	if err != nil || !ok {
		return "", 0, 0, err
	}
	return c.Number, max(1, c.Versions-receiptVersions+1), c.Versions, nil
}

// receiptVersions is how many of the newest versions a claim by number is tried
// against.
const receiptVersions = 20

// receiptLeast is how many versions are tried though there are fewer.
const receiptLeast = 3

// receiptFits tries everything, whether it has found it or not, so that its time
// tells nothing.
func (r *Registry) receiptFits(receipt, number string, first, last int, answer credentials.Reason, at time.Time) bool {
	lists := answersFrom(answer)
	found := 0
	for _, version := range r.vault.indexVersions() {
		for n := first; n <= last; n++ {
			for _, reasons := range lists {
				for second := range 60 {
					got := r.receiptUnder(version, number, n, reasons, at.Add(time.Duration(second)*time.Second))
					found |= subtle.ConstantTimeCompare([]byte(got), []byte(receipt))
				}
			}
		}
	}
	return found == 1
}

// receiptReasons are the reasons that a verdict of the register can have beside
// its first.
var receiptReasons = []credentials.Reason{credentials.ReasonVoided, credentials.ReasonIssuerNotEntitled, credentials.ReasonReceivedTooLate,
	credentials.ReasonCancelled, credentials.ReasonSuspended, credentials.ReasonSuperseded, credentials.ReasonNotYetPublished}

// answersFrom are the lists of reasons that begin with one, with at most two
// more: a certificate has one status, is superseded or not, entitled or not.
func answersFrom(first credentials.Reason) (out [][]credentials.Reason) {
	seen := map[string]bool{}
	add := func(reasons ...credentials.Reason) {
		var v credentials.Verdict
		v.Decide(reasons...)
		if key := fmt.Sprint(v.Reasons); v.First() == first && !seen[key] {
			seen[key] = true
			out = append(out, v.Reasons)
		}
	}
	add(first)
	for i, a := range receiptReasons {
		add(first, a)
		for _, b := range receiptReasons[:i] {
			add(first, a, b)
		}
	}
	return out
}
