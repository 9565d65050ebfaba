package web

import (
	"github.com/gofiber/fiber/v2"

	"bajigong/registry"
)

// releaseRequest says why a reservation is given up.
type releaseRequest struct {
	Reason string `json:"reason"`
}

func (s *Server) checkClaim(c *call, in registry.ClaimRequest) (registry.ClaimAnswer, error) {
	if err := s.countClaims(c, countQuestions, 1); err != nil {
		return registry.ClaimAnswer{}, err
	}
	if c.fiber.Query("signed") == "yes" {
		return s.reg.SignedCheck(c.ctx, c.by, in)
	}
	return s.reg.CheckClaim(c.ctx, c.by, in)
}

func (s *Server) reserveClaim(c *call, in registry.ClaimRequest) (registry.ClaimAnswer, error) {
	return s.reg.ReserveClaim(c.ctx, c.by, in)
}

func (s *Server) claim(c *call, _ none) (registry.ClaimView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimView{}, err
	}
	return s.reg.ClaimByID(c.ctx, c.by, id)
}

func (s *Server) confirmClaim(c *call, in registry.Payment) (registry.ClaimView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimView{}, err
	}
	return s.reg.ConfirmClaim(c.ctx, c.by, id, in)
}

func (s *Server) releaseClaim(c *call, in releaseRequest) (registry.ClaimView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimView{}, err
	}
	return s.reg.ReleaseClaim(c.ctx, c.by, id, in.Reason)
}

func (s *Server) refundClaim(c *call, in registry.Refund) (registry.ClaimView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimView{}, err
	}
	return s.reg.RefundClaim(c.ctx, c.by, id, in)
}

// typeStatement is the media type of a signed decision.
const typeStatement = "application/jwt"

func (s *Server) claimDecision(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	signed, err := s.reg.SignedDecision(c.ctx, c.by, id)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, typeStatement)
	return c.fiber.SendString(signed)
}

func (s *Server) replayClaim(c *call, _ none) (registry.Replay, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Replay{}, err
	}
	return s.reg.ReplayClaim(c.ctx, c.by, id)
}
