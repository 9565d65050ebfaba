package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// How long trust material may be kept: keys and the directory change seldom and
// are announced before they are used, the status list says it itself.
const (
	keysControl      = "public, max-age=3600"
	directoryControl = "public, max-age=300"
	immutable        = "public, max-age=31536000, immutable"
)

const typeJWKS = "application/jwk-set+json"

func (s *Server) keysFor(c *call) error {
	name, err := c.param("purpose")
	if err != nil {
		return err
	}
	for _, p := range jws.Purposes() {
		if string(p) == name {
			return c.cached(typeJWKS, s.reg.Config().Keys.JWKS(p), keysControl)
		}
	}
	return fail.New(fail.NotFound, "purpose_unknown", "there are no keys for this purpose").In("没有该用途的公钥")
}

func (s *Server) wellKnownKeys(c *call) error {
	return c.cached(typeJWKS, s.reg.Config().Keys.JWKS(jws.VC, jws.Status), keysControl)
}

func (s *Server) signedDirectory(c *call) error {
	body, err := s.reg.Directory(c.ctx)
	if err != nil {
		return err
	}
	return c.cached("application/jose", []byte(body), directoryControl)
}

func (s *Server) logCheckpoint(c *call) error {
	note, err := s.reg.PublicCheckpoint(c.ctx)
	if err != nil {
		return err
	}
	return c.cached("text/plain; charset=utf-8", note, "no-cache")
}

func (s *Server) logKey(c *call) error {
	return c.cached("text/plain; charset=utf-8", []byte(s.reg.LogKey()+"\n"), keysControl)
}

func (s *Server) logTile(c *call) error {
	path := "tile/" + c.fiber.Params("*")
	body, full, err := s.reg.LogTile(c.ctx, path)
	if err != nil {
		return err
	}
	control := immutable
	if !full {
		control = "public, max-age=" + seconds(time.Hour) // what is at a path never changes, but a fuller tile follows
	}
	return c.cached("application/octet-stream", body, control)
}

func (s *Server) logEntry(c *call) error {
	text, err := c.param("index")
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(text, 10, 63)
	if err != nil || strconv.FormatUint(index, 10) != text {
		return fail.New(fail.NotFound, "log_entry_unknown", "an entry is named by its index, such as 12").In("请用登记序号查询，例如 12")
	}
	bundle, err := s.reg.Proof(c.ctx, c.by, index)
	if err != nil {
		return err
	}
	body, err := bundle.Format()
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
	c.fiber.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	return c.fiber.Send(body)
}

func (s *Server) openAPI(c *call) error {
	return c.cached("application/json; charset=utf-8", s.openapi, directoryControl)
}

// healthz fails where only a restart helps, so that whoever supervises the
// process restarts it.
func (s *Server) healthz(c *call) error {
	if err := s.reg.StoreTrouble(); fail.CodeOf(err) == "store_read_only" {
		return err
	}
	return c.text("ok\n")
}

// readyz asks the store something small. It is not ready once it shuts down, so
// that a balancer sends no more.
func (s *Server) readyz(c *call) error {
	if s.closing.Load() {
		return fail.New(fail.Unavailable, "closing", "this process is shutting down").In("本进程正在停止")
	}
	if _, _, err := s.reg.Institutions(c.ctx, registry.Page{Limit: 1}); err != nil {
		return refusal{http.StatusServiceUnavailable, fail.New(fail.Unavailable, "store", "the store does not answer").In("存储无法访问").Because(err)}
	}
	if err := s.reg.StoreTrouble(); err != nil { // verdicts are given, and nothing is taken
		return c.text(fail.CodeOf(err) + ": " + fail.Of(err).Text + "\n")
	}
	return c.text("ok\n")
}

func (s *Server) metricsText(c *call) error {
	c.fiber.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
	body := append(s.metrics.text(), s.processFigures()...)
	if s.cfg.MoreMetrics != nil {
		body = append(body, s.cfg.MoreMetrics()...)
	}
	return c.fiber.Send(body)
}

func (c *call) text(body string) error {
	c.fiber.Set(fiber.HeaderContentType, "text/plain; charset=utf-8")
	return c.fiber.SendString(body)
}
