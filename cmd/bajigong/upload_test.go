package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestUploadFromFileToQueryable walks a report from its file until its certificates
// can be queried; a returned row is reported again.
func TestUploadFromFileToQueryable(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	s.institutionKey(by)
	issued := s.MustCertificates(by, 0, 12)
	session := issued[0].Session
	says(t, s.run(exitOK, "upload", "list", "--unreported"), session, "12")

	dir := t.TempDir()
	id := strings.TrimSpace(s.run(exitOK, "upload", "make", session, "--dir", dir, "--format", "csv"))
	made := filepath.Join(dir, "2026-00001.csv")
	b, err := os.ReadFile(made)
	if err != nil || !strings.Contains(string(b), invented.PersonAt(11).Document) || !strings.HasPrefix(id, "u-") {
		t.Fatalf("%q: %v", id, err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("who may read the file: %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "2026-00001-汇总.csv")); err != nil {
		t.Error(err)
	}
	says(t, s.errs.String(), "12 份", "upload sent "+id)
	s.run(exitConflict, "upload", "make", session, "--dir", dir)
	s.run(exitUsage, "upload", "make")
	s.run(exitOK, "upload", "file", id, "--dir", dir)
	if b, err = os.ReadFile(filepath.Join(dir, "2026-00001.xlsx")); err != nil || !strings.HasPrefix(string(b), "PK") {
		t.Errorf("no workbook: %v", err)
	}

	s.run(exitUsage, "upload", "sent", id)
	says(t, s.run(exitOK, "upload", "sent", id, "--reference", "受理号1"), "已报送")
	s.run(exitUsage, "upload", "receipt", id, "--reference", "结果1")
	bad := file(t, "bad.csv", "证书编号,退回原因\nS999932058300126300001,重复\n")
	says(t, s.run(exitInvalid, "upload", "receipt", id, bad, "--reference", "结果1"), "第 1 行", "该次上报没有此证书编号")
	good := file(t, "good.csv", "序号,证书编号,处理结果,退回原因\n1,"+issued[0].Number+",接收,\n3,"+issued[2].Number+",退回,姓名不符\n")
	says(t, s.run(exitOK, "upload", "receipt", id, good, "--reference", "结果1"), "有退回", "退回 1 份")
	says(t, s.run(exitOK, "upload", "list", "--waiting"), issued[2].Number, "有退回")

	again := strings.TrimSpace(s.run(exitOK, "upload", "make", "--waiting", "--dir", dir))
	s.run(exitOK, "upload", "withdraw", again, "--reference", "重新核对")
	again = strings.TrimSpace(s.run(exitOK, "upload", "make", "--waiting", "--dir", dir))
	s.run(exitOK, "upload", "sent", again, "--reference", "受理号2")
	says(t, s.run(exitOK, "upload", "receipt", again, "--all", "--reference", "结果2"), "全部接收")
	s.run(exitDenied, "upload", "queryable", id, "--reference", "截图1") // the authority records it
	s.key(registry.NewAccount{Name: "人社局", Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region})
	says(t, s.run(exitOK, "upload", "queryable", again, "--reference", "截图1"), "可查询")

	var all []registry.NationalUpload
	if err := json.Unmarshal([]byte(s.run(exitOK, "upload", "list", "--institution", by.Institution.ID, "--json")), &all); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
}
