package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// PastPayments is the kind of a payer's ledger of the past.
const PastPayments PastKind = "payments"

// PastPaymentColumns are the columns of a ledger of subsidies paid before. The
// first name of each is the one templates use. Where the certificate's number is
// not in the register, occupation and level tell what was paid for.
var PastPaymentColumns = []sheet.Column{
	{Name: "姓名", Also: []string{"name"}, Required: true},
	{Name: "证件类型", Also: []string{"document_kind", "document kind"}},
	{Name: "证件号码", Also: []string{"身份证号", "身份证号码", "document_number", "document number"}, Required: true},
	{Name: "发放日期", Also: []string{"支付日期", "paid_on"}, Required: true},
	{Name: "发放金额", Also: []string{"金额", "补贴金额", "发放金额（元）", "amount"}, Required: true},
	{Name: "证书编号", Also: []string{"certificate", "certificate_number"}},
	{Name: "职业名称", Also: []string{"职业", "职业（工种）", "occupation"}},
	{Name: "职业编码", Also: []string{"职业代码", "occupation_code"}},
	{Name: "工种名称", Also: []string{"工种", "trade"}},
	{Name: "等级", Also: []string{"职业技能等级", "技能等级", "level"}},
	{Name: "发证日期", Also: []string{"issued"}},
	{Name: "资金类别", Also: []string{"补贴类别", "补贴种类", "fund"}},
	{Name: "补贴经办机构", Also: []string{"经办机构", "payer"}},
	{Name: "行政区划", Also: []string{"区划代码", "region"}},
	{Name: "支付流水号", Also: []string{"流水号", "payment_reference"}},
}

// PaymentLedger is a payer's ledger. Payer, Region and Fund stand for the columns
// of these names where the file lacks them or leaves them empty.
type PaymentLedger struct {
	PastFile
	Payer  string      // short name of the payer within its region, as accounts have it
	Region string      // GB/T 2260; the register's own when empty
	Fund   policy.Fund // none: the file says it
}

// firstPayment is the earliest day of a payment: the subsidies of this kind begin
// with 人社部发〔2017〕40号.
const firstPayment standards.Date = "2017-01-01"

// pastPaid is one row of a ledger, read. A row with faults has nothing else that
// may be used but row.
type pastPaid struct {
	row      int
	name     string
	document standards.Document
	number   *standards.Number
	key      string // of the certificate; empty when there is none
	claim    Claim  // without person, seq and log index
	faults   []fail.Field
}

// ImportPayments takes payments that were made before the register began into it
// as confirmed claims: they count in the rules from then on. They are not decided
// anew. What they show to have been paid although a rule of that time stood
// against it becomes a [Collision] for review; nothing is recovered by itself.
//
// The ledger is taken page by page; the same file goes on where an earlier call
// stopped, and a payment that is there is never taken twice, whether taken over
// before or confirmed here: it is known by its payer and 支付流水号, or, without one, by all that the row says. The report
// accounts for every row.
//
// Errors: Forbidden; Invalid sheet_…, the file as a whole is not such a table;
// Conflict import_moved, another process imports it.
func (r *Registry) ImportPayments(ctx context.Context, by Actor, in PaymentLedger) (PastReport, error) {
	p := paymentImport{r: r, by: by, in: in}
	report, err := p.run(ctx)
	if err != nil {
		err = fmt.Errorf("import payments: %w", err)
	}
	return report, err
}

// paymentImport is one call of ImportPayments.
type paymentImport struct {
	r      *Registry
	by     Actor
	in     PaymentLedger
	names  pastNames
	payers map[string]bool // organisations with an account
	today  standards.Date
	now    time.Time
	file   [32]byte
	sum    [32]byte // of the file and what stands for its columns
	rows   int
}

func (p *paymentImport) run(ctx context.Context) (PastReport, error) {
	if err := p.survey(ctx); err != nil {
		return PastReport{}, err
	}
	if p.in.DryRun {
		return p.dry(ctx)
	}
	run, err := p.r.beginPast(ctx, p.by, PastPayments, p.sum, p.rows)
	if err != nil {
		return PastReport{}, err
	}
	resumed := run.Done
	if err := p.r.replayPast(ctx, run, p.in.PastFile); err != nil {
		return run.report(p.file, resumed), err
	}
	err = p.pages(ctx, run.Done, func(page []pastPaid) error {
		next, findings, err := p.store(ctx, run, page)
		if err != nil {
			return err
		}
		run = next
		p.in.progress(run.Done, run.Rows)
		return p.in.find(findings)
	})
	if err == nil {
		var ended PastRun
		if ended, err = p.r.endPast(ctx, p.by, run); err == nil {
			run = ended
		}
	}
	return run.report(p.file, resumed), err
}

// survey reads the file once for its rows and its hash.
func (p *paymentImport) survey(ctx context.Context) error {
	err := p.r.view(ctx, func(rd kv.Reader, now time.Time) error {
		p.now, p.today = now, standards.DateOf(now)
		if err := p.r.mayImport(p.by); err != nil {
			return err
		}
		p.payers = map[string]bool{}
		return eachRecord(rd, accounts, func(a Account) error {
			if slices.Contains(a.Roles, RolePayer) {
				p.payers[a.Organisation] = true
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if p.in.Region == "" {
		p.in.Region = p.r.cfg.Region
	}
	if p.in.Fund != "" && !p.in.Fund.Known() {
		_, err := policy.ParseFund(string(p.in.Fund))
		return err
	}
	if p.names, err = p.r.pastNames(ctx); err != nil {
		return err
	}
	p.file, p.rows, err = p.in.countPast(ctx, PastPaymentColumns, nil)
	p.sum = sha256.Sum256(slices.Concat(p.file[:], []byte(strings.Join([]string{p.in.Payer, p.in.Region, string(p.in.Fund)}, "\x00"))))
	return err
}

// pages gives fn the rows behind skip in pages.
func (p *paymentImport) pages(ctx context.Context, skip int, fn func([]pastPaid) error) error {
	return pastRowsIn(ctx, p.in.PastFile, PastPaymentColumns, p.file, skip, p.read, fn)
}

// read turns one row of the ledger into a claim. It stores nothing.
func (p *paymentImport) read(row sheet.Row, faults []fail.Field) pastPaid {
	out := pastPaid{row: row.Number, faults: faults}
	if len(faults) > 0 {
		return out
	}
	must := func(ok bool, column, code, zh, en string) {
		if !ok {
			out.faults = append(out.faults, fail.Field{Name: column, Code: code, ZH: zh, EN: en})
		}
	}
	wrong := func(column string, err error) {
		if err != nil {
			e := fail.Of(err)
			must(false, column, e.Code, e.ZH, e.Text)
		}
	}
	var err error
	out.name, err = standards.CleanName(row.Get("姓名"))
	wrong("姓名", err)
	kind := standards.ResidentID
	if text := row.Get("证件类型"); text != "" {
		kind, err = standards.ParseDocumentKind(text)
		wrong("证件类型", err)
	}
	if err == nil {
		out.document, err = standards.ParseDocument(kind, row.Get("证件号码"), p.today)
		wrong("证件号码", err)
	}
	c := Claim{Outcome: policy.Allow, Reasons: []policy.Reason{}, State: policy.Confirmed, Edition: occupationEdition, Basis: []byte{}}
	paid, err := standards.ParseDate(row.Get("发放日期"))
	wrong("发放日期", err)
	must(err != nil || paid >= firstPayment && paid <= p.today, "发放日期", "range", "发放日期应自2017年1月1日起，不晚于今天", "paid from 1 January 2017 to today")
	amount, ok := policy.ParseFen(strings.NewReplacer(",", "", "，", "", "元", "", "￥", "", "¥", "", " ", "").Replace(row.Get("发放金额")))
	must(ok && amount > 0 && amount <= paymentMost, "发放金额", "amount", "应为元，至多两位小数，且不超过 100 万元", "yuan with at most two decimals, and at most a million")
	c.Amount, c.Received, c.Year = amount, paid, paid.Year()
	c.Fund = p.in.Fund
	if text := row.Get("资金类别"); text != "" {
		c.Fund, err = policy.ParseFund(text)
		wrong("资金类别", err)
	} else {
		must(c.Fund != "", "资金类别", "required", "请填写资金类别，例如“技能提升补贴”", "the kind of fund is missing")
	}
	c.Region = p.in.Region
	if text := row.Get("行政区划"); text != "" {
		c.Region = text
	}
	if _, err := p.r.cfg.Policies.Chain(c.Region); err != nil {
		wrong("行政区划", err)
	}
	c.Payer = payerName(p.in.Payer, c.Region)
	if text := row.Get("补贴经办机构"); text != "" {
		c.Payer = payerName(text, c.Region)
	}
	must(c.Payer != "" && len(c.Payer) <= credentials.MaxAudience && !holdsIdentity(c.Payer), "补贴经办机构", "required", "请填写补贴经办机构（本地区内的简称，含区划代码不超过 100 字节，约 31 个汉字）", "the payer is missing, or its name with the code of its region is longer than 100 bytes")
	out.faults = append(out.faults, p.subject(row, &out, &c)...)
	reference := row.Get("支付流水号")
	must(reference == "" || referenceShape.MatchString(reference) && !holdsIdentity(reference), "支付流水号", "shape",
		"流水号为 1 至 64 个字母、数字或 . _ : / -，不含身份证号码", "a reference is 1 to 64 of letters, digits and . _ : / -, without an identity number")
	if len(out.faults) == 0 {
		c.Reserved = paid.Time().UTC()
		c.Payment = &PaymentRecord{Payment: Payment{Reference: reference, PaidOn: paid, Amount: amount}}
		c.Reference = p.r.pastReference(out, c, reference)
	}
	out.claim = c
	for i := range out.faults {
		out.faults[i].Row = row.Number
	}
	slices.SortStableFunc(out.faults, func(a, b fail.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// paymentMost bounds one payment.
const paymentMost policy.Fen = 100_000_000

// payerName is the organisation of a payer's accounts; see NewAccount.
func payerName(name, region string) string {
	if name = strings.TrimSpace(name); name == "" || strings.Contains(name, "/") {
		return name
	}
	return region + "/" + name
}

// subject reads what was paid for: a certificate, or an occupation and a level.
func (p *paymentImport) subject(row sheet.Row, out *pastPaid, c *Claim) (bad []fail.Field) {
	wrong := func(column string, err error) {
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: column, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	if text := row.Get("证书编号"); text != "" {
		n, err := standards.ParseNumber(text)
		wrong("证书编号", err)
		if err == nil {
			out.number, out.key = &n, p.r.storedNumber(n)
			c.Certificate = out.key
		}
	}
	if text := row.Get("发证日期"); text != "" {
		var err error
		c.Issued, err = standards.ParseDate(text)
		wrong("发证日期", err)
	}
	name, code := row.Get("职业名称"), row.Get("职业编码")
	if name != "" || code != "" {
		o, faults := p.names.find(name, code)
		bad = append(bad, faults...)
		c.Occupation = o.Code
		if len(faults) == 0 {
			c.Trade = standards.NormaliseName(strings.Trim(row.Get("工种名称"), "- "))
			if t, err := o.FindTrade(row.Get("工种名称")); err == nil {
				c.Trade = t.ID
			}
		}
	}
	if text := row.Get("等级"); text != "" {
		var err error
		c.Level, err = standards.ParseLevel(text)
		wrong("等级", err)
	}
	return bad
}

// pastMark begins the references of payments of the past that have one of the
// payer's. It has a character that no reference of a request has, so that the two
// never meet; pastMarkOnce is what it was in the first release, when they could.
const (
	pastMark     = "past#"
	pastRowMark  = "past:" // of a row without one; the hash cannot be guessed, and imported payments alone are taken for it
	pastMarkOnce = "past/"
)

// pastReference makes the reference under which a payment of the past is known.
// Without one of the payer's it is a keyed hash of all that the row says: the
// same row again is the same payment.
func (r *Registry) pastReference(row pastPaid, c Claim, own string) string {
	if own != "" {
		return pastMark + own
	}
	text := strings.Join([]string{c.Payer, string(c.Fund), string(row.document.Kind), row.document.Number, row.key, c.Occupation, c.Trade, c.Level.Code(),
		string(c.Payment.PaidOn), c.Payment.Amount.String()}, "\x00")
	return pastRowMark + base32id(r.vault.fingerprint("payment", []byte(text))[:16])
}

// judgedPaid is what becomes of one row.
type judgedPaid struct {
	*pastPaid
	bucket  Bucket
	finding *Finding
}

func (j *judgedPaid) say(code, zh, en, column string) *Finding {
	if j.finding == nil {
		j.finding = &Finding{Row: j.row, Bucket: j.bucket}
		if j.number != nil {
			j.finding.Number = j.number.Masked()
		}
	}
	if code != "" {
		j.finding.Faults = append(j.finding.Faults, fail.Field{Name: column, Row: j.row, Code: code, ZH: zh, EN: en})
	}
	return j.finding
}

// judge puts every row of a page into its bucket. It only reads. people are the
// persons of the good rows, known or not, in their order.
func (p *paymentImport) judge(rd kv.Reader, page []pastPaid, seen map[string]int) (out []judgedPaid, people map[int]PersonID, err error) {
	out = make([]judgedPaid, len(page))
	var good []int
	var documents []standards.Document
	var keys [][]byte
	for i := range page {
		out[i] = judgedPaid{pastPaid: &page[i], bucket: BucketRefused}
		if len(page[i].faults) > 0 {
			out[i].say("", "", "", "").Faults = page[i].faults
			continue
		}
		good, documents = append(good, i), append(documents, page[i].document)
		keys = append(keys, kv.Key(page[i].key))
	}
	found, known, _, err := p.r.knownPeople(rd, documents)
	if err != nil {
		return nil, nil, err
	}
	certs, there, err := certificates.GetMany(rd, keys)
	if err != nil {
		return nil, nil, err
	}
	ids, err := identitiesOf(rd, found)
	if err != nil {
		return nil, nil, err
	}
	people = map[int]PersonID{}
	held := map[PersonID]personPast{}
	for n, i := range good {
		j := &out[i]
		if known[n] {
			people[i] = found[n]
		}
		var c *Certificate
		if there[n] && j.key != "" {
			c = &certs[n]
		}
		if !j.complete(c, known[n] && c != nil && slices.Contains(ids[n], c.Person)) {
			continue
		}
		past, err := pastOf(rd, people[i], held)
		if err != nil {
			return nil, nil, err
		}
		if err := p.place(rd, j, past, seen); err != nil {
			return nil, nil, err
		}
	}
	return out, people, nil
}

// complete takes what was paid for from the certificate, when the register has
// it, and refuses a row that does not agree with it or says too little.
func (j *judgedPaid) complete(c *Certificate, own bool) bool {
	claim := &j.claim
	switch {
	case c != nil && !own:
		j.say("not_the_holder", "系统中该编号的证书不是此人的，请核对证件号码和证书编号", "the certificate of this number belongs to somebody else; compare document and number", "证书编号")
	case c != nil && claim.Occupation != "" && claim.Occupation != c.Occupation:
		j.say("certificate_differs", "与系统中该证书的职业不一致："+c.OccupationName, "not the occupation of this certificate in the register", "职业名称")
	case c != nil && claim.Level != 0 && claim.Level != c.Level:
		j.say("certificate_differs", "与系统中该证书的等级不一致："+c.Level.Name(), "not the level of this certificate in the register", "等级")
	case c != nil:
		claim.Occupation, claim.Trade, claim.Level, claim.Issued, claim.CertificateVersion = c.Occupation, claimTrade(*c), c.Level, c.Issued, c.Versions
		claim.Edition = c.edition()
		claim.Institution = c.Institution
		return true
	case claim.Occupation == "" || claim.Level == 0:
		j.say("subject_missing", "系统中没有该证书，请填写职业和等级", "the register has no such certificate; say occupation and level", "职业名称")
	default:
		return true
	}
	return false
}

// pastMost is how many claims a person may have for payments of the past to be
// taken over: the rest of claimsMax is kept for claims that are decided here, and
// what a page holds against each other stays little. Nobody was paid so often; it is
// the document of somebody who handed in for others.
const pastMost = 200

// personPast are the claims of a person before a page of a ledger. They are read
// once, however many rows of the page are the person's.
type personPast struct {
	person PersonID
	claims []Claim
	full   bool // there are more than an Update reads
}

func pastOf(rd kv.Reader, person PersonID, held map[PersonID]personPast) (personPast, error) {
	past, ok := held[person]
	if ok || person == (PersonID{}) {
		return past, nil
	}
	var err error
	past.person = person
	if past.claims, err = personClaims(rd, person); fail.CodeOf(err) == "too_many_claims" {
		past.full, err = true, nil
	}
	held[person] = past
	return past, err
}

// place finds out whether a payment is there. Rows that were taken before in this
// file, and how many of each document, stand in seen.
func (p *paymentImport) place(rd kv.Reader, j *judgedPaid, past personPast, seen map[string]int) error {
	key, document := j.claim.Payer+"\x00"+j.claim.Reference, "\x00"+string(j.document.Kind)+"\x00"+j.document.Number
	earlier, ok, err := importedUnder(rd, j.claim)
	if err != nil {
		return err
	}
	here, same := paidHere(past.claims, j.claim)
	switch first, twice := seen[key]; {
	case here && same:
		j.bucket = BucketThere
	case ok && earlier.Person == past.person && samePayment(earlier, j.claim):
		j.bucket = BucketThere
	case ok || here:
		j.bucket = BucketCollision
		j.say("reference_collision", "系统中同一经办机构、同一支付流水号的发放记录与本行不一致", "the register has a payment of this payer under this reference, and it is another one", "支付流水号")
	case twice && j.claim.Payment.Reference == "":
		j.bucket = BucketThere
		j.say("same_row", fmt.Sprintf("与第 %d 行完全相同，只计一次；确为两笔发放的，请填写支付流水号", first),
			fmt.Sprintf("the same as row %d and taken once; if there were two payments, fill in their references", first), "支付流水号").OtherRow = first
	case twice:
		j.bucket = BucketCollision
		j.say("reference_collision", fmt.Sprintf("与第 %d 行支付流水号相同", first), fmt.Sprintf("the same reference as row %d", first), "支付流水号").OtherRow = first
	case past.full || len(past.claims)+seen[document] >= pastMost:
		j.say("too_many_claims", fmt.Sprintf("该证件号码名下已有 %d 条以上申领记录，不再导入；请核对是否为代领人、经办人的证件号码", pastMost),
			fmt.Sprintf("more than %d claims lie under this document and no more are taken over; compare whether it is that of who handed in or collected for others", pastMost), "证件号码")
	default:
		j.bucket, seen[key] = BucketImported, j.row
		seen[document]++
		if !p.payers[j.claim.Payer] {
			j.say("payer_without_account", "该经办机构在系统中没有账号，请核对名称；开户后即可查看", "this payer has no account here; compare its name", "补贴经办机构")
		}
	}
	return nil
}

// importedUnder finds the payment of the past that is known under the reference of
// c, also when it was taken over by the first release. A claim that was decided here
// is none, whatever reference its payer gave it.
func importedUnder(rd kv.Reader, c Claim) (Claim, bool, error) {
	references := []string{c.Reference}
	if own, ok := strings.CutPrefix(c.Reference, pastMark); ok {
		references = append(references, pastMarkOnce+own)
	}
	for _, reference := range references {
		earlier, ok, err := claims.Lookup(rd, indexClaimsByReference, kv.Key(c.Payer, reference))
		if err != nil || ok && earlier.Imported != nil {
			return earlier, ok, err
		}
	}
	return Claim{}, false, nil
}

// paidHere reports whether a payment of the ledger was confirmed on a claim that was
// decided here: by the same payer to the same person under the same reference. same
// says that it is that payment in all else.
func paidHere(all []Claim, c Claim) (here, same bool) {
	if c.Payment.Reference == "" {
		return false, false
	}
	for _, o := range all {
		if o.Imported != nil || o.Payer != c.Payer {
			continue
		}
		for _, s := range effectiveSteps(o.viewSteps()) {
			if s.Kind != StepPaid || s.Reference != c.Payment.Reference {
				continue
			}
			here = true
			same = same || s.Amount == c.Amount && s.On == c.Payment.PaidOn && o.Fund == c.Fund && o.Occupation == c.Occupation && o.Level == c.Level
		}
	}
	return here, same
}

func samePayment(a, b Claim) bool {
	return a.Payment != nil && a.Payment.PaidOn == b.Payment.PaidOn && a.Payment.Amount == b.Payment.Amount && a.Fund == b.Fund &&
		a.Certificate == b.Certificate && a.Occupation == b.Occupation && a.Level == b.Level
}

func summaryPaid(all []judgedPaid) (counts Counts, findings []Finding) {
	for _, j := range all {
		counts.add(j.bucket, j.finding != nil)
		if j.finding != nil {
			j.finding.Bucket = j.bucket
			findings = append(findings, *j.finding)
		}
	}
	return counts, findings
}

// dry judges the whole file and stores nothing.
func (p *paymentImport) dry(ctx context.Context) (PastReport, error) {
	run := PastRun{Kind: PastPayments, Run: 1, Rows: p.rows, Started: p.now}
	seen := map[string]int{}
	err := p.pages(ctx, 0, func(page []pastPaid) error {
		var counts Counts
		var findings []Finding
		err := p.r.db.View(ctx, func(rd kv.Reader) error {
			all, _, err := p.judge(rd, page, seen)
			counts, findings = summaryPaid(all)
			return err
		})
		if err != nil {
			return err
		}
		run.Done, run.Counts = run.Done+len(page), run.Counts.plus(counts)
		p.in.progress(run.Done, run.Rows)
		return p.in.find(findings)
	})
	if err == nil {
		run.Ended = &p.now
	}
	out := run.report(p.file, 0)
	out.DryRun = true
	return out, err
}

// store judges a page and stores what is new of it, with the cursor and the
// collisions it shows, in one Update. Durable afterwards: the page, or nothing of
// it; the same file goes on from the cursor.
func (p *paymentImport) store(ctx context.Context, seen PastRun, page []pastPaid) (PastRun, []Finding, error) {
	fresh, ids := make([]PersonID, len(page)), make([]string, len(page))
	for i := range page {
		fresh[i], ids[i] = p.r.rand.person(), p.r.rand.idAt("c", p.r.cfg.Now())
	}
	series := p.r.rand.salt()
	var run PastRun
	var findings []Finding
	err := p.r.db.Bulk(ctx, func(tx kv.Tx) error {
		run, findings = PastRun{}, nil
		if err := p.r.mayImport(p.by); err != nil {
			return err
		}
		rows := slices.Clone(page) // a rerun judges rows as they were read
		all, _, err := p.judge(tx, rows, map[string]int{})
		if err != nil {
			return err
		}
		made, err := p.put(tx, seen, all, ids, fresh)
		if err != nil {
			return err
		}
		n := 0
		next := func() string { // as many collisions as rows and more may come out
			n++
			sum := sha256.Sum256(fmt.Appendf(series[:], "collision %d", n))
			return "o-" + base32id(sum[:10])
		}
		if err := p.r.collidePast(tx, p.by, made, next); err != nil {
			return err
		}
		var counts Counts
		counts, findings = summaryPaid(all)
		run, err = advancePast(tx, seen, len(page), counts, findings)
		return err
	})
	return run, findings, err
}

// put stores the imported rows of a page under one entry of the log.
func (p *paymentImport) put(tx kv.Tx, run PastRun, all []judgedPaid, ids []string, fresh []PersonID) ([]Claim, error) {
	var made []Claim
	var documents []standards.Document
	var people []PersonID
	for i, j := range all {
		if j.bucket == BucketImported {
			c := j.claim
			c.ID, c.Imported = ids[i], &ImportedPayment{Ledger: run.ID, Row: j.row, At: tx.Now()}
			made, documents, people = append(made, c), append(documents, j.document), append(people, fresh[i])
		}
	}
	if len(made) == 0 {
		return nil, nil
	}
	people, err := p.r.peopleFor(tx, documents, people)
	if err != nil {
		return nil, err
	}
	content := sha256.New()
	for _, c := range made {
		fmt.Fprintln(content, c.ID, c.Payer, c.Reference, c.Amount, c.Received)
	}
	index, err := p.r.appendEvent(tx, p.by, Event{Kind: PastImported, Object: run.ID, Detail: map[string]any{
		"run": run.Run, "rows": []int{run.Done + 1, run.Done + len(all)}, "payments": len(made), "payments_sha256": hex.EncodeToString(content.Sum(nil))}})
	if err != nil {
		return nil, err
	}
	seqs := map[PersonID]int{} // of the next claim
	for i := range made {
		c := &made[i]
		if seqs[people[i]] == 0 {
			if seqs[people[i]], err = nextClaim(tx, people[i]); err != nil {
				return nil, err
			}
		}
		pay := *c.Payment
		pay.At, pay.By, pay.LogIndex = tx.Now(), p.by.Account, index
		c.Person, c.Seq, c.LogIndex, c.Payment = people[i], seqs[people[i]], index, &pay
		seqs[people[i]]++
	}
	if err := countClaims(tx, made...); err != nil {
		return nil, err
	}
	return made, claims.PutMany(tx, made)
}
