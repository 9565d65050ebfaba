package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"bajigong/evaluators/figures"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
	"bajigong/registry/policy"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
)

// TestReportViews holds the views to the register's own statistics, on the
// demonstration's store.
func TestReportViews(t *testing.T) {
	t.Parallel()
	store := postgresURL(pgtest.New(t))
	w := system()
	w.stdin, w.stdout, w.stderr = strings.NewReader(""), io.Discard, io.Discard
	w.env = func(string) string { return "" }
	dir := t.TempDir()
	if err := demo(t.Context(), w, demoOptions{dir: dir, store: store, origin: tortureOrigin, once: true}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // made again they are replaced
		cmd := storeViewsCommand(w)
		cmd.SetArgs([]string{"--store", store})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(sql string) string {
		t.Helper()
		got, err := pgserver.QueryAt(t.Context(), store, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return got
	}
	data := dataFlags{dir: dir, store: store}
	w.now = newSimClock(demoStart.AddDate(2, 0, 0), w.now).now
	reg, err := data.open(t.Context(), w, newLog(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	if _, err := reg.CountFigures(t.Context()); err != nil {
		t.Fatal(err)
	}
	by := registry.Actor{Account: "a-nation", Roles: []registry.Role{registry.RoleAuthority}, Region: reg.config.Region}
	rows := 0
	for _, origin := range []registry.Origin{registry.OriginHere, registry.OriginElsewhere} {
		for listing, column := range map[figures.Listing]string{figures.ListLevels: "level", figures.ListOccupations: "occupation", figures.ListRegions: "region", figures.ListClasses: "class"} {
			report, err := reg.Statistics(t.Context(), by, registry.StatisticsQuery{Period: "2026", By: listing, Origin: origin})
			if err != nil {
				t.Fatal(err)
			}
			where := fmt.Sprintf("from bajigong_report.totals where month like '2026-%%' and origin = '%s'", origin)
			if got, want := ask("select coalesce(sum(issued), 0) "+where), strconv.FormatUint(report.Total.Issued, 10); got != want {
				t.Errorf("%s: the views have %s certificates, the register %s", origin, got, want)
			}
			if got, want := ask("select coalesce(sum(voided_since), 0) "+where), strconv.FormatUint(report.Total.VoidedSince, 10); got != want {
				t.Errorf("%s: the views have %s void certificates, the register %s", origin, got, want)
			}
			for _, row := range report.Rows {
				rows++
				// A region stands for those within it.
				like := row.Key
				if column == "region" {
					like = strings.TrimSuffix(strings.TrimSuffix(row.Key, "00"), "00") + "%"
				}
				if got, want := ask(fmt.Sprintf("select coalesce(sum(issued), 0) %s and coalesce(%s, '') like '%s'", where, column, like)), strconv.FormatUint(row.Issued, 10); got != want {
					t.Errorf("%s by %s %q: %s, the register has %s", origin, column, row.Key, got, want)
				}
			}
		}
	}
	if rows < 5 {
		t.Errorf("%d rows were compared: this proves nothing", rows)
	}
	viewsHaveTheTotalsOfClaims(t, reg, by, ask)
	viewsHaveNothingPersonal(t, ask)
}

// viewsHaveTheTotalsOfClaims compares money and counts with the register's.
func viewsHaveTheTotalsOfClaims(t *testing.T, reg *opened, by registry.Actor, ask func(string) string) {
	t.Helper()
	var paid policy.Fen
	var reserved, confirmed int
	// The register's sums of all payers, where the view has each payer's.
	totals, next, err := reg.ClaimTotals(t.Context(), by, registry.ClaimTotalFilter{}, registry.Page{Limit: 500})
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	for _, c := range totals {
		paid, reserved, confirmed = paid+c.Paid, reserved+c.Reserved, confirmed+c.Confirmed
	}
	want := fmt.Sprintf("%d %d %d", paid, reserved, confirmed)
	if got := ask("select concat_ws(' ', sum(paid_fen), sum(reserved), sum(confirmed)) from bajigong_report.claim_totals where region like '32%'"); got != want || paid == 0 {
		t.Errorf("claims: the views have %s (paid, reserved, confirmed), the register %s", got, want)
	}
	if got := ask("select count(*) from bajigong_report.claims where state = 'confirmed' and region like '32%'"); got != strconv.Itoa(confirmed) {
		t.Errorf("the views have %s confirmed claims, the totals %d", got, confirmed)
	}
}

// viewsHaveNothingPersonal: a role that may read the views may read nothing else,
// not by a function of its own either, and the views have no column that names a
// person or a paper.
func viewsHaveNothingPersonal(t *testing.T, ask func(string) string) {
	t.Helper()
	role := "bajigong_bi_" + strconv.Itoa(os.Getpid())
	ask("create role " + role + "; grant usage on schema bajigong_report to " + role + "; grant select on all tables in schema bajigong_report to " + role + "; grant create on schema public to " + role)
	defer ask("reset role; drop owned by " + role + "; drop role " + role)
	as := "set role " + role + "; "
	if got := ask(as + "select count(*) > 0 from bajigong_report.certificates"); got != "t" {
		t.Error("the reporting role reads no certificates")
	}
	if got := ask(as + "select has_table_privilege('bajigong_kv', 'select')"); got != "f" {
		t.Error("the reporting role reads the store")
	}
	// Raised by the first row that is shown to it and is not in the view.
	ask(as + `create function public.peek(text) returns boolean language plpgsql cost 0.0000001 as
		$$ begin if $1 is null then raise exception 'a row of another table'; end if; return true; end $$`)
	ask(as + "select count(*) from bajigong_report.institutions where public.peek(institution)")
	columns := ask(as + `select string_agg(table_name || '.' || column_name, ' ') from information_schema.columns where table_schema = 'bajigong_report'`)
	for _, column := range []string{"number", "person", "document_hash", "reference", "person_name", "once_key", "by", "basis"} {
		for _, c := range strings.Fields(columns) {
			if strings.HasSuffix(c, "."+column) {
				t.Errorf("a view has the column %s", c)
			}
		}
	}
}
