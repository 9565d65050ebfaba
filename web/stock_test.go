package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"strings"
	"testing"

	"bajigong/evaluators/blanks"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func photoArchive(t testing.TB, names ...string) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 295, 413))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y := 120; y < 413; y++ {
		for x := 90; x < 200; x++ {
			img.SetRGBA(x, y, color.RGBA{60, 60, 90, 255})
		}
	}
	var photo, b bytes.Buffer
	if err := jpeg.Encode(&photo, img, nil); err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&b)
	for _, name := range names {
		out, err := w.Create(name)
		if err == nil {
			_, err = out.Write(photo.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rowsOf counts the rows of a workbook's first sheet.
func rowsOf(t testing.TB, book []byte) int {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Open("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("<row "))
}

// Photos, blanks, prints, lists and the handing out of certificates over HTTP.
func TestStockOverHTTP(t *testing.T) {
	s := newSite(t)
	by := s.issuer
	s.account("second", registry.NewAccount{Name: "second", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: by.Institution.ID})
	one := s.MustPublicise(by, s.MustPlan(by), registrytest.CSV(0, 3))
	at := "/api/v1/sessions/" + one.ID

	s.do("institution", "POST", at+"/photos", photoArchive(t, "2.jpg", invented.PersonAt(50).Document+".jpg"), "Content-Type", "application/zip").problem(400, "photos")
	s.do("institution", "POST", at+"/photos?accept=some", photoArchive(t, "2.jpg"), "Content-Type", "application/zip").problem(400, "accept")
	report := into[registry.PhotoReport](s.upload("institution", at+"/photos?accept=good", "照片.zip", string(photoArchive(t, "2.jpg", invented.PersonAt(50).Document+".jpg"))).want(200))
	if report.Stored != 1 || report.Refused != 1 || report.Without != 2 {
		t.Errorf("%+v", report)
	}
	s.do("authority", "POST", at+"/photos", photoArchive(t, "2.jpg"), "Content-Type", "application/zip").problem(403, "not_allowed")
	issued := s.MustIssue(by, one.ID)

	a := into[blanks.Application](s.do("institution", "POST", "/api/v1/blanks/applications", map[string]any{"quantity": 10, "purpose": "第一季度"}, "Idempotency-Key", "k1").want(201))
	if again := into[blanks.Application](s.do("institution", "POST", "/api/v1/blanks/applications", map[string]any{"quantity": 10, "purpose": "第一季度"}, "Idempotency-Key", "k1").want(201)); again.ID != a.ID {
		t.Error("the same application made another")
	}
	of := "/api/v1/blanks/applications/" + a.ID
	s.do("institution", "POST", of+"/approval", map[string]any{}).problem(403, "second_person")
	s.do("second", "POST", of+"/approval", map[string]any{}).want(200)
	s.do("second", "POST", of+"/shipment", map[string]any{"ranges": []map[string]string{{"first": "JS-00X", "last": "JS-000010"}}}).problem(400, "blank_code")
	s.do("second", "POST", of+"/shipment", map[string]any{"ranges": []map[string]string{{"first": "js-000001", "last": "JS-000010"}}}).want(200)
	s.do("institution", "POST", of+"/receipt", map[string]any{}).want(200)
	if stock := into[registry.StockView](s.get("auditor", "/api/v1/blanks?institution="+by.Institution.ID).want(200)); stock.Total != 10 || !stock.Low {
		t.Errorf("%+v", stock)
	}
	s.get("payer", "/api/v1/blanks?institution="+by.Institution.ID).problem(403, "not_allowed")
	s.get("", "/api/v1/blanks?institution="+by.Institution.ID).problem(401, "key_required")
	taken := into[registry.BlankUseReport](s.do("institution", "POST", "/api/v1/blanks/takings", map[string]any{"session": one.ID, "quantity": 2}).want(200))
	if taken.Quantity != 2 {
		t.Errorf("%+v", taken)
	}

	job := into[registry.PrintJob](s.do("institution", "POST", at+"/print-jobs", map[string]any{}).want(202))
	if job.State != blanks.JobWaiting || job.Done != 2 {
		t.Errorf("%+v", job)
	}
	s.do("institution", "POST", "/api/v1/blanks/takings", map[string]any{"session": one.ID, "quantity": 1}).want(200)
	if job = into[registry.PrintJob](s.do("institution", "POST", "/api/v1/print-jobs/"+job.ID+"/continuation", nil).want(200)); job.State != blanks.JobDone || job.Done != 3 {
		t.Errorf("%+v", job)
	}
	items := into[list[registry.PrintItem]](s.get("institution", "/api/v1/print-jobs/"+job.ID+"/items").want(200))
	if len(items.Items) != 3 || items.Items[2].Code.String() != "JS-000003" {
		t.Errorf("%+v", items)
	}
	number := issued[0].Number
	s.do("institution", "POST", "/api/v1/certificates/"+number+"/prints", map[string]any{}).problem(400, "print_reason")
	s.do("institution", "POST", "/api/v1/blanks/spoilings", map[string]any{"ranges": []map[string]string{{"first": "JS-000001", "last": "JS-000001"}}, "reason": "卡纸"}).want(200)
	if one := into[registry.BlankView](s.get("authority", "/api/v1/blanks/codes/JS-000001").want(200)); one.State != blanks.Spoiled || one.Print == nil || one.Print.Spoiled == nil {
		t.Errorf("%+v", one)
	}
	s.do("institution", "POST", "/api/v1/certificates/"+number+"/prints", map[string]any{}).want(201) // on plain paper: the sample rules allow it
	d := into[blanks.Destruction](s.do("institution", "POST", "/api/v1/blanks/destructions", map[string]any{}).want(201))
	s.do("second", "POST", "/api/v1/blanks/destructions/"+d.ID+"/record", map[string]any{"document": "销毁记录1号", "method": "碎纸"}).want(200)
	count := into[registry.Stocktaking](s.do("institution", "POST", "/api/v1/blanks/stocktakings", map[string]any{"counted": []map[string]string{{"first": "JS-000004", "last": "JS-000009"}}}).want(201))
	if fmt.Sprint(count.Missing) != "[JS-000010]" {
		t.Errorf("%+v", count)
	}

	h := s.do("institution", "POST", "/api/v1/certificates/"+number+"/handout", map[string]any{"proxy_name": invented.PersonAt(9).Name, "proxy_document": invented.PersonAt(9).Document}).want(200)
	if strings.Contains(string(h.Body), invented.PersonAt(9).Document) {
		t.Error("the proxy's document is shown")
	}
	for _, kind := range registry.ListKinds() {
		book := s.get("institution", at+"/lists/"+string(kind)+"?format=xlsx").want(200)
		if n := rowsOf(t, book.Body); n != 5 || book.Header.Get("Content-Type") != typeXLSX { // title, header and three people
			t.Errorf("%s: %d rows, %s", kind, n, book.Header.Get("Content-Type"))
		}
		if l := into[registry.List](s.get("institution", at+"/lists/"+string(kind)).want(200)); len(l.Rows) != 3 {
			t.Errorf("%s: %+v", kind, l)
		}
	}
	if text := s.get("institution", at+"/lists/passed", "Accept", "text/csv").want(200); !bytes.HasPrefix(text.Body, []byte("\ufeff序号")) || !strings.Contains(string(text.Body), invented.PersonAt(0).Document) {
		t.Errorf("%s", text.Body)
	}
	s.get("institution", at+"/lists/wages").problem(400, "list_kind")
	s.get("institution", at+"/lists/passed?format=doc").problem(400, "format")
	for i := range 51 {
		if strings.Contains(s.log.String(), invented.PersonAt(i).Document) {
			t.Fatalf("the log names document %d", i)
		}
	}
}
