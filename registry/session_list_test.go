package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"bajigong/evaluators/blanks"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Which form has documents whole: the roll that is filed with the authority, for
// the institution that files it. All others have them masked.
func TestListsAndWhoSeesDocuments(t *testing.T) {
	e := registrytest.New(t)
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	s := e.MustEnter(by, e.MustPlan(by), 3, 1, 2)
	_, err := e.ListOf(ctx, by.Actor, s.ID, "wages")
	refusedAs(t, "no such list", err, "list_kind")
	_, err = e.ListOf(ctx, by.Actor, s.ID, registry.PassedList)
	refusedAs(t, "before publicity", err, "not_publicised")
	_, err = e.ListOf(ctx, by.Actor, s.ID, registry.HandoutList)
	refusedAs(t, "before issue", err, "not_issued")
	tickets, err := e.ListOf(ctx, by.Actor, s.ID, registry.TicketList)
	if err != nil || len(tickets.Rows) != 3 || tickets.Title != "准考证" || tickets.Session.Level != "三级/高级工" || tickets.Session.Trade != "--" {
		t.Fatalf("%+v, %v", tickets, err)
	}
	for i, n := range []int{3, 1, 2} { // the order of the roster
		if row := tickets.Rows[i]; row[1] != fmt.Sprintf("2026030300%04d", i+1) || row[4] != invented.PersonAt(n).Name {
			t.Errorf("row %d: %v", i, row)
		}
	}
	s = e.MustPublicise(by, s, registrytest.CSV(1, 4))
	issued := e.MustIssue(by, s.ID)
	mustStock(t, e, by, "JS-000001", "JS-000010")
	if _, err := use(e, by, blanks.Take, s.ID, "", 3); err != nil {
		t.Fatal(err)
	}
	if _, err := e.RecordPrint(ctx, by.Actor, issued[1].Number, registry.NewPrint{Code: "JS-000002"}); err != nil {
		t.Fatal(err)
	}
	events := func() uint64 {
		t.Helper()
		report, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return report.Events
	}
	for _, kind := range registry.ListKinds() {
		for who, actor := range map[string]registry.Actor{"institution": by.Actor, "authority": e.Authority} {
			before := events()
			l, err := e.ListOf(ctx, actor, s.ID, kind)
			if err != nil || len(l.Rows) != 3 || l.Note == "" {
				t.Fatalf("%s of %s: %+v, %v", kind, who, l, err)
			}
			for _, row := range l.Rows {
				if len(row) != len(l.Header) {
					t.Fatalf("%s: %v under %v", kind, row, l.Header)
				}
			}
			whole := strings.Contains(fmt.Sprint(l.Rows), invented.PersonAt(2).Document)
			if want := kind == registry.PassedList && who == "institution"; whole != want || (events() > before) != want {
				t.Errorf("%s of %s: whole documents %t, logged %t", kind, who, whole, events() > before)
			}
			if kind == registry.HandoutList && !strings.Contains(fmt.Sprint(l.Rows[1]), "JS-000002") {
				t.Errorf("%v has no 流水码", l.Rows[1])
			}
		}
		_, err := e.ListOf(ctx, other.Actor, s.ID, kind)
		refusedAs(t, string(kind)+" of another", err, "not_allowed")
		_, err = e.ListOf(ctx, registry.Actor{}, s.ID, kind)
		refusedAs(t, string(kind)+" of nobody", err, "key_required")
	}
}

// 领取 once for each version; who fetched it for another is sealed and masked.
func TestHandout(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 2)
	number, proxy := issued[0].Number, invented.PersonAt(7)
	_, err := e.RecordHandout(ctx, by.Actor, number, registry.NewHandout{Date: "2026-01-01", ProxyName: proxy.Name, ProxyDocument: "32058319900101123X1"})
	refusedAs(t, "before issue, wrong document", err, "handout")
	in := registry.NewHandout{ProxyName: proxy.Name, ProxyDocument: proxy.Document}
	for range 2 { // the same again changes nothing
		h, err := e.RecordHandout(ctx, by.Actor, number, in)
		if err != nil || !h.Proxy || h.ProxyName != proxy.Name || h.ProxyDocument == proxy.Document || !strings.Contains(h.ProxyDocument, "***") {
			t.Fatalf("%+v, %v", h, err)
		}
	}
	_, err = e.RecordHandout(ctx, by.Actor, number, registry.NewHandout{})
	refusedAs(t, "handed out to another", err, "handed_out")
	if _, err := e.ReissueCertificate(ctx, by.Actor, number, registry.Reissue{Basis: "申请1号", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.RecordHandout(ctx, by.Actor, number, registry.NewHandout{}); err != nil {
		t.Fatal(err)
	}
	all, err := e.HandoutsOfCertificate(ctx, by.Actor, number)
	if err != nil || len(all) != 2 || all[1].Version != 2 || all[1].Proxy {
		t.Fatalf("%+v, %v", all, err)
	}
	_, err = e.RecordHandout(ctx, e.Authority, number, in)
	refusedAs(t, "the authority", err, "not_allowed")
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社决〔2026〕1号", Reason: "虚假材料"}); err != nil {
		t.Fatal(err)
	}
	_, err = e.RecordHandout(ctx, by.Actor, issued[1].Number, registry.NewHandout{})
	refusedAs(t, "a void one", err, "certificate_status")
}
