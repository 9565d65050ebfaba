package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// pastControl is how long a list of the past may be kept: it never changes.
const pastControl = "public, max-age=86400"

const statusDescription = "The list as it was published newest. With at, or timestamp as Bitstring Status List v1.0 calls it, the list as it stood at that moment: " +
	"validFrom and validUntil are that second."

var statusQuery = []parameter{
	{Name: "at", Description: "a moment of the past as RFC 3339, such as 2026-03-02T12:00:00Z"},
	{Name: "timestamp", Description: "the same by the name of the specification"},
}

// statusList serves a list as it is stored, or one of the past.
func (s *Server) statusList(c *call) error {
	name, err := c.param("list")
	if err != nil {
		return err
	}
	at, past, err := c.moment("at", "timestamp")
	if err != nil {
		return err
	}
	var list registry.SignedStatusList
	control := "public, max-age=" + seconds(registry.StatusTTL)
	if past {
		if err := s.limit(c.fiber, limitPast); err != nil {
			return err
		}
		control = pastControl
		list, err = s.reg.StatusListAt(c.ctx, name, at)
	} else {
		list, err = s.reg.PublishedStatusList(c.ctx, name)
	}
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderLastModified, list.ValidFrom.UTC().Format(http.TimeFormat))
	return c.cached("application/vc+jwt", []byte(list.Text), control)
}

// moment reads a moment from one of several parameters that mean the same; ok is
// false when none is there. A plus sign that was not written as %2B arrives as a
// space.
func (c *call) moment(names ...string) (at time.Time, ok bool, err error) {
	for _, name := range names {
		text, err := c.query(name)
		if err != nil {
			return at, false, err
		}
		if text == "" && !c.fiber.Context().QueryArgs().Has(name) {
			continue
		}
		if ok {
			return at, false, fail.New(fail.Invalid, "moment_twice", "%s mean the same; send one of them", strings.Join(names, " and ")).
				In("参数 %s 含义相同，只能填一个", strings.Join(names, "、")).
				At(fail.Field{Name: name, Code: "twice", ZH: "重复", EN: "sent twice"})
		}
		if at, err = time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)); err != nil {
			return at, false, fail.New(fail.Invalid, "moment", "%s is a moment with its zone, such as 2026-03-02T12:00:00Z", name).
				In("参数 %s 应为带时区的时刻，例如 2026-03-02T12:00:00Z", name).
				At(fail.Field{Name: name, Code: "form", ZH: "应为带时区的时刻，例如 2026-03-02T12:00:00Z", EN: "a moment with its zone, such as 2026-03-02T12:00:00Z"})
		}
		ok = true
	}
	return at, ok, nil
}
