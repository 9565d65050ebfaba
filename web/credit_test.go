package web

import (
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/invented"
	"bajigong/registry"
)

type asked = map[string]any

// TestCreditOverHTTP goes through credit, stars, a task list and an integrity
// file as the authority, the institution and the public do.
func TestCreditOverHTTP(t *testing.T) {
	s := newSite(t)
	inst := s.issuer.Institution.ID
	event := asked{"institution": inst, "item": "archive_missing", "effective": "2026-03-01", "document": "督〔2026〕1号"}
	s.do("institution", "POST", "/api/v1/credit-events", event).problem(403, "not_allowed")
	s.do("", "POST", "/api/v1/credit-events", event).problem(401, "key_required")
	first := into[credit.Event](s.do("authority", "POST", "/api/v1/credit-events", event, "Idempotency-Key", "k1").want(201))
	again := into[credit.Event](s.do("authority", "POST", "/api/v1/credit-events", event, "Idempotency-Key", "k1").want(201))
	if first.ID == "" || again.ID != first.ID || first.Points != -8 {
		t.Errorf("%+v, %+v", first, again)
	}
	s.do("authority", "POST", "/api/v1/credit-events", asked{"institution": inst, "item": "archive_missing", "effective": "2027-03-01", "document": "x"}).problem(400, "credit_event_invalid")
	s.do("authority", "POST", "/api/v1/credit-events", asked{"institution": inst, "repairs": first.ID, "effective": "2026-03-02", "document": "x"}).problem(409, "credit_repair_too_early")

	path := "/api/v1/institutions/" + inst + "/credit"
	s.get("", path).problem(401, "key_required")
	s.get("payer", path).problem(403, "not_allowed")
	v := into[creditView](s.get("institution", path+"?on=2026-03-02&year=2026").want(200))
	if v.Score.Points != 92 || len(v.Lines) != 1 || !strings.Contains(v.Lines[0].Text.ZH, "评价档案缺失") {
		t.Errorf("%+v", v)
	}
	if v := into[creditView](s.get("authority", path+"?known=2026-03-01T00:00:00Z").want(200)); v.Score.Points != 100 || len(v.Lines) != 0 {
		t.Errorf("before it was known: %+v", v)
	}
	for _, q := range []string{"on=2026-02-30", "known=yesterday", "year=26", "limit=0"} {
		s.get("authority", path+"?"+q).want(400)
	}
	if rules := into[credit.Rules](s.get("", "/api/v1/credit-rules?region=320583").want(200)); rules.Sample == "" || len(rules.Items) == 0 {
		t.Errorf("%+v", rules)
	}
	if r := s.get("", "/api/v1/institutions/"+inst+"/standing").want(200); strings.Contains(string(r.Body), `"points"`) {
		t.Errorf("the public sees points: %s", r.Body)
	}
	s.get("", "/api/v1/institutions/i-none/standing").problem(404, "not_found")
	s.do("authority", "POST", "/api/v1/institutions/"+inst+"/reviews", asked{"year": 2025, "document": "文"}).want(201)
	s.do("authority", "POST", "/api/v1/institutions/"+inst+"/reviews/2025/publication", nil).want(200)
	s.do("authority", "POST", "/api/v1/institutions/"+inst+"/reviews/x/publication", nil).problem(404, "not_found")

	s.starsOverHTTP(inst)
	s.listOverHTTP(inst)
	s.integrityOverHTTP()
}

func (s *siteTest) starsOverHTTP(inst string) {
	s.t.Helper()
	a := into[credit.Assessment](s.do("authority", "POST", "/api/v1/institutions/"+inst+"/stars", asked{"from": "2025-01-01", "until": "2025-12-31"}).want(201))
	at := "/api/v1/stars/" + a.ID
	s.do("institution", "POST", at+"/scores", asked{"part": "self", "score": 90, "document": "自评"}).want(200)
	s.do("institution", "POST", at+"/scores", asked{"part": "third_party", "score": 90, "document": "x"}).problem(403, "not_allowed")
	s.do("authority", "POST", at+"/publicity", nil).problem(409, "star_scores_missing")
	for _, part := range []string{"third_party", "spot_check"} {
		s.do("authority", "POST", at+"/scores", asked{"part": part, "score": 90, "document": "报告"}).want(200)
	}
	a = into[credit.Assessment](s.do("authority", "POST", at+"/publicity", nil).want(200))
	if r := s.get("", "/api/v1/stars/publicity").want(200); !strings.Contains(string(r.Body), a.ID) {
		s.t.Errorf("not in publicity: %s", r.Body)
	}
	s.do("institution", "POST", at+"/objections", asked{"ground": "异议"}).want(200)
	s.do("authority", "POST", at+"/settlement", asked{"n": 1, "upheld": false, "reason": "不成立"}).want(200)
	s.do("authority", "POST", at+"/confirmation", asked{"document": "文"}).problem(409, "star_publicity_running")
	s.Clock.Set(a.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	s.do("authority", "POST", at+"/confirmation", asked{"document": "文"}).want(200)
	if p := into[registry.PublicStanding](s.get("", "/api/v1/institutions/"+inst+"/standing").want(200)); p.Stars != 5 || len(p.Reviews) != 1 {
		s.t.Errorf("%+v", p)
	}
	s.get("institution", "/api/v1/institutions/"+inst+"/stars").want(200)
	s.do("authority", "POST", at+"/withdrawal", asked{"document": "文", "reason": "事由"}).want(200)
}

func (s *siteTest) listOverHTTP(inst string) {
	s.t.Helper()
	l := into[credit.TaskList](s.do("authority", "POST", "/api/v1/task-lists", asked{"region": "320583", "name": "名单", "document": "文", "basis": "依据", "method": "tender", "from": "2026-03-02", "until": "2026-12-31"}).want(201))
	at := "/api/v1/task-lists/" + l.ID
	entries := into[list[credit.Entry]](s.do("authority", "POST", at+"/entries", asked{"institutions": []asked{{"institution": inst}}}).want(201))
	s.do("authority", "POST", at+"/entries", asked{"institutions": []asked{{"institution": "i-none"}}}).problem(400, "task_list_invalid")
	s.get("", "/api/v1/task-lists").want(200)
	if r := s.get("", at+"/entries").want(200); !strings.Contains(string(r.Body), inst) {
		s.t.Errorf("not on the list: %s", r.Body)
	}
	s.do("authority", "POST", at+"/removals", asked{"entry": entries.Items[0].ID, "on": "2026-06-01", "document": "文", "reason": "退出"}).want(200)
}

func (s *siteTest) integrityOverHTTP() {
	s.t.Helper()
	document := invented.PersonAt(5).Document
	in := asked{"document_number": document, "kind": "cheating", "occurred": "2026-03-02", "document": "文", "basis": "依据"}
	s.do("institution", "POST", "/api/v1/integrity-entries", in).problem(403, "not_allowed")
	v := into[registry.IntegrityView](s.do("authority", "POST", "/api/v1/integrity-entries", in).want(201))
	r := s.do("authority", "POST", "/api/v1/integrity-entries/lookup", asked{"document_number": document}).want(200)
	if strings.Contains(string(r.Body), document) || strings.Contains(s.log.String(), document) {
		s.t.Error("the document is shown or logged")
	}
	if f := into[registry.IntegrityFileView](r); f.Barred == nil || len(f.Entries) != 1 {
		s.t.Errorf("%+v", f)
	}
	s.do("payer", "POST", "/api/v1/integrity-entries/lookup", asked{"document_number": document}).problem(403, "not_allowed")
	at := "/api/v1/integrity-entries/" + v.Entry.ID
	s.do("authority", "POST", at+"/decision", asked{"upheld": true, "document": "文", "reason": "理由"}).problem(409, "integrity_state")
	s.do("authority", "POST", at+"/appeal", asked{"ground": "不服"}).want(200)
	s.do("authority", "POST", at+"/decision", asked{"upheld": true, "document": "文", "reason": "理由"}).want(200)
}

// TestCreditAnswersAreDocumented compares answers with the schema of their route.
func TestCreditAnswersAreDocumented(t *testing.T) {
	s := newSite(t)
	inst := s.issuer.Institution.ID
	s.do("authority", "POST", "/api/v1/credit-events", asked{"institution": inst, "item": "late_upload", "effective": "2026-03-01", "document": "文"}).want(201)
	doc := s.document()
	for _, one := range []struct{ as, path, route string }{
		{"authority", "/api/v1/institutions/" + inst + "/credit", "/api/v1/institutions/{id}/credit"},
		{"", "/api/v1/institutions/" + inst + "/standing", "/api/v1/institutions/{id}/standing"},
		{"", "/api/v1/credit-rules", "/api/v1/credit-rules"},
	} {
		s.documented(doc, one.as, one.path, one.route)
	}
}
