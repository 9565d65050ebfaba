package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// PastCertificateColumns are the columns of a file of certificates issued
// before: the eleven of the upload to the national exchange, and three that may be
// added. The first name of each is the one templates use.
var PastCertificateColumns = []sheet.Column{
	{Name: "姓名", Also: []string{"name"}, Required: true},
	{Name: "证件类型", Also: []string{"document_kind", "document kind"}},
	{Name: "证件号码", Also: []string{"身份证号", "身份证号码", "document_number", "document number"}, Required: true},
	{Name: "所在单位", Also: []string{"工作单位", "单位名称", "employer"}},
	{Name: "职业名称", Also: []string{"职业", "职业（工种）", "occupation"}, Required: true},
	{Name: "工种名称", Also: []string{"工种", "工种/职业方向", "职业方向", "trade"}},
	{Name: "职业技能等级", Also: []string{"等级", "技能等级", "level"}, Required: true},
	{Name: "证书编号", Also: []string{"number", "certificate_number"}, Required: true},
	{Name: "发证日期", Also: []string{"发证时间", "issued"}, Required: true},
	{Name: "评价机构", Also: []string{"评价机构名称", "institution"}},
	{Name: "发证机构", Also: []string{"发证机构名称", "发证单位", "issuer"}},
	{Name: "职业编码", Also: []string{"职业代码", "occupation_code"}},
	{Name: "取得方式", Also: []string{"mode"}},
	{Name: "全国查询日期", Also: []string{"可查询日期", "queryable"}},
}

// pastColumns are the columns for the fields of an Elsewhere.
var pastColumns = map[string]string{"number": "证书编号", "name": "姓名", "document_kind": "证件类型", "document": "证件号码", "level": "职业技能等级",
	"issued": "发证日期", "institution_name": "评价机构", "occupation_name": "职业名称", "mode": "取得方式", "queryable": "全国查询日期"}

// pastRow is one row of the file, read. A row with faults has nothing else that
// may be used but row and, when it could be read, the number.
type pastRow struct {
	row int
	arrival
	occupation standards.Occupation
	trade      string // catalogue id
	employer   string
	issuer     string // 发证机构, when another than 评价机构
	faults     []fail.Field
}

func (p *pastRow) masked() string { return p.number.Masked() }

// The facts of a certificate that tell two of one number apart.
var factColumns = [...]string{"证件号码", "姓名", "职业名称", "工种名称", "职业技能等级", "发证日期", "评价机构", "发证机构", "所在单位"}

type facts [len(factColumns)]string

func (p *pastRow) facts() facts {
	d := p.paper.Document
	return facts{string(d.Kind) + ":" + d.Number, nameForm(p.paper.Name), p.occupation.Code, tradeFact(p.trade, p.in.TradeName), p.in.Level.Code(),
		string(p.in.Issued), nameForm(p.in.InstitutionName), nameForm(p.issuer), nameForm(p.employer)}
}

func tradeFact(id, name string) string {
	if id != "" {
		return "id " + id
	}
	return nameForm(strings.Trim(name, "- "))
}

// factsOf are the facts of a certificate of the register, as far as it has them:
// the others are taken from the row. The document is the row's when the person is.
func factsOf(c Certificate, p Paper, person bool, row facts) facts {
	out := facts{"", nameForm(p.Name), c.Occupation, tradeFact(c.Trade, c.TradeName), c.Level.Code(), string(c.Issued), nameForm(c.InstitutionName), row[7], row[8]}
	if person {
		out[0] = row[0]
	}
	if c.Origin == OriginImported {
		out[7], out[8] = nameForm(c.IssuerName), nameForm(p.Employer)
	}
	return out
}

func (f facts) differ(g facts) (columns []string) {
	for i := range f {
		if f[i] != g[i] {
			columns = append(columns, factColumns[i])
		}
	}
	return columns
}

// readPast turns one row of the file into a certificate. damaged says that some
// document of the file was certainly rounded by a spreadsheet. It stores nothing.
func (r *Registry) readPast(row sheet.Row, faults []fail.Field, names pastNames, damaged bool, today standards.Date) pastRow {
	out := pastRow{row: row.Number, faults: faults}
	if len(faults) > 0 {
		return out
	}
	wrong := func(column string, err error) {
		if err != nil {
			e := fail.Of(err)
			out.faults = append(out.faults, fail.Field{Name: column, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	institution, issuer := row.Get("评价机构"), row.Get("发证机构")
	if institution == "" {
		institution = issuer
	}
	if issuer != institution {
		out.issuer = issuer
	}
	e := Elsewhere{Number: row.Get("证书编号"), Name: row.Get("姓名"), DocumentKind: row.Get("证件类型"), Document: row.Get("证件号码"),
		OccupationName: row.Get("职业名称"), TradeName: row.Get("工种名称"), InstitutionName: institution}
	var err error
	e.Level, err = standards.ParseLevel(row.Get("职业技能等级"))
	wrong("职业技能等级", err)
	e.Issued, err = standards.ParseDate(row.Get("发证日期"))
	wrong("发证日期", err)
	var bad []fail.Field
	out.occupation, bad = names.find(row.Get("职业名称"), row.Get("职业编码"))
	out.faults = append(out.faults, bad...)
	if e.Mode, err = parseMode(row.Get("取得方式")); err != nil {
		wrong("取得方式", err)
	}
	if text := row.Get("全国查询日期"); text != "" {
		e.Queryable, err = standards.ParseDate(text)
		wrong("全国查询日期", err)
	}
	out.arrival, bad = r.checkArrival(e, today)
	for _, f := range bad {
		f.Name = pastColumns[f.Name]
		if !slices.ContainsFunc(out.faults, func(g fail.Field) bool { return g.Name == f.Name }) {
			out.faults = append(out.faults, f)
		}
	}
	if damaged && out.paper.Document.Rounded() {
		out.faults = append(out.faults, roundedFault(row.Number))
	}
	for column, text := range map[string]string{"发证机构": issuer, "所在单位": row.Get("所在单位")} {
		if len([]rune(text)) > 100 {
			out.faults = append(out.faults, fail.Field{Name: column, Code: "length", ZH: "名称不超过 100 个字", EN: "a name of at most 100 characters"})
		}
	}
	out.employer = row.Get("所在单位")
	out.settle()
	for i := range out.faults {
		out.faults[i].Row = row.Number
	}
	slices.SortStableFunc(out.faults, func(a, b fail.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// settle takes the names of occupation and trade as the catalogue has them.
func (p *pastRow) settle() {
	if _, err := standards.ParseOccupationCode(p.in.OccupationName); err == nil || p.in.OccupationName == "" {
		p.in.OccupationName = p.occupation.Name
	}
	trade, err := p.occupation.FindTrade(p.in.TradeName)
	switch {
	case err != nil: // a trade the catalogue does not have stays as the paper has it
	case trade.ID == "":
		p.in.TradeName = standards.NoTrade
	default:
		p.trade, p.in.TradeName = trade.ID, trade.Name
	}
}

// parseMode reads a mode of acquisition by its name or code. None is not known:
// such files do not say, and nothing is assumed.
func parseMode(s string) (policy.Mode, error) {
	if m := policy.Mode(strings.ToLower(s)); s == "" || m.Known() {
		return m, nil
	}
	for _, m := range policy.AllModes() {
		if nameForm(m.Name().ZH) == nameForm(s) {
			return m, nil
		}
	}
	return "", fail.New(fail.Invalid, "unknown", "the mode of acquisition is not one of the list; leave it empty when it is not known").
		In("取得方式不在列表中；不清楚时请留空")
}

func roundedFault(row int) fail.Field {
	return rounded([]resultRow{{candidate: Candidate{Row: row}, paper: Paper{Document: standards.Document{Number: "000000000000000000"}}}},
		[]fail.Field{{Code: "spreadsheet_number"}})[0]
}

// judged is what becomes of one row.
type judged struct {
	*pastRow
	bucket  Bucket
	finding *Finding
}

func (j *judged) say(code, zh, en string, columns ...string) *Finding {
	if j.finding == nil {
		j.finding = &Finding{Row: j.row, Bucket: j.bucket, Number: j.masked()}
	}
	for _, c := range columns {
		j.finding.Faults = append(j.finding.Faults, fail.Field{Name: c, Row: j.row, Code: code, ZH: zh, EN: en})
	}
	return j.finding
}

// ImportCertificates takes certificates that were issued before the register
// began into it, page by page, with origin imported: entitlement is not asserted.
// The same file goes on where an earlier call stopped; a file that has ended is
// compared anew and changes nothing that is there. What is in the register is
// never overwritten. The report accounts for every row.
//
// Errors: Forbidden; Invalid sheet_…, the file as a whole is not such a table;
// Conflict import_moved, another process imports it.
func (r *Registry) ImportCertificates(ctx context.Context, by Actor, in PastFile) (PastReport, error) {
	p := pastImport{r: r, by: by, in: in}
	if err := p.survey(ctx); err != nil {
		return PastReport{}, fmt.Errorf("import certificates: %w", err)
	}
	if in.DryRun {
		return p.dry(ctx)
	}
	run, err := r.beginPast(ctx, by, PastCertificates, p.sum, p.rows)
	if err != nil {
		return PastReport{}, fmt.Errorf("import certificates: %w", err)
	}
	resumed := run.Done
	if err := r.replayPast(ctx, run, in); err != nil {
		return run.report(p.sum, resumed), fmt.Errorf("import certificates: %w", err)
	}
	err = p.pages(ctx, run.Done, func(page []pastRow) error {
		next, findings, err := p.store(ctx, run, page)
		if err != nil {
			return err
		}
		run = next
		in.progress(run.Done, run.Rows)
		return in.find(findings)
	})
	if err == nil {
		var ended PastRun
		if ended, err = r.endPast(ctx, by, run); err == nil {
			run = ended
		}
	}
	if err != nil {
		return run.report(p.sum, resumed), fmt.Errorf("import certificates: %w", err)
	}
	return run.report(p.sum, resumed), nil
}

// pastImport is one call of ImportCertificates.
type pastImport struct {
	r       *Registry
	by      Actor
	in      PastFile
	names   pastNames
	today   standards.Date
	now     time.Time
	sum     [32]byte
	rows    int
	damaged bool
}

// survey reads the file once: how many rows it has, and whether a spreadsheet
// has rounded documents in it, which makes others of its rows doubtful.
func (p *pastImport) survey(ctx context.Context) error {
	err := p.r.view(ctx, func(_ kv.Reader, now time.Time) error {
		p.now, p.today = now, standards.DateOf(now)
		return p.r.mayImport(p.by)
	})
	if err != nil {
		return err
	}
	if p.names, err = p.r.pastNames(ctx); err != nil {
		return err
	}
	p.sum, p.rows, err = p.in.countPast(ctx, PastCertificateColumns, func(row sheet.Row, faults []fail.Field) {
		if len(faults) == 0 && !p.damaged {
			_, err := standards.ParseDocument(standards.ResidentID, row.Get("证件号码"), "")
			p.damaged = fail.CodeOf(err) == "spreadsheet_number"
		}
	})
	return err
}

// pages gives fn the rows behind skip in pages.
func (p *pastImport) pages(ctx context.Context, skip int, fn func([]pastRow) error) error {
	return pastRowsIn(ctx, p.in, PastCertificateColumns, p.sum, skip, func(row sheet.Row, faults []fail.Field) pastRow {
		return p.r.readPast(row, faults, p.names, p.damaged, p.today)
	}, fn)
}

// dry judges the whole file and stores nothing. It remembers about a hundred
// bytes of each row, to find what collides within the file.
func (p *pastImport) dry(ctx context.Context) (PastReport, error) {
	run := PastRun{Kind: PastCertificates, Run: 1, Rows: p.rows, Started: p.now}
	seen := newSeen(true)
	err := p.pages(ctx, 0, func(page []pastRow) error {
		var counts Counts
		var findings []Finding
		err := p.r.db.View(ctx, func(rd kv.Reader) error {
			all, err := p.judge(rd, page, seen)
			counts, findings = summary(all)
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
	out := run.report(p.sum, 0)
	out.DryRun = true
	return out, err
}

func summary(all []judged) (counts Counts, findings []Finding) {
	for _, j := range all {
		counts.add(j.bucket, j.finding != nil)
		if j.finding != nil {
			findings = append(findings, *j.finding)
		}
	}
	return counts, findings
}

// seenRows are rows that came before in the page, or in a dry run in the file.
type seenRows struct {
	byNumber map[string]*seenRow
	held     map[string]heldRow // person, occupation, level and date → the first number
	compact  bool               // hashes in place of texts
	seed     maphash.Seed
}

type seenRow struct {
	row    int
	facts  facts
	hashes [len(factColumns)]uint32
}

type heldRow struct {
	number string
	row    int
}

func newSeen(compact bool) *seenRows {
	return &seenRows{byNumber: map[string]*seenRow{}, held: map[string]heldRow{}, compact: compact, seed: maphash.MakeSeed()}
}

func (s *seenRows) add(p *pastRow, f facts) {
	row := &seenRow{row: p.row}
	if s.compact {
		for i := range f {
			row.hashes[i] = uint32(maphash.String(s.seed, f[i]))
		}
	} else {
		row.facts = f
	}
	s.byNumber[p.key] = row
}

func (s *seenRows) differ(was *seenRow, f facts) (columns []string) {
	if !s.compact {
		return was.facts.differ(f)
	}
	for i := range f {
		if was.hashes[i] != uint32(maphash.String(s.seed, f[i])) {
			columns = append(columns, factColumns[i])
		}
	}
	return columns
}

// holding is the key under which a person's certificates of one day are found.
func (s *seenRows) holding(p *pastRow) string {
	d := p.paper.Document
	text := strings.Join([]string{string(d.Kind), d.Number, p.occupation.Code, p.in.Level.Code(), string(p.in.Issued)}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return string(sum[:12])
}

// judge puts every row of a page into its bucket. It only reads.
func (p *pastImport) judge(rd kv.Reader, page []pastRow, seen *seenRows) ([]judged, error) {
	out := make([]judged, len(page))
	var good []*pastRow
	for i := range page {
		out[i] = judged{pastRow: &page[i], bucket: BucketRefused}
		if len(page[i].faults) > 0 {
			out[i].say("", "", "").Faults = page[i].faults
			continue
		}
		good = append(good, &page[i])
	}
	there, err := p.r.pastThere(rd, good)
	if err != nil {
		return nil, err
	}
	next := 0
	for i := range out {
		if out[i].bucket == BucketRefused && out[i].finding != nil {
			continue
		}
		if err := p.r.judgeRow(rd, &out[i], there, next, seen); err != nil {
			return nil, err
		}
		next++
	}
	return out, nil
}

// pastThere is what the register has about the good rows of a page, in their
// order: their persons, and the certificates of their numbers.
type pastThere struct {
	people []PersonID
	known  []bool
	certs  []Certificate
	taken  []bool
	papers []Paper
}

func (r *Registry) pastThere(rd kv.Reader, rows []*pastRow) (t pastThere, err error) {
	documents, keys := make([]standards.Document, len(rows)), make([][]byte, len(rows))
	for i, row := range rows {
		documents[i], keys[i] = row.paper.Document, kv.Key(row.key)
	}
	if t.people, t.known, _, err = r.knownPeople(rd, documents); err != nil {
		return t, err
	}
	if t.certs, t.taken, err = certificates.GetMany(rd, keys); err != nil {
		return t, err
	}
	t.papers = make([]Paper, len(rows))
	var places [][]byte
	var at []int
	for i, taken := range t.taken {
		if taken {
			places, at = append(places, sealedVersion(rows[i].key, t.certs[i].Versions).storeKey()), append(at, i)
		}
	}
	blocks, err := rd.GetMany(tableSealed, places)
	if err != nil {
		return t, err
	}
	for i, block := range blocks {
		if block == nil {
			continue // allocated, not yet signed: it has no paper, and no name to compare
		}
		if err := r.vault.openValue(sealedVersion(rows[at[i]].key, t.certs[at[i]].Versions), block, &t.papers[at[i]]); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (r *Registry) judgeRow(rd kv.Reader, j *judged, there pastThere, i int, seen *seenRows) error {
	own := j.facts()
	if there.taken[i] {
		c := there.certs[i]
		same, err := onePerson(rd, c.Person, there.people[i])
		if err != nil {
			return err
		}
		j.compare(factsOf(c, there.papers[i], there.known[i] && same, own).differ(own), 0)
		return nil
	}
	if was, twice := seen.byNumber[j.key]; twice {
		j.compare(seen.differ(was, own), was.row)
		return nil
	}
	j.bucket = BucketImported
	seen.add(j.pastRow, own)
	holding := seen.holding(j.pastRow)
	other, otherRow := "", 0
	if h, twice := seen.held[holding]; twice {
		other, otherRow = h.number, h.row
	} else {
		seen.held[holding] = heldRow{j.masked(), j.row}
		if there.known[i] {
			var err error
			if other, err = r.heldAlready(rd, there.people[i], j.pastRow); err != nil {
				return err
			}
		}
	}
	if other != "" {
		f := j.say("possible_duplicate", "同一人、同一职业、同一等级、同一发证日期已有另一编号的证书，请核对", "the same person has a certificate of this occupation, level and date under another number; compare them", "证书编号")
		f.Other, f.OtherRow = other, otherRow
	}
	return nil
}

// compare ends a row whose number is taken.
func (j *judged) compare(columns []string, otherRow int) {
	if len(columns) == 0 {
		j.bucket = BucketThere
		return
	}
	j.bucket = BucketCollision
	zh, en := "与系统中同一编号的证书不一致", "not as in the certificate of this number in the register"
	if otherRow > 0 {
		zh, en = fmt.Sprintf("与第 %d 行同一编号的证书不一致", otherRow), fmt.Sprintf("not as in row %d, which has the same number", otherRow)
	}
	j.say("number_collision", zh, en, columns...).OtherRow = otherRow
}

// heldAlready is the number of another certificate of the person for the same
// occupation, level and date.
func (r *Registry) heldAlready(rd kv.Reader, person PersonID, row *pastRow) (string, error) {
	ids, err := identities(rd, person)
	if err != nil {
		return "", err
	}
	cs, err := certificatesUnder(rd, ids, holdingsMax-1)
	if err != nil {
		return "", err
	}
	for _, c := range cs {
		if c.Number == row.key || c.Occupation != row.occupation.Code || c.Level != row.in.Level || c.Issued != row.in.Issued {
			continue
		}
		// What is kept by its keyed hash is named by its kind alone.
		number, _, _ := strings.Cut(c.Number, ":")
		return number, nil
	}
	return "", nil
}

// store judges a page and stores what is new of it, with the cursor, in one
// Update. Durable afterwards: the page, or nothing of it; the same file goes on
// from the cursor.
func (p *pastImport) store(ctx context.Context, seen PastRun, page []pastRow) (PastRun, []Finding, error) {
	blocks, fresh := make(map[int][]byte, len(page)), make([]PersonID, len(page))
	for i, row := range page {
		if len(row.faults) > 0 {
			continue
		}
		row.paper.Employer = row.employer
		block, err := p.r.vault.sealValue(sealedVersion(row.key, 1), row.paper)
		if err != nil {
			return seen, nil, err
		}
		blocks[row.row], fresh[i] = block, p.r.rand.person()
	}
	var run PastRun
	var findings []Finding
	err := p.r.db.Bulk(ctx, func(tx kv.Tx) error {
		run, findings = PastRun{}, nil
		if err := p.r.mayImport(p.by); err != nil {
			return err
		}
		all, err := p.judge(tx, page, newSeen(false))
		if err != nil {
			return err
		}
		var counts Counts
		counts, findings = summary(all)
		if counts.Imported > 0 {
			if err := p.put(tx, seen, all, blocks, fresh); err != nil {
				return err
			}
		}
		run, err = advancePast(tx, seen, len(page), counts, findings)
		return err
	})
	return run, findings, err
}

// put stores the imported rows of a page under one entry of the log.
func (p *pastImport) put(tx kv.Tx, run PastRun, all []judged, blocks map[int][]byte, fresh []PersonID) error {
	var rows []*pastRow
	var documents []standards.Document
	var ids []PersonID
	numbers := sha256.New()
	for i, j := range all {
		if j.bucket == BucketImported {
			rows, documents, ids = append(rows, j.pastRow), append(documents, j.paper.Document), append(ids, fresh[i])
			fmt.Fprintln(numbers, j.key)
		}
	}
	people, err := p.r.peopleFor(tx, documents, ids)
	if err != nil {
		return err
	}
	index, err := p.r.appendEvent(tx, p.by, Event{Kind: PastImported, Object: run.ID, Detail: map[string]any{
		"run": run.Run, "rows": []int{run.Done + 1, run.Done + len(all)}, "certificates": len(rows), "numbers_sha256": hex.EncodeToString(numbers.Sum(nil))}})
	if err != nil {
		return err
	}
	cs, vs := make([]Certificate, 0, len(rows)), make([]Version, 0, len(rows))
	filed := pastFilings{tx: tx, region: p.r.cfg.Region, known: map[string]pastFiling{}}
	for i, row := range rows {
		row.person = people[i]
		c, err := filed.certificate(row)
		if err != nil {
			return err
		}
		c.LogIndex, c.Import = index, run.ID
		cs, vs = append(cs, c), append(vs, Version{Number: c.Number, N: 1, Created: tx.Now(), LogIndex: index})
		tx.Put(tableSealed, sealedVersion(c.Number, 1).storeKey(), blocks[row.row])
		certificateToCount(tx, c)
	}
	if err := certificates.PutMany(tx, cs); err != nil {
		return err
	}
	if err := versions.PutMany(tx, vs); err != nil {
		return err
	}
	return filed.advance()
}

// pastFilings finds the filings behind the numbers of one page, each once.
type pastFilings struct {
	tx     kv.Tx
	region string
	known  map[string]pastFiling // by prefix and date of issue
	series []pastSeries
}

type pastFiling struct {
	there  bool
	filing evaluators.Filing
	region string
}

// pastSeries is a run of serials of which the page has some.
type pastSeries struct {
	filing evaluators.Filing
	year   int
	level  standards.Level
	taken  int
}

func (f *pastFilings) certificate(row *pastRow) (Certificate, error) {
	c := Certificate{
		Number: row.key, Kind: row.number.Kind, Origin: OriginImported, Mode: row.in.Mode, Person: row.person,
		InstitutionName: strings.TrimSpace(row.in.InstitutionName), IssuerName: row.issuer, Region: f.region,
		Occupation: row.occupation.Code, OccupationName: row.in.OccupationName, Trade: row.trade, TradeName: row.in.TradeName,
		Level: row.in.Level, Issued: row.in.Issued, Created: f.tx.Now(), Versions: 1, Status: CertificateValid,
		Queryable: row.in.Queryable,
	}
	if row.number.Parts == nil {
		return c, nil
	}
	n := *row.number.Parts
	key := n.Prefix() + string(c.Issued)
	found, seen := f.known[key]
	if !seen {
		var err error
		if found.filing, found.there, err = filingBehind(f.tx, n, c.Issued); err != nil {
			return c, err
		}
		if found.there {
			inst, err := institutionByID(f.tx, found.filing.Institution)
			if err != nil {
				return c, err
			}
			found.region = inst.Region
		}
		f.known[key] = found
	}
	if !found.there {
		return c, nil
	}
	c.Institution, c.Filing, c.Region = found.filing.Institution, found.filing.ID, found.region
	f.note(found.filing, n)
	return c, nil
}

func (f *pastFilings) note(filing evaluators.Filing, n standards.LevelNumber) {
	for i, s := range f.series {
		if s.filing.ID == filing.ID && s.year == n.Year && s.level == n.Level {
			f.series[i].taken++
			return
		}
	}
	f.series = append(f.series, pastSeries{filing, n.Year, n.Level, 1})
}

// advance moves the counters of the series behind the serials that are taken in
// one piece from where they stand, so that issuing does not pass over them one by
// one. A gap stops it: serials that were left free stay free to be given out.
func (f *pastFilings) advance() error {
	for _, s := range f.series {
		key := counterSerial(s.filing.Prefix(), s.year, s.level)
		next, err := counter(f.tx, key, 1)
		if err != nil {
			return err
		}
		free, err := freeSerial(f.tx, s.filing, s.year, s.level, int(next), bulkPage)
		if fail.KindOf(err) == fail.Conflict {
			continue // no serials granted, or all used: issuing will say so
		}
		if err != nil {
			return err
		}
		if uint64(free) > next {
			setCounter(f.tx, key, uint64(free))
		}
	}
	return nil
}
