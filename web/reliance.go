package web

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/registry"
)

// relianceRoutes tell payers what changed under their claims, and list what has to
// be recovered.
func relianceRoutes() []route {
	institution := []parameter{{Name: "institution", Description: "id of the institution whose certificates were voided"},
		{Name: "from", Description: "first day of voiding"}, {Name: "to", Description: "last day of voiding"}}
	return keyedRoutes("reliance", []route{
		{Method: "GET", Path: "/api/v1/reliance", Time: registry.RelianceWaitMost + 10*time.Second, Summary: "What changed under the caller's claims, after a cursor",
			Description: "One entry for each claim that a change concerns, in order, never changed and never deleted. Pass next as after the next time. With wait the answer comes when there is an entry, or empty at the end of that time. advice: recover 应追回, stop 不予拨付, hold 暂缓拨付, notify 仅告知, none.",
			Query: []parameter{{Name: "after", Description: "seq of the last entry that was read; 0 from the beginning", Integer: true}, {Name: "limit", Description: "1 to 500; 50 when absent", Integer: true},
				{Name: "wait", Description: "seconds to wait for an entry, 0 to 15", Integer: true}},
			endpoint: api((*Server).reliance)},
		{Method: "POST", Path: "/api/v1/reliance/acknowledgement", Summary: "Record how far the caller has dealt with its feed; nobody has to", endpoint: api((*Server).acknowledgeReliance)},
		{Method: "POST", Path: "/api/v1/webhooks", Success: 201, Idempotent: withKey, Summary: "Register an endpoint for webhooks; its secret is shown once",
			Description: "Standard Webhooks 1.0.0: webhook-id is that of the entry and the same in every attempt, webhook-signature has one v1 signature for each valid secret. The body is thin: seq, entry, claim, what and advice; read the feed for the rest. https only, at a public address. In the order of the feed, at least once.",
			endpoint:    api((*Server).addWebhook)},
		{Method: "GET", Path: "/api/v1/webhooks", Summary: "The caller's endpoints", endpoint: api((*Server).webhooks)},
		{Method: "GET", Path: "/api/v1/webhooks/{id}", Summary: "One endpoint", endpoint: api((*Server).webhook)},
		{Method: "GET", Path: "/api/v1/webhooks/{id}/deliveries", Query: append([]parameter{{Name: "state", Description: "dead: only what was given up", Enum: []string{"dead"}}}, paging...),
			Summary: "What was sent to an endpoint, by entry", endpoint: api((*Server).webhookDeliveries)},
		{Method: "POST", Path: "/api/v1/webhooks/{id}/rotation", Idempotent: withKey, Summary: "Give an endpoint a new secret, shown once; the one before stays valid for a day",
			endpoint: api((*Server).rotateWebhook)},
		{Method: "POST", Path: "/api/v1/webhooks/{id}/replay", Idempotent: withKey, Query: []parameter{{Name: "from", Description: "seq; the first entry that was given up when absent", Integer: true}},
			Summary: "Send the feed again from an entry on, also to a disabled endpoint", endpoint: api((*Server).replayWebhook)},
		{Method: "POST", Path: "/api/v1/webhooks/{id}/removal", Idempotent: withKey, Summary: "Remove an endpoint", endpoint: api((*Server).removeWebhook)},
		{Method: "GET", Path: "/api/v1/recoveries", Query: append(institution[:3:3], paging...), Time: time.Minute, Summary: "Claims on voided certificates of an institution 追回清单, with totals by payer and state on the first page",
			Description: "By the day of voiding. Payers see their own; an authority those of payers in its region, and of an institution of its region those of payers elsewhere without claim and reference. A page may be short while it has a next one.",
			endpoint:    api((*Server).recoveries)},
		{Method: "GET", Path: "/api/v1/recoveries/file", Query: institution, Time: time.Minute, Summary: "The same as a workbook", Answers: []answer{{200, typeXLSX, "the workbook"}}, endpoint: raw((*Server).recoveryFile)},
	})
}

// whole is a parameter that is a whole number from 0 to most; 0 when absent.
func (c *call) whole(name string, most uint64) (uint64, error) {
	text, err := c.query(name)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > most {
		if most == math.MaxInt64 {
			return 0, badQuery(name, "应为非负整数", "a whole number, 0 or more")
		}
		return 0, badQuery(name, fmt.Sprintf("应为 0 至 %d 的整数", most), fmt.Sprintf("a whole number, 0 to %d", most))
	}
	return n, nil
}

func (s *Server) reliance(c *call, _ none) (registry.RelianceFeed, error) {
	after, err := c.whole("after", math.MaxInt64)
	if err != nil {
		return registry.RelianceFeed{}, err
	}
	wait, err := c.whole("wait", uint64(registry.RelianceWaitMost/time.Second))
	if err != nil {
		return registry.RelianceFeed{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return registry.RelianceFeed{}, err
	}
	return s.reg.Reliance(c.ctx, c.by, after, page.Limit, time.Duration(wait)*time.Second)
}

// acknowledgement says through which entry a payer has dealt with its feed.
type acknowledgement struct {
	Through uint64 `json:"through"`
}

func (s *Server) acknowledgeReliance(c *call, in acknowledgement) (registry.RelianceReader, error) {
	return s.reg.AcknowledgeReliance(c.ctx, c.by, in.Through)
}

func (s *Server) addWebhook(c *call, in registry.NewWebhook) (registry.NewWebhookSecret, error) {
	return s.reg.AddWebhook(c.ctx, c.by, in)
}

func (s *Server) webhooks(c *call, _ none) (list[registry.Webhook], error) {
	out, err := s.reg.Webhooks(c.ctx, c.by)
	return listOf(out, ""), err
}

func (s *Server) webhook(c *call, _ none) (registry.Webhook, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Webhook{}, err
	}
	return s.reg.WebhookByID(c.ctx, c.by, id)
}

func (s *Server) webhookDeliveries(c *call, _ none) (list[registry.Delivery], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.Delivery]{}, err
	}
	state, err := c.query("state")
	if err != nil {
		return list[registry.Delivery]{}, err
	}
	if state != "" && state != "dead" {
		return list[registry.Delivery]{}, badQuery("state", "只能填 dead", "dead, or nothing")
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.Delivery]{}, err
	}
	out, next, err := s.reg.WebhookDeliveries(c.ctx, c.by, id, state == "dead", page)
	return listOf(out, next), err
}

func (s *Server) rotateWebhook(c *call, _ none) (registry.NewWebhookSecret, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.NewWebhookSecret{}, err
	}
	return s.reg.RotateWebhook(c.ctx, c.by, id)
}

func (s *Server) replayWebhook(c *call, _ none) (registry.Webhook, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Webhook{}, err
	}
	from, err := c.whole("from", math.MaxInt64)
	if err != nil {
		return registry.Webhook{}, err
	}
	return s.reg.ReplayWebhook(c.ctx, c.by, id, from)
}

func (s *Server) removeWebhook(c *call, _ none) (registry.Webhook, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Webhook{}, err
	}
	return s.reg.RemoveWebhook(c.ctx, c.by, id)
}

// recoveryList is one page of recoveries; Totals are of all of them and stand on
// the first page alone.
type recoveryList struct {
	list[registry.Recovery]
	Totals []registry.RecoveryTotal `json:"totals,omitempty"`
}

func (c *call) recoveryQuery() (q registry.RecoveryQuery, err error) {
	if q.Institution, err = c.query("institution"); err != nil {
		return q, err
	}
	if q.From, err = c.date("from"); err != nil {
		return q, err
	}
	q.To, err = c.date("to")
	return q, err
}

func (s *Server) recoveries(c *call, _ none) (recoveryList, error) {
	q, err := c.recoveryQuery()
	if err != nil {
		return recoveryList{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return recoveryList{}, err
	}
	out, totals, next, err := s.reg.Recoveries(c.ctx, c.by, q, page)
	return recoveryList{listOf(out, next), totals}, err
}

func (s *Server) recoveryFile(c *call) error {
	q, err := c.recoveryQuery()
	if err != nil {
		return err
	}
	file, err := s.reg.RecoveryFile(c.ctx, c.by, q)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, typeXLSX)
	c.fiber.Set(fiber.HeaderContentDisposition, `attachment; filename="recoveries.xlsx"`)
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Send(file)
}
