package web

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var update = flag.Bool("update", false, "write the golden files")

// TestDocumentIsGolden shows every change of the contract. A change needs a new
// apiVersion beside it.
func TestDocumentIsGolden(t *testing.T) {
	s := newSite(t)
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(golden, s.server.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, s.server.OpenAPI()) {
		t.Error("the document is not testdata/openapi.json; if the change is meant, raise apiVersion and run with -update")
	}
	if got := s.get("", "/openapi.json").want(200); !bytes.Equal(got.Body, want) {
		t.Error("/openapi.json serves another document")
	}
}

func TestDocumentIsValid(t *testing.T) {
	s := newSite(t)
	doc, err := openapi3.NewLoader().LoadFromData(s.server.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
}

// TestDocumentHasEveryRoute holds the router against the document, both ways.
func TestDocumentHasEveryRoute(t *testing.T) {
	s := newSite(t)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(s.server.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	var documented, registered []string
	for path, item := range doc.Paths {
		for method := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	braces := regexp.MustCompile(`:([a-z]+)`)
	for _, r := range s.server.App().GetRoutes(true) { // without Use
		if r.Method != "HEAD" {
			registered = append(registered, r.Method+" "+strings.ReplaceAll(braces.ReplaceAllString(r.Path, "{$1}"), "*", "{path}"))
		}
	}
	slices.Sort(documented)
	slices.Sort(registered)
	if !slices.Equal(documented, registered) {
		t.Errorf("documented:\n%s\nregistered:\n%s", strings.Join(documented, "\n"), strings.Join(registered, "\n"))
	}
}

// TestDocumentTellsTheTruth compares answers with the schema of their route.
func TestDocumentTellsTheTruth(t *testing.T) {
	s := newSite(t)
	doc := s.document()
	issued := s.MustCertificates(s.issuer, 0, 2)
	session := issued[0].Session
	for _, one := range []struct{ as, path, route string }{
		{"", "/api/v1/institutions", "/api/v1/institutions"},
		{"", "/api/v1/catalogue", "/api/v1/catalogue"},
		{"", "/c/" + string(issued[0].Handle), "/c/{handle}"},
		{"authority", "/api/v1/institutions/" + s.issuer.Institution.ID, "/api/v1/institutions/{id}"},
		{"institution", "/api/v1/sessions", "/api/v1/sessions"},
		{"institution", "/api/v1/sessions/" + session, "/api/v1/sessions/{id}"},
		{"institution", "/api/v1/sessions/" + session + "/batch", "/api/v1/sessions/{id}/batch"},
		{"institution", "/api/v1/sessions/" + session + "/certificates", "/api/v1/sessions/{id}/certificates"},
		{"institution", "/api/v1/certificates/" + issued[0].Number, "/api/v1/certificates/{number}"},
	} {
		s.documented(doc, one.as, one.path, one.route)
	}
}

// document is the document of the interface.
func (s *siteTest) document() *openapi3.T {
	s.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(s.server.OpenAPI())
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

// documented gets an address and holds the answer to the schema of its route.
func (s *siteTest) documented(doc *openapi3.T, as, path, route string) reply {
	s.t.Helper()
	r := s.get(as, path, "Accept", "application/json").want(200)
	schema := doc.Paths.Value(route).Get.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
	var got any
	if err := json.Unmarshal(r.Body, &got); err != nil {
		s.t.Fatal(err)
	}
	if err := schema.VisitJSON(got); err != nil {
		s.t.Errorf("%s: %v", path, err)
	}
	if extra := undocumented(schema, got, ""); extra != "" {
		s.t.Errorf("%s answers %s, which is not in the document", path, extra)
	}
	return r
}

// undocumented names a member of a value that its schema does not know.
func undocumented(schema *openapi3.Schema, v any, at string) string {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			known := schema.Properties[name]
			if known == nil && schema.AdditionalProperties.Schema != nil {
				known = schema.AdditionalProperties.Schema
			}
			if known == nil {
				return at + "." + name
			}
			if extra := undocumented(known.Value, member, at+"."+name); extra != "" {
				return extra
			}
		}
	case []any:
		for _, item := range v {
			if extra := undocumented(schema.Items.Value, item, at+"[]"); extra != "" {
				return extra
			}
		}
	}
	return ""
}
