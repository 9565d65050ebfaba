package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/torture"
	"bajigong/registry/policy"
)

// stormOptions say what several processes work on.
type stormOptions struct {
	seed   uint64
	runs   int
	size   torture.Size // Issue, Upload and the certificates to void are given by runs
	stores []string     // of each process: the way to the one database
}

// stormTally is what all processes said, and what became of it.
type stormTally struct {
	tally
	Processes []torture.StormEnd `json:"processes"`
}

// storm is several processes on one register.
type storm struct {
	opt       stormOptions
	p         *patient
	processes []*stormProcess
	orders    int
}

// stormProcess is one of them; who kills it starts another in its place.
type stormProcess struct {
	who   int
	dir   string
	store string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan error

	mu     sync.Mutex
	said   []byte      // whole lines
	times  []time.Time // of the lines that tell of something stored
	paid   bool        // a line told of a payment
	end    torture.StormEnd
	stderr bytes.Buffer
}

// newStorm makes a register with work for all runs and starts the processes.
func newStorm(ctx context.Context, w world, dir string, opt stormOptions) (*storm, error) {
	s := &storm{opt: opt}
	var err error
	if s.p, err = newPatient(ctx, w, filepath.Join(dir, "register"), opt.stores[0], opt.seed); err != nil {
		return nil, err
	}
	size := opt.size
	size.Issue, size.Upload = opt.runs*len(opt.stores), opt.runs*len(opt.stores)
	size.Claims = max(size.Claims, 10*opt.runs*len(opt.stores)) // a tenth as many to void
	if err := s.p.fill(ctx, size); err != nil {
		return nil, err
	}
	for who, store := range opt.stores {
		p := &stormProcess{who: who, dir: stormDir(dir, who), store: store}
		if err := copyPrivate(p.dir, s.p.data.dir); err != nil {
			return nil, err
		}
		s.processes = append(s.processes, p)
		if err := p.start(len(opt.stores)); err != nil {
			s.kill()
			return nil, err
		}
	}
	return s, nil
}

func (p *stormProcess) start(of int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "torture", "storm", "--data", p.dir, "--store", p.store, "--who", strconv.Itoa(p.who), "--of", strconv.Itoa(of))
	cmd.Stderr = &p.stderr
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.ended = cmd, make(chan error, 1)
	go func(ended chan error) {
		err := p.listen(stdout)
		if waited := cmd.Wait(); waited != nil {
			err = waited
		}
		ended <- err
	}(p.ended)
	return nil
}

// listen notes each line with the moment at which it was heard.
func (p *stormProcess) listen(stdout io.Reader) error {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // it died in its last line, or ended
		}
		var said torture.StormEnd
		if err := json.Unmarshal(line, &said); err != nil {
			return fmt.Errorf("process %d says %q: %w", p.who, line, err)
		}
		p.mu.Lock()
		p.said = append(p.said, line...)
		switch said.Did {
		case torture.Finished:
			p.end = said
		case torture.Claimed, torture.Published, torture.Uploaded, torture.Voided:
			p.times = append(p.times, time.Now())
			p.paid = p.paid || said.State == policy.Confirmed
		}
		p.mu.Unlock()
	}
}

// died is what a process said that ended by itself.
func (p *stormProcess) died(err error) error {
	return fmt.Errorf("process %d ended by itself: %w: %.2000s", p.who, err, p.stderr.String())
}

// order gives every process one more piece of each kind of work.
func (s *storm) order() {
	s.orders++
	for _, p := range s.processes {
		_, _ = io.WriteString(p.stdin, "\n") // one that has died is noticed elsewhere
	}
}

// restart kills a process and starts it again; it does what it was ordered before
// once more, as clients repeat what was not answered.
func (s *storm) restart(who int) error {
	p := s.processes[who]
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.stdin.Close()
	if err := p.start(len(s.processes)); err != nil {
		return err
	}
	_, err := p.stdin.Write(bytes.Repeat([]byte{'\n'}, s.orders))
	return err
}

// flowingLimit is how long a process may be without an answer before it is called
// lost.
const flowingLimit = 2 * time.Minute

// flowing waits until every process was answered after a moment.
func (s *storm) flowing(ctx context.Context, since time.Time) (time.Time, error) {
	err := s.wait(ctx, "a process was answered nothing", func() bool {
		all := true
		for _, p := range s.processes {
			p.mu.Lock()
			all = all && len(p.times) > 0 && p.times[len(p.times)-1].After(since)
			p.mu.Unlock()
		}
		return all
	})
	return time.Now(), err
}

// wait waits for something good, while no process ends by itself; bad is what it was
// that lasted too long.
func (s *storm) wait(ctx context.Context, bad string, good func() bool) error {
	for deadline := time.Now().Add(flowingLimit); !good(); time.Sleep(2 * time.Millisecond) {
		for _, p := range s.processes {
			select {
			case err := <-p.ended:
				p.ended <- err
				return p.died(err)
			default:
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s for %s: the register refuses to go on, as it must where the database lacks what it confirmed, or is not there", bad, flowingLimit)
		}
	}
	return nil
}

// gaps is for each process the longest time between two answers, from the last one
// before a moment to the first one after another.
func (s *storm) gaps(from, to time.Time) (out []float64) {
	for _, p := range s.processes {
		p.mu.Lock()
		var longest time.Duration
		for i := len(p.times) - 1; i > 0 && p.times[i].After(from); i-- {
			if p.times[i-1].Before(to) {
				longest = max(longest, p.times[i].Sub(p.times[i-1]))
			}
		}
		p.mu.Unlock()
		out = append(out, longest.Seconds())
	}
	return out
}

// finish lets the processes end what they do, once one of them has paid, and holds
// the register to all that they said.
func (s *storm) finish(ctx context.Context) (stormTally, error) {
	out := stormTally{tally: newTally()}
	if err := s.wait(ctx, "nothing was paid", s.paid); err != nil {
		return out, err
	}
	var acks []torture.Ack
	for _, p := range s.processes {
		p.stdin.Close()
	}
	for _, p := range s.processes {
		select {
		case err := <-p.ended:
			if err != nil {
				return out, p.died(err)
			}
		case <-time.After(flowingLimit):
			return out, fmt.Errorf("process %d does not end", p.who)
		case <-ctx.Done():
			return out, ctx.Err()
		}
		p.ended <- nil // for kill
		said, err := torture.ParseAcks(p.said)
		if err != nil {
			return out, err
		}
		acks = append(acks, said...)
		out.Processes = append(out.Processes, p.end)
	}
	err := s.p.with(ctx, func(reg *opened) error {
		report, err := s.p.scene.VerifyStorm(ctx, reg.Registry, acks)
		out.add(s.orders, report)
		return err
	})
	return out, err
}

// paid reports whether some process has said that it paid.
func (s *storm) paid() bool {
	for _, p := range s.processes {
		p.mu.Lock()
		paid := p.paid
		p.mu.Unlock()
		if paid {
			return true
		}
	}
	return false
}

// kill ends what still runs.
func (s *storm) kill() {
	for _, p := range s.processes {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	}
}

// tortureStormCommand is one of the processes.
func tortureStormCommand(w world) *cobra.Command {
	var who, of int
	cmd := tortureProcess(w, "storm", func(ctx context.Context, scene *torture.Scene, reg *opened) error {
		return scene.Storm(ctx, reg.Registry, who, of, w.stdin, w.stdout)
	})
	cmd.Flags().IntVar(&who, "who", 0, "which of the processes")
	cmd.Flags().IntVar(&of, "of", 1, "how many there are")
	return cmd
}
