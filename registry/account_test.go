package registry_test

import (
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func TestKeyProvesAccountUntilItEnds(t *testing.T) {
	e := registrytest.New(t)
	a, err := e.CreateAccount(ctx, e.Authority, registry.NewAccount{Name: "审计", Roles: []registry.Role{registry.RoleAuditor}, Region: "320500"})
	if err != nil {
		t.Fatal(err)
	}
	k, secret, err := e.IssueKey(ctx, e.Authority, a.ID, "测试", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Authenticate(ctx, secret)
	if err != nil || got.Account != a.ID || got.Region != "320500" || got.Via != "key:"+k.ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i := range secret {
		for _, c := range "aZ_0" {
			if changed := secret[:i] + string(c) + secret[i+1:]; changed != secret {
				if _, err := e.Authenticate(ctx, changed); fail.KindOf(err) != fail.Unauthorized {
					t.Fatalf("a key with character %d changed to %c: %v", i, c, err)
				}
			}
		}
	}
	e.Clock.Add(time.Hour)
	if _, err := e.Authenticate(ctx, secret); fail.KindOf(err) != fail.Unauthorized {
		t.Fatalf("an expired key: %v", err)
	}
	k, secret, err = e.IssueKey(ctx, e.Authority, a.ID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.RevokeKey(ctx, e.Authority, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Authenticate(ctx, secret); fail.KindOf(err) != fail.Unauthorized {
		t.Fatalf("a revoked key: %v", err)
	}
}

func TestAccountsStayWithinTheRegion(t *testing.T) {
	e := registrytest.New(t)
	city := e.Authority
	city.Region = "320500"
	for _, region := range []string{"320000", "000000", "330100"} {
		_, err := e.CreateAccount(ctx, city, registry.NewAccount{Name: "x" + region, Roles: []registry.Role{registry.RoleAuthority}, Region: region})
		if fail.KindOf(err) != fail.Forbidden {
			t.Errorf("a city made an account for %s: %v", region, err)
		}
	}
	_, err := e.CreateAccount(ctx, e.Authority, registry.NewAccount{Name: "", Roles: []registry.Role{"root"}, Region: "32"})
	if f := fail.Of(err); f.Kind != fail.Invalid || len(f.Fields) != 3 {
		t.Errorf("bad account: %v", f)
	}
}

func TestIdempotencyKeyAnswersTheSameAccount(t *testing.T) {
	e := registrytest.New(t)
	by := e.Authority
	by.Idempotency = registry.Idempotency{Route: "POST /api/v1/accounts", Key: "k1", Body: []byte("hash")}
	in := registry.NewAccount{Name: "审计一", Roles: []registry.Role{registry.RoleAuditor}, Region: "320500"}
	first, err := e.CreateAccount(ctx, by, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.CreateAccount(ctx, by, in)
	if err != nil || again.ID != first.ID {
		t.Fatalf("again: %+v, %v", again, err)
	}
	by.Idempotency.Body = []byte("other")
	if _, err := e.CreateAccount(ctx, by, in); fail.CodeOf(err) != "idempotency_key_reused" {
		t.Fatalf("another body: %v", err)
	}
	e.Clock.Add(registry.RequestLife)
	by.Idempotency.Body = []byte("hash")
	if _, err := e.CreateAccount(ctx, by, in); fail.CodeOf(err) != "account_name_taken" {
		t.Fatalf("after its life: %v", err)
	}
}

func TestResultsNameEveryMistake(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	e.Clock.Set(s.ExamDate.Time().Add(18 * time.Hour))
	good := registrytest.CSV(0, 5)
	bad := good + ",居民身份证,3.20583E+17,61,101\n"
	_, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(bad)})
	f := fail.Of(err)
	if f.Code != "results_rows" || len(f.Fields) != 3 {
		t.Fatalf("got %v %+v", f, f.Fields)
	}
	for _, field := range f.Fields {
		if field.Row != 7 || field.ZH == "" || field.EN == "" {
			t.Errorf("field %+v", field)
		}
	}
	if s, err = e.SessionByID(ctx, by.Actor, s.ID); err != nil || s.State != registry.SessionPlanned {
		t.Fatalf("a refused file changed the session: %+v, %v", s, err)
	}
	report, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(bad), GoodRowsOnly: true})
	if err != nil || report.Stored != 5 || report.Refused != 1 {
		t.Fatalf("good rows only: %+v, %v", report, err)
	}
	again, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(good)})
	if err != nil || again.Session.Results.Generation == report.Session.Results.Generation {
		t.Fatalf("another file: %+v, %v", again, err)
	}
	third, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(good)})
	if err != nil || third.Session.Results.Generation != again.Session.Results.Generation {
		t.Fatalf("the same file again: %+v, %v", third, err)
	}
}
