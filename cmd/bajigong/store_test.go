package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// newStore is a machine with a register of its own, made by init.
func newStore(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.env["BAJIGONG_DATA"] = filepath.Join(t.TempDir(), "data")
	m.run(exitOK, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js")
	return m
}

const occupationHeader = "code,name,minor_code,minor_name,middle_code,middle_name,major_code,major_name\n"

func TestOccupationsAreImportedWholeOrNotAtAll(t *testing.T) {
	m := newStore(t)
	good := occupationHeader +
		"1-01-00-01,某某负责人,1-01-00,甲,1-01,乙,1,丙\n1-01-00-02,另一负责人,1-01-00,甲,1-01,乙,1,丙\n"
	bad := good + "1-01-00-02,第三负责人,1-01-00,甲,1-01,乙,1,丙\n"
	m.run(exitInvalid, "occupations", "import", file(t, "bad.csv", bad))
	says(t, m.errs.String(), "第 4 行 code", "第 3 行重复")
	if out := m.run(exitOK, "occupations", "list"); out != "" {
		t.Errorf("a bad file left %q", out)
	}
	says(t, m.errs.String(), "0 个职业", "尚未导入")
	m.run(exitNotFound, "occupations", "import", "none.csv")

	csv := file(t, "good.csv", good)
	says(t, m.run(exitOK, "occupations", "import", csv), "新增 2，更新 0，未变 0")
	says(t, m.errs.String(), "2/2")
	says(t, m.run(exitOK, "occupations", "import", csv), "新增 0，更新 0，未变 2")
	says(t, m.run(exitOK, "occupations", "import", file(t, "c.csv", strings.Replace(good, "另一", "其他", 1))), "新增 0，更新 1，未变 1")
	if out := m.run(exitOK, "occupations", "list", "--find", "其他"); out != "1-01-00-02  其他负责人\n" {
		t.Errorf("list: %q", out)
	}
	says(t, m.run(exitOK, "occupations", "show", "1-01-00-02"), "其他负责人", "本职业暂不能安排认定")
	m.run(exitNotFound, "occupations", "show", "1-01-00-09")
	m.run(exitInvalid, "occupations", "show", "电工")
}

func TestOccupationsOfTheProgramNeedNoStore(t *testing.T) {
	m := newMachine(t)
	says(t, m.run(exitOK, "occupations", "show", "6-31-01-03"), "电工", "三级/高级工", "≥ 60", "示例 sample")
	says(t, m.run(exitOK, "occupations", "list", "--starter", "--find", "6-31"), "6-31-01-03  电工")
	var o standards.Occupation
	if err := json.Unmarshal([]byte(m.run(exitOK, "occupations", "show", "6-31-01-03", "--json")), &o); err != nil || o.Name != "电工" {
		t.Errorf("--json: %+v, %v", o, err)
	}
	m.run(exitNotFound, "occupations", "list") // no register here
	says(t, m.errs.String(), "bajigong init")
}

func TestOccupationsOfAServer(t *testing.T) {
	s := newServed(t)
	list, err := standards.ReadOccupations(strings.NewReader(occupationHeader + "1-01-00-01,某某负责人,1-01-00,甲,1-01,乙,1,丙\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ImportOccupations(t.Context(), registry.Operator(), list); err != nil {
		t.Fatal(err)
	}
	says(t, s.run(exitOK, "occupations", "list"), "1-01-00-01  某某负责人")
	says(t, s.run(exitOK, "occupations", "show", "1-01-00-01"), "某某负责人")
	s.run(exitNotFound, "occupations", "show", "1-01-00-09")
}

func TestKeysOfAccounts(t *testing.T) {
	m := newStore(t)
	says(t, m.run(exitOK, "key", "list"), "authority", "有效 active")
	m.run(exitNotFound, "key", "create", "--account", "昆山就业")
	says(t, m.errs.String(), "--role")
	create := []string{"key", "create", "--account", "昆山就业", "--role", "payer", "--organisation", "ks-jy", "--region", "320583", "--label", "first"}
	secret := strings.TrimSpace(m.run(exitOK, create...))
	if !strings.HasPrefix(secret, "bjg_") || strings.ContainsAny(secret, " \n") || bytesContain(m.errs.Bytes(), secret) {
		t.Fatalf("stdout %q, stderr %q", secret, &m.errs)
	}
	if again := strings.TrimSpace(m.run(exitOK, "key", "create", "--account", "昆山就业", "--label", "second")); again == secret {
		t.Error("the same key twice")
	}
	m.run(exitOK, append(create, "--label", "third")...)
	m.run(exitConflict, "key", "create", "--account", "昆山就业", "--role", "authority")
	m.run(exitConflict, "key", "create", "--account", "昆山就业", "--organisation", "ks")
	m.run(exitInvalid, "key", "create", "--account", "x", "--role", "king", "--region", "320583")
	m.run(exitInvalid, "key", "create", "--account", "昆山就业", "--days", "5000")

	id := strings.Split(secret, "_")[1]
	list := m.run(exitOK, "key", "list", "--account", "昆山就业")
	says(t, list, id, "first", "second", "third", "payer", "ks-jy")
	if strings.Contains(list, strings.SplitN(secret, "_", 3)[2]) || strings.Contains(list, "authority") {
		t.Errorf("the list shows too much:\n%s", list)
	}
	says(t, m.run(exitOK, "key", "revoke", id), id, "吊销")
	says(t, m.run(exitOK, "key", "list"), "已吊销 revoked")
	m.run(exitNotFound, "key", "revoke", "none")
}

func TestSigningKeysAreRotated(t *testing.T) {
	m := newStore(t)
	before := m.run(exitOK, "key", "ring", "list")
	says(t, before, "qr", "directory", "active", "next", "sealing", "版本 versions 1")
	says(t, m.run(exitOK, "key", "ring", "rotate", "qr", "--early"), "现用密钥")
	after := m.run(exitOK, "key", "ring", "list")
	says(t, after, "retired")
	if strings.Contains(before, "retired  2") || strings.Count(after, "\n") != strings.Count(before, "\n")+1 {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	m.env["BAJIGONG_DATA"] = t.TempDir()
	m.run(exitNotFound, "key", "ring", "list")
}

func TestCheckReportsAsJSON(t *testing.T) {
	m := newStore(t)
	var report registry.CheckReport
	if err := json.Unmarshal([]byte(m.run(exitOK, "check")), &report); err != nil || report.Found != 0 || report.Events == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	says(t, m.errs.String(), "核对 审计日志 (checking audit log)", "全部相符")
	for _, part := range registry.CheckPartNames() {
		if checkParts[part] == "" {
			t.Errorf("%q has no Chinese name", part)
		}
		says(t, m.errs.String(), checkParts[part]+" (checking "+part+")")
	}
	m.env["BAJIGONG_STORE"] = filepath.Join(t.TempDir(), "none.db")
	m.run(exitTemporary, "check")
}

// TestStoreHeldByAServer: what opens the store says why it cannot.
func TestStoreHeldByAServer(t *testing.T) {
	t.Parallel()
	m := newStore(t)
	holder := newMachine(t)
	data := dataFlags{dir: m.env["BAJIGONG_DATA"]}
	reg, err := data.open(t.Context(), holder.world(), newLog(&holder.errs))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	for _, args := range [][]string{{"check"}, {"key", "list"}, {"occupations", "list"}} {
		m.run(exitTemporary, args...)
		says(t, m.errs.String(), "bajigong serve", "--server")
	}
}

// TestCheckFindsWhatIsBroken opens the store of a register with the keys of
// another one: nothing that is sealed opens.
func TestCheckFindsWhatIsBroken(t *testing.T) {
	reg := registrytest.New(t)
	reg.MustCertificates(reg.MustAdmit(1), 0, 2)
	m := newStore(t)
	m.env["BAJIGONG_STORE"] = file(t, "store.db", mustRead(t, filepath.Join(reg.Dir, "store.db")))
	var report registry.CheckReport
	if err := json.Unmarshal([]byte(m.run(exitNo, "check")), &report); err != nil || report.Found == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	says(t, m.errs.String(), "发现", "problems found")
}

// A store is a path unless it is a connection string of PostgreSQL in one of its forms.
func TestIsPostgres(t *testing.T) {
	for store, want := range map[string]bool{
		"postgres://u@h/d": true, "postgresql:///d?host=/run": true, "host=/run dbname=d": true, "dbname=d": true, "user = u host=h": true, "service=register": true,
		"/var/lib/bajigong/store.db": false, "store.db": false, "a=b/store.db": false, "host": false, "": false,
	} {
		if got := isPostgres(store); got != want {
			t.Errorf("%q: %t", store, got)
		}
	}
}

func TestVersion(t *testing.T) {
	says(t, newMachine(t).run(exitOK, "--version"), "bajigong version ", "go1.")
}
