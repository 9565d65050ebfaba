package main

import (
	"archive/zip"
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// The way of photos, blanks, prints and lists on the command line.
func TestBlanksAndPrintsOnTheCommandLine(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	s.institutionKey(by)
	one := s.MustPublicise(by, s.MustPlan(by), registrytest.CSV(0, 3))
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range []string{"2.png", invented.PersonAt(1).Document + ".png", invented.PersonAt(77).Document + ".png"} {
		img := image.NewRGBA(image.Rect(0, 0, 295, 413))
		draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
		out, err := w.Create(name)
		if err == nil {
			err = png.Encode(out, img)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	photos := file(t, "照片.zip", archive.String())
	says(t, s.run(exitInvalid, "issue", "photos", one.ID, photos), "#3 ", "本批次没有对应人员")
	says(t, s.run(exitOK, "issue", "photos", one.ID, photos, "--accept", "good"), "第 4 行", "缺照片")
	says(t, s.errs.String(), "已存 2", "仍缺照片 1 人")
	if bytesContain(s.out.Bytes(), invented.PersonAt(77).Document) || bytesContain(s.errs.Bytes(), invented.PersonAt(77).Document) {
		t.Error("a whole document number is shown")
	}
	s.MustIssue(by, one.ID)

	id := strings.TrimSpace(s.run(exitOK, "blanks", "apply", "4", "--purpose", "第一季度"))
	s.run(exitDenied, "blanks", "approve", id)
	institution := s.env["BAJIGONG_KEY"]
	s.key(registry.NewAccount{Name: "复核人", Organisation: by.Institution.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: by.Institution.Region})
	s.run(exitOK, "blanks", "approve", id)
	s.run(exitInvalid, "blanks", "send", id, "JS-000001..JS-000003")
	s.run(exitOK, "blanks", "send", id, "JS-000001..JS-000004")
	colleague := s.env["BAJIGONG_KEY"]
	s.env["BAJIGONG_KEY"] = institution
	s.run(exitOK, "blanks", "receive", id)
	s.run(exitConflict, "issue", "print", one.ID)
	says(t, s.run(exitOK, "blanks", "take", one.ID, "2"), "JS-000001–JS-000002")
	says(t, s.errs.String(), "库存低于 50 份")
	s.run(exitOK, "blanks", "take", one.ID, "JS-000003..JS-000004")
	says(t, s.run(exitOK, "issue", "print", one.ID), "000001 JS-000001\n", "000003 JS-000003\n", "已登记打印 3 份")
	says(t, s.errs.String(), "bajigong print job pj-")
	says(t, s.run(exitOK, "issue", "print", one.ID), "已登记打印 0 份，略过 3 份")
	s.run(exitOK, "blanks", "spoil", "JS-000002", "--reason", "卡纸")
	says(t, s.run(exitOK, "issue", "print", one.ID), "已登记打印 1 份")
	says(t, s.run(exitOK, "blanks", "code", "js-000004"), "JS-000004 已打印")
	batch := strings.TrimSpace(s.run(exitOK, "blanks", "destroy"))
	s.env["BAJIGONG_KEY"] = colleague
	s.run(exitOK, "blanks", "destroy", batch, "--document", "销毁记录1号", "--method", "碎纸")
	says(t, s.run(exitOK, "blanks", "stock"), "已销毁 destroyed", "合计 total")
	says(t, s.run(exitOK, "blanks", "count", "JS-000009"), "盘盈 surplus JS-000009")

	list := filepath.Join(t.TempDir(), "名册.csv")
	s.run(exitOK, "issue", "lists", one.ID, "合格人员名册", "-o", list)
	b, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(b), invented.PersonAt(2).Document) {
		t.Errorf("%s, %v", b, err)
	}
	if info, err := os.Stat(list); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s.run(exitUsage, "issue", "lists", one.ID, "签到表", "-o", "x.doc")
	s.run(exitInvalid, "issue", "lists", one.ID, "工资表", "-o", "x.pdf")
	says(t, s.errs.String(), "没有表册“工资表”", "there is no list 工资表")
	s.run(exitInvalid, "issue", "lists", one.ID, "wages", "-o", filepath.Join(t.TempDir(), "x.xlsx"))
}
