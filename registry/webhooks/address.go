package webhooks

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"bajigong/internal/fail"
)

// special are the addresses that are nobody's on the public internet: the
// registries of RFC 6890 (IANA IPv4 and IPv6 Special-Purpose Address Registry),
// multicast, and the forms of IPv6 that hide an IPv4 address.
var special = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48",
	"3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Reachable reports whether a message may be sent to an address: a public one,
// or one in a network that the operator allows. Anything else would let a payer
// have the register ask servers of its own network (Standard Webhooks 1.0.0,
// "Server side request forgery").
func Reachable(a netip.Addr, allow []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsValid() && (slices.ContainsFunc(allow, in) || !slices.ContainsFunc(special, in))
}

// maxURL is the longest address of an endpoint.
const maxURL = 500

// ParseURL checks the address of an endpoint and answers it as it is stored. It
// is https, names a host, and has no user, password or fragment. A host that is
// itself an address must be Reachable; a name is held to that whenever it is
// resolved, by [Sender]. Invalid webhook_url.
func ParseURL(text string, allow []netip.Prefix) (string, error) {
	wrong := func(zh, en string) (string, error) {
		return "", fail.New(fail.Invalid, "webhook_url", "the address of the endpoint cannot be used: %s", en).In("接收地址不可用：%s", zh).
			At(fail.Field{Name: "url", Code: "address", ZH: zh, EN: en})
	}
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) || r == ' ' || r == '\\' }) {
		return wrong("应为 1 至 500 个 ASCII 字符的 https 网址", "an https address of 1 to 500 ASCII characters is needed")
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return wrong("不是网址", "it is no address")
	}
	if u.Scheme != "https" {
		return wrong("只能使用 https", "only https is used")
	}
	if u.User != nil || u.Fragment != "" || strings.Contains(text, "#") {
		return wrong("不得含用户名、口令或 #", "it has no user, password or fragment")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !Reachable(a, allow) {
		return wrong("不得指向内网、本机或保留地址", "it may not lead to a private, local or reserved address")
	}
	if host := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")); (host == "localhost" || strings.HasSuffix(host, ".localhost")) && !Reachable(netip.AddrFrom4([4]byte{127, 0, 0, 1}), allow) {
		return wrong("不得指向本机", "it may not lead to this machine")
	}
	return u.String(), nil
}
