package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/quota"
)

// call is one request on its way through a route.
type call struct {
	ctx   context.Context
	fiber *fiber.Ctx
	route route
	by    registry.Actor // the zero Actor for the public
	// signIn is the secret of who is signed in, on pages that want one.
	signIn string
	// status is that of a success; a handler may change it.
	status int
}

// none is the request type of routes that take no body.
type none struct{}

// endpoint is a handler together with the types that the document names.
type endpoint struct {
	in, out reflect.Type // nil when there is none
	serve   func(s *Server, c *call) error
}

// api makes the endpoint of a method that takes and answers JSON.
func api[In, Out any](fn func(s *Server, c *call, in In) (Out, error)) endpoint {
	e := endpoint{in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if e.in == reflect.TypeFor[none]() {
		e.in = nil
	}
	e.serve = func(s *Server, c *call) error {
		var in In
		if e.in != nil {
			if err := c.decode(&in); err != nil {
				return err
			}
		}
		out, err := fn(s, c, in)
		if err != nil {
			return err
		}
		return c.json(out)
	}
	return e
}

// raw makes the endpoint of a method that reads and writes for itself.
func raw(fn func(s *Server, c *call) error) endpoint { return endpoint{serve: fn} }

// rawOf is raw for a method whose answer is of a type when it is JSON.
func rawOf[Out any](fn func(s *Server, c *call) error) endpoint {
	return endpoint{out: reflect.TypeFor[Out](), serve: fn}
}

// mount gives a route to the router with what the table says of it: who may ask,
// how often, and for how long.
func (s *Server) mount(r route) {
	handler := func(c *fiber.Ctx) error {
		c.Locals(localRoute, r.Method+" "+r.Path)
		ctx, cancel := context.WithTimeout(s.base, r.timeout())
		defer cancel()
		c.SetUserContext(ctx)
		one := &call{ctx: ctx, fiber: c, route: r, status: r.status()}
		if r.CORS {
			c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
			c.Set(fiber.HeaderAccessControlExposeHeaders, "ETag, Retry-After, X-Request-Id")
			c.Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if err := s.limit(c, r.Limit); err != nil {
			return err
		}
		if r.Access == signed {
			if done, err := s.signedIn(one); done || err != nil {
				return err
			}
		}
		if err := s.authenticate(one); err != nil {
			return err
		}
		if err := s.place(one); err != nil {
			return err
		}
		if r.Method != fiber.MethodGet {
			if err := s.holdBody(c, r.bodyLimit()); err != nil {
				return err
			}
		}
		return r.serve(s, one)
	}
	if r.Method == fiber.MethodGet {
		s.app.Get(r.pattern(), handler) // and HEAD
		return
	}
	s.app.Add(r.Method, r.pattern(), handler)
}

// authenticate proves who asks, where the route wants to know. A key that is
// wrong is refused even where none is needed.
func (s *Server) authenticate(c *call) error {
	if c.route.Access == public || c.route.Access == signed {
		return nil
	}
	scheme, secret, _ := strings.Cut(c.fiber.Get(fiber.HeaderAuthorization), " ")
	if scheme == "" {
		if c.route.Access == optional {
			return nil
		}
		return fail.New(fail.Unauthorized, "key_required", "an API key is needed: Authorization: Bearer bjg_…").
			In("此接口需要接口密钥：Authorization: Bearer bjg_…")
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return fail.New(fail.Unauthorized, "scheme_unknown", "only Authorization: Bearer is known").In("只接受 Authorization: Bearer")
	}
	by, err := s.reg.Authenticate(c.ctx, strings.TrimSpace(secret))
	if err != nil {
		return err
	}
	c.by = by
	return nil
}

// decode reads the JSON body into a request type: whole, in UTF-8, without
// unknown members, and nothing after it.
func (c *call) decode(into any) error {
	if media := c.mediaType(); media != fiber.MIMEApplicationJSON {
		return refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_type", "send application/json in UTF-8").
			In("请以 application/json（UTF-8）提交")}
	}
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil {
		return err
	}
	data, err := io.ReadAll(b)
	if err != nil {
		return err
	}
	if err := c.idempotency(data); err != nil {
		return err
	}
	return parseJSON(data, into)
}

func (c *call) mediaType() string {
	media, params, err := mime.ParseMediaType(c.fiber.Get(fiber.HeaderContentType))
	if err != nil {
		return ""
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return media + "; charset=" + charset
	}
	return media
}

func badJSON(code, en, zh string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, code, en, args...).In(zh, args...)
}

// shortcut is a request that is read so often that its usual form is worth a look
// before the general reader. It reports whether data was read; what it does not
// take is read as always, and what it takes would have been read the same.
type shortcut interface{ short(data []byte) bool }

func parseJSON(data []byte, into any) error {
	if s, ok := into.(shortcut); ok && s.short(data) {
		return nil
	}
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return badJSON("body_missing", "a JSON object is needed in the body", "缺少 JSON 提交内容")
	case !utf8.Valid(data):
		return badJSON("body_not_utf8", "the body is not valid UTF-8", "提交内容不是有效的 UTF-8 文本")
	case bytes.TrimSpace(data)[0] != '{':
		return badJSON("body_not_object", "the body is not a JSON object", "提交内容不是 JSON 对象")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return badJSON("body_trailing", "there is something after the JSON object", "JSON 对象之后还有多余内容")
	}
	if bad := checkTexts("", reflect.ValueOf(into).Elem()); len(bad) > 0 {
		return fail.New(fail.Invalid, "text_form", "some values cannot be taken").In("部分内容不符合要求").At(bad...)
	}
	return nil
}

func jsonError(err error) error {
	var own *fail.Error
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &kind):
		name := cutText(kind.Field, 60)
		return badJSON("field_type", "a field has the wrong JSON type", "字段类型不正确").
			At(fail.Field{Name: name, Code: "type", ZH: "类型不正确，应为 " + jsonType(kind.Type), EN: "wrong type, it should be " + jsonType(kind.Type)})
	case errors.As(err, &syntax):
		return badJSON("body_malformed", "the body is not JSON from byte %d on", "提交内容从第 %d 字节起不是 JSON", syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badJSON("body_malformed", "the JSON ends too early", "JSON 内容不完整")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = cutText(strings.Trim(name, `"`), 60)
		return badJSON("field_unknown", "there is a field that is not known", "有未知字段").
			At(fail.Field{Name: name, Code: "unknown", ZH: "没有这个字段", EN: "there is no such field"})
	}
	return badJSON("body_values", "a value in the body cannot be read", "提交内容中有无法识别的值").Because(err)
}

// jsonType names the JSON type that a Go type is written as.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Pointer:
		return jsonType(t.Elem())
	}
	return "integer"
}

func cutText(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// textMost is how many characters a text may have by the name of its field;
// textDefault is for all others, short enough for any key of the store.
var textMost = map[string]int{"token": 8192, "reason": 1000, "findings": 1000, "answer": 1000, "basis": 500, "site_address": 300, "photo": photoText, "qr": credentials.MaxScanned}

// photoText is a photo of registry.PhotoMaxBytes in base64.
const photoText = (registry.PhotoMaxBytes + 2) / 3 * 4

const textDefault = 200

func textLimit(field string) int {
	if n, ok := textMost[field]; ok {
		return n
	}
	return textDefault
}

// listMost is how many items a list may have by the name of its field;
// listDefault is for all others. A filing or decision must fit one entry of the
// audit log.
var listMost = map[string]int{"scope": 300, "ranges": 200, "rows": quota.MostRows}

const listDefault = 500

func listLimit(field string) int {
	if n, ok := listMost[field]; ok {
		return n
	}
	return listDefault
}

// lastName is the field at the end of a path such as certificates[3].name.
func lastName(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	last, _, _ = strings.Cut(last, "[")
	return last
}

// checkTexts holds every text and list of a request against its limit and
// refuses control characters, U+0000 above all, which no store takes.
func checkTexts(name string, v reflect.Value) (bad []fail.Field) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return checkTexts(name, v.Elem())
		}
	case reflect.String:
		return checkText(name, v.String())
	case reflect.Slice, reflect.Array:
		if most := listLimit(lastName(name)); v.Len() > most {
			return []fail.Field{{Name: name, Code: "length", ZH: fmt.Sprintf("不超过 %d 项", most), EN: fmt.Sprintf("at most %d items", most)}}
		}
		for i := range v.Len() {
			bad = append(bad, checkTexts(fmt.Sprintf("%s[%d]", name, i), v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			bad = append(bad, checkText(name, k.String())...)
			bad = append(bad, checkTexts(name+"."+cutText(k.String(), 40), v.MapIndex(k))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			at := tag
			if name != "" && tag != "" {
				at = name + "." + tag
			}
			bad = append(bad, checkTexts(at, v.Field(i))...)
		}
	}
	return bad
}

func checkText(name, s string) []fail.Field {
	if most := textLimit(lastName(name)); utf8.RuneCountInString(s) > most {
		return []fail.Field{{Name: name, Code: "length", ZH: fmt.Sprintf("不超过 %d 个字", most), EN: fmt.Sprintf("at most %d characters", most)}}
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }); i >= 0 {
		return []fail.Field{{Name: name, Code: "control", ZH: "含有控制字符", EN: "has a control character"}}
	}
	return nil
}

// idempotency puts the caller's Idempotency-Key with the actor, on routes whose
// use case remembers it. The body counts together with the address, so that one
// key for two objects is seen as two requests.
func (c *call) idempotency(data []byte) error {
	header := strings.TrimSpace(c.fiber.Get("Idempotency-Key"))
	if header == "" || c.route.Idempotent == repeatsItself {
		return nil
	}
	if c.route.Idempotent == notIdempotent {
		return fail.New(fail.Invalid, "idempotency_not_taken", "this route takes no Idempotency-Key, because its answer cannot be shown twice; revoke what you do not know and make another").
			In("此接口不支持 Idempotency-Key：其结果只显示一次；如未收到，请吊销后重新生成")
	}
	key := header
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' { // a structured-field string, draft-ietf-httpapi-idempotency-key-header
		key = key[1 : len(key)-1]
	}
	for _, r := range []byte(key) {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			key = ""
			break
		}
	}
	if key == "" || len(key) > 100 {
		return fail.New(fail.Invalid, "idempotency_key", "an Idempotency-Key is 1 to 100 printable ASCII characters").
			In("Idempotency-Key 应为 1 至 100 个可打印的 ASCII 字符")
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00", c.fiber.Path())
	sum.Write(data)
	c.by.Idempotency = registry.Idempotency{Route: c.route.Method + " " + c.route.Path, Key: key, Body: sum.Sum(nil)}
	return nil
}

// json answers a value.
func (c *call) json(v any) error {
	var data []byte
	var err error
	if m, ok := v.(json.Marshaler); ok { // json.Marshal would only read its answer once more
		data, err = m.MarshalJSON()
	} else {
		data, err = json.Marshal(v)
	}
	if err != nil {
		return err
	}
	c.fiber.Status(c.status)
	c.fiber.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	return c.fiber.Send(data)
}

// param is a part of the path. What cannot be one is not found, whatever it is:
// ids and numbers have at most 128 printable characters.
func (c *call) param(name string) (string, error) {
	s, err := url.PathUnescape(c.fiber.Params(name))
	if err != nil || s == "" || len(s) > 128 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fail.New(fail.NotFound, "not_found", "there is nothing at this address").In("该地址没有内容")
	}
	return s, nil
}

// query is a parameter after the question mark.
func (c *call) query(name string) (string, error) {
	s := c.fiber.Query(name)
	if len(s) > 2048 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fail.New(fail.Invalid, "query", "the parameter %s cannot be read", name).In("参数 %s 无法识别", name).
			At(fail.Field{Name: name, Code: "form", ZH: "无法识别", EN: "cannot be read"})
	}
	return s, nil
}

// page reads cursor and limit.
func (c *call) page(most int) (registry.Page, error) {
	cursor, err := c.query("cursor")
	if err != nil {
		return registry.Page{}, err
	}
	limit, err := c.query("limit")
	if err != nil || limit == "" {
		return registry.Page{Cursor: cursor}, err
	}
	n, err := strconv.Atoi(limit)
	if err != nil || n < 1 || n > most {
		return registry.Page{}, fail.New(fail.Invalid, "limit", "limit is 1 to %d", most).In("每页条数应为 1 至 %d", most).
			At(fail.Field{Name: "limit", Code: "range", ZH: fmt.Sprintf("1 至 %d", most), EN: fmt.Sprintf("1 to %d", most)})
	}
	return registry.Page{Cursor: cursor, Limit: n}, nil
}

// pageMost is the longest page of a list.
const pageMost = 500

// list is one page of a list. Next is the cursor of the following page; it is
// absent on the last.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func listOf[T any](items []T, next string) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{Items: items, Next: next}
}

// seconds is a duration for a Cache-Control header.
func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// cached answers a body that others may keep for age, with an ETag; a caller
// that has it gets 304.
func (c *call) cached(contentType string, data []byte, control string) error {
	sum := sha256.Sum256(data)
	tag := fmt.Sprintf(`"%x"`, sum[:12])
	c.fiber.Set(fiber.HeaderETag, tag)
	c.fiber.Set(fiber.HeaderCacheControl, control)
	for _, have := range strings.Split(c.fiber.Get(fiber.HeaderIfNoneMatch), ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == tag || have == "*" {
			return c.fiber.Status(fiber.StatusNotModified).Send(nil)
		}
	}
	c.fiber.Set(fiber.HeaderContentType, contentType)
	return c.fiber.Status(c.status).Send(data)
}
