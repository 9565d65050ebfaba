package main

import (
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// appeal stops one row during publicity, and the others go on.
func (s *story) appeal(planned registry.Session) (registry.Appeal, error) {
	a, err := s.reg.FileAppeal(s.ctx, planned.ID, registry.Objection{Row: 5, Text: "该人员考试当日不在考场（演示）", Name: "周明", Phone: "00000000000"})
	if err != nil {
		return a, err
	}
	s.say("   公示期异议 %s：第 5 行暂停发证，其余照常", a.ID)
	return a, nil
}

// settle rejects the appeal; the row is issued by a further batch.
func (s *story) settle(x session, planned registry.Session, a registry.Appeal) error {
	if _, err := s.reg.DecideAppeal(s.ctx, s.authority, planned.ID, a.ID, registry.AppealRejected, "经核查考场录像，异议不成立（演示）"); err != nil {
		return err
	}
	b, err := s.reg.Issue(s.ctx, x.by.Actor, planned.ID, nil)
	if err != nil {
		return err
	}
	if b.Total != 1 || !b.Released {
		return unexpected("the further batch has %d certificates", b.Total)
	}
	s.say("   异议不成立，补发 %d 份", b.Total)
	return nil
}

// oversight walks a finding into the ledger of credit, and a case to a removal
// that leaves lawful certificates valid.
func (s *story) oversight() error {
	ledger, _, err := s.reg.Credit(s.ctx, s.authority, s.centre.inst.ID, registry.CreditQuery{On: s.today()})
	if err != nil {
		return err
	}
	if len(ledger.Lines) != 1 {
		return unexpected("the ledger of credit has %d lines", len(ledger.Lines))
	}
	line := ledger.Lines[0]
	s.say("   信用：%s 外督发现问题：%s（规则为样例）", s.centre.inst.Name, line.Text.ZH)
	target := evaluators.Target{Institution: s.college.inst.ID}
	measure := []cases.Measure{{Kind: evaluators.ExitOrdered, Target: &target, Effective: s.today()}}
	c, err := s.reg.OpenCase(s.ctx, s.authority, registry.NewCase{Subject: cases.Subject{Target: &target}, Origin: cases.Origin{Kind: cases.FromReport}, Text: "群众举报该机构组织替考（演示）"})
	if err != nil {
		return err
	}
	notice := cases.Step{Kind: cases.Notify, Document: "演示告〔2026〕1号", Basis: "演示管理办法第二十条", Reason: "查实组织替考", Measures: measure}
	decide := notice
	decide.Kind, decide.Document = cases.Decide, "演示决〔2026〕12号"
	for _, step := range []cases.Step{{Kind: cases.Inquire, Text: "调取录像和成绩记录（演示）"}, notice} {
		if _, err := s.reg.AdvanceCase(s.ctx, s.authority, c.ID, step); err != nil {
			return err
		}
	}
	if _, err := s.reg.AdvanceCase(s.ctx, s.authority, c.ID, decide); err == nil || fail.KindOf(err) != fail.Conflict {
		return unexpected("a decision before the party could answer: %v", err)
	}
	s.say("   案件 %s：线索→核查→拟处理告知；陈述申辩期满之前不得作出决定", c.ID)
	if _, err := s.reg.AdvanceCase(s.ctx, s.college.Actor, c.ID, cases.Step{Kind: cases.Statement, Text: "本机构无异议（演示）"}); err != nil {
		return err
	}
	if _, err := s.reg.AdvanceCase(s.ctx, s.authority, c.ID, decide); err != nil {
		return err
	}
	s.say("   %s：%s（%s），此前依法颁发的证书不受影响", s.college.inst.Name, evaluators.ExitOrdered.Chinese(), decide.Document)
	return nil
}

// mass suspends a session's certificates with a preview and a second approver, and
// takes it back.
func (s *story) mass() error {
	second, err := s.reg.CreateAccount(s.ctx, s.authority, registry.NewAccount{Name: "主管部门 复核", Roles: []registry.Role{registry.RoleAuthority}, Region: "320000"})
	if err != nil {
		return err
	}
	approver := registry.Actor{Account: second.ID, Roles: second.Roles, Region: second.Region, Via: "demo"}
	s.clock.move(s.clock.now().Add(time.Minute))
	m, err := s.reg.ProposeMassChange(s.ctx, s.authority, registry.NewMassChange{Kind: registry.ChangeSuspend, Scope: registry.MassScope{Session: s.shown.Session},
		Document: "演示核〔2026〕1号", Reason: "批次成绩复核（演示）"})
	if err != nil {
		return err
	}
	claims := 0
	for _, c := range m.Preview.Claims {
		claims += c.Claims
	}
	s.say("   批量暂停预览：将暂停 %d 份证书，涉及补贴申领 %d 笔", m.Preview.Affected, claims)
	if _, err := s.reg.ApproveMassChange(s.ctx, s.authority, m.ID, m.Preview.Hash); err == nil {
		return unexpected("the proposer approved the mass change")
	}
	if m, err = s.reg.ApproveMassChange(s.ctx, approver, m.ID, m.Preview.Hash); err != nil {
		return err
	}
	if m, err = s.reg.RunMassChange(s.ctx, approver, m.ID, nil); err != nil {
		return err
	}
	if m, err = s.reg.UndoMassChange(s.ctx, approver, m.ID, "复核无误（演示）"); err != nil {
		return err
	}
	if m, err = s.reg.RunMassChange(s.ctx, approver, m.ID, nil); err != nil {
		return err
	}
	s.say("   另一人批准后执行 %d 份，在撤回期内撤回，恢复原状态 %d 份", m.Changed, m.Undo.Restored)
	return nil
}

// figures counts what was issued.
func (s *story) figures() error {
	if _, err := s.reg.CountFigures(s.ctx); err != nil {
		return err
	}
	report, err := s.reg.Statistics(s.ctx, s.authority, registry.StatisticsQuery{Period: "2026", Region: "320000", Origin: registry.OriginHere})
	if err != nil {
		return err
	}
	for _, row := range report.Rows {
		s.say("   %s：%d 人次", row.Name.ZH, row.Issued)
	}
	return nil
}
