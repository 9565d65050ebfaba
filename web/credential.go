package web

import (
	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// The media types of credentials and of what says what they mean.
const (
	typeVC      = "application/vc+jwt"
	typeSchema  = "application/schema+json"
	typeContext = "application/ld+json"
)

// prefersCredential reads the Accept header (RFC 9110 §12.5.1): whether a vc+jwt
// has a greater weight than the page and than JSON. What weighs the same gets
// these, so that a browser never gets a file.
func prefersCredential(accept string) bool {
	vc := weight(accept, "application", "vc+jwt")
	return vc > weight(accept, "text", "html") && vc > weight(accept, "application", "json")
}

// notAcceptableFor says what the address offers, and to somebody who wants a
// credential with an embedded proof why there is none.
func notAcceptableFor(accept string) *fail.Error {
	if weight(accept, "application", "vc") > 0 || weight(accept, "application", "vp") > 0 {
		return fail.New(fail.Invalid, "no_embedded_proof", "application/vc is a credential with an embedded proof, or none; this register secures its credentials as application/vc+jwt").
			In("application/vc 指内嵌签名（或没有签名）的凭证；本系统的电子凭证只有 application/vc+jwt 格式")
	}
	return notAcceptable
}

// credential answers the W3C credential behind a handle.
func (s *Server) credential(c *call) error {
	handle, err := c.param("handle")
	if err != nil {
		handle = "" // malformed is as unknown as any other
	}
	c.fiber.Set("X-Robots-Tag", "noindex, nofollow")
	body, err := s.reg.CredentialByHandle(c.ctx, handle)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, typeVC)
	return c.fiber.SendString(body)
}

// credentialFile is credential as a file to keep. Its name says nothing of the
// holder, and not the handle, which opens the certificate.
func (s *Server) credentialFile(c *call) error {
	if err := s.credential(c); err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentDisposition, `attachment; filename="credential.jwt"`)
	return nil
}

// Download is where the credential of the certificate is to be had; empty when
// none is signed.
func (v verdictView) Download() string {
	if v.Found || !registry.Downloadable(v.Verdict) {
		return ""
	}
	return v.Href("/c/" + string(v.Handle) + "/credential.jwt")
}

// KeysPath is where the key of the checked signature is published.
func (v verdictView) KeysPath() string {
	if v.Form == credentials.TypVC {
		return "/keys/vc.json"
	}
	return "/keys/qr.json"
}

func (s *Server) schemaFile(c *call) error {
	name, err := c.param("file")
	if err != nil {
		return err
	}
	body, err := credentials.Schema(s.origin, name)
	if err != nil {
		return err
	}
	return c.cached(typeSchema, body, immutable)
}

func (s *Server) contextFile(c *call) error {
	name, err := c.param("file")
	if err != nil {
		return err
	}
	body, err := credentials.Context(name)
	if err != nil {
		return err
	}
	return c.cached(typeContext, body, immutable)
}
