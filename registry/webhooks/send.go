package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// SecretBytes is how long a secret is: the specification asks for 24 to 64.
const SecretBytes = 32

// FormatSecret writes a secret as it is shown, once: whsec_ and base 64.
func FormatSecret(secret []byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(secret)
}

// Message is one attempt at telling an endpoint about one entry.
type Message struct {
	ID      string    // webhook-id: that of the entry, the same in every attempt
	At      time.Time // of the attempt
	URL     string
	Secrets [][]byte // the newest first
	Body    []byte   // JSON
}

// Headers are the headers of the specification: a signature for each secret.
func (m Message) Headers() (http.Header, error) {
	if len(m.Secrets) == 0 || m.ID == "" || strings.Contains(m.ID, ".") {
		return nil, fmt.Errorf("webhook message %q has no secret or no id without a full stop", m.ID)
	}
	var signatures []string
	for _, secret := range m.Secrets {
		w, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return nil, err
		}
		s, err := w.Sign(m.ID, m.At, m.Body)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, s)
	}
	h := http.Header{}
	h.Set(standardwebhooks.HeaderWebhookID, m.ID)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return h, nil
}

// Fault is why an attempt has no status.
type Fault string

// The faults.
const (
	FaultNone       Fault = ""
	FaultAddress    Fault = "address" // the name leads to a private, local or reserved address
	FaultTimeout    Fault = "timeout"
	FaultTLS        Fault = "tls"
	FaultConnection Fault = "connection"
)

// Outcome is what came of one attempt.
type Outcome struct {
	Status     int           // of HTTP; 0 with a fault
	Fault      Fault         // of an attempt without a status
	RetryAfter time.Duration // what the endpoint asked for, 0 when nothing
}

// OK reports whether the message arrived: any 2xx. A redirect is a failure.
func (o Outcome) OK() bool { return o.Fault == FaultNone && o.Status >= 200 && o.Status <= 299 }

// Gone reports whether the endpoint wants nothing any more: 410.
func (o Outcome) Gone() bool { return o.Fault == FaultNone && o.Status == http.StatusGone }

// SenderConfig is what a Sender needs.
type SenderConfig struct {
	// Allow are networks besides the public internet that endpoints may be in.
	Allow []netip.Prefix
	// Timeout is for a whole attempt; 15 s when zero.
	Timeout time.Duration
	// Roots take the place of the machine's certificate authorities when not nil.
	Roots *x509.CertPool
}

const (
	answerMost  = 64 << 10 // of an answer that is read
	headersMost = 16 << 10
)

// Sender sends messages. It follows no redirect, uses no proxy, and connects to
// no address that is not [Reachable], whatever a name resolves to: the address is
// looked at when the connection is made, after the name was resolved.
type Sender struct {
	http *http.Client
}

// errAddress is what the dialler answers for an address that is not reachable.
var errAddress = errors.New("the address is private, local or reserved")

// NewSender returns a Sender.
func NewSender(c SenderConfig) *Sender {
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	dialer := &net.Dialer{Timeout: c.Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !Reachable(to.Addr(), c.Allow) {
			return errAddress
		}
		return nil
	}}
	return &Sender{http: &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout: c.Timeout, ResponseHeaderTimeout: c.Timeout, MaxResponseHeaderBytes: headersMost,
			MaxConnsPerHost: 4, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		},
	}}
}

// Send makes one attempt. What went wrong is an Outcome; an error means that the
// message itself cannot be sent, or that ctx has ended.
func (s *Sender) Send(ctx context.Context, m Message) (Outcome, error) {
	h, err := m.Headers()
	if err != nil {
		return Outcome{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Outcome{}, err
	}
	req.Header = h
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bajigong-webhooks/1")
	answer, err := s.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return Outcome{}, ctx.Err()
		}
		return Outcome{Fault: faultOf(err)}, nil
	}
	defer answer.Body.Close()
	out := Outcome{Status: answer.StatusCode}
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && n > 0 {
		out.RetryAfter = time.Duration(min(n, 24*3600)) * time.Second
	}
	// The answer says nothing more. It is read within its limit, so that the
	// connection can be used again; what is longer ends with the connection.
	io.Copy(io.Discard, io.LimitReader(answer.Body, answerMost))
	return out, nil
}

func faultOf(err error) Fault {
	var timeout interface{ Timeout() bool }
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errAddress):
		return FaultAddress
	case errors.As(err, &invalid), errors.As(err, &record), errors.As(err, &alert):
		return FaultTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return FaultTimeout
	}
	return FaultConnection
}
