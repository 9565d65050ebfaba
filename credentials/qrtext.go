package credentials

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"bajigong/internal/fail"
)

// QRText returns the text of a certificate's QR code:
//
//	https://<host>/c/<handle>#<digits of the token>
//
// Any camera opens it as an address. The token follows '#', so that it reaches
// no server and no log, and it is written in digits, which a QR code packs into
// one dense run.
func QRText(origin string, h Handle, t Token) string {
	return origin + "/c/" + string(h) + "#" + t.Digits()
}

// ParseQRText takes the text of a QR code apart. Only the exact form of
// [QRText] with a canonical origin (see [ParseOrigin]) is accepted; the error
// is fail.Invalid with not_our_qr, bad_origin, bad_handle or bad_digits. Nothing
// is verified.
func ParseQRText(s string) (origin string, h Handle, t Token, err error) {
	scanned, err := parseAddress(s)
	if err != nil {
		return "", "", "", err
	}
	if scanned.Token == "" {
		return "", "", "", notOurs()
	}
	return scanned.Origin, scanned.Handle, scanned.Token, nil
}

// Scanned is what a person may have in hand: a token with or without the
// address it was printed under, the address alone, or a W3C credential. Empty
// parts are unknown.
type Scanned struct {
	Origin     string
	Handle     Handle
	Token      Token
	Credential string // a vc+jwt, for OpenVC; then the others are empty
}

// MaxScanned is the greatest length of a text for [ParseAny] in bytes.
const MaxScanned = 8192

// ParseAny reads a token, its digits, the whole text of a QR code, the address
// in front of '#' alone, a vc+jwt, or one as an EnvelopedVerifiableCredential or
// its data: URL. White space around it does not count. It fails with
// fail.Invalid (not_our_qr, bad_origin, bad_handle, bad_digits, bad_envelope,
// no_signature, embedded_proof) or fail.TooLarge. Nothing is verified.
func ParseAny(s string) (Scanned, error) {
	if len(s) > MaxScanned {
		return Scanned{}, fail.New(fail.TooLarge, "text_too_large", "the text of a QR code has at most %d characters", MaxScanned).In("二维码内容过长")
	}
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, "{"):
		return parseDocument(s)
	case strings.HasPrefix(s, "data:"):
		return parseEnvelope(s)
	case strings.Contains(s, "://"):
		return parseAddress(s)
	case s != "" && strings.Trim(s, "0123456789") == "":
		t, err := ParseDigits(s)
		return Scanned{Token: t}, err
	}
	return parseCompact(s)
}

func parseAddress(s string) (Scanned, error) {
	if len(s) > MaxScanned {
		return Scanned{}, notOurs()
	}
	address, digits, hasToken := strings.Cut(s, "#")
	i := strings.LastIndex(address, "/c/")
	if i < 0 {
		return Scanned{}, notOurs()
	}
	origin, err := ParseOrigin(address[:i])
	if err != nil {
		return Scanned{}, err
	}
	h, err := ParseHandle(address[i+len("/c/"):])
	if err != nil {
		return Scanned{}, err
	}
	if !hasToken {
		return Scanned{Origin: origin, Handle: h}, nil
	}
	t, err := ParseDigits(digits)
	if err != nil {
		return Scanned{}, err
	}
	return Scanned{Origin: origin, Handle: h, Token: t}, nil
}

// Digits returns t as decimal digits, two for each character: its ASCII code
// less 45, as SMART Health Cards do.
func (t Token) Digits() string {
	var b strings.Builder
	b.Grow(2 * len(t))
	for i := range len(t) {
		c := t[i] - '-'
		b.WriteByte('0' + c/10)
		b.WriteByte('0' + c%10)
	}
	return b.String()
}

// ParseDigits is the opposite of [Token.Digits]. It fails (fail.Invalid,
// bad_digits) when the digits do not stand for the characters of a token.
func ParseDigits(s string) (Token, error) {
	bad := len(s) == 0 || len(s)%2 != 0 || len(s) > MaxScanned
	out := make([]byte, 0, len(s)/2)
	for i := 0; !bad && i < len(s); i += 2 {
		hi, lo := s[i]-'0', s[i+1]-'0'
		bad = hi > 9 || lo > 9
		out = append(out, 10*hi+lo+'-')
	}
	if bad || !tokenShape(string(out)) {
		return "", fail.New(fail.Invalid, "bad_digits", "these digits are not those of a QR code of this system").In("数字串不是本系统二维码的内容")
	}
	return Token(out), nil
}

// tokenChar reports whether c may occur in a compact JWS.
func tokenChar(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// tokenShape reports whether s has three parts of base64url characters. Whether
// they mean anything is for [OpenToken].
func tokenShape(s string) bool {
	for i := range len(s) {
		if !tokenChar(s[i]) {
			return false
		}
	}
	parts := strings.SplitN(s, ".", 4)
	return len(parts) == 3 && parts[0] != "" && parts[1] != "" && parts[2] != ""
}

func notOurs() error {
	return fail.New(fail.Invalid, "not_our_qr", "this is not the QR code of a certificate of this system; scan the code on the certificate, or paste its whole text").
		In("这不是本系统证书的二维码；请扫描证书上的二维码，或粘贴其完整内容")
}

// ParseOrigin accepts an origin in its one proper form: https://host or
// https://host:port (http likewise, for a trial in one's own network), in lower
// case, without a path, without the port that the scheme implies. It fails
// (fail.Invalid, bad_origin).
func ParseOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || s != u.Scheme+"://"+u.Host || !validHost(u) {
		return "", fail.New(fail.Invalid, "bad_origin", "an origin is https:// and a lower-case host name, with nothing after it, such as https://skills.example.org").
			In("站点地址应为 https:// 加小写域名，后面没有其他内容，例如 https://skills.example.org")
	}
	return s, nil
}

func validHost(u *url.URL) bool {
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port || u.Scheme == "https" && n == 443 || u.Scheme == "http" && n == 80 {
			return false
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return false
	}
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is6() && a.Zone() == "" && a.String() == host
	}
	if len(host) == 0 || len(host) > 253 {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}
