package registry

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
)

// The whole of may: for each role what it may do to an object of its own, and
// that it may do nothing else there and nothing at all elsewhere.
func TestMay(t *testing.T) {
	own := Object{Institution: "i-1", Payer: "p-1", Employer: "e-1", Region: "320583"}
	actors := map[Role]Actor{
		RoleAuthority:   {Account: "a", Roles: []Role{RoleAuthority}, Region: "320500"},
		RoleInstitution: {Account: "b", Roles: []Role{RoleInstitution}, Organisation: "i-1", Region: "320583"},
		RolePayer:       {Account: "c", Roles: []Role{RolePayer}, Organisation: "p-1", Region: "320583"},
		RoleAuditor:     {Account: "d", Roles: []Role{RoleAuditor}, Region: "320000"},
		RoleEmployer:    {Account: "e", Roles: []Role{RoleEmployer}, Organisation: "e-1", Region: "320583"},
		RoleOperator:    Operator(),
	}
	want := map[Role]string{
		RoleAuthority: "manage accounts, admit institutions, decide on institutions, read an institution, read a session, read who is on a roster, approve results, decide appeals, " +
			"read a certificate, void a certificate, cancel a certificate, suspend a certificate, reissue a certificate, register a certificate from elsewhere, file posts, read posts, " +
			"read the record of a person, read events, check the register, file evaluation norms, decide on evaluation norms, read a review, conduct a review, draw and enter inspections, " +
			"read an inspection, apply for a filing, keep filings, suspend sites, run cases, read a case, answer in a case, keep credit and stars, " +
			"answer an assessment, keep task lists for subsidised work, keep integrity files of persons, read statistics, manage examiners, manage exam staff, read an examiner, see who an examiner is, " +
			"record what an examiner avoids, arrange sessions, report as external supervisor, approve a correction, change certificates in mass, read a mass change, import the past, report to the national query, " +
			"read reports to the national query, record that certificates can be queried, check lists of certificates, print a certificate, decide on blank certificates, read blank certificates, merge persons of the register, read a merge of persons, " +
			"read a collision of claims, decide on collisions of claims, read recoveries, oversee claims",
		RoleInstitution: "read an institution, run sessions, read a session, read who is on a roster, decide appeals, read a certificate, cancel a certificate, reissue a certificate, " +
			"register a certificate from elsewhere, manage posts and apprentices, read posts, file evaluation norms, read an inspection, answer an inspection, apply for a filing, read a case, " +
			"answer in a case, answer an assessment, manage exam staff, read an examiner, see who an examiner is, record what an examiner avoids, arrange sessions, report as internal supervisor, " +
			"approve a correction, report to the national query, read reports to the national query, record that certificates can be queried, print a certificate, keep blank certificates, decide on blank certificates, read blank certificates, " +
			"record prints",
		RolePayer: "use claims, read a claim, read a collision of claims, read what changed under claims, keep webhooks, read recoveries",
		RoleAuditor: "read an institution, read a session, read a certificate, read a claim, read events, check the register, read a review, read an inspection, " +
			"read a case, read statistics, read an examiner, read a mass change, read reports to the national query, check lists of certificates, read blank certificates, read a merge of persons, " +
			"read a collision of claims, read recoveries, oversee claims",
		RoleEmployer: "check lists of certificates",
		RoleOperator: "manage accounts, admit institutions, decide on institutions, read an institution, read a session, read a certificate, read events, check the register, " +
			"apply for a filing, keep filings, suspend sites, read a case, read statistics, import the past, manage the key ring, merge persons of the register, read a merge of persons",
	}
	elsewhere := Object{Institution: "i-2", Payer: "p-2", Employer: "e-2", Region: "330100"}
	for role, actor := range actors {
		var got []string
		for _, do := range Actions() {
			if may(actor, do, own) == nil {
				got = append(got, string(do))
			}
			if err := may(actor, do, elsewhere); err == nil && role != RoleOperator {
				t.Errorf("%s may %s elsewhere", role, do)
			}
		}
		if s := strings.Join(got, ", "); s != want[role] {
			t.Errorf("%s may\n%s\nwant\n%s", role, s, want[role])
		}
	}
	for _, do := range Actions() {
		if err := may(Actor{}, do, own); fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("the public may %s: %v", do, err)
		}
		if err := may(Actor{}, do, Object{}); err == nil {
			t.Errorf("the public may %s nothing in particular", do)
		}
	}
}

func TestGoverns(t *testing.T) {
	for _, c := range []struct {
		own, region string
		want        bool
	}{
		{"000000", "320583", true}, {"320000", "320583", true}, {"320500", "320583", true}, {"320583", "320583", true},
		{"320583", "320500", false}, {"320500", "320106", false}, {"330000", "320583", false}, {"320000", "000000", false},
		{"", "320583", false}, {"320000", "", false}, {"", "", false}, {"32", "320583", false},
	} {
		if got := governs(c.own, c.region); got != c.want {
			t.Errorf("governs(%q, %q) = %t", c.own, c.region, got)
		}
	}
}

func TestRandomIdsAreReadableAndDifferent(t *testing.T) {
	r := &randomness{r: &countingReader{}}
	seen := map[string]bool{}
	for range 200 {
		id := r.id("s")
		if seen[id] || len(id) != 18 || strings.ContainsAny(id[2:], "ilou") {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

// countingReader gives bytes that differ from call to call.
type countingReader struct{ n uint64 }

func (c *countingReader) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = byte(c.n * uint64(2*i+3))
	}
	return len(b), nil
}
