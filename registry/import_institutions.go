package registry

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/standards"
)

// PastInstitutionsMaxRows bounds a file of institutions: it is held whole,
// because the rows of one filing need not stand together.
const PastInstitutionsMaxRows = 200_000

// PastInstitutionColumns are the columns of a file of institutions filed before:
// one row for each occupation or trade of a filing. The first name of each is the
// one templates use.
var PastInstitutionColumns = []sheet.Column{
	{Name: "机构名称", Also: []string{"评价机构名称", "name"}, Required: true},
	{Name: "统一社会信用代码", Also: []string{"信用代码", "uscc"}, Required: true},
	{Name: "行政区划", Also: []string{"行政区划代码", "region"}, Required: true},
	{Name: "机构类别", Also: []string{"机构类别代码", "class"}, Required: true},
	{Name: "评价机构代码", Also: []string{"机构代码", "code"}, Required: true},
	{Name: "省级代码", Also: []string{"province"}, Required: true},
	{Name: "机构序列码", Also: []string{"机构（站点）序列码", "站点序列码", "site"}, Required: true},
	{Name: "备案机关", Also: []string{"备案机关代码", "authority"}, Required: true},
	{Name: "备案文号", Also: []string{"文号", "document"}, Required: true},
	{Name: "备案开始日期", Also: []string{"备案起始日期", "from"}, Required: true},
	{Name: "备案截止日期", Also: []string{"备案结束日期", "until"}, Required: true},
	{Name: "职业名称", Also: []string{"职业", "职业名称/编码", "occupation"}},
	{Name: "职业编码", Also: []string{"职业代码", "occupation_code"}},
	{Name: "工种", Also: []string{"工种名称", "trade"}},
	{Name: "等级", Also: []string{"职业技能等级", "levels"}, Required: true},
}

// filingColumns are the columns for the fields of an institution and a filing.
var filingColumns = map[string]string{"name": "机构名称", "uscc": "统一社会信用代码", "region": "行政区划", "class": "机构类别", "code": "评价机构代码",
	"province": "省级代码", "site": "机构序列码", "authority": "备案机关", "document": "备案文号", "from": "备案开始日期", "until": "备案截止日期",
	"occupation": "职业名称", "trade": "工种", "levels": "等级", "scope": "职业名称"}

// pastScope is one row: an occupation of a filing of an institution.
type pastScope struct {
	row    int
	inst   evaluators.Institution
	filing evaluators.Filing // without its scope
	item   evaluators.ScopeItem
	faults []fail.Field
}

func (s pastScope) uscc() string { return s.inst.USCC }

// group is what the rows of one filing have in common.
func (s pastScope) group() string {
	return strings.Join([]string{s.filing.Prefix(), string(s.filing.From), string(s.filing.Until)}, "\x00")
}

// readScope reads one row of the file. It is pure.
func readScope(row sheet.Row, faults []fail.Field, names pastNames) pastScope {
	out := pastScope{row: row.Number, faults: faults}
	wrong := func(column string, err error) {
		if err != nil {
			e := fail.Of(err)
			out.faults = append(out.faults, fail.Field{Name: column, Row: row.Number, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	out.inst = evaluators.Institution{Name: row.Get("机构名称"), USCC: row.Get("统一社会信用代码"), Region: row.Get("行政区划")}
	code, _, err := standards.ParseUSCC(out.inst.USCC)
	wrong("统一社会信用代码", err)
	if err == nil {
		out.inst.USCC = code
	}
	f := &out.filing
	f.Code, f.Province, f.Site = row.Get("评价机构代码"), row.Get("省级代码"), row.Get("机构序列码")
	f.Authority, f.Document = row.Get("备案机关"), row.Get("备案文号")
	switch text := strings.ToUpper(row.Get("机构类别")); text {
	case "用人单位":
		f.Class = evaluators.Employer
	case "社会培训评价组织":
		f.Class = evaluators.Social
	default:
		f.Class = evaluators.Class(text)
	}
	f.From, err = standards.ParseDate(row.Get("备案开始日期"))
	wrong("备案开始日期", err)
	f.Until, err = standards.ParseDate(row.Get("备案截止日期"))
	wrong("备案截止日期", err)
	o, bad := names.find(row.Get("职业名称"), row.Get("职业编码"))
	out.faults = append(out.faults, bad...)
	out.item.Occupation = o.Code
	if len(bad) == 0 {
		trade, err := o.FindTrade(row.Get("工种"))
		wrong("工种", err)
		out.item.Trade = trade.ID
	}
	out.item.Levels, err = parseLevels(row.Get("等级"))
	wrong("等级", err)
	for i := range out.faults {
		out.faults[i].Row = row.Number
	}
	return out
}

// parseLevels reads several levels in one cell: 五级、四级、三级, 5,4,3, 五级至三级,
// 初级工；中级工. Each is what [standards.ParseLevel] reads.
func parseLevels(s string) (standards.LevelSet, error) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("、，,；;|\n\r", r) })
	var set standards.LevelSet
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		ends := strings.FieldsFunc(part, func(r rune) bool { return strings.ContainsRune("至～~—–-", r) })
		if len(ends) != 2 {
			level, err := standards.ParseLevel(part)
			if err != nil {
				return 0, err
			}
			set |= standards.LevelsOf(level)
			continue
		}
		a, err := standards.ParseLevel(ends[0])
		if err != nil {
			return 0, err
		}
		b, err := standards.ParseLevel(ends[1])
		if err != nil {
			return 0, err
		}
		set |= standards.LevelRange(min(a, b), max(a, b))
	}
	if set == 0 {
		_, err := standards.ParseLevel("")
		return 0, err
	}
	return set, nil
}

// pastFiled is one filing of the file, and what becomes of its rows.
type pastFiled struct {
	rows   []*scopeRow
	filing evaluators.Filing
}

type scopeRow struct {
	pastScope
	bucket Bucket
	repeat int // the row before that says the same
	notes  []fail.Field
	done   bool
}

func (s *scopeRow) note(code, zh, en string, columns ...string) {
	for _, c := range columns {
		s.notes = append(s.notes, fail.Field{Name: c, Row: s.row, Code: code, ZH: zh, EN: en})
	}
}

func (g *pastFiled) end(b Bucket) {
	for _, row := range g.rows {
		row.bucket, row.done = b, true
		if b == BucketImported && row.repeat > 0 {
			row.bucket = BucketThere
		}
	}
}

// ImportInstitutions takes institutions that were filed before the register began
// into it, with their filings, whether these have expired or not. A filing counts
// as recorded now: what it covered before is not asserted. An institution that is
// there gets the filings that are new; what is there is never overwritten. A
// filing with a row that cannot be taken is refused whole. The same file again
// changes nothing, and one that was interrupted is continued by running it again.
//
// Errors: Forbidden; Invalid sheet_…, import_empty; TooLarge sheet_rows.
func (r *Registry) ImportInstitutions(ctx context.Context, by Actor, in PastFile) (PastReport, error) {
	p := scopeImport{r: r, by: by, in: in, prefixes: map[string]string{}}
	if err := p.read(ctx); err != nil {
		return PastReport{}, fmt.Errorf("import institutions: %w", err)
	}
	p.report = PastReport{Kind: PastInstitutions, SHA256: hex.EncodeToString(p.sum[:]), DryRun: in.DryRun, Run: 1, Rows: len(p.rows), Started: p.now}
	if !in.DryRun {
		p.report.ID = r.pastID(PastInstitutions, p.sum)
	}
	err := p.each(ctx)
	findings := p.findings()
	if err == nil {
		err = p.finish(ctx)
	}
	if told := in.find(findings); err == nil {
		err = told
	}
	if err != nil {
		return p.report, fmt.Errorf("import institutions: %w", err)
	}
	return p.report, nil
}

// scopeImport is one call of ImportInstitutions.
type scopeImport struct {
	r        *Registry
	by       Actor
	in       PastFile
	names    pastNames
	now      time.Time
	sum      [32]byte
	rows     []*scopeRow
	groups   map[string][]*pastFiled // by credit code
	order    []string                // of the credit codes
	prefixes map[string]string       // dry run: number parts → credit code
	report   PastReport
}

func (p *scopeImport) read(ctx context.Context) error {
	err := p.r.view(ctx, func(_ kv.Reader, now time.Time) error {
		p.now = now
		return p.r.mayImport(p.by)
	})
	if err != nil {
		return err
	}
	if p.names, err = p.r.pastNames(ctx); err != nil {
		return err
	}
	if _, err := p.in.File.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	s, err := sheet.OpenStream(p.in.File, sheet.Limits{Columns: 64, Cell: 1000}, PastInstitutionColumns)
	if err != nil {
		return err
	}
	p.sum = s.SHA256
	for {
		row, faults, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(faults, func(f fail.Field) bool { return f.Code == "sheet_quote" }) {
			// Which filing the row belongs to cannot be told, and a filing must not be
			// taken without it.
			return fail.New(fail.Invalid, "sheet_quote", "row %d: %s", row.Number, faults[0].EN).In("第 %d 行：%s", row.Number, faults[0].ZH).At(faults...)
		}
		if len(p.rows) == PastInstitutionsMaxRows {
			return fail.New(fail.TooLarge, "sheet_rows", "the file may have %d rows at most; split it between institutions", PastInstitutionsMaxRows).
				In("文件最多 %d 行，请按机构拆分", PastInstitutionsMaxRows)
		}
		p.rows = append(p.rows, &scopeRow{pastScope: readScope(row, faults, p.names)})
	}
	if len(p.rows) == 0 {
		return fail.New(fail.Invalid, "import_empty", "the file has a header and no rows").In("文件只有表头，没有数据行")
	}
	p.gather()
	return nil
}

// gather puts the rows of one filing together, in the order of the file.
func (p *scopeImport) gather() {
	p.groups = map[string][]*pastFiled{}
	at := map[string]*pastFiled{}
	stray := map[string]*scopeRow{} // by number parts
	for _, row := range p.rows {
		if row.stray() && stray[row.filing.Prefix()] == nil {
			stray[row.filing.Prefix()] = row
		}
		if _, seen := p.groups[row.uscc()]; !seen {
			p.order = append(p.order, row.uscc())
		}
		key := row.uscc() + "\x00" + row.group()
		g := at[key]
		if g == nil {
			g = &pastFiled{filing: row.filing}
			at[key] = g
			p.groups[row.uscc()] = append(p.groups[row.uscc()], g)
		}
		g.rows = append(g.rows, row)
	}
	for _, gs := range p.groups {
		for _, g := range gs {
			g.check(p.r.starter)
			if bad := stray[g.filing.Prefix()]; bad != nil && !g.rows[0].done {
				g.refuse(bad.row)
			}
		}
	}
}

// stray reports that a row may belong to another filing with its number parts:
// its credit code or dates, by which filings are told apart, are wrong.
func (s *scopeRow) stray() bool {
	return slices.ContainsFunc(s.faults, func(f fail.Field) bool {
		return f.Name == "统一社会信用代码" || f.Name == "备案开始日期" || f.Name == "备案截止日期"
	})
}

// check makes the scope of a filing of its rows. One row with a mistake refuses
// them all: a filing with a part of its scope is not the filing.
func (g *pastFiled) check(c standards.Catalogue) {
	first := g.rows[0]
	seen := map[evaluators.ScopeItem]int{}
	for _, row := range g.rows {
		for column, same := range map[string]bool{"备案机关": row.filing.Authority == first.filing.Authority, "备案文号": row.filing.Document == first.filing.Document} {
			if !same {
				row.faults = append(row.faults, fail.Field{Name: column, Row: row.row, Code: "filing_differs",
					ZH: fmt.Sprintf("与同一备案的第 %d 行不一致", first.row), EN: fmt.Sprintf("not as in row %d of the same filing", first.row)})
			}
		}
		if len(row.faults) > 0 {
			continue
		}
		row.faults = append(row.faults, scopeFaults(c, row)...)
		if was := seen[row.item]; was > 0 {
			row.repeat = was
			continue
		}
		seen[row.item] = row.row
		g.filing.Scope = append(g.filing.Scope, row.item)
	}
	g.refuseAll()
}

// scopeFaults is what the catalogue has against a row. Occupations of which only
// the name was imported have no levels in it; they are held against it in nothing
// but the 准入类.
func scopeFaults(c standards.Catalogue, row *scopeRow) (out []fail.Field) {
	if _, known := c.Occupation(row.item.Occupation); !known {
		if o, restricted := standards.Restricted(row.item.Occupation); restricted {
			return []fail.Field{{Name: "职业名称", Row: row.row, Code: "occupation_restricted", ZH: o.Name + "属准入类职业，须取得职业资格，不列入等级认定备案",
				EN: o.Name + " requires the vocational qualification (准入类) and is in no filing"}}
		}
		return nil
	}
	for _, f := range evaluators.CheckScope(c, []evaluators.ScopeItem{row.item}) {
		_, name, _ := strings.Cut(f.Name, ".")
		f.Name, f.Row = filingColumns[name], row.row
		out = append(out, f)
	}
	return out
}

// refuseAll ends the rows of a filing of which one has a fault.
func (g *pastFiled) refuseAll() {
	i := slices.IndexFunc(g.rows, func(row *scopeRow) bool { return len(row.faults) > 0 })
	if i < 0 {
		return
	}
	g.refuse(g.rows[i].row)
}

// refuse ends a filing because of the mistake in one row.
func (g *pastFiled) refuse(bad int) {
	for _, row := range g.rows {
		if len(row.faults) == 0 {
			row.note("filing_refused", fmt.Sprintf("同一备案的第 %d 行有误，整项备案未导入；改正后重新导入", bad), fmt.Sprintf("row %d of the same filing has a mistake, so the filing was not taken; correct it and import again", bad), "备案文号")
		}
	}
	g.end(BucketRefused)
}

// each imports one institution after another, each in one Update: durable
// afterwards are its new filings, or none of them.
func (p *scopeImport) each(ctx context.Context) error {
	done := 0
	for _, uscc := range p.order {
		if err := ctx.Err(); err != nil {
			return err
		}
		groups := p.groups[uscc]
		if !slices.ContainsFunc(groups, func(g *pastFiled) bool { return !g.rows[0].done }) {
			continue
		}
		var results []filedResult
		var err error
		if p.in.DryRun {
			err = p.r.db.View(ctx, func(rd kv.Reader) (err error) {
				results, _, err = p.judge(rd, groups, "i-new", p.now)
				return err
			})
			for i, res := range results {
				if res.bucket == BucketImported {
					p.prefixes[groups[i].filing.Prefix()] = uscc
				}
			}
		} else {
			results, err = p.store(ctx, groups)
		}
		if err != nil {
			return err
		}
		for i, g := range groups {
			g.settle(results[i])
			done += len(g.rows)
		}
		p.in.progress(done, len(p.rows))
	}
	p.in.progress(len(p.rows), len(p.rows))
	return nil
}

// filedResult is what becomes of one filing.
type filedResult struct {
	bucket Bucket
	filing evaluators.Filing
	// faults are of the rows: by row, and 0 for all of them.
	faults map[int][]fail.Field
}

func (g *pastFiled) settle(res filedResult) {
	for _, row := range g.rows {
		row.notes = append(row.notes, res.faults[row.row]...)
		for _, f := range res.faults[0] {
			f.Row = row.row
			row.notes = append(row.notes, f)
		}
	}
	if !g.rows[0].done {
		g.end(res.bucket)
	}
}

// judge decides on the filings of one institution, in the order of the file. It
// only reads. fresh is the id of the institution when it is new.
func (p *scopeImport) judge(rd kv.Reader, groups []*pastFiled, fresh string, now time.Time) (out []filedResult, inst evaluators.Institution, err error) {
	out = make([]filedResult, len(groups))
	first := groups[0].rows[0].inst
	inst, known, err := institutions.Lookup(rd, indexInstitutionsByUSCC, kv.Key(first.USCC))
	if err != nil {
		return nil, inst, err
	}
	var filed []evaluators.Filing
	var past []evaluators.Decision
	if known {
		if _, filed, past, err = recorded(rd, inst.ID); err != nil {
			return nil, inst, err
		}
	} else {
		first.ID = fresh
		registered, err := evaluators.Register(first, now)
		if err != nil {
			refused := filedResult{bucket: BucketRefused, faults: map[int][]fail.Field{0: filingFaults(err)}}
			for i := range out {
				out[i] = refused
			}
			return out, inst, nil
		}
		inst = registered
	}
	for i, g := range groups {
		if g.rows[0].done {
			out[i].bucket = BucketRefused
			continue
		}
		f := g.filing
		f.Institution, f.ID = inst.ID, fmt.Sprintf("f-new-%d", i) // store gives the id that stays
		if out[i], err = p.judgeFiling(rd, inst, filed, past, f, now); err != nil {
			return nil, inst, err
		}
		if out[i].bucket == BucketImported {
			filed = append(filed, out[i].filing)
		}
		g.compareNames(inst, &out[i])
	}
	return out, inst, nil
}

// compareNames says of each row whose institution has another name or region in
// the register. Neither is changed by an import.
func (g *pastFiled) compareNames(inst evaluators.Institution, out *filedResult) {
	if out.bucket == BucketRefused {
		return
	}
	for _, row := range g.rows {
		say := func(column, code, zh, en string) {
			if out.faults == nil {
				out.faults = map[int][]fail.Field{}
			}
			out.faults[row.row] = append(out.faults[row.row], fail.Field{Name: column, Row: row.row, Code: code, ZH: zh, EN: en})
		}
		if nameForm(row.inst.Name) != nameForm(inst.Name) {
			say("机构名称", "name_differs", fmt.Sprintf("该信用代码在系统中的机构名称为“%s”，未更改", inst.Name), fmt.Sprintf("the institution of this credit code is %q in the register, which was not changed", inst.Name))
		}
		if row.inst.Region != inst.Region {
			say("行政区划", "region_differs", fmt.Sprintf("该机构在系统中的行政区划为 %s，未更改", inst.Region), fmt.Sprintf("the institution is in region %s in the register, which was not changed", inst.Region))
		}
	}
}

func (p *scopeImport) judgeFiling(rd kv.Reader, inst evaluators.Institution, filed []evaluators.Filing, past []evaluators.Decision, f evaluators.Filing, now time.Time) (filedResult, error) {
	for _, was := range filed {
		if was.Prefix() != f.Prefix() || was.From != f.From || was.Until != f.Until {
			continue
		}
		var columns []fail.Field
		for _, x := range []struct {
			column string
			same   bool
		}{{"备案机关", was.Authority == f.Authority}, {"备案文号", was.Document == f.Document}, {"职业名称", sameScope(was.Scope, f.Scope)}} {
			if !x.same {
				columns = append(columns, fail.Field{Name: x.column, Code: "filing_collision",
					ZH: fmt.Sprintf("与系统中同一编码、同一有效期的备案 %s 不一致", was.ID), EN: fmt.Sprintf("not as in filing %s of the register, which has the same number parts and dates", was.ID)})
			}
		}
		if len(columns) == 0 {
			return filedResult{bucket: BucketThere}, nil
		}
		return filedResult{bucket: BucketCollision, faults: map[int][]fail.Field{0: columns}}, nil
	}
	admitted, err := evaluators.Admit(inst, filed, past, f, now)
	if err == nil {
		err = numbersFree(rd, admitted)
	}
	if other := p.prefixes[f.Prefix()]; err == nil && other != "" && other != inst.USCC {
		err = fail.New(fail.Conflict, "number_parts_taken", "the number parts %s belong to another institution of the file", f.Prefix()).In("编码前段 %s 已属于文件中的另一机构", f.Prefix())
	}
	switch code := fail.CodeOf(err); {
	case err == nil:
		return filedResult{bucket: BucketImported, filing: admitted}, nil
	case fail.KindOf(err) == fail.Internal || fail.KindOf(err) == fail.Unavailable:
		return filedResult{}, err
	case code == "filing_overlaps" || code == "number_parts_taken":
		return filedResult{bucket: BucketCollision, faults: map[int][]fail.Field{0: {{Name: "机构序列码", Code: code, ZH: fail.Of(err).ZH, EN: fail.Of(err).Text}}}}, nil
	default:
		return filedResult{bucket: BucketRefused, faults: map[int][]fail.Field{0: filingFaults(err)}}, nil
	}
}

// filingFaults names the columns of what is wrong with an institution or filing.
func filingFaults(err error) (out []fail.Field) {
	e := fail.Of(err)
	for _, f := range e.Fields {
		name := f.Name
		if _, after, ok := strings.Cut(name, "]."); ok {
			name = after
		}
		f.Name = cmp.Or(filingColumns[name], "备案文号")
		out = append(out, f)
	}
	if len(out) == 0 {
		out = []fail.Field{{Name: "统一社会信用代码", Code: e.Code, ZH: e.ZH, EN: e.Text}}
	}
	return out
}

func sameScope(a, b []evaluators.ScopeItem) bool {
	order := func(s []evaluators.ScopeItem) []evaluators.ScopeItem {
		s = slices.Clone(s)
		slices.SortFunc(s, func(x, y evaluators.ScopeItem) int {
			return cmp.Or(cmp.Compare(x.Occupation, y.Occupation), cmp.Compare(x.Trade, y.Trade), cmp.Compare(x.Levels, y.Levels))
		})
		return s
	}
	return slices.Equal(order(a), order(b))
}

func (p *scopeImport) store(ctx context.Context, groups []*pastFiled) ([]filedResult, error) {
	fresh := p.r.rand.id("i")
	ids := make([]string, len(groups))
	for i := range ids {
		ids[i] = p.r.rand.id("f")
	}
	var out []filedResult
	err := p.r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = nil
		if err := p.r.mayImport(p.by); err != nil {
			return err
		}
		results, inst, err := p.judge(tx, groups, fresh, tx.Now())
		if err != nil {
			return err
		}
		out = results
		if !slices.ContainsFunc(results, func(f filedResult) bool { return f.bucket == BucketImported }) {
			return nil
		}
		if inst.ID == fresh {
			if err := institutions.Put(tx, inst); err != nil {
				return err
			}
			if _, err := p.r.appendEvent(tx, p.by, Event{Kind: InstitutionAdmitted, Object: inst.ID, Institution: inst.ID, Detail: inst}); err != nil {
				return err
			}
		}
		for i, res := range results {
			if res.bucket != BucketImported {
				continue
			}
			res.filing.ID = ids[i]
			if err := filings.Put(tx, res.filing); err != nil {
				return err
			}
			if _, err := p.r.appendEvent(tx, p.by, Event{Kind: FilingRecorded, Object: ids[i], Institution: inst.ID, Detail: res.filing}); err != nil {
				return err
			}
		}
		return bump(tx, counterDirectory())
	})
	return out, err
}

// findings counts the rows that were judged and says what is to be said of them.
func (p *scopeImport) findings() (out []Finding) {
	for _, row := range p.rows {
		if !row.done {
			continue
		}
		said := append(slices.Clone(row.faults), row.notes...)
		p.report.Counts.add(row.bucket, len(said) > 0)
		if len(said) > 0 {
			prefix := ""
			if row.bucket != BucketRefused {
				prefix = row.filing.Prefix()
			}
			out = append(out, Finding{Row: row.row, Bucket: row.bucket, Number: prefix, Faults: said})
		}
	}
	return out
}

// finish logs the whole file when it changed something.
func (p *scopeImport) finish(ctx context.Context) error {
	if p.in.DryRun || p.report.Imported == 0 {
		p.report.Ended = &p.now
		return nil
	}
	var now time.Time
	err := p.r.db.Update(ctx, func(tx kv.Tx) error {
		now = tx.Now()
		_, err := p.r.appendEvent(tx, p.by, Event{Kind: PastImportEnded, Object: p.report.ID,
			Detail: map[string]any{"kind": PastInstitutions, "rows": p.report.Rows, "counts": p.report.Counts}})
		return err
	})
	if err == nil {
		p.report.Ended = &now
	}
	return err
}
