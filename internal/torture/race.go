package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// RaceSize says how long and how wide a race is.
type RaceSize struct {
	Seed    uint64        `json:"seed"`
	People  int           `json:"people"`  // at most 10,000
	Clients int           `json:"clients"` // goroutines, over all payers and storms
	For     time.Duration `json:"for"`     // of the storm; it also ends after Most
	Most    int           `json:"most"`    // steps of one storm; 0: no limit
	// Days is how far the register's clock moves during the storm: 400 cross the end
	// of a year and of two policies. The keys of a race live for two years.
	Days int `json:"days"`
}

// RaceReport is what came of a race: how often each step had each outcome, and
// every difference between the register and the model.
type RaceReport struct {
	Seed         uint64         `json:"seed"`
	Storms       int            `json:"storms"` // clients of one register each, or of one server
	Clients      int            `json:"clients"`
	People       int            `json:"people"`
	Certificates int            `json:"certificates"`
	Seconds      float64        `json:"storm_seconds"`
	Steps        int            `json:"steps"`
	Outcomes     map[string]int `json:"outcomes"` // step, a space, and its outcome or the code of its refusal
	Claims       int            `json:"claims_recorded"`
	Bare         int            `json:"claims_without_certificate"`
	Judged       int            `json:"steps_judged"`
	Compared     int            `json:"answers_compared"` // with the model
	Passed       int            `json:"answers_passed_over"`
	Replayed     int            `json:"claims_replayed"`
	LatePaid     int            `json:"late_payments"`
	PaidTwice    int            `json:"paid_twice"`
	Advances     int            `json:"advances"`
	Corrected    int            `json:"steps_corrected"`
	Merged       int            `json:"merges"`
	Undone       int            `json:"merges_undone"`
	Collisions   int            `json:"collisions"`
	Foreseen     int            `json:"collisions_foreseen"` // of merges, by the model
	InHands      policy.Fen     `json:"in_hands_fen"`
	Owed         policy.Fen     `json:"owed_fen"`
	Problems     []string       `json:"problems"`
}

// RaceBegin is when the clock of a race begins, Monday 6 January 2025, nine o'clock
// in Shanghai: two of its policies end with that year. The register must not have
// seen a later time.
var RaceBegin = time.Date(2025, 1, 6, 1, 0, 0, 0, time.UTC)

// raceProblems is how many problems a report has at most.
const raceProblems = 200

// racePayers are the payers of a race and their regions.
var racePayers = [...]struct{ name, region string }{{"payer-ks", "320583"}, {"payer-nj", "320100"}, {"payer-gd", "440000"}}

// RacePlan is a register that is ready to be raced on: people with certificates,
// accounts with keys, and the clock. It is all that a process needs to take part,
// and is kept beside the store as race.json, readable by its owner alone.
type RacePlan struct {
	Size         RaceSize           `json:"size"`
	Scene        *Scene             `json:"scene"`
	Certificates []*raceCertificate `json:"certificates"`
	Payers       [][2]raceAccount   `json:"payers"`      // two accounts each
	Authorities  [2]raceAccount     `json:"authorities"` // who propose and decide
	Clock        RaceClock          `json:"clock"`
}

// raceAccount is an account and the secret of its key.
type raceAccount struct {
	Account      string `json:"account"`
	Organisation string `json:"organisation,omitempty"`
	Region       string `json:"region"`
	Key          string `json:"key"`
}

// RaceClock is a clock that several processes share: it stands until Wall and then
// goes over Days while the real one goes over For, in jumps. Between two of them it
// stands, so that what has a term of seconds can be done within it.
type RaceClock struct {
	From time.Time     `json:"from"`
	Wall time.Time     `json:"wall,omitzero"`
	For  time.Duration `json:"for"`
	Days int           `json:"days"`
}

// At is the time of the race at a time of the real clock.
func (c RaceClock) At(wall time.Time) time.Time {
	if c.Wall.IsZero() || c.For <= 0 {
		return c.From
	}
	gone := min(max(wall.Sub(c.Wall), 0).Truncate(max(c.For/400, 250*time.Millisecond)), c.For)
	return c.From.Add(raceDays(c.Days, float64(gone)/float64(c.For)))
}

// raceDays is a part of some days.
func raceDays(days int, part float64) time.Duration {
	return time.Duration(min(part, 1) * float64(days) * 24 * float64(time.Hour))
}

// RaceLine is what a storm says, one JSON value a line: a question with its answer,
// a merge that was proposed, what nobody could expect, and at its end the counts.
// Read by another storm, the claim of a question becomes one of its own.
type RaceLine struct {
	Start   *RaceClock     `json:"start,omitempty"` // to a storm: begin
	Ready   bool           `json:"ready,omitempty"` // from one: it can
	Ask     *raceAsk       `json:"ask,omitempty"`
	Merge   *raceMerge     `json:"merge,omitempty"`
	Problem string         `json:"problem,omitempty"`
	End     bool           `json:"end,omitempty"`
	Steps   int            `json:"steps,omitempty"`
	Counts  map[string]int `json:"counts,omitempty"`
}

const raceFile = "race.json"

// LoadRace reads the plan of a race.
func LoadRace(dir string) (*RacePlan, error) {
	b, err := os.ReadFile(filepath.Join(dir, raceFile))
	if err != nil {
		return nil, fmt.Errorf("this is not a directory that torture made: %w", err)
	}
	p := new(RacePlan)
	return p, json.Unmarshal(b, p)
}

// Save writes the plan of a race.
func (p *RacePlan) Save(dir string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, raceFile), b, 0o600)
}

// payer is a payer as the register knows it, for what is read after the storm.
func (p *RacePlan) payer(i int) registry.Actor {
	a := p.Payers[i][0]
	return registry.Actor{Account: a.Account, Organisation: a.Organisation, Roles: []registry.Role{registry.RolePayer}, Region: a.Region, Via: "torture"}
}

// RaceOn is where a race takes place: Register is read when it is over, and one
// storm goes to each of Servers, which are of registers on one store. Now and Move
// are the clock of all of them.
type RaceOn struct {
	Register *registry.Registry
	Servers  []string // addresses, like http://127.0.0.1:8080
	Now      func() time.Time
	Move     func(time.Time)
}

// Race makes people with certificates in an empty register, lets payers of three
// regions with five policies do at random all that can be done with claims, over
// HTTP on all the servers at a time and while the clock moves, and then holds the
// log, every answer, every amount and every decision to a simple model of the
// policies. All of it happens in this process; `bajigong torture race` does the
// same with several ([NewRace], [RacePlan.Storm], [RacePlan.Settle]). Errors mean
// that it could not be done at all; what is wrong stands in Problems.
func Race(ctx context.Context, on RaceOn, size RaceSize) (RaceReport, error) {
	plan, err := NewRace(ctx, on.Register, on.Move, size)
	if err != nil {
		return RaceReport{}, err
	}
	began := time.Now()
	storms := make([]*RaceStorm, len(on.Servers))
	var mu sync.Mutex
	var lines []RaceLine
	for i, url := range on.Servers {
		storms[i] = plan.Storm(url, i, len(on.Servers), on.Now, func(l RaceLine) {
			mu.Lock()
			lines = append(lines, l)
			mu.Unlock()
			for j, other := range storms {
				if j != i {
					other.Hear(l)
				}
			}
		})
	}
	group, working := errgroup.WithContext(ctx)
	for _, s := range storms {
		group.Go(func() error { return s.Run(working, began.Add(size.For)) })
	}
	moving, stop := context.WithCancel(ctx)
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		moveOn(moving, on, size, storms)
	}()
	err = group.Wait()
	stop()
	<-moved
	if err != nil {
		return RaceReport{}, err
	}
	report, err := plan.Settle(ctx, on.Register, on.Now, lines)
	report.Storms, report.Seconds = len(storms), time.Since(began).Seconds()
	return report, err
}

// moveOn moves the clock of a race in one process over its days, by the steps done
// when they are limited, else by the time.
func moveOn(ctx context.Context, on RaceOn, size RaceSize, storms []*RaceStorm) {
	began, from := time.Now(), on.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(size.For/5000, time.Millisecond)):
		}
		part := float64(time.Since(began)) / float64(size.For)
		if size.Most > 0 {
			part = 0
			for _, s := range storms {
				part += float64(s.done()) / float64(size.Most*len(storms))
			}
		}
		const jumps = 25 // as RaceClock does
		if to := from.Add(raceDays(size.Days, math.Floor(part*jumps)/jumps)); to.After(on.Now()) {
			on.Move(to)
		}
	}
}

// Valid says whether there can be a race of this size.
func (s RaceSize) Valid() error {
	if s.People < 10 || s.People > 10_000 || s.Clients < 1 || s.Days < 1 || s.Days > 700 {
		return errors.New("a race has 10 to 10000 people, some clients, and 1 to 700 days")
	}
	return nil
}

// moment is a time to compare, in nanoseconds.
type moment int64

func momentOf(t time.Time) moment { return moment(t.UnixNano()) }

// raceOccupations are 电工 and 养老护理员.
var raceOccupations = []string{"6-31-01-03", "4-10-01-05"}

var raceLevels = []standards.Level{standards.Junior, standards.Intermediate, standards.Senior}
