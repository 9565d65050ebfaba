package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// story walks through the whole product and stops at the first thing that does
// not hold.
type story struct {
	ctx       context.Context
	w         world
	reg       *registry.Registry
	clock     *simClock
	dir       string
	origin    string
	authority registry.Actor
	keys      []demoKey

	centre, maker, college demoIssuer
	shown, voided          registry.Issued
	third                  registry.Issued

	kunshan registry.Actor // a payer
	owed    owed
}

type demoKey struct{ role, secret string }

type demoIssuer struct {
	registry.Actor
	second registry.Actor // confirms what the first uploads
	crew   demoCrew
	inst   evaluators.Institution
	filing evaluators.Filing
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.w.stdout, format+"\n", args...) }

func (s *story) run() error {
	for i, step := range []struct {
		title string
		do    func() error
	}{
		{"评价机构备案 institutions are admitted", s.admit},
		{"认定批次、成绩、公示、发证 sessions, results, publicity, issue", s.sessions},
		{"暂停后不得发证 a suspended institution issues nothing", s.suspension},
		{"查验 anybody verifies", s.verify},
		{"既有证书登记 certificates from elsewhere", s.elsewhere},
		{"补贴：核对、锁定、第二家被拒、确认发放 claims: the second payer is refused", s.claims},
		{"两地政策、公示、批量发放、退票、重算 two cities, publicity, a payout with a return, a decision replayed", s.payouts},
		{"批量暂停：预览、第二人批准、撤回 a mass change with preview, second person, undo", s.mass},
		{"信用与案件 credit, and a case from lead to removal", s.oversight},
		{"统计 statistics", s.figures},
		{"撤销立即可见 a voided certificate shows at once", s.voiding},
		{"审计日志证明 the audit log proves it", s.proof},
		{"全面自检 every invariant is checked", s.check},
	} {
		s.say("\n%d. %s  [%s]", i+1, step.title, s.clock.now().In(standards.Zone).Format("2006-01-02 15:04"))
		if err := step.do(); err != nil {
			return fmt.Errorf("demo step %d (%s): %w", i+1, step.title, err)
		}
	}
	return nil
}

// unexpected stops the story: something answered otherwise than it must.
func unexpected(format string, args ...any) error {
	return fmt.Errorf("not as it must be: "+format, args...)
}

func (s *story) today() standards.Date { return standards.DateOf(s.clock.now()) }

// moveTo sets the clock to an hour of a day in Shanghai.
func (s *story) moveTo(d standards.Date, hour int) {
	s.clock.move(d.Time().Add(time.Duration(hour) * time.Hour))
}

func (s *story) admit() error {
	levels := func(low, high standards.Level) standards.LevelSet { return standards.LevelRange(low, high) }
	for _, x := range []struct {
		into   *demoIssuer
		n      int
		name   string
		class  evaluators.Class
		site   string
		scope  []evaluators.ScopeItem
		ranges []evaluators.SerialRange
		rooms  int
	}{
		{&s.centre, 1, "江岸职业技能评价中心（演示）", evaluators.Social, "058301", []evaluators.ScopeItem{
			{Occupation: "6-31-01-03", Levels: levels(standards.Junior, standards.SeniorTechnician)},
			{Occupation: "4-10-01-05", Levels: levels(standards.Junior, standards.Senior)},
		}, nil, 10},
		{&s.maker, 2, "远帆装备制造有限公司（演示）", evaluators.Employer, "058302", []evaluators.ScopeItem{
			{Occupation: "6-18-01-01", Trade: "01", Levels: levels(standards.Intermediate, standards.Technician)},
		}, []evaluators.SerialRange{{Year: 2026, Level: standards.Technician, First: 1, Last: 500}}, 1},
		{&s.college, 3, "北湖技工学校职业技能评价所（演示）", evaluators.Social, "058303", []evaluators.ScopeItem{
			{Occupation: "4-10-01-03", Levels: levels(standards.Junior, standards.Senior)},
		}, nil, 1},
	} {
		inst, err := s.reg.AdmitInstitution(s.ctx, s.authority, evaluators.Institution{Name: x.name, USCC: invented.USCC(x.n), Region: "320583"})
		if err != nil {
			return err
		}
		f, err := s.reg.RecordFiling(s.ctx, s.authority, evaluators.Filing{Institution: inst.ID, Class: x.class, Code: evaluators.ProvincialCode, Province: "32",
			Site: x.site, Authority: "320000", From: s.today(), Until: s.today().AddDays(3 * 365), Scope: x.scope, Ranges: x.ranges,
			Document: fmt.Sprintf("演示备案〔2026〕%d号", x.n)})
		if err != nil {
			return err
		}
		actor, err := s.account(x.name, registry.RoleInstitution, inst.ID, inst.Region)
		if err != nil {
			return err
		}
		second, err := s.account(x.name+" 复核", registry.RoleInstitution, inst.ID, inst.Region)
		if err != nil {
			return err
		}
		*x.into = demoIssuer{Actor: actor, second: second, inst: inst, filing: f}
		if err := s.crew(x.into, x.n, x.rooms); err != nil {
			return err
		}
		s.say("   %s %s  编码前段 %s  %s", x.class, x.name, f.Prefix(), scopeText(s.reg, f))
	}
	if _, err := s.account("审计 auditor", registry.RoleAuditor, "", "320000"); err != nil {
		return err
	}
	if _, err := s.account("用人单位人事 lists", registry.RoleEmployer, "东湖机电设备有限公司（演示）", "320583"); err != nil {
		return err
	}
	return nil
}

func scopeText(reg *registry.Registry, f evaluators.Filing) string {
	var out []string
	for _, item := range f.Scope {
		if o, ok := reg.Starter().Occupation(item.Occupation); ok {
			out = append(out, o.Name+" "+item.Levels.Chinese())
		}
	}
	return strings.Join(out, "；")
}

// account makes an account with a key and the actor they prove.
func (s *story) account(name string, role registry.Role, organisation, region string) (registry.Actor, error) {
	return s.accountBy(s.authority, name, role, organisation, region)
}

// accountBy is account by somebody else: the authority governs its own region.
func (s *story) accountBy(by registry.Actor, name string, role registry.Role, organisation, region string) (registry.Actor, error) {
	a, err := s.reg.CreateAccount(s.ctx, by, registry.NewAccount{Name: name, Organisation: organisation, Roles: []registry.Role{role}, Region: region})
	if err != nil {
		return registry.Actor{}, err
	}
	_, secret, err := s.reg.IssueKey(s.ctx, by, a.ID, "demo", 0)
	if err != nil {
		return registry.Actor{}, err
	}
	s.keys = append(s.keys, demoKey{string(role) + " " + name, secret})
	return s.reg.Authenticate(s.ctx, secret)
}

// session is one 认定批次 of the story.
type session struct {
	by         demoIssuer
	name       string
	occupation string
	trade      string
	level      standards.Level
	from, to   int    // invented people
	finding    string // of the authority's supervisor
	appeal     bool   // somebody objects during publicity
}

func (s *story) sessions() error {
	list := []session{
		{by: s.centre, name: "2026 年第一批电工高级工", occupation: "6-31-01-03", level: standards.Senior, from: 0, to: 300, finding: "recording"},
		{by: s.centre, name: "2026 年第一批养老护理员", occupation: "4-10-01-05", level: standards.Junior, from: 1000, to: 1040, appeal: true},
		{by: s.maker, name: "数控车工技师评价", occupation: "6-18-01-01", trade: "数控车工", level: standards.Technician, from: 2000, to: 2025},
	}
	for i, x := range list {
		issued, err := s.issue(x, i == 0)
		if err != nil {
			return err
		}
		if i == 0 {
			s.shown, s.voided, s.third = issued[0], issued[1], issued[2]
		}
	}
	return nil
}

// issue takes a session from its plan to its certificates.
func (s *story) issue(x session, withMistakes bool) ([]registry.Issued, error) {
	planned, err := s.publicise(x, withMistakes)
	if err != nil {
		return nil, err
	}
	if _, err := s.reg.Issue(s.ctx, x.by.Actor, planned.ID, nil); fail.CodeOf(err) != "publicity_running" {
		return nil, unexpected("issuing during publicity: %v", err)
	}
	var objection registry.Appeal
	if x.appeal {
		if objection, err = s.appeal(planned); err != nil {
			return nil, err
		}
	}
	s.moveTo(planned.Publicity.Until.AddDays(1), 9)
	begun := s.w.now()
	b, err := s.reg.Issue(s.ctx, x.by.Actor, planned.ID, nil)
	if err != nil {
		return nil, err
	}
	out, err := certificatesOf(s.ctx, s.reg, x.by.Actor, planned.ID)
	if err != nil {
		return nil, err
	}
	s.say("   发证 %d 份，用时 %.1f 秒；首份 %s %s", b.Total, s.w.now().Sub(begun).Seconds(), credentials.GroupNumber(out[0].Number), out[0].Name)
	if x.appeal {
		if err := s.settle(x, planned, objection); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func certificatesOf(ctx context.Context, reg *registry.Registry, by registry.Actor, session string) (out []registry.Issued, err error) {
	for page := (registry.Page{Limit: 500}); ; {
		got, next, err := reg.CertificatesOfSession(ctx, by, session, page)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if page.Cursor = next; next == "" {
			return out, nil
		}
	}
}

// publicise takes a session from its plan to the beginning of its publicity.
func (s *story) publicise(x session, withMistakes bool) (registry.Session, error) {
	planned, err := s.reg.PlanSession(s.ctx, x.by.Actor, registry.NewSession{Name: x.name, Filing: x.by.filing.ID, Occupation: x.occupation,
		Trade: x.trade, Level: x.level, ExamDate: s.today().AddDays(3)})
	if err != nil {
		return planned, err
	}
	s.say("   %s：%s，考试 %s", x.by.inst.Name, x.name, planned.ExamDate)
	if err := s.enter(x, planned); err != nil {
		return planned, err
	}
	if err := s.arrange(x, planned); err != nil {
		return planned, err
	}
	s.moveTo(planned.ExamDate.AddDays(1), 9)
	review := x.level >= standards.Technician
	good := resultsFile(x.from, x.to, review)
	if withMistakes {
		if err := s.refusedFile(x.by, planned.ID, spoiled(good)); err != nil {
			return planned, err
		}
	}
	report, err := s.reg.UploadResults(s.ctx, x.by.Actor, planned.ID, registry.Upload{File: strings.NewReader(good)})
	if err != nil {
		return planned, err
	}
	if err := s.report(x, planned); err != nil {
		return planned, err
	}
	if _, err := s.reg.StartPublicity(s.ctx, x.by.Actor, planned.ID); fail.CodeOf(err) != "not_confirmed" {
		return planned, unexpected("publicity without a second person: %v", err)
	}
	if _, err := s.reg.ConfirmResults(s.ctx, x.by.second, planned.ID); err != nil {
		return planned, err
	}
	if planned, err = s.reg.StartPublicity(s.ctx, x.by.Actor, planned.ID); err != nil {
		return planned, err
	}
	s.say("   成绩 %d 行，合格 %d；公示 %s 至 %s（%s）", report.Stored, report.Passed, planned.Publicity.From, planned.Publicity.Until, planned.Publicity.Basis.Chinese())
	return planned, nil
}

// enter puts the candidates on the roster, each by a condition of the standard.
func (s *story) enter(x session, planned registry.Session) error {
	employer := ""
	if x.by.filing.Class == evaluators.Employer {
		employer = x.by.inst.USCC
	}
	rows, err := registry.ReadRoster(strings.NewReader(rosterFile(x.from, x.to, x.level, employer)), planned.Occupation)
	if err != nil {
		return err
	}
	report, err := s.reg.EnterRoster(s.ctx, x.by.Actor, planned.ID, rows)
	if err != nil {
		return err
	}
	entries, _, err := s.reg.RosterOf(s.ctx, x.by.Actor, planned.ID, registry.Page{Limit: 500})
	if err != nil {
		return err
	}
	by := map[string]int{}
	for _, e := range entries {
		by[strings.Join(e.Conditions, "、")]++
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(by)) {
		words = append(words, fmt.Sprintf("%s %d 人", key, by[key]))
	}
	s.say("   报名 %d 人，符合申报条件：%s", report.Entries, strings.Join(words, "，"))
	return nil
}

// refusedFile uploads the file with a dozen mistakes; nothing of it is stored.
func (s *story) refusedFile(by demoIssuer, session, file string) error {
	if err := s.demoFile("results-with-mistakes.csv", file); err != nil {
		return err
	}
	_, err := s.reg.UploadResults(s.ctx, by.Actor, session, registry.Upload{File: strings.NewReader(file)})
	var refused *fail.Error
	if !errors.As(err, &refused) || refused.Code != "results_rows" {
		return unexpected("a file with mistakes: %v", err)
	}
	s.say("   %s", refused.ZH)
	rows := map[int]bool{}
	for _, f := range refused.Fields {
		rows[f.Row] = true
		s.say("     第 %d 行 %s：%s", f.Row, f.Name, f.ZH)
	}
	for _, m := range spoils() {
		if !rows[m.row] {
			return unexpected("row %d (%s) was not refused", m.row, m.what)
		}
	}
	if len(rows) != len(spoils()) {
		return unexpected("%d rows were refused, %d have mistakes", len(rows), len(spoils()))
	}
	s.say("   改正后重新上传 the corrected file:")
	return nil
}

func (s *story) suspension() error {
	planned, err := s.publicise(session{by: s.college, name: "保育师中级工批次", occupation: "4-10-01-03", level: standards.Intermediate, from: 3000, to: 3020}, false)
	if err != nil {
		return err
	}
	d, err := s.reg.RecordDecision(s.ctx, s.authority, evaluators.Decision{Target: evaluators.Target{Institution: s.college.inst.ID}, Kind: evaluators.Suspend,
		Effective: s.today(), Document: "演示决〔2026〕7号", Basis: "质量督导发现考场录像缺失", Reason: "暂停评价，限期整改"})
	if err != nil {
		return err
	}
	s.moveTo(planned.Publicity.Until.AddDays(1), 9)
	_, err = s.reg.Issue(s.ctx, s.college.Actor, planned.ID, nil)
	if fail.CodeOf(err) != "not_entitled" {
		return unexpected("a suspended institution issued: %v", err)
	}
	e := fail.Of(err)
	s.say("   %s %s：%s（%s）", s.college.inst.Name, d.Kind.Chinese(), e.ZH, e.Fields[0].ZH)
	return nil
}

func (s *story) verify() error {
	v, err := s.reg.VerdictByToken(s.ctx, s.shown.QR)
	if err != nil {
		return err
	}
	if v.First() != credentials.ReasonValid {
		return unexpected("the verdict on a good certificate is %v", v.Reasons)
	}
	qr, err := credentials.NewImage(s.shown.QR)
	if err != nil {
		return err
	}
	s.say("   %s：%s %s %s（二维码版本 %d，%d 字符）", v.Sentence(credentials.ZH), v.Certificate.Name, v.Certificate.Occupation, v.Certificate.LevelZH, qr.Version(), len(s.shown.QR))
	// One character changed, and another certificate's address in front of it.
	altered := s.shown.QR[:len(s.shown.QR)-40] + swapDigits(s.shown.QR[len(s.shown.QR)-40:])
	if v, err = s.reg.VerdictByToken(s.ctx, altered); err != nil || v.Valid {
		return unexpected("an altered code: %v %v", v.Reasons, err)
	}
	s.say("   改动一个字符：%s", v.Sentence(credentials.ZH))
	_, _, token, err := credentials.ParseQRText(s.shown.QR)
	if err != nil {
		return err
	}
	if v, err = s.reg.VerdictByToken(s.ctx, credentials.QRText(s.origin, s.voided.Handle, token)); err != nil || v.Valid {
		return unexpected("a code under another certificate's address: %v %v", v.Reasons, err)
	}
	s.say("   换到另一份证书的网址下：%s", v.Sentence(credentials.ZH))
	if v, err = s.reg.Lookup(s.ctx, registry.LookupQuery{Number: s.shown.Number, Name: s.shown.Name}); err != nil || !v.Valid {
		return unexpected("a look-up with two facts: %v %v", v.Reasons, err)
	}
	s.say("   按编号和姓名查询：%s %s", v.Sentence(credentials.ZH), v.Certificate.Name)
	return nil
}

// swapDigits changes one pair of digits that stands for a character into
// another character's.
func swapDigits(tail string) string {
	at := len(tail) % 2
	pair := tail[at : at+2]
	if pair == "65" {
		return tail[:at] + "66" + tail[at+2:]
	}
	return tail[:at] + "65" + tail[at+2:]
}

func (s *story) elsewhere() error {
	p := invented.PersonAt(5000)
	got, err := s.reg.RegisterElsewhere(s.ctx, s.authority, []registry.Elsewhere{{Number: "1810000000301234", Name: p.Name, Document: p.Document,
		Occupation: "6-31-01-03", Level: standards.Senior, Issued: "2018-06-20", InstitutionName: "××职业技能鉴定中心（演示）"}})
	if err != nil {
		return err
	}
	v, err := s.reg.Lookup(s.ctx, registry.LookupQuery{Number: got[0].Number, Document: p.Document})
	if err != nil || v.Certificate == nil || v.Certificate.Origin == "" {
		return unexpected("a certificate from elsewhere: %v %v", v.Reasons, err)
	}
	s.say("   职业资格证书 %s 已登记，来源：其他系统（不作发证资格判断）", got[0].Number)
	return nil
}

func (s *story) claims() error {
	first, err := s.account("昆山补贴经办（演示）", registry.RolePayer, "payer-ks", "320583")
	if err != nil {
		return err
	}
	second, err := s.account("苏州补贴经办（演示）", registry.RolePayer, "payer-sz", "320500")
	if err != nil {
		return err
	}
	p := invented.PersonAt(s.shown.Row - 2)
	request := func(ref string) registry.ClaimRequest {
		return registry.ClaimRequest{Reference: ref, Policy: "sample-2026", Certificate: s.shown.Number, Document: p.Document, Name: p.Name}
	}
	held, err := s.reg.CheckClaim(s.ctx, first, request("KS-2026-000001"))
	if err != nil {
		return err
	}
	if held.Outcome != policy.Hold {
		return unexpected("a claim without facts is %s", held.Outcome)
	}
	s.say("   未提供外部事实：%s，%s", held.Outcome, held.Decision.Missing[0].ZH)
	ask := request("KS-2026-000001")
	ask.Facts = policy.Facts{policy.Insured: {Value: policy.Yes, Source: "演示参保系统", At: s.clock.now(), Reference: "CB-0001"}}
	got, err := s.reg.ReserveClaim(s.ctx, first, ask)
	if err != nil {
		return err
	}
	if got.Outcome != policy.Allow {
		return unexpected("the first reservation is %s: %v", got.Outcome, got.Reasons)
	}
	s.say("   昆山锁定：%s 元（%s），至 %s", got.Decision.Amount, got.Decision.Calculation[len(got.Decision.Calculation)-1].ZH, standards.DateOf(got.Claim.Expires))
	again, err := s.reg.ReserveClaim(s.ctx, first, ask)
	if err != nil || again.Claim == nil || again.Claim.ID != got.Claim.ID {
		return unexpected("the same reference again: %v", err)
	}
	other := ask
	other.Reference = "SZ-2026-000077"
	refused, err := s.reg.ReserveClaim(s.ctx, second, other)
	if err != nil {
		return err
	}
	if refused.Outcome != policy.Deny {
		return unexpected("the second payer's reservation is %s", refused.Outcome)
	}
	for _, f := range refused.Decision.Failing {
		s.say("   苏州被拒：%s（%s）%s", f.ZH, f.Clause, f.Detail.ZH)
	}
	s.kunshan, s.owed = first, owed{got.Claim.ID, got.Decision.Amount, s.today().AddDays(40)}
	return nil
}

func (s *story) voiding() error {
	c, err := s.reg.ChangeCertificate(s.ctx, s.authority, s.voided.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "演示撤〔2026〕3号", Reason: "查实替考"})
	if err != nil {
		return err
	}
	v, err := s.reg.VerdictByHandle(s.ctx, string(s.voided.Handle))
	if err != nil || v.First() != credentials.ReasonVoided {
		return unexpected("the verdict on a voided certificate: %v %v", v.Reasons, err)
	}
	s.say("   %s：%s", credentials.GroupNumber(c.Number), v.Sentence(credentials.ZH))
	return s.told()
}

func (s *story) proof() error {
	c, err := s.reg.CertificateByNumber(s.ctx, s.authority, s.voided.Number)
	if err != nil {
		return err
	}
	change := c.Changes[len(c.Changes)-1]
	bundle, err := s.reg.Proof(s.ctx, s.authority, change.LogIndex)
	if err != nil {
		return err
	}
	verifier, err := auditlog.NewVerifier(s.reg.LogKey())
	if err != nil {
		return err
	}
	proven, err := auditlog.VerifyBundle(bundle, verifier)
	if err != nil {
		return err
	}
	s.say("   第 %d 条（撤销）包含于 %d 条的检查点，证明 %d 个哈希，离线可验", proven.Index, proven.Checkpoint.Size, len(bundle.Proof))
	s.say("   日志公钥 vkey: %s", s.reg.LogKey())
	text, err := bundle.Format()
	if err != nil {
		return err
	}
	return s.demoFile("voiding-proof.json", string(text)+"\n")
}

func (s *story) check() error {
	report, err := s.reg.Check(s.ctx, registry.Operator(), nil)
	if err != nil {
		return err
	}
	if report.Found > 0 {
		return unexpected("%d problems: %s", report.Found, strings.Join(report.Problems, "; "))
	}
	s.say("   证书 %d、版本 %d、申领 %d、日志 %d 条：没有问题 no problems", report.Certificates, report.Versions, report.Claims, report.Events)
	return nil
}
