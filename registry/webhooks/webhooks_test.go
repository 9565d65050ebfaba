package webhooks_test

import (
	"net/netip"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry/webhooks"
)

// Every pair of the two tables in the package comment; what they do not have is
// refused and changes nothing.
func TestStateTables(t *testing.T) {
	d := doctest.States(t, "webhooks.go", "States of a delivery")
	if len(d.States) != len(webhooks.DeliveryStates()) {
		t.Errorf("the table has %v", d.States)
	}
	for from, row := range d.Next {
		for do, want := range row {
			to, err := webhooks.DeliveryState(from).Step(webhooks.Act(do))
			if want == doctest.Refused && (fail.CodeOf(err) != "delivery_move" || string(to) != from) || want != doctest.Refused && (err != nil || string(to) != want) {
				t.Errorf("%s in %s: %s, %v; want %s", do, from, to, err, want)
			}
		}
	}
	e := doctest.States(t, "webhooks.go", "States of an endpoint")
	if len(e.States) != len(webhooks.EndpointStates()) {
		t.Errorf("the table has %v", e.States)
	}
	for from, row := range e.Next {
		for do, want := range row {
			to, err := webhooks.EndpointState(from).Step(webhooks.Act(do))
			if want == doctest.Refused && (fail.CodeOf(err) != "endpoint_move" || string(to) != from) || want != doctest.Refused && (err != nil || string(to) != want) {
				t.Errorf("%s in %s: %s, %v; want %s", do, from, to, err, want)
			}
		}
	}
	for _, s := range webhooks.DeliveryStates() {
		if zh, en := s.Words(); zh == "" || en == "" {
			t.Errorf("%s has no words", s)
		}
	}
	for _, s := range webhooks.EndpointStates() {
		if zh, en := s.Words(); zh == "" || en == "" {
			t.Errorf("%s has no words", s)
		}
	}
}

// The example schedule of Standard Webhooks 1.0.0, "Deliverability and
// reliability": nine waits, 75:35:05 in all.
func TestSchedule(t *testing.T) {
	set, err := webhooks.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok || r.Sample == "" {
		t.Fatalf("%+v", r)
	}
	var sum time.Duration
	failures := 0
	for {
		wait, more := r.Wait(failures+1, 32768, 0)
		if !more {
			break
		}
		failures++
		sum += wait.Round(time.Second)
		short, _ := r.Wait(failures, 0, 0)
		long, _ := r.Wait(failures, 65535, 0)
		if short > wait || long < wait || long > wait+wait/9+time.Second || short < wait-wait/9-time.Second {
			t.Errorf("wait %d is %s to %s, in the middle %s", failures, short, long, wait)
		}
	}
	if want := 75*time.Hour + 35*time.Minute + 5*time.Second; failures != 9 || sum < want-10*time.Second || sum > want+10*time.Second {
		t.Errorf("%d waits, %s in all; want 9 and %s", failures, sum, want)
	}
	if wait, _ := r.Wait(1, 0, time.Hour); wait != time.Hour {
		t.Errorf("Retry-After of an hour: %s", wait)
	}
	if wait, _ := r.Wait(1, 0, 1000*time.Hour); wait != 24*time.Hour {
		t.Errorf("Retry-After of weeks: %s", wait)
	}
	for _, n := range []int{-1, 0, 10, 1000} {
		if _, more := r.Wait(n, 0, 0); more {
			t.Errorf("failure %d has another attempt", n)
		}
	}
}

func TestRulesAreChecked(t *testing.T) {
	head := "id: a\nregion: \"320583\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\n"
	good := "retry: [5s, 1h]\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 5\n"
	if _, err := rulefile.Parse[webhooks.Rules]("f", []byte(head+good)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"retry: []\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 5\n",
		"retry: [soon]\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 5\n",
		"retry: [0s]\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 5\n",
		"retry: [5s]\njitter_percent: 90\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 5\n",
		"retry: [5s]\njitter_percent: 10\ndisable_after_hours: 0\noverlap_hours: 1\nendpoints: 5\n",
		"retry: [5s]\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 0\nendpoints: 5\n",
		"retry: [5s]\njitter_percent: 10\ndisable_after_hours: 24\noverlap_hours: 1\nendpoints: 0\n",
	} {
		if _, err := rulefile.Parse[webhooks.Rules]("f", []byte(head+bad)); fail.CodeOf(err) != "rulefile_invalid" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Addresses of RFC 6890 and the forms that hide one.
func TestReachable(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "114.114.114.114": true, "2400:3200::1": true, "172.15.0.1": true, "172.32.0.1": true, "192.167.1.1": true,
		"127.0.0.1": false, "127.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "198.18.0.1": false,
		"::": false, "::1": false, "::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::10.0.0.1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false,
		"fd12::1": false, "ff02::1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "2001:0:a00:1::1": false, "2001:db8::1": false, "fec0::1": false,
	} {
		if got := webhooks.Reachable(netip.MustParseAddr(text), nil); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	allow := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	for text, want := range map[string]bool{"10.20.3.4": true, "::ffff:10.20.3.4": true, "10.21.0.1": false, "8.8.8.8": true} {
		if got := webhooks.Reachable(netip.MustParseAddr(text), allow); got != want {
			t.Errorf("%s with 10.20.0.0/16 allowed: %t", text, got)
		}
	}
	if webhooks.Reachable(netip.Addr{}, nil) {
		t.Error("no address is reachable")
	}
}

func TestParseURL(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://ks.example.gov.cn/hooks": true, "https://ks.example.gov.cn:8443/hooks?token=a": true, " https://8.8.8.8/x ": true, "https://[2400:3200::1]/x": true,
		"http://ks.example.gov.cn/": false, "ftp://a/": false, "//a/b": false, "ks.example.gov.cn": false, "": false, "https://": false, "https:///x": false, "https:a": false,
		"https://u:p@a.example/": false, "https://u@a.example/": false, "https://a.example/#x": false, "https://a.example/#": false, "https://localhost/": false, "https://LOCALHOST./": false, "https://x.localhost/": false,
		"https://127.0.0.1/": false, "https://[::1]/": false, "https://[::ffff:10.0.0.1]/": false, "https://10.0.0.1/": false, "https://169.254.169.254/latest": false,
		"https://a.example/a b": false, "https://a.example/\\x": false, "https://例子.cn/": false, "https://a.example/\n": true, "https://a.exa\nmple/": false,
	} {
		out, err := webhooks.ParseURL(text, nil)
		if (err == nil) != ok || !ok && fail.CodeOf(err) != "webhook_url" {
			t.Errorf("%q: %q, %v", text, out, err)
		}
	}
	if _, err := webhooks.ParseURL("https://127.0.0.1:9/", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://a.example/x", "https://[::1]/", "https://0x7f.1/", "https://a@b/", "https://a.example:99999/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := webhooks.ParseURL(s, nil)
		if err != nil {
			return
		}
		again, err := webhooks.ParseURL(out, nil)
		if err != nil || again != out {
			t.Fatalf("%q is read as %q and then as %q, %v", s, out, again, err)
		}
	})
}
