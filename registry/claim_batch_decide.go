package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
)

// ClaimBatchOutcome is the answer to a row in one word: those of a claim, and
// invalid.
type ClaimBatchOutcome string

// BatchInvalid is the outcome of a row that has mistakes and was not decided.
const BatchInvalid ClaimBatchOutcome = "invalid"

// ClaimBatchOutcomes lists the outcomes.
func ClaimBatchOutcomes() []ClaimBatchOutcome {
	return []ClaimBatchOutcome{ClaimBatchOutcome(policy.Allow), ClaimBatchOutcome(policy.Deny), ClaimBatchOutcome(policy.Hold), BatchInvalid}
}

// Name returns an outcome as officials say it.
func (o ClaimBatchOutcome) Name() policy.Text {
	return map[ClaimBatchOutcome]policy.Text{
		ClaimBatchOutcome(policy.Allow): {ZH: "可以申领", EN: "may be reserved"},
		ClaimBatchOutcome(policy.Deny):  {ZH: "不予申领", EN: "refused"},
		ClaimBatchOutcome(policy.Hold):  {ZH: "待补充", EN: "on hold"},
		BatchInvalid:                    {ZH: "本行有误，未预检", EN: "has mistakes, not checked"},
	}[o]
}

// batchNext says what to do with a row.
var batchNext = map[ClaimBatchOutcome]policy.Text{
	ClaimBatchOutcome(policy.Allow): {ZH: "预检不锁定，请按本行信息提交锁定", EN: "nothing is reserved yet: reserve the claim with what this row says"},
	ClaimBatchOutcome(policy.Deny):  {ZH: "不予发放，请将原因及依据条款一次性告知申请人", EN: "do not pay; tell the applicant the reasons with their clauses, all at once"},
	ClaimBatchOutcome(policy.Hold):  {ZH: "请补充所列内容后重新预检", EN: "supply what is listed and check the row again"},
	BatchInvalid:                    {ZH: "请更正本行后重新预检", EN: "correct the row and check it again"},
}

// ClaimBatchLine is the answer to one row. It does not name the person.
type ClaimBatchLine struct {
	Row         int               `json:"row"` // as a spreadsheet counts; of JSON lines the line
	Reference   string            `json:"reference,omitempty"`
	Certificate string            `json:"certificate,omitempty"` // masked when it has an identity number in it
	Outcome     ClaimBatchOutcome `json:"outcome"`
	Reasons     []policy.Reason   `json:"reasons"`
	Amount      policy.Fen        `json:"amount_fen"`
	Policy      string            `json:"policy,omitempty"`
	Version     int               `json:"policy_version,omitempty"`
	Failing     []policy.Failure  `json:"failing,omitempty"`
	Missing     []policy.Missing  `json:"missing,omitempty"`
	Problems    []fail.Field      `json:"problems,omitempty"` // of an invalid row
	Note        *policy.Text      `json:"note,omitempty"`     // of a row that matches nothing
	// Unconfirmed are those of a ClaimAnswer 待确认.
	Unconfirmed []UnconfirmedPolicy `json:"unconfirmed,omitempty"`
	// EarlierRows are the rows before it in the file that stand in its way: of the
	// same person and allowed, or with the same reference.
	EarlierRows []int `json:"earlier_rows,omitempty"`
	// SameCertificate is the first row of the file with the same certificate.
	SameCertificate int         `json:"same_certificate_row,omitempty"`
	Next            policy.Text `json:"next"`
	// TreeSize is the size of the audit log that the answer rests on.
	TreeSize uint64 `json:"tree_size"`
}

// provisional is a row that was allowed, as a claim of its person that later rows
// of the file have to reckon with. It is no claim of the register.
type provisional struct {
	Document []byte `json:"document"` // keyed hash: the person may not be known yet
	Claim    Claim  `json:"claim"`
}

// provisionals are the allowed rows of a file so far, by person and by document.
type provisionals struct {
	claims []*Claim
	places map[string][]int // in claims
}

func (p *provisionals) add(x *provisional) {
	if p.places == nil {
		p.places = map[string][]int{}
	}
	at := len(p.claims)
	p.claims = append(p.claims, &x.Claim)
	if x.Claim.Person != (PersonID{}) {
		p.places["p"+string(x.Claim.Person[:])] = append(p.places["p"+string(x.Claim.Person[:])], at)
	}
	p.places["d"+string(x.Document)] = append(p.places["d"+string(x.Document)], at)
}

// of are those of a person, once each, in the order of the file.
func (p *provisionals) of(person PersonID, document []byte) (out []Claim) {
	places := p.places["d"+string(document)]
	if person != (PersonID{}) {
		if byPerson := p.places["p"+string(person[:])]; len(byPerson) > 0 {
			places = append(slices.Clip(byPerson), places...)
			slices.Sort(places)
			places = slices.Compact(places)
		}
	}
	for _, at := range places {
		out = append(out, *p.claims[at])
	}
	return out
}

// A provisional claim is named by its row between marks that no id has.
func provisionalID(row int) string { return "«" + strconv.Itoa(row) + "»" }

func provisionalRow(id string) (int, bool) {
	inner, ok := strings.CutPrefix(id, "«")
	if !ok {
		return 0, false
	}
	row, err := strconv.Atoi(strings.TrimSuffix(inner, "»"))
	return row, err == nil
}

// batchPage is a page of rows that were answered.
type batchPage struct {
	lines    []byte // of JSON, each with its line feed
	allowed  []*provisional
	counts   ClaimBatchCounts
	policies []ClaimBatchPolicy
	size     uint64 // of the audit log
	rows     int
}

// answeredRow is one of them.
type answeredRow struct {
	line    ClaimBatchLine
	text    []byte
	allowed *provisional
	policy  ClaimBatchPolicy // none: it was not decided
}

// decideBatch answers rows in the order of the file: rows of different people on
// all processors, those of one person one after another, each with the allowed
// rows before it among the person's claims. It is pure. document gives the keyed
// hash of a row's document.
func decideBatch(by Actor, rows []batchRow, material []gathered, earlier *provisionals, document func(i int) []byte, now time.Time) ([]answeredRow, error) {
	out, errs := make([]answeredRow, len(rows)), make([]error, len(rows))
	var groups [][]int
	place := map[string]int{}
	for i := range rows {
		key := "d" + string(document(i))
		if p := material[i].whole; p != (PersonID{}) {
			key = "p" + string(p[:])
		}
		n, ok := place[key]
		if !ok {
			n = len(groups)
			place[key] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	parallel(len(groups), func(n int) {
		var own []Claim // of this page
		for _, i := range groups[n] {
			before := earlier.of(material[i].whole, document(i))
			out[i] = decideRow(by, &rows[i], &material[i], append(slices.Clip(before), own...), now)
			if c := out[i].allowed; c != nil {
				c.Document = document(i)
				own = append(own, c.Claim)
			}
			out[i].text, errs[i] = json.Marshal(out[i].line)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decideRow answers one row, with the allowed rows of its person before it.
func decideRow(by Actor, row *batchRow, g *gathered, before []Claim, now time.Time) answeredRow {
	line := ClaimBatchLine{Row: row.number, Reference: row.reference, Certificate: row.certificate, SameCertificate: row.twin, Reasons: []policy.Reason{}, TreeSize: g.size}
	if row.earlier > 0 {
		line.EarlierRows = []int{row.earlier}
	}
	out := answeredRow{}
	switch {
	case len(row.problems) > 0:
		line.Outcome, line.Problems = BatchInvalid, row.problems
	case g.wrong != nil:
		line.Outcome, line.Problems = BatchInvalid, rowFields(row.number, g.wrong)
	default:
		d := decided{material: &g.material}
		if g.match {
			d.claims = append(slices.Clip(d.claims), before...)
			d = d.decide(by, g.received, now)
			out.policy = ClaimBatchPolicy{ID: g.policy.ID, Version: g.policy.Version, Digest: g.policy.Digest}
			line.Policy, line.Version = g.policy.ID, g.policy.Version
		}
		line.take(d.answer())
		if g.match && d.basis.Decision.Outcome == policy.Allow {
			c := Claim{ID: provisionalID(row.number), Payer: by.Organisation, Region: by.Region, Reference: row.reference}.fill(d, 0, nil)
			c.Reserved, c.Person = now, g.whole
			out.allowed = &provisional{Claim: c}
		}
	}
	line.Next = batchNext[line.Outcome]
	out.line = line
	return out
}

// rowFields are the mistakes of an error as those of a row.
func rowFields(row int, e *fail.Error) []fail.Field {
	out := slices.Clone(e.Fields)
	if len(out) == 0 {
		out = []fail.Field{{Name: "row", Code: e.Code, ZH: e.ZH, EN: e.Text}}
	}
	for i := range out {
		out[i].Row = row
	}
	return out
}

// take takes over an answer. Rows of the file that stand in the way are named as
// rows: they are no claims of the register.
func (l *ClaimBatchLine) take(a ClaimAnswer) {
	l.Outcome, l.Reasons, l.Note, l.Unconfirmed = ClaimBatchOutcome(a.Outcome), a.Reasons, a.Note, a.Unconfirmed
	if a.Decision == nil {
		return
	}
	l.Amount, l.Missing = a.Decision.Amount, a.Decision.Missing
	if a.Outcome != policy.Allow {
		l.Amount = 0
	}
	for _, f := range a.Decision.Failing {
		var kept []policy.Block
		for _, b := range f.Blocks {
			row, is := provisionalRow(b.Claim)
			if !is {
				kept = append(kept, b)
				continue
			}
			if !slices.Contains(l.EarlierRows, row) {
				l.EarlierRows = append(l.EarlierRows, row)
			}
			f.Detail.ZH = strings.ReplaceAll(f.Detail.ZH, b.Claim, fmt.Sprintf("本文件第%d行", row))
			f.Detail.EN = strings.ReplaceAll(f.Detail.EN, b.Claim, fmt.Sprintf("row %d of this file", row))
		}
		f.Blocks = kept
		l.Failing = append(l.Failing, f)
	}
	slices.Sort(l.EarlierRows)
}

// pageOf puts answered rows together.
func pageOf(rows []answeredRow, size uint64) batchPage {
	out := batchPage{size: size, rows: len(rows)}
	var lines bytes.Buffer
	most := 0
	for _, row := range rows {
		most += len(row.text) + 1
	}
	lines.Grow(most)
	for _, row := range rows {
		lines.Write(row.text)
		lines.WriteByte('\n')
		out.counts.count(row.line)
		if row.allowed != nil {
			out.allowed = append(out.allowed, row.allowed)
		}
		if row.policy.ID != "" {
			out.policies = withPolicy(out.policies, row.policy)
		}
	}
	out.lines = lines.Bytes()
	return out
}
