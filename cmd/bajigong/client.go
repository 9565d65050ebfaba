package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"bajigong/internal/fail"
)

// serverFlags are the flags of commands that work through a server.
type serverFlags struct {
	url     string
	key     string
	keyFile string
}

// addURL adds the address alone, for what is public.
func (f *serverFlags) addURL(flags *pflag.FlagSet, w world) {
	flags.StringVar(&f.url, "server", w.env("BAJIGONG_SERVER"), "服务地址，例如 https://zs.example.gov.cn (the server's address; also BAJIGONG_SERVER)")
}

// add adds the address and the key. The key of the environment is not a default
// of the flag: help would show it.
func (f *serverFlags) add(flags *pflag.FlagSet, w world) {
	f.addURL(flags, w)
	flags.StringVar(&f.key, "key", "", "接口密钥；命令行他人可见，建议用 BAJIGONG_KEY 或 --key-file (API key; BAJIGONG_KEY or --key-file keep it out of the process list)")
	flags.StringVar(&f.keyFile, "key-file", "", "存有接口密钥的文件 (file that holds the API key)")
}

// maxAnswer is the largest answer that is read.
const maxAnswer = 64 << 20

// A client asks one server. It never prints its key and follows no redirects,
// which could carry a request to somebody else.
type client struct {
	base *url.URL
	key  string
	http *http.Client
}

// client returns a client of the server that the flags name. needKey is for
// commands that cannot do without one.
func (f *serverFlags) client(w world, needKey bool) (*client, error) {
	if f.url == "" {
		return nil, usageError{errors.New("哪个服务？请用 --server 或 BAJIGONG_SERVER 指定 (which server? name it with --server or BAJIGONG_SERVER)")}
	}
	base, err := parseServer(f.url)
	if err != nil {
		return nil, err
	}
	key, err := f.secret(w)
	if err != nil {
		return nil, err
	}
	if needKey && key == "" {
		return nil, fail.New(fail.Unauthorized, "key_required", "an API key is needed: set BAJIGONG_KEY, or use --key-file").
			In("此操作需要接口密钥：请设置 BAJIGONG_KEY 或使用 --key-file")
	}
	if key != "" && base.Scheme == "http" && !nearby(base.Hostname()) {
		return nil, usageError{fmt.Errorf("不经 https 不发送密钥：%s (the key is not sent to %s without https)", base.Host, base.Host)}
	}
	return &client{base: base, key: key, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (f *serverFlags) secret(w world) (string, error) {
	key := f.key
	if f.keyFile != "" {
		if key != "" {
			return "", usageError{errors.New("--key 与 --key-file 只能用一个 (use one of --key and --key-file)")}
		}
		b, err := readFile(f.keyFile, 4096)
		if err != nil {
			return "", err
		}
		key = string(b)
	}
	if key == "" {
		key = w.env("BAJIGONG_KEY")
	}
	key = strings.TrimSpace(key)
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fail.New(fail.Unauthorized, "key_malformed", "this is not an API key; it begins with bjg_ and is one word").
			In("这不是接口密钥；密钥以 bjg_ 开头，中间没有空格")
	}
	return key, nil
}

// parseServer reads the address of a server: scheme, host and port.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(text), "/"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{errors.New("服务地址应形如 https://zs.example.gov.cn (a server's address is like https://zs.example.gov.cn)")}
	}
	return u, nil
}

// nearby reports whether a host is this machine or in a private network, where a
// trial without https is nobody else's business.
func nearby(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".")
}

// An ask is one request.
type ask struct {
	method string
	path   string
	query  url.Values
	accept string
	kind   string // of body
	body   []byte
	once   string // Idempotency-Key
	wait   time.Duration
}

// An answer is what a server says, whatever its status.
type answer struct {
	status int
	kind   string
	header http.Header
	body   []byte
}

// send asks and reads the whole answer. Unavailable: nobody answered.
func (c *client) send(ctx context.Context, a ask) (answer, error) {
	if a.wait == 0 {
		a.wait = time.Minute
	}
	asking, cancel := context.WithTimeout(ctx, a.wait)
	defer cancel()
	u := *c.base
	u.Path, u.RawQuery = a.path, a.query.Encode()
	req, err := http.NewRequestWithContext(asking, a.method, u.String(), bytes.NewReader(a.body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if a.accept != "" {
		req.Header.Set("Accept", a.accept)
	}
	req.Header.Set("User-Agent", "bajigong")
	for name, value := range map[string]string{"Content-Type": a.kind, "Idempotency-Key": a.once} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.away(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, c.away(ctx, err)
	}
	if len(body) > maxAnswer {
		return answer{}, fail.New(fail.TooLarge, "answer_too_large", "the answer of %s is longer than %d MB", c.base.Host, maxAnswer>>20).
			In("服务 %s 的答复超过 %d MB", c.base.Host, maxAnswer>>20)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return answer{status: res.StatusCode, kind: kind, header: res.Header, body: body}, nil
}

// away says that nobody answered. What was sent may have been done: every
// command can be repeated.
func (c *client) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why := err
	var at *url.Error
	if errors.As(err, &at) {
		why = at.Err // without the address, which says too much for a log
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		why = errors.New("time-out")
	}
	return fail.New(fail.Unavailable, "server_away", "%s does not answer (%v); it is safe to run this command again", c.base.Host, why).
		In("服务 %s 没有应答（%v）；可以放心重新执行本命令", c.base.Host, why).Because(err)
}

// call sends JSON and reads JSON. in and out may be nil.
func (c *client) call(ctx context.Context, a ask, in, out any) (answer, error) {
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return answer{}, err
		}
		a.body, a.kind = b, "application/json"
	}
	got, err := c.send(ctx, a)
	if err != nil {
		return got, err
	}
	if err := c.refusal(got); err != nil {
		return got, err
	}
	if out == nil {
		return got, nil
	}
	if err := json.Unmarshal(got.body, out); err != nil {
		return got, c.strange(got, err)
	}
	return got, nil
}

// strange is an answer that no server of this program gives.
func (c *client) strange(got answer, cause error) error {
	return fail.New(fail.Unavailable, "strange_answer", "%s answers %d %s, which is not an answer of bajigong; is the address right?", c.base.Host, got.status, printable(got.kind)).
		In("%s 的答复（%d %s）不是本系统的答复；请检查服务地址", c.base.Host, got.status, printable(got.kind)).Because(cause)
}

// problem is an error as the API answers it (RFC 9457).
type problem struct {
	Code      string       `json:"code"`
	Detail    string       `json:"detail"`
	DetailZH  string       `json:"detail_zh"`
	Fields    []fail.Field `json:"fields"`
	Reference string       `json:"reference"`
}

// kinds are the kinds of error that statuses stand for. Any other from 400 to 499
// is Invalid, all the rest Internal.
var kinds = map[int]fail.Kind{
	http.StatusUnauthorized: fail.Unauthorized, http.StatusForbidden: fail.Forbidden,
	http.StatusNotFound: fail.NotFound, http.StatusConflict: fail.Conflict,
	http.StatusRequestEntityTooLarge: fail.TooLarge, http.StatusTooManyRequests: fail.RateLimited,
	http.StatusServiceUnavailable: fail.Unavailable, http.StatusBadGateway: fail.Unavailable, http.StatusGatewayTimeout: fail.Unavailable,
}

// refusal turns an answer that is not a success into the error it stands for.
func (c *client) refusal(got answer) error {
	if got.status >= 200 && got.status < 300 {
		return nil
	}
	if to, err := url.Parse(got.header.Get("Location")); err == nil && got.status >= 300 && got.status < 400 && to.Host != "" {
		return fail.New(fail.Invalid, "redirected", "the server is at %s://%s now; use that address", to.Scheme, to.Host).
			In("服务地址已改为 %s://%s，请改用该地址", to.Scheme, to.Host)
	}
	var p problem
	if got.kind != "application/problem+json" || json.Unmarshal(got.body, &p) != nil || p.Code == "" {
		return c.strange(got, nil)
	}
	kind, known := kinds[got.status]
	switch {
	case !known && got.status < 500:
		kind = fail.Invalid
	case !known:
		kind = fail.Internal
	}
	if wait := got.header.Get("Retry-After"); wait != "" && (kind == fail.RateLimited || kind == fail.Unavailable) {
		p.Detail, p.DetailZH = fmt.Sprintf("%s (again in %s s)", p.Detail, wait), fmt.Sprintf("%s（%s 秒后再试）", p.DetailZH, wait)
	}
	for i, f := range p.Fields {
		p.Fields[i] = fail.Field{Name: printable(f.Name), Row: f.Row, Code: printable(f.Code), ZH: printable(f.ZH), EN: printable(f.EN)}
	}
	e := fail.New(kind, printable(p.Code), "%s", printable(p.Detail)).In("%s", printable(p.DetailZH)).At(p.Fields...)
	if kind == fail.Internal {
		e = e.Because(fmt.Errorf("%s answered %d, reference %s in its log", c.base.Host, got.status, printable(p.Reference)))
	}
	return e
}

// pages calls each with every page of a list.
func pages[T any](ctx context.Context, c *client, path string, query url.Values, each func([]T) error) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "500")
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		if _, err := c.call(ctx, ask{method: http.MethodGet, path: path, query: query}, nil, &page); err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// readFile reads a file that somebody named, of at most limit bytes. NotFound
// and Invalid are said in words.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fail.New(fail.NotFound, "no_file", "there is no file %s", path).In("没有文件 %s", path)
		}
		return nil, unreadable(path, err)
	}
	defer f.Close()
	return readLimited(path, f, limit)
}

func readLimited(name string, r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if int64(len(b)) > limit {
		return nil, fail.New(fail.TooLarge, "file_too_large", "%s is larger than %d kB", name, limit>>10).In("%s 超过 %d kB", name, limit>>10)
	}
	return b, nil
}

func unreadable(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fail.New(fail.Invalid, "file_unreadable", "%s cannot be read: %v", name, err).In("无法读取 %s：%v", name, err)
}

// writeFile puts a whole file in place of an older one, or nothing.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return unwritable(path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(unwritable(path, err), os.Remove(tmp))
	}
	return nil
}

func unwritable(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fail.New(fail.Invalid, "file_unwritable", "%s cannot be written: %v", name, err).In("无法写入 %s：%v", name, err)
}
