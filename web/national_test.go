package web

import (
	"strings"
	"testing"

	"bajigong/credentials"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A report over HTTP, from its file to the line on the verification page.
func TestNationalQuery(t *testing.T) {
	s := newSite(t)
	by := s.MustAdmit(31)
	s.account("school", registry.NewAccount{Name: by.Institution.Name, Organisation: by.Institution.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: by.Institution.Region})
	issued := s.MustCertificates(by, 0, 3)
	line := func() string {
		t.Helper()
		_, doc := s.page("/c/" + string(issued[0].Handle))
		return doc.Find("dl.facts").First().Text()
	}
	if got := line(); !strings.Contains(got, "全国联网查询") || !strings.Contains(got, "尚未上报，尚未可查（不影响本证书）") {
		t.Errorf("%s", got)
	}
	const at = "/api/v1/uploads"
	if due := into[list[registry.UnreportedBatch]](s.get("authority", at+"/unreported").want(200)).Items; len(due) != 1 || due[0].Session != issued[0].Session {
		t.Errorf("%+v", due)
	}
	u := into[registry.NationalUpload](s.do("school", "POST", at, registry.NewNationalUpload{Session: issued[0].Session}).want(201))
	s.do("school", "POST", at, registry.NewNationalUpload{Session: issued[0].Session}).problem(409, "nothing_to_report")
	s.do("school", "POST", at, registry.NewNationalUpload{Session: "x", Institution: "y"}).problem(400, "national_upload")
	s.do("", "POST", at, registry.NewNationalUpload{Session: issued[0].Session}).problem(401, "key_required")
	one := at + "/" + u.ID
	file := s.get("school", one+"/file?format=csv").want(200)
	if got := string(file.Body); !strings.Contains(got, invented.PersonAt(2).Document) || file.Header.Get("Cache-Control") != "no-store" || !strings.Contains(file.Header.Get("Content-Disposition"), u.Number+".csv") {
		t.Errorf("%s %v", got, file.Header)
	}
	if book := s.get("school", one+"/file").want(200); book.Header.Get("Content-Type") != typeXLSX || !strings.HasPrefix(string(book.Body), "PK") {
		t.Errorf("%v", book.Header)
	}
	s.get("school", one+"/file?format=ods").problem(400, "format")
	s.get("authority", one+"/summary?format=csv").want(200)
	s.do("school", "POST", one+"/queryable", registry.NewNationalStep{Reference: "x"}).problem(403, "issuer_confirms")
	s.do("school", "POST", one+"/sent", registry.NewNationalStep{Reference: "受理号 1"}).want(200)
	if got := line(); !strings.Contains(got, "已报送，尚未可查") {
		t.Errorf("%s", got)
	}
	s.do("school", "POST", one+"/receipt?reference=x", "序号,处理结果\n1,接收\n", "Content-Type", "text/csv").problem(400, "receipt")
	s.do("school", "POST", one+"/receipt", newReceipt{Reference: "结果 1"}).problem(400, "receipt")
	if got := into[registry.NationalUpload](s.upload("school", one+"/receipt?reference=1", "回执.csv", "证书编号,退回原因\n"+issued[1].Number+",姓名不符\n").want(200)); got.Receipt.Returned != 1 {
		t.Errorf("%+v", got)
	}
	rows := into[list[registry.NationalRowView]](s.get("school", one+"/rows").want(200)).Items
	if len(rows) != 3 || !rows[1].Returned || rows[1].Reason != "姓名不符" {
		t.Errorf("%+v", rows)
	}
	if w := into[list[registry.WaitingCertificate]](s.get("school", at+"/waiting").want(200)).Items; len(w) != 1 || w[0].Number != issued[1].Number {
		t.Errorf("%+v", w)
	}
	s.do("authority", "POST", one+"/queryable", registry.NewNationalStep{Reference: "截图 1"}).want(200)
	day := u.Made.Format("2006-01-02")
	if got := line(); !strings.Contains(got, day+" 起可查询") {
		t.Errorf("%s", got)
	}
	v := into[credentials.Verdict](s.get("", "/c/"+string(issued[0].Handle), "Accept", "application/json").want(200))
	if !v.Valid || v.National == nil || v.National.State != credentials.NationalQueryable || v.National.Since != day {
		t.Errorf("%+v", v.National)
	}
	s.get("authority", at+"?institution="+by.Institution.ID).want(200)
	s.get("authority", at).problem(400, "query")
	s.get("school", at+"/u-none").problem(404, "not_found")
	other := s.MustAdmit(32)
	s.account("other", registry.NewAccount{Name: other.Institution.Name, Organisation: other.Institution.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: registrytest.Region})
	s.get("other", one+"/file").problem(403, "not_allowed")
}
