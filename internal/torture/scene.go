package torture

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Region is the region of the register of a Scene.
const Region = "320000"

// occupation is what every session of a Scene examines: 电工, at 三级.
const occupation = "6-31-01-03"

// Begin is when the clock of a Scene begins: Monday 2 March 2026, nine o'clock
// in Shanghai.
var Begin = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// Size is how much work a Scene has at a time.
type Size struct {
	Issue, IssueRows   int // sessions that can be issued, and the rows of each
	Upload, UploadRows int // sessions that wait for their results
	Claims             int // certificates to claim on, and a tenth as many to void
	// Single is how many sessions of one candidate can be issued, four by each of many
	// further institutions: one that issued them all in an hour would be looked at with
	// each.
	Single int
}

// SceneSession is a session that waits for work. People are those of package
// invented, From to To-1; all pass.
type SceneSession struct {
	ID   string `json:"id"`
	From int    `json:"from"`
	To   int    `json:"to"`
	By   string `json:"by,omitempty"` // an institution of Further
}

// SceneIssuer is an institution with its one filing.
type SceneIssuer struct {
	Institution string            `json:"institution"`
	Filing      evaluators.Filing `json:"filing"`
}

// Holding is a certificate and its holder's index in package invented.
type Holding struct {
	Number string `json:"number"`
	Person int    `json:"person"`
}

// Scene is a register with work to do and all that a worker, and who checks it,
// need to know. It is kept beside the store as torture.json: a directory without
// it is not worked on.
type Scene struct {
	Seed  uint64    `json:"seed"`
	Clock time.Time `json:"clock"` // the register's time when work begins
	SceneIssuer
	Number  int            `json:"nth"` // of the institution in package invented, and of its site
	Further []SceneIssuer  `json:"further,omitempty"`
	People  int            `json:"people"` // the next of package invented that was not used
	Issue   []SceneSession `json:"issue"`
	Upload  []SceneSession `json:"upload"`
	Claims  []Holding      `json:"claims"`
	Void    []Holding      `json:"void"`
	Single  []SceneSession `json:"single,omitempty"`
	// PayerIs is the organisation of the payer when it works over HTTP with a key.
	PayerIs string `json:"payer_is,omitempty"`
}

// sessionMax is how many candidates a session has at most.
const sessionMax = 500

const sceneFile = "torture.json"

// LoadScene reads the scene of a directory.
func LoadScene(dir string) (*Scene, error) {
	b, err := os.ReadFile(filepath.Join(dir, sceneFile))
	if err != nil {
		return nil, fmt.Errorf("this is not a directory that torture made: %w", err)
	}
	s := new(Scene)
	return s, json.Unmarshal(b, s)
}

// Save writes the scene of a directory.
func (s *Scene) Save(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, sceneFile), b, 0o600)
}

func (s *Scene) authority() registry.Actor {
	return registry.Actor{Account: "a-authority", Roles: []registry.Role{registry.RoleAuthority}, Region: Region, Via: "torture"}
}

// Issuer is who issues in the scene.
func (s *Scene) Issuer() registry.Actor { return s.IssuerOf(SceneSession{}) }

// IssuerOf is who issues a session.
func (s *Scene) IssuerOf(x SceneSession) registry.Actor {
	return registry.Actor{Account: "a-issuer", Organisation: cmp.Or(x.By, s.Institution), Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Via: "torture"}
}

func (s *Scene) payer() registry.Actor {
	return registry.Actor{Account: "a-payer", Organisation: cmp.Or(s.PayerIs, "payer"), Roles: []registry.Role{registry.RolePayer}, Region: "320583", Via: "torture"}
}

// NewScene admits an institution to a new register whose clock is set by move.
func NewScene(ctx context.Context, reg *registry.Registry, move func(time.Time), seed uint64) (*Scene, error) {
	return newScene(ctx, reg, move, &Scene{Seed: seed, Clock: Begin, Number: firstSite})
}

// NewSceneIn is a scene with an institution of its own in the register of a town,
// whose log has so many entries, for people who are in no town: no two scenes of a
// store have the same.
func NewSceneIn(ctx context.Context, reg *registry.Registry, move func(time.Time), at time.Time, entries uint64) (*Scene, error) {
	n := int(entries)
	return newScene(ctx, reg, move, &Scene{Seed: entries, Clock: at, People: townPeopleMost + n%(2*townPeopleMost), Number: 100_000 + n%800_000})
}

const (
	// townPeopleMost is the first of package invented who is in no town; there are
	// twice as many.
	townPeopleMost = 30_000_000
	firstSite      = 58301
	singlesOfEach  = 4
)

func newScene(ctx context.Context, reg *registry.Registry, move func(time.Time), s *Scene) (_ *Scene, err error) {
	move(s.Clock)
	s.SceneIssuer, err = s.admit(ctx, reg, s.Number)
	return s, err
}

// admit admits an institution with a number of its own.
func (s *Scene) admit(ctx context.Context, reg *registry.Registry, nth int) (out SceneIssuer, err error) {
	inst, err := reg.AdmitInstitution(ctx, s.authority(), evaluators.Institution{Name: "耐久测试评价中心", USCC: invented.USCC(nth), Region: "320583"})
	if err != nil {
		return out, err
	}
	today := standards.DateOf(s.Clock)
	out.Institution = inst.ID
	out.Filing, err = reg.RecordFiling(ctx, s.authority(), evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
		Province: "32", Site: fmt.Sprintf("%06d", nth), Authority: Region, From: today, Until: today.AddDays(40 * 365), Document: "苏人社备〔2026〕1号",
		Scope: []evaluators.ScopeItem{{Occupation: occupation, Levels: standards.LevelsOf(standards.ExaminedLevels()...)}}})
	return out, err
}

// Fill gives the scene work of this size; what was left of earlier work is
// forgotten. It moves the clock by about two weeks: sessions are planned,
// examined, and shown to the public in between.
func (s *Scene) Fill(ctx context.Context, reg *registry.Registry, move func(time.Time), size Size) error {
	var claimed []SceneSession
	var err error
	if s.Issue, err = s.plan(ctx, reg, s.SceneIssuer, size.Issue, size.IssueRows); err != nil {
		return err
	}
	if s.Upload, err = s.plan(ctx, reg, s.SceneIssuer, size.Upload, size.UploadRows); err != nil {
		return err
	}
	if err = s.planSingles(ctx, reg, size.Single); err != nil {
		return err
	}
	for left := size.Claims + (size.Claims+9)/10; left > 0; left -= sessionMax {
		more, err := s.plan(ctx, reg, s.SceneIssuer, 1, min(left, sessionMax))
		if err != nil {
			return err
		}
		claimed = append(claimed, more...)
	}
	s.move(move, standards.DateOf(s.Clock).AddDays(2), 10)
	until := standards.DateOf(s.Clock)
	for _, x := range slices.Concat(claimed, s.Issue, s.Single) {
		shown, err := s.publicise(ctx, reg, x)
		if err != nil {
			return err
		}
		until = max(until, shown)
	}
	s.move(move, until.AddDays(1), 9)
	s.Claims, s.Void = nil, nil
	for _, x := range claimed {
		if err := s.hold(ctx, reg, x, size.Claims); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scene) move(move func(time.Time), day standards.Date, hour int) {
	s.Clock = day.Time().Add(time.Duration(hour) * time.Hour)
	move(s.Clock)
}

// planSingles plans sessions of one candidate, by the further institutions in turn.
func (s *Scene) planSingles(ctx context.Context, reg *registry.Registry, n int) error {
	s.Single = nil
	for len(s.Further) < (n+singlesOfEach-1)/singlesOfEach {
		x, err := s.admit(ctx, reg, s.Number+1+len(s.Further))
		if err != nil {
			return err
		}
		s.Further = append(s.Further, x)
	}
	for i := range n {
		one, err := s.plan(ctx, reg, s.Further[i%len(s.Further)], 1, 1)
		if err != nil {
			return err
		}
		s.Single = append(s.Single, one...)
	}
	return nil
}

func (s *Scene) plan(ctx context.Context, reg *registry.Registry, by SceneIssuer, n, rows int) ([]SceneSession, error) {
	out := make([]SceneSession, n)
	for i := range out {
		x := SceneSession{From: s.People, To: s.People + rows}
		if by.Institution != s.Institution {
			x.By = by.Institution
		}
		planned, err := reg.PlanSession(ctx, s.IssuerOf(x), registry.NewSession{Name: "耐久测试批次", Filing: by.Filing.ID, Occupation: occupation,
			Level: standards.Senior, ExamDate: standards.DateOf(s.Clock).AddDays(1), Platform: "YM-1"})
		if err != nil {
			return nil, err
		}
		x.ID = planned.ID
		out[i] = x
		s.People += rows
	}
	return out, nil
}

// publicise uploads the results of a session and begins its publicity; the
// answer is its last day.
func (s *Scene) publicise(ctx context.Context, reg *registry.Registry, x SceneSession) (standards.Date, error) {
	if _, err := reg.UploadResults(ctx, s.IssuerOf(x), x.ID, registry.Upload{File: strings.NewReader(x.results())}); err != nil {
		return "", err
	}
	shown, err := reg.StartPublicity(ctx, s.IssuerOf(x), x.ID)
	if err != nil {
		return "", err
	}
	return shown.Publicity.Until, nil
}

// hold issues a session and takes its certificates: claims to claim on, the rest
// to void.
func (s *Scene) hold(ctx context.Context, reg *registry.Registry, x SceneSession, claims int) error {
	if _, err := reg.Issue(ctx, s.Issuer(), x.ID, nil); err != nil {
		return err
	}
	issued, err := certificatesOf(ctx, reg, s.Issuer(), x.ID)
	if err != nil {
		return err
	}
	for _, c := range issued {
		h := Holding{Number: c.Number, Person: x.person(c.Row)}
		if len(s.Claims) < claims {
			s.Claims = append(s.Claims, h)
		} else {
			s.Void = append(s.Void, h)
		}
	}
	return nil
}

// results is the session's file of results.
func (x SceneSession) results() string {
	var out strings.Builder
	out.WriteString("姓名,证件号码,理论成绩,技能成绩\n")
	for i := x.From; i < x.To; i++ {
		p := invented.PersonAt(i)
		fmt.Fprintf(&out, "%s,%s,%d,%d\n", p.Name, p.Document, 60+i%40, 60+i*7%40)
	}
	return out.String()
}

// person is who stands in a row of the file; the header is row 1.
func (x SceneSession) person(row int) int { return x.From + row - 2 }

func certificatesOf(ctx context.Context, reg *registry.Registry, by registry.Actor, session string) (out []registry.Issued, err error) {
	for page := (registry.Page{Limit: 500}); ; {
		got, next, err := reg.CertificatesOfSession(ctx, by, session, page)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if page.Cursor = next; next == "" {
			return out, nil
		}
	}
}

// claim is the complete request for a holding by a policy. It is the same whenever
// it is made.
func (s *Scene) claim(law string, h Holding) registry.ClaimRequest {
	return TownClaim(law, h, standards.DateOf(s.Clock), s.Clock, "T-"+h.Number)
}

// Reserve reserves a claim on a holding; any other answer than that it may be
// paid is an error.
func (s *Scene) Reserve(ctx context.Context, reg *registry.Registry, h Holding) error {
	_, err := s.reserve(ctx, reg, FirstLanguage, h)
	return err
}

// ReserveBy is Reserve by another policy.
func (s *Scene) ReserveBy(ctx context.Context, reg *registry.Registry, law string, h Holding) error {
	_, err := s.reserve(ctx, reg, law, h)
	return err
}

// ClaimBy is the request that ReserveBy makes, and Payer who makes it.
func (s *Scene) ClaimBy(law string, h Holding) registry.ClaimRequest { return s.claim(law, h) }

// Payer is the payer of the scene.
func (s *Scene) Payer() registry.Actor { return s.payer() }

func (s *Scene) reserve(ctx context.Context, reg *registry.Registry, law string, h Holding) (registry.ClaimView, error) {
	answer, err := reg.ReserveClaim(ctx, s.payer(), s.claim(law, h))
	if err != nil {
		return registry.ClaimView{}, err
	}
	if answer.Outcome != policy.Allow || answer.Claim == nil {
		return registry.ClaimView{}, fmt.Errorf("claim on %s: %s %v", h.Number, answer.Outcome, answer.Reasons)
	}
	return *answer.Claim, nil
}

// Certificates are up to n of those that the scene holds, spread over them.
func (s *Scene) Certificates(ctx context.Context, reg *registry.Registry, n int) (out []registry.Issued, err error) {
	for i := range min(n, len(s.Claims)) {
		c, err := reg.CertificateByNumber(ctx, s.authority(), s.Claims[i*len(s.Claims)/min(n, len(s.Claims))].Number)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// CertificatesOf are the certificates that a town has kept a sample of.
func (s *Scene) CertificatesOf(ctx context.Context, reg *registry.Registry, sample []Holding) (out []registry.Issued, err error) {
	for _, h := range sample {
		c, err := reg.CertificateByNumber(ctx, s.authority(), h.Number)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
