package web

import (
	"fmt"
	"math"
	"sync"
	"time"

	"bajigong/internal/fail"
)

// accountQuota counts what accounts ask about persons' claims, by the rules of
// their region. An account is answered from one bucket that fills again over an
// hour. It lives in this process alone, like the limits per address: several
// processes allow as many times the questions, and a restart forgives.
type accountQuota struct {
	mu      sync.Mutex
	buckets map[string]bucket // by account and what is counted
}

// What is counted of questions about claims.
const (
	countQuestions = "questions"
	countRows      = "rows"
)

// take asks for n of what an account has perHour of. More than that is taken from a
// full bucket at once and paid back by waiting. wait is in seconds.
func (q *accountQuota) take(account, what string, n, perHour int, now time.Time) (wait int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.buckets == nil || len(q.buckets) >= bucketsMax {
		q.buckets = map[string]bucket{}
	}
	key := account + " " + what
	most := float64(perHour)
	b, known := q.buckets[key]
	if !known {
		b = bucket{left: most, at: now}
	}
	rate := most / 3600 // a second
	b.left = min(b.left+max(now.Sub(b.at).Seconds(), 0)*rate, most)
	b.at = now
	if need := min(float64(n), most); b.left < need {
		q.buckets[key] = b
		return max(int(math.Ceil((need-b.left)/rate)), 1), false
	}
	b.left -= float64(n)
	q.buckets[key] = b
	return 0, true
}

// countClaims counts a question about a person's claims against the account that
// asks. RateLimited claims_spent, with the seconds after which to come back.
func (s *Server) countClaims(c *call, what string, n int) error {
	l := s.reg.ClaimQuota(c.by)
	most := l.Hour
	zh, en := "查询申领 %d 次", "%d questions about persons' claims"
	if what == countRows {
		most, zh, en = l.RowsHour, "预检申领名单 %d 行", "%d rows of files of claims"
	}
	c.fiber.Append("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=3600", "claims-"+what, most))
	wait, ok := s.claimsAsked.take(c.by.Account, what, n, most, s.now())
	if ok {
		return nil
	}
	return retryLater{wait, fail.New(fail.RateLimited, "claims_spent", "an account has "+en+" an hour; wait %d seconds, or ask the authority for more. To reserve is not limited", most, wait).
		In("每个账号每小时可"+zh+"，请 %d 秒后再试，或联系主管部门调整额度；锁定不受限制", most, wait)}
}
