package web

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/corrections"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/registry"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// apiVersion is the version of the document. It changes whenever the document
// does; the golden test sees to it.
const apiVersion = "0.9.0"

// node is a piece of the document.
type node map[string]any

// document is the OpenAPI 3.1 description of a table of routes.
func document(table []route, rc registry.Config) ([]byte, error) {
	schemas := &schemas{components: node{}, owners: map[string]reflect.Type{}}
	problem := schemas.of(reflect.TypeFor[Problem]())
	paths := node{}
	for _, r := range table {
		item, _ := paths[r.Path].(node)
		if item == nil {
			item = node{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = operation(r, schemas)
	}
	name := rc.OperatorEN
	if name == "" {
		name = rc.OperatorZH
	}
	doc := node{
		"openapi": "3.1.0",
		"info": node{"title": name, "version": apiVersion, "summary": "Register of vocational skill certificates 职业技能等级证书登记系统",
			"description": documentText},
		"servers": []any{node{"url": rc.Origin}},
		"tags": []any{tag("verdict", "Is this certificate real, and is it good?"), tag("directory", "Institutions and occupations"),
			tag("trust", "What verifiers need to check for themselves"), tag("authority", "Institutions, accounts and keys"),
			tag("sessions", "From the plan to the certificates"), tag("certificates", "What becomes of a certificate"),
			tag("claims", "Pay once"), tag("reliance", "What changed under claims, webhooks, and what has to be recovered"), tag("oversight", "Signs of fraud, reviews and random inspections"), tag("credit", "Credit, stars, lists for subsidised work, integrity files"), tag("pages", "Pages for people"), tag("operation", "For operators")},
		"paths": paths,
		"components": node{
			"schemas":         schemas.components,
			"securitySchemes": node{"key": node{"type": "http", "scheme": "bearer", "description": "An API key: bjg_…"}},
			"responses": node{"problem": node{"description": "What is wrong (RFC 9457)",
				"content": node{"application/problem+json": node{"schema": problem}}}},
		},
	}
	return json.MarshalIndent(doc, "", " ")
}

const documentText = `Errors are problem+json in English and Chinese: code is for machines, fields say where, reference names the answer in the log. ` +
	`Everything wrong with what was sent, in form or in meaning, is 400. A verdict and a refused claim are answers, not errors. ` +
	`Times are RFC 3339 in UTC, dates civil dates in Asia/Shanghai, money whole fen. ` +
	`Bodies are one JSON object; unknown members are refused. Texts have at most 200 characters and lists 500 items where nothing else is said. ` +
	`Routes that create take an optional Idempotency-Key (1 to 100 printable ASCII characters, kept for 30 days): the same key and body gives the same record, with another body it is 409.`

func tag(name, description string) node { return node{"name": name, "description": description} }

func operation(r route, s *schemas) node {
	op := node{"tags": []any{r.Tag}, "summary": r.Summary, "operationId": operationID(r)}
	if r.Description != "" {
		op["description"] = r.Description
	}
	switch r.Access {
	case keyed:
		op["security"] = []any{node{"key": []any{}}}
	case optional:
		op["security"] = []any{node{}, node{"key": []any{}}}
	}
	if ps := parameters(r); len(ps) > 0 {
		op["parameters"] = ps
	}
	if r.in != nil {
		op["requestBody"] = node{"required": true, "content": node{fiber.MIMEApplicationJSON: node{"schema": s.of(r.in)}}}
	} else if len(r.Takes) > 0 {
		content := node{}
		for _, media := range r.Takes {
			form := node{"type": "object"}
			switch media {
			case "text/csv":
				form = node{"type": "string"}
			case typeXLSX:
				form = node{"type": "string", "contentMediaType": typeXLSX}
			}
			content[media] = node{"schema": form}
		}
		op["requestBody"] = node{"required": true, "content": content}
	}
	op["responses"] = responses(r, s)
	return op
}

func responses(r route, s *schemas) node {
	out := node{"default": node{"$ref": "#/components/responses/problem"}}
	if r.out != nil {
		out[fmt.Sprint(r.status())] = node{"description": "done", "content": node{fiber.MIMEApplicationJSON: node{"schema": s.of(r.out)}}}
	}
	for _, a := range r.Answers {
		status := fmt.Sprint(a.Status)
		one, _ := out[status].(node)
		if one == nil {
			one = node{}
			out[status] = one
		}
		one["description"] = a.Description
		if a.Media == "" {
			continue
		}
		content, _ := one["content"].(node)
		if content == nil {
			content = node{}
			one["content"] = content
		}
		form := node{"type": "string"}
		switch {
		case a.Media == fiber.MIMEApplicationJSON && r.out != nil:
			form = s.of(r.out)
		case strings.HasSuffix(a.Media, "json"):
			form = node{"type": "object"}
		}
		content[a.Media] = node{"schema": form}
	}
	if r.Limit != limitNone {
		out["429"] = node{"$ref": "#/components/responses/problem"}
	}
	return out
}

var inBraces = regexp.MustCompile(`\{([a-z]+)\}`)

func parameters(r route) (out []any) {
	for _, m := range inBraces.FindAllStringSubmatch(r.Path, -1) {
		out = append(out, node{"name": m[1], "in": "path", "required": true, "schema": node{"type": "string", "maxLength": 128}})
	}
	for _, q := range r.Query {
		form := node{"type": "string"}
		if q.Integer {
			form["type"] = "integer"
		}
		if len(q.Enum) > 0 {
			form["enum"] = q.Enum
		}
		out = append(out, node{"name": q.Name, "in": "query", "description": q.Description, "schema": form})
	}
	if r.Idempotent == withKey {
		out = append(out, node{"name": "Idempotency-Key", "in": "header", "schema": node{"type": "string", "minLength": 1, "maxLength": 102}})
	}
	return out
}

// operationID is a name for client generators: post_api_v1_sessions_id_results.
func operationID(r route) string {
	id := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(r.Path), "_"), "_")
	if id == "" {
		id = "home"
	}
	return strings.ToLower(r.Method) + "_" + id
}

// schemas turns Go types into JSON Schema. Structs with names become components.
type schemas struct {
	components node
	owners     map[string]reflect.Type
}

// enums are the texts that a type can have.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[registry.Role]():              texts(registry.Roles()),
	reflect.TypeFor[evaluators.Kind]():            texts(evaluators.Kinds()),
	reflect.TypeFor[evaluators.Status]():          texts(evaluators.Statuses()),
	reflect.TypeFor[cases.State]():                texts(cases.States()),
	reflect.TypeFor[cases.StepKind]():             texts(append([]cases.StepKind{cases.Opening}, cases.StepKinds()...)),
	reflect.TypeFor[cases.OriginKind]():           texts(cases.Origins()),
	reflect.TypeFor[cases.Outcome]():              {string(cases.Upheld), string(cases.Revoked)},
	reflect.TypeFor[evaluators.Class]():           {string(evaluators.Employer), string(evaluators.Social)},
	reflect.TypeFor[credentials.Reason]():         texts(credentials.Reasons()),
	reflect.TypeFor[credentials.Band]():           {"good", "bad", "caution", "unproven"},
	reflect.TypeFor[credentials.MatchKind]():      {string(credentials.MatchDocument), string(credentials.MatchPhoto)},
	reflect.TypeFor[registry.MatchAnswer]():       texts(registry.MatchAnswers()),
	reflect.TypeFor[registry.SessionState]():      {"planned", "results", "publicity", "issuing", "issued"},
	reflect.TypeFor[registry.BatchState]():        {"allocating", "signing", "signed", "published", "aborted"},
	reflect.TypeFor[credentials.NationalState]():  texts(credentials.NationalStates()),
	reflect.TypeFor[uploads.Change]():             texts(uploads.Changes()),
	reflect.TypeFor[registry.CertificateStatus](): {"valid", "suspended", "cancelled", "voided"},
	reflect.TypeFor[registry.Origin]():            {"here", "elsewhere", "imported"},
	reflect.TypeFor[registry.ChangeKind]():        {"void", "cancel", "suspend", "resume", "undo"},
	reflect.TypeFor[registry.MassState]():         texts(registry.MassStates()),
	reflect.TypeFor[corrections.State]():          texts(corrections.States()),
	reflect.TypeFor[corrections.Field]():          texts(corrections.Fields()),
	reflect.TypeFor[standards.Level]():            levelCodes(),
	reflect.TypeFor[credit.Origin]():              texts(credit.Origins()),
	reflect.TypeFor[credit.StarState]():           texts(credit.StarStates()),
	reflect.TypeFor[credit.IntegrityState]():      texts(credit.IntegrityStates()),
	reflect.TypeFor[examiners.Kind]():             texts(examiners.Kinds()),
	reflect.TypeFor[examiners.Role]():             texts(examiners.Roles()),
	reflect.TypeFor[examiners.Status]():           texts(examiners.Statuses()),
	reflect.TypeFor[examiners.Action]():           texts(examiners.Actions()),
	reflect.TypeFor[examiners.AppealState]():      texts(examiners.AppealStates()),
	reflect.TypeFor[examiners.Side]():             texts(examiners.Sides()),
	reflect.TypeFor[examiners.Outcome]():          texts(examiners.Outcomes()),
}

func texts[T ~string](values []T) (out []string) {
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

func levelCodes() (out []string) {
	for _, l := range standards.Levels() {
		out = append(out, l.Code())
	}
	return out
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

// of is the schema of a type, as a reference where it has a name.
func (s *schemas) of(t reflect.Type) node {
	switch t {
	case reflect.TypeFor[time.Time]():
		return node{"type": "string", "format": "date-time"}
	case reflect.TypeFor[standards.Date]():
		return node{"type": "string", "format": "date"}
	case reflect.TypeFor[standards.LevelSet]():
		return node{"type": "array", "items": s.of(reflect.TypeFor[standards.Level]())}
	case reflect.TypeFor[[]byte]():
		return node{"type": "string", "contentEncoding": "base64"}
	case reflect.TypeFor[credentials.Verdict]():
		return s.named(t, func() node { return s.verdict(t) })
	}
	if words := enums[t]; words != nil {
		return node{"type": "string", "enum": words}
	}
	if t.Kind() != reflect.Pointer && t.Implements(textMarshaler) {
		return node{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return node{"type": "string"}
	case reflect.Bool:
		return node{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return node{"type": "number"}
	case reflect.Slice, reflect.Array:
		return node{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return node{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Interface:
		return node{}
	case reflect.Struct:
		if t.Implements(jsonMarshaler) {
			return node{"type": "object"}
		}
		if t.Name() == "" || strings.Contains(t.Name(), "[") {
			return s.object(t)
		}
		return s.named(t, func() node { return s.object(t) })
	}
	return node{"type": "integer"}
}

func (s *schemas) named(t reflect.Type, make func() node) node {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if owner := s.owners[name]; owner != nil && owner != t {
		pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	if s.owners[name] == nil {
		s.owners[name] = t // before its fields, which may lead back to it
		s.components[name] = make()
	}
	return node{"$ref": "#/components/schemas/" + name}
}

// object is the schema of a struct. Members that encoding/json leaves out when
// they are empty are not required.
func (s *schemas) object(t reflect.Type) node {
	properties, required := node{}, []string{}
	for _, f := range jsonFields(t) {
		form := s.of(f.Type)
		if f.Type.Kind() == reflect.Slice && form["type"] == "array" && listLimit(f.name) != listDefault {
			form["maxItems"] = listLimit(f.name)
		}
		if f.Type.Kind() == reflect.String && form["enum"] == nil && form["format"] == nil {
			if most := textLimit(f.name); most != textDefault {
				form["maxLength"] = most
			}
		}
		properties[f.name] = form
		if !f.omit {
			required = append(required, f.name)
		}
	}
	out := node{"type": "object", "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

func (s *schemas) verdict(t reflect.Type) node {
	out := s.object(t)
	both := node{"type": "object", "required": []string{"en", "zh"}, "properties": node{"zh": node{"type": "string"}, "en": node{"type": "string"}}}
	properties := out["properties"].(node)
	properties["band"], properties["text"], properties["next"] = s.of(reflect.TypeFor[credentials.Band]()), both, both
	required := append(out["required"].([]string), "band", "text", "next")
	slices.Sort(required)
	out["required"] = required
	return out
}

type jsonField struct {
	name string
	omit bool
	reflect.Type
}

// jsonFields are the members that encoding/json writes: those of embedded
// structs too, unless a shallower field of the same name hides them.
func jsonFields(t reflect.Type) []jsonField {
	type placed struct {
		jsonField
		depth int
	}
	var all []placed
	var walk func(t reflect.Type, depth int)
	walk = func(t reflect.Type, depth int) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
				walk(f.Type, depth+1)
				continue
			}
			if !f.IsExported() || name == "-" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			all = append(all, placed{jsonField{name, strings.Contains(options, "omit"), f.Type}, depth})
		}
	}
	walk(t, 0)
	var out []jsonField
	for _, f := range all {
		hiddenBy := slices.ContainsFunc(all, func(o placed) bool { return o.name == f.name && o.depth < f.depth })
		if !hiddenBy && f.Type != reflect.TypeFor[*hidden]() {
			out = append(out, f.jsonField)
		}
	}
	return out
}
