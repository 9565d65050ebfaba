package credentials

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func sampleDirectory() Directory {
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return d
	}
	return Directory{
		Registry: "js", Name: "职业技能证书登记系统", Origin: testOrigin, IssuedAt: testNow,
		Institutions: []DirectoryInstitution{{
			Prefix: "S000032058300",
			Names:  []DatedName{{"2020-01-01", "某某培训中心"}, {"2025-09-01", "某某技能评价中心"}},
			Statuses: []DatedStatus{
				{"2020-01-01", day("2020-01-01T02:00:00Z"), Filed},
				{"2025-10-01", day("2025-10-09T08:00:00Z"), InstitutionOnHold}, // recorded after the fact
				{"2026-02-01", day("2026-01-31T16:30:00Z"), InstitutionExited}, // on 1 February in Asia/Shanghai
			},
		}},
		Occupations: map[string]DirectoryOccupation{
			"6-31-01-03":      {Name: "电工", Trades: map[string]string{"01": "变配电运行值班员"}},
			"6-31-01-03@2015": {Name: "电工"},
		},
	}
}

func TestDirectoryRoundTripAndHistory(t *testing.T) {
	k := newKeys(t, "js")
	compact, err := SignDirectory(k.signers[jws.Directory], sampleDirectory())
	noFail(t, err)
	got, err := OpenDirectory(compact, k.set)
	noFail(t, err)
	want, _ := json.Marshal(sampleDirectory())
	if b, _ := json.Marshal(got); string(b) != string(want) {
		t.Fatalf("got %s\nwant %s", b, want)
	}
	i, ok := got.Institution("S000032058300")
	if !ok {
		t.Fatal("not found")
	}
	for date, want := range map[string]struct {
		name   string
		status InstitutionStatus
	}{
		"2019-12-31": {"某某培训中心", InstitutionUnknown},
		"2020-01-01": {"某某培训中心", Filed},
		"2025-08-31": {"某某培训中心", Filed},
		"2025-09-01": {"某某技能评价中心", Filed},
		"2025-10-08": {"某某技能评价中心", Filed}, // the suspension was not recorded yet
		"2025-10-09": {"某某技能评价中心", InstitutionOnHold},
		"2026-01-31": {"某某技能评价中心", InstitutionOnHold},
		"2026-02-01": {"某某技能评价中心", InstitutionExited},
	} {
		if name, status := i.NameAt(date), i.StatusAt(date); name != want.name || status != want.status {
			t.Errorf("%s: %s %s, want %+v", date, name, status, want)
		}
	}
	if _, ok := got.Institution("S000032058301"); ok {
		t.Error("found what is not there")
	}
}

func TestDirectoryIsChecked(t *testing.T) {
	k := newKeys(t, "js")
	for name, edit := range map[string]func(*Directory){
		"registry":      func(d *Directory) { d.Registry = "JS" },
		"origin":        func(d *Directory) { d.Origin = "example.org" },
		"time":          func(d *Directory) { d.IssuedAt = time.Time{} },
		"prefix":        func(d *Directory) { d.Institutions[0].Prefix = "S0000" },
		"twice":         func(d *Directory) { d.Institutions = append(d.Institutions, d.Institutions[0]) },
		"no name":       func(d *Directory) { d.Institutions[0].Names = nil },
		"empty name":    func(d *Directory) { d.Institutions[0].Names[0].Name = "" },
		"name order":    func(d *Directory) { d.Institutions[0].Names[0].From = "2030-01-01" },
		"status order":  func(d *Directory) { d.Institutions[0].Statuses[0].From = "2030-01-01" },
		"status date":   func(d *Directory) { d.Institutions[0].Statuses[0].From = "2020" },
		"no status":     func(d *Directory) { d.Institutions[0].Statuses[0].Status = "" },
		"occupation":    func(d *Directory) { d.Occupations["x"] = DirectoryOccupation{Name: "x"} },
		"no occupation": func(d *Directory) { d.Occupations["6-31-01-03"] = DirectoryOccupation{} },
		"trade":         func(d *Directory) { d.Occupations["6-31-01-03"].Trades[""] = "x" },
	} {
		d := sampleDirectory()
		edit(&d)
		if _, err := SignDirectory(k.signers[jws.Directory], d); fail.CodeOf(err) != "bad_directory" {
			t.Errorf("%s: signed: %v", name, err)
		}
		payload, err := json.Marshal(d)
		noFail(t, err)
		compact, err := k.signers[jws.Directory].Sign(payload, TypDirectory)
		noFail(t, err)
		if _, err := OpenDirectory(compact, k.set); fail.CodeOf(err) != "bad_directory" {
			t.Errorf("%s: opened: %v", name, err)
		}
	}
	if _, err := SignDirectory(k.signers[jws.QR], sampleDirectory()); err == nil {
		t.Error("signed with a QR key")
	}
	d := sampleDirectory()
	d.Registry = "zj"
	compact, err := SignDirectory(k.signers[jws.Directory], d)
	noFail(t, err)
	if _, err := OpenDirectory(compact, k.set); fail.CodeOf(err) != "bad_directory" {
		t.Errorf("another registry's directory under our key: %v", err)
	}
	payload, _ := json.Marshal(sampleDirectory())
	asQR, err := k.signers[jws.QR].Sign(payload, TypDirectory)
	noFail(t, err)
	if _, err := OpenDirectory(asQR, k.set); !errors.Is(err, jws.ErrWrongPurpose) {
		t.Errorf("signed with a QR key: %v", err)
	}
}

func TestEveryFlippedBitOfADirectoryIsRefused(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	compact, err := SignDirectory(k.signers[jws.Directory], sampleDirectory())
	noFail(t, err)
	flipEvery(t, compact, func(s string) error { _, err := OpenDirectory(s, k.set); return err })
}

func FuzzOpenDirectory(f *testing.F) {
	k := newKeys(f, "js")
	payload, err := json.Marshal(sampleDirectory())
	noFail(f, err)
	good, err := SignDirectory(k.signers[jws.Directory], sampleDirectory())
	noFail(f, err)
	f.Add(string(payload), true)
	f.Add(strings.Replace(string(payload), `"js"`, `"zj"`, 1), true)
	f.Add(good, false)
	f.Fuzz(func(t *testing.T, s string, sign bool) {
		text := s
		if sign {
			compact, err := k.signers[jws.Directory].Sign([]byte(s), TypDirectory)
			if err != nil {
				return
			}
			text = compact
		}
		d, err := OpenDirectory(text, k.set)
		if err != nil {
			return
		}
		if !sign && text != good {
			t.Fatalf("accepted %q", text)
		}
		if _, err := SignDirectory(k.signers[jws.Directory], d); err != nil {
			t.Fatalf("cannot be signed again: %v", err)
		}
	})
}
