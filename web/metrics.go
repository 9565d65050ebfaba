package web

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"
)

// metrics counts requests and how long they took, by method, route and status.
// Routes are patterns from our own table, so there are never many.
type metrics struct {
	mu     sync.Mutex
	series map[metricKey]*metricSeries
}

type metricKey struct {
	method, route string
	status        int
}

type metricSeries struct {
	buckets [len(metricBounds) + 1]uint64
	sum     time.Duration
	count   uint64
}

// metricBounds are the upper bounds of the histogram.
var metricBounds = [...]time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 10 * time.Second}

func newMetrics() *metrics { return &metrics{series: map[metricKey]*metricSeries{}} }

func (m *metrics) count(method, route string, status int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := metricKey{method, route, status}
	one := m.series[key]
	if one == nil {
		one = &metricSeries{}
		m.series[key] = one
	}
	i := 0
	for i < len(metricBounds) && took > metricBounds[i] {
		i++
	}
	one.buckets[i]++
	one.count++
	one.sum += took
}

// text writes the figures in the text format of Prometheus, sorted.
func (m *metrics) text() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []metricKey
	for k := range m.series {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b metricKey) int {
		return bytes.Compare(fmt.Appendf(nil, "%s %s %d", a.route, a.method, a.status), fmt.Appendf(nil, "%s %s %d", b.route, b.method, b.status))
	})
	var out bytes.Buffer
	const name = "bajigong_http_request_duration_seconds"
	fmt.Fprintf(&out, "# HELP %s How long requests took.\n# TYPE %s histogram\n", name, name)
	for _, k := range keys {
		one, sum := m.series[k], uint64(0)
		labels := fmt.Sprintf("method=%q,route=%q,status=\"%d\"", k.method, k.route, k.status)
		for i, n := range one.buckets {
			sum += n
			bound := "+Inf"
			if i < len(metricBounds) {
				bound = fmt.Sprint(metricBounds[i].Seconds())
			}
			fmt.Fprintf(&out, "%s_bucket{%s,le=%q} %d\n", name, labels, bound, sum)
		}
		fmt.Fprintf(&out, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, one.sum.Seconds(), name, labels, one.count)
	}
	return out.Bytes()
}
