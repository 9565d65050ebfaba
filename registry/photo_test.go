package registry_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// portrait is a one-inch photo on white; n makes it another person's.
func portrait(t testing.TB, n int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 295, 413))
	for y := range 413 {
		for x := range 295 {
			c := color.RGBA{255, 255, 255, 255}
			if x > 80 && x < 215 && y > 80 {
				c = color.RGBA{uint8(40 * (n % 6)), uint8(10 * (n % 20)), 90, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zipped struct {
	name string
	data []byte
}

func zipOf(t testing.TB, files ...zipped) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		out, err := w.Create(f.name)
		if err == nil {
			_, err = out.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func fieldsOf(fields []fail.Field) string {
	var out []string
	for _, f := range fields {
		out = append(out, fmt.Sprintf("%d %s", f.Row, f.Code))
	}
	return strings.Join(out, ", ")
}

// Photos named after documents, rows and 准考证号; a bad archive stores nothing
// unless the good ones are accepted; afterwards the certificates carry them.
func TestPhotosFromUploadToCertificate(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	_, err := e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{"2.jpg", portrait(t, 0)})})
	refusedAs(t, "before there is a list", err, "no_candidates")
	s = e.MustPublicise(by, s, registrytest.CSV(0, 6)) // rows 2 to 7
	p := func(i int) invented.Person { return invented.PersonAt(i) }
	bad := []zipped{
		{"照片/" + p(0).Document + ".jpg", portrait(t, 0)}, {"3.JPG", portrait(t, 1)}, {"20260303000003.jpeg", portrait(t, 2)},
		{p(3).Document + ".jpg", portrait(t, 3)}, {"5.png", portrait(t, 4)}, // two of row 5
		{p(900).Document + ".jpg", portrait(t, 5)}, {"6.jpg", []byte("no photo")}, {"notes.txt", []byte("x")}, {"more.zip", []byte("x")},
	}
	report, err := e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, bad...)})
	refusedAs(t, "bad archive", err, "photos")
	if got := fieldsOf(report.Errors); got != "4 double, 5 double, 6 unknown, 8 unknown, 9 file_nested, 7 photo_form" || report.Stored != 0 {
		t.Errorf("%s, %d stored", got, report.Stored)
	}
	for _, f := range fail.Of(err).Fields {
		for i := range 1000 {
			if strings.Contains(fmt.Sprint(f), p(i).Document) {
				t.Fatalf("%+v names a document", f)
			}
		}
	}
	if before, err := e.PhotosOfSession(ctx, by.Actor, s.ID); err != nil || before.Without != 6 || before.List != "results" {
		t.Fatalf("%+v, %v", before, err)
	}
	report, err = e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, bad...), GoodOnly: true})
	if err != nil || report.Stored != 3 || report.Refused != 6 || report.Without != 3 || fieldsOf(report.Missing) != "5 missing, 6 missing, 7 missing" {
		t.Fatalf("%+v, %v", report, err)
	}
	report, err = e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{"2.jpg", portrait(t, 9)}, zipped{"5.jpg", portrait(t, 3)})})
	if err != nil || report.Stored != 2 || report.Replaced != 1 || report.Without != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	issued := e.MustIssue(by, s.ID)
	for i, want := range []bool{true, true, true, true, false, false} {
		photo, err := e.CertificatePhoto(ctx, by.Actor, issued[i].Number)
		if issued[i].Photo != want || (err == nil) != want || want && len(photo) > 30<<10 {
			t.Errorf("certificate %d: photo %t, %d bytes, %v", i, issued[i].Photo, len(photo), err)
		}
	}
	_, err = e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{"2.jpg", portrait(t, 0)})})
	refusedAs(t, "after issue", err, "session_closed")
	// A reissued certificate keeps the photo.
	if _, err := e.ReissueCertificate(ctx, by.Actor, issued[0].Number, registry.Reissue{Basis: "申请1号", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CertificatePhoto(ctx, by.Actor, issued[0].Number); err != nil {
		t.Error(err)
	}
}

// Photos may be taken before the exam, by the roster, and only by the institution.
func TestPhotosByRoster(t *testing.T) {
	e := registrytest.New(t)
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	s := e.MustEnter(by, e.MustPlan(by), 1, 2, 3)
	up := func(a registry.Actor) (registry.PhotoReport, error) {
		return e.UploadPhotos(ctx, a, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{invented.PersonAt(2).Document + ".jpg", portrait(t, 0)})})
	}
	_, err := up(other.Actor)
	refusedAs(t, "another institution", err, "not_allowed")
	_, err = up(e.Authority)
	refusedAs(t, "the authority", err, "not_allowed")
	report, err := up(by.Actor)
	if err != nil || report.List != "roster" || report.Stored != 1 || report.Without != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	tickets, facts, more, err := e.TicketsOf(ctx, by.Actor, s.ID, 1)
	if err != nil || more || len(tickets) != 3 || facts.ID != s.ID || tickets[1].Photo == nil || tickets[0].Photo != nil || tickets[1].Number != "20260303000002" {
		t.Fatalf("%+v, %v", tickets, err)
	}
	// The photo stays with the person when the results come in another order; who
	// was absent needs none.
	csv := registrytest.CSV(3, 4) + strings.SplitN(registrytest.CSV(2, 3), "\n", 2)[1]
	s = e.MustPublicise(by, s, csv)
	report, err = e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{invented.PersonAt(1).Document + ".jpg", portrait(t, 0)}, zipped{"20260303000001.jpg", portrait(t, 0)})})
	if err != nil || report.List != "results" || report.Unneeded != 2 || report.Stored != 0 || report.Replaced != 0 || report.Without != 1 || fieldsOf(report.Missing) != "2 missing" {
		t.Fatalf("%+v, %v", report, err)
	}
	issued := e.MustIssue(by, s.ID)
	for _, c := range issued {
		if want := c.Name == invented.PersonAt(2).Name; c.Photo != want {
			t.Errorf("%s has photo %t", c.Name, c.Photo)
		}
	}
}
