//go:build unix

package paper

import (
	"bytes"
	"syscall"
	"testing"
	"time"
)

// The target of issue 4: 400 pages a second on one core, 40 KB a page, QR codes
// made within this time. pages/s is by the clock, pages/cpu-s by the time that
// the process had a core, which a busy machine does not spoil.
func BenchmarkCertificates(b *testing.B) {
	fonts := chinese(b)
	batch := make([]Certificate, 200)
	for i := range batch {
		batch[i] = sample(b, i)
	}
	o := options(b)
	size, before := 0, cpuTime(b)
	b.ResetTimer()
	for range b.N {
		var out bytes.Buffer
		must(b, Write(&out, fonts, batch, o))
		size = out.Len()
	}
	b.StopTimer()
	pages := float64(len(batch) * b.N)
	b.ReportMetric(pages/b.Elapsed().Seconds(), "pages/s")
	b.ReportMetric(pages/(cpuTime(b)-before).Seconds(), "pages/cpu-s")
	b.ReportMetric(float64(size)/float64(len(batch)), "bytes/page")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
