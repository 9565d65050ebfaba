package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/standards"
)

// Draw is one draw of sessions and inspectors 双随机. What it drew follows from
// its population, its inspectors and its seed alone; see signs.Algorithm.
type Draw struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Region     string          `json:"region"` // sessions of institutions under it
	From       standards.Date  `json:"from"`   // exam dates, both included
	Until      standards.Date  `json:"until"`
	Wanted     int             `json:"wanted"` // how many sessions
	Each       int             `json:"each"`   // how many inspectors a session gets
	Population int             `json:"population"`
	Hash       string          `json:"hash"` // signs.PopulationHash of the sessions
	Algorithm  string          `json:"algorithm"`
	State      signs.DrawState `json:"state"`
	Announced  time.Time       `json:"announced"`
	By         string          `json:"by"`
	LogIndex   uint64          `json:"log_index"` // the entry that announced it
	// PublicSource says which public value will be the seed; empty when it is the
	// root of the log just after LogIndex.
	PublicSource string     `json:"public_source,omitempty"`
	PublicValue  string     `json:"public_value,omitempty"`
	LogRoot      string     `json:"log_root,omitempty"` // base64, as a checkpoint writes it
	Seed         string     `json:"seed,omitempty"`     // 64 hexadecimal digits
	Seeded       *time.Time `json:"seeded,omitempty"`
	Drawn        []Drawn    `json:"drawn,omitempty"` // in the order drawn
	Open         int        `json:"open"`            // inspections that are not published
}

// Drawn is one session of a draw with those who are sent.
type Drawn struct {
	Session     string   `json:"session"`
	Institution string   `json:"institution"`
	Inspectors  []string `json:"inspectors"`
}

// drawPopulation is what a draw drew from; it is public with the draw.
type drawPopulation struct {
	Draw       string            `json:"draw"`
	Sessions   []drawSession     `json:"sessions"`
	Inspectors []signs.Inspector `json:"inspectors"`
}

type drawSession struct {
	Session     string `json:"session"`
	Institution string `json:"institution"`
	Region      string `json:"region"`
}

func (p drawPopulation) ids() []string {
	out := make([]string, len(p.Sessions))
	for i, s := range p.Sessions {
		out[i] = s.Session
	}
	return out
}

// NewDraw is what a draw needs.
type NewDraw struct {
	Name       string            `json:"name"`
	Region     string            `json:"region"` // the caller's own when empty
	From       standards.Date    `json:"from"`
	Until      standards.Date    `json:"until"`
	Wanted     int               `json:"wanted"`
	Each       int               `json:"each"`
	Inspectors []signs.Inspector `json:"inspectors"`
	// PublicSource names the public value that will be the seed, for example a
	// lottery and its issue number; empty for the log's root.
	PublicSource string `json:"public_source"`
}

func (in NewDraw) validate() error {
	var bad []fail.Field
	length := func(name, s string, least int, zh, en string) {
		if n := len([]rune(s)); n < least || n > 100 {
			bad = append(bad, fail.Field{Name: name, Code: "length", ZH: zh + text2(least, "应为 1 至 100 个字", "不超过 100 个字"), EN: en + text2(least, " has 1 to 100 characters", " has at most 100 characters")})
		}
		bad = append(bad, impersonal(name, s)...)
	}
	length("name", in.Name, 1, "抽查名称", "the name")
	length("public_source", in.PublicSource, 0, "公开随机数来源", "the public source")
	if !regionShape.MatchString(in.Region) {
		bad = append(bad, fail.Field{Name: "region", Code: "shape", ZH: "行政区划代码应为 6 位数字", EN: "region has 6 digits (GB/T 2260)"})
	}
	if !in.From.Valid() || !in.Until.Valid() || in.Until < in.From || in.Until.DaysSince(in.From) > 366 {
		bad = append(bad, fail.Field{Name: "until", Code: "period", ZH: "考试日期起止应为有效日期，不超过一年", EN: "from and until are dates in order, at most a year apart"})
	}
	if in.Wanted < 1 || in.Wanted > signs.DrawnMax {
		bad = append(bad, fail.Field{Name: "wanted", Code: "range", ZH: fmt.Sprintf("抽取批次数应为 1 至 %d", signs.DrawnMax), EN: fmt.Sprintf("1 to %d sessions are drawn", signs.DrawnMax)})
	}
	bad = append(bad, signs.CheckInspectors(in.Inspectors, in.Each)...)
	for i, one := range in.Inspectors {
		if impersonal("inspectors", one.ID) != nil {
			bad = append(bad, fail.Field{Name: "inspectors", Row: i + 1, Code: "personal", ZH: "检查人员以登记标识或证卡编号表示，不得用身份证号码", EN: "an inspector is named by an id or card number, never by an identity number"})
		}
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "draw", "the draw has mistakes").In("抽查信息有误").At(bad...)
	}
	return nil
}

func text2(least int, required, optional string) string {
	if least > 0 {
		return required
	}
	return optional
}

// AnnounceDraw fixes what will be drawn from: every session with its exam in the
// period whose institution lies in the region, and the inspectors. Its entry in
// the log comes before the seed can be known. Conflict: there is no such session,
// there are too many, or an institution for which too few inspectors are free.
func (r *Registry) AnnounceDraw(ctx context.Context, by Actor, in NewDraw) (Draw, error) {
	in.Name, in.PublicSource = strings.TrimSpace(in.Name), strings.TrimSpace(in.PublicSource)
	if in.Region == "" {
		in.Region = by.Region
	}
	if err := may(by, DrawInspections, Object{Region: in.Region}); err != nil {
		return Draw{}, err
	}
	if err := in.validate(); err != nil {
		return Draw{}, err
	}
	id := r.rand.id("w")
	var out Draw
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = Draw{}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = drawFor(tx, by, DrawInspections, id)
			}
			return err
		}
		p, err := r.population(tx, id, in)
		if err != nil {
			return err
		}
		d := Draw{ID: id, Name: in.Name, Region: in.Region, From: in.From, Until: in.Until, Wanted: in.Wanted, Each: in.Each,
			Population: len(p.Sessions), Hash: signs.PopulationHash(p.ids()), Algorithm: signs.Algorithm, State: signs.DrawAnnounced,
			Announced: tx.Now(), By: by.Account, PublicSource: in.PublicSource}
		if d.LogIndex, err = r.appendEvent(tx, by, Event{Kind: DrawAnnounced, Object: d.ID, Detail: announcement{d, in.Inspectors}}); err != nil {
			return err
		}
		if err := draws.Put(tx, d); err != nil {
			return err
		}
		if err := drawPopulations.Put(tx, p); err != nil {
			return err
		}
		out = d
		return remember(tx, by, d.ID)
	})
	if err != nil {
		return Draw{}, fmt.Errorf("announce draw: %w", err)
	}
	return out, nil
}

// announcement is the detail of the event that fixes a draw.
type announcement struct {
	Draw
	Inspectors []signs.Inspector `json:"inspectors"`
}

// populationPages bounds what one draw reads, sessions of other regions included.
const populationPages = 40

// population reads the sessions that a draw is from, at most
// signs.PopulationMax of them, from small records.
func (r *Registry) population(rd kv.Reader, id string, in NewDraw) (drawPopulation, error) {
	p := drawPopulation{Draw: id, Inspectors: in.Inspectors}
	rng := kv.Range{From: kv.Key(string(in.From)), To: kv.Key(string(in.Until.AddDays(1))), Limit: pageMax}
	for pages := 1; ; pages++ {
		page, next, err := examDays.Scan(rd, rng)
		if err != nil {
			return p, err
		}
		for _, d := range page {
			if governs(in.Region, d.Region) {
				p.Sessions = append(p.Sessions, drawSession{d.Session, d.Institution, d.Region})
			}
		}
		if len(p.Sessions) > signs.PopulationMax || pages == populationPages && next != nil {
			return p, fail.New(fail.Conflict, "population_too_large", "too many sessions are in the period, a draw is from at most %d; draw from a shorter one or a smaller region", signs.PopulationMax).
				In("该时段批次过多（一次最多 %d 个），请缩短时段或分地区抽取", signs.PopulationMax)
		}
		if next == nil {
			break
		}
		rng.From = next
	}
	if len(p.Sessions) == 0 {
		return p, fail.New(fail.Conflict, "population_empty", "no session of the region has its exam from %s to %s", in.From, in.Until).
			In("该地区 %s 至 %s 没有认定批次", in.From, in.Until)
	}
	for _, s := range p.Sessions {
		if free := len(signs.Free(in.Inspectors, s.Institution)); free < in.Each {
			return p, fail.New(fail.Conflict, "inspectors_avoid", "of the inspectors only %d need not avoid the institution %s, %d are needed", free, s.Institution, in.Each).
				In("机构 %s 可派的检查人员仅 %d 名，需要 %d 名（其余应回避）", s.Institution, free, in.Each)
		}
	}
	return p, nil
}

// drawFor loads a draw and asks may.
func drawFor(rd kv.Reader, by Actor, do Action, id string) (Draw, error) {
	d, err := need(rd, draws, kv.Key(id), "draw", "抽查", id)
	if err != nil {
		return d, err
	}
	return d, may(by, do, Object{Region: d.Region})
}

// SeedDraw draws. The seed is the log's root just after the announcement, or
// publicValue when the announcement named a public source. Invalid: the value is
// missing or not asked for; Conflict draw_state: it is drawn already.
func (r *Registry) SeedDraw(ctx context.Context, by Actor, id, publicValue string) (Draw, error) {
	publicValue = strings.TrimSpace(publicValue)
	var out Draw
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Draw{}
		d, err := drawFor(tx, by, DrawInspections, id)
		if err != nil {
			return err
		}
		if d.State, err = d.State.Step(signs.DrawSeed); err != nil {
			return err
		}
		seed, err := r.seed(tx, &d, publicValue)
		if err != nil {
			return err
		}
		p, err := need(tx, drawPopulations, kv.Key(d.ID), "draw", "抽查", d.ID)
		if err != nil {
			return err
		}
		now := tx.Now()
		d.Seed, d.Seeded, d.Drawn = seed.String(), &now, p.draw(seed, d)
		d.Open = len(d.Drawn)
		regions := map[string]string{}
		for _, s := range p.Sessions {
			regions[s.Session] = s.Region
		}
		for _, one := range d.Drawn {
			err := inspections.Put(tx, signs.Inspection{Draw: d.ID, Session: one.Session, Institution: one.Institution, Region: regions[one.Session],
				Inspectors: one.Inspectors, State: signs.InspectionDrawn})
			if err != nil {
				return err
			}
		}
		if err := draws.Put(tx, d); err != nil {
			return err
		}
		out = d
		_, err = r.appendEvent(tx, by, Event{Kind: DrawSeeded, Object: d.ID, Detail: map[string]any{"seed": d.Seed, "log_root": d.LogRoot, "public_value": d.PublicValue, "drawn": d.Drawn}})
		return err
	})
	if err != nil {
		return Draw{}, fmt.Errorf("draw %s: %w", id, err)
	}
	return out, nil
}

// draw computes what a seed draws from a population.
func (p drawPopulation) draw(seed signs.Seed, d Draw) []Drawn {
	institutions := map[string]string{}
	for _, s := range p.Sessions {
		institutions[s.Session] = s.Institution
	}
	var out []Drawn
	for _, session := range signs.Draw(seed, "sessions", p.ids(), d.Wanted) {
		out = append(out, Drawn{Session: session, Institution: institutions[session],
			Inspectors: signs.Assign(seed, session, institutions[session], p.Inspectors, d.Each)})
	}
	return out
}

func (r *Registry) seed(rd kv.Reader, d *Draw, value string) (signs.Seed, error) {
	wrong := func(zh, en string) (signs.Seed, error) {
		return signs.Seed{}, fail.New(fail.Invalid, "draw_seed", "the seed of the draw is not right").In("随机数种子有误").
			At(fail.Field{Name: "public_value", Code: "seed", ZH: zh, EN: en})
	}
	switch {
	case d.PublicSource == "" && value != "":
		return wrong("该次抽查的种子取自审计日志，不另给随机数", "the seed of this draw is the log's root; no value is taken")
	case d.PublicSource != "" && (value == "" || len(value) > 200 || strings.ContainsAny(value, "\r\n") || holdsIdentity(value)):
		return wrong("请填写公告中指明的公开随机数，不超过 200 个字符", "give the public value that the announcement named, in at most 200 bytes and one line")
	case d.PublicSource != "":
		d.PublicValue = value
		return signs.PublicSeed(value, d.ID), nil
	}
	root, err := auditlog.Root(rd, d.LogIndex+1)
	if err != nil {
		return signs.Seed{}, err
	}
	d.LogRoot = root.String()
	return signs.LogSeed(root, d.ID), nil
}

// DrawByID shows a draw to the authority.
func (r *Registry) DrawByID(ctx context.Context, by Actor, id string) (out Draw, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = drawFor(rd, by, DrawInspections, id)
		return err
	})
	return out, err
}

// Draws is one page of the draws of a region and those under it, the caller's
// own when region is empty.
func (r *Registry) Draws(ctx context.Context, by Actor, region string, page Page) (out []Draw, next string, err error) {
	if region == "" {
		region = by.Region
	}
	if err := may(by, DrawInspections, Object{Region: region}); err != nil {
		return nil, "", err
	}
	from, to := regionsUnder(region)
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next, err = scanIndexPage(rd, draws, indexDrawsByRegion, kv.Range{From: kv.Key(from), To: kv.Key(to)}, page)
		return err
	})
	return out, next, err
}

// DrawProof is all that is needed to repeat a draw.
type DrawProof struct {
	Draw       Draw              `json:"draw"`
	Sessions   []string          `json:"sessions"` // the population, sorted as the store has it
	Inspectors []signs.Inspector `json:"inspectors"`
}

// DrawProof shows anybody a draw whose inspections are all published, with its
// population. NotFound before: who is drawn is not told beforehand.
func (r *Registry) DrawProof(ctx context.Context, id string) (out DrawProof, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		d, err := need(rd, draws, kv.Key(id), "draw", "抽查", id)
		if err != nil {
			return err
		}
		if d.State != signs.DrawPublished {
			return notFound("draw", "抽查", id)
		}
		p, err := need(rd, drawPopulations, kv.Key(id), "draw", "抽查", id)
		if err != nil {
			return err
		}
		out = DrawProof{Draw: d, Sessions: p.ids(), Inspectors: p.Inspectors}
		out.Draw.By = ""
		return nil
	})
	return out, err
}
