package torture

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// What stands here was written from the texts of five policies and from the table
// of a claim's life, for the race alone. It shares nothing with the engine but the
// names of states and outcomes: a rule that both have wrong was misread twice.
//
// Not judged are refusals of steps (whether one was due is a question of the moment),
// the days that a lock may be extended by, the wording of answers, and of collisions
// which claims stand against the newer one and what two people decide about them. Of
// those that a correction opens only their lack is seen, where money of both claims
// is still out at the end.

// The policies of a race. The first three are one for each payer.
const (
	inKunshan   = iota // 昆政办发〔2020〕67号 二（四）4, 三（十四）
	inJiangsu          // 苏人社发〔2025〕22号, as a payer in 南京 applies it
	inGuangdong        // 广东省职业技能培训补贴管理办法 (2023)
	preJob             // 昆政办发〔2020〕67号 二（四）2: 岗前培训, without a certificate
	workMonths         // the same: 以工代训, without a certificate
	raceKinds
)

var racePolicies = [raceKinds]struct {
	payer   int
	id      string
	subject policy.SubjectKind
}{
	inKunshan: {0, "kunshan-2020-67", ""}, inJiangsu: {1, "jiangsu-2025-22-uplift", ""}, inGuangdong: {2, "guangdong-2023-training", ""},
	preJob: {0, "kunshan-2020-67-pre-job", policy.ForPreJob}, workMonths: {0, "kunshan-2020-67-work", policy.ForWorkMonths},
}

// raceCertificate is a certificate of a race: person, occupation and level are
// numbers of the race's own, a higher level being the larger.
type raceCertificate struct {
	Number     string         `json:"number"`
	Who        int            `json:"who"` // from 0
	Occupation int            `json:"occupation"`
	Level      int            `json:"level"` // 0 五级, 1 四级, 2 三级
	Issued     standards.Date `json:"issued"`
	Scarce     bool           `json:"scarce"` // on every list of scarce occupations
}

// raceAsk is one question that was asked, and its answer.
type raceAsk struct {
	Kind      int            `json:"kind"`
	Cert      int            `json:"cert"` // in the plan; -1 without one
	Who       int            `json:"who"`
	From      standards.Date `json:"from,omitempty"` // of what is without a certificate
	To        standards.Date `json:"to,omitempty"`
	Units     int            `json:"units,omitempty"`
	Received  standards.Date `json:"received"`
	Reference string         `json:"reference"`
	At        time.Time      `json:"at"` // of the facts
	Reserve   bool           `json:"reserve,omitempty"`
	Row       int            `json:"row,omitempty"` // of a file
	ID        string         `json:"id,omitempty"`  // of the claim, when one was recorded
	Outcome   policy.Outcome `json:"outcome"`
	Amount    policy.Fen     `json:"amount,omitempty"` // of a row
	Tree      uint64         `json:"tree"`             // size of the log that the answer rests on
	Before    moment         `json:"before"`           // around the answer
	After     moment         `json:"after"`
}

// modelClaim is a claim as the model sees it.
type modelClaim struct {
	*raceAsk
	cert     *raceCertificate // nil without one
	index    uint64           // of its entry
	reserved moment
	amount   policy.Fen
	advance  policy.Fen
	expires  moment // as reserved
	refused  bool
	steps    []registry.ClaimStep
	life     modelLife
	past     []modelLife // after each entry of the log that touched it
}

// modelLife is what the steps of a claim have led to.
type modelLife struct {
	index     uint64 // of the entry since which it is so
	state     policy.State
	expires   moment
	publicity standards.Date // last day of one that runs or has run
	payments  []modelPayment // in force
	back      policy.Fen
	restores  *bool       // what the recovery says
	arrived   map[int]int // how often a payment was taken for returned by mistake, by its step
	again     policy.Fen  // of what was paid, twice because of that; until it is back
	settled   policy.Fen  // and the part of it that was refunded
	excused   policy.Fen  // what false returns so far explain of it, settled or not
}

type modelPayment struct {
	step   int
	amount policy.Fen
}

func (l modelLife) paid() (sum policy.Fen) {
	for _, p := range l.payments {
		sum += p.amount
	}
	return sum
}

// got is what the person was paid of what was due: what was paid twice and came back
// is nobody's any more.
func (l modelLife) got() policy.Fen { return l.paid() - l.settled }

func (l modelLife) owed() policy.Fen {
	if l.state.MustRecover() {
		return l.owing()
	}
	return 0
}

// owing is what a recovery asks for: what was paid twice, or else all.
func (l modelLife) owing() policy.Fen {
	if l.again > 0 {
		return l.again + l.settled - l.back
	}
	return l.paid() - l.back
}

// lockDays is how long a reservation stands by the embedded rules.
const lockDays = 90

// at is the state at a moment: only what is reserved or publicised runs out.
func (l modelLife) at(now moment) policy.State {
	if (l.state == policy.Reserved || l.state == policy.Publicised) && now >= l.expires {
		return policy.Expired
	}
	return l.state
}

// counts reports whether nobody else may have the right that the claim has.
func (l modelLife) counts(now moment) bool {
	switch l.at(now) {
	case policy.Released, policy.Withdrawn, policy.Expired, registry.StateRefused:
		return false
	case policy.Refunded:
		return l.restores == nil || !*l.restores
	}
	return true
}

// before is the claim's life before entry index of the log.
func (c *modelClaim) before(index uint64) (modelLife, bool) {
	for _, l := range slices.Backward(c.past) {
		if l.index < index {
			return l, true
		}
	}
	return modelLife{}, false
}

// model is the register as far as a race moves it, at one size of the log.
type model struct {
	plan   *RacePlan
	claims map[int][]*modelClaim // by person, in the order of the log
	held   map[int][]*raceCertificate
	status map[string][]modelStatus // of certificates, oldest first
	joined [][2]int                 // merges that stand
}

type modelStatus struct {
	index  uint64
	status registry.CertificateStatus
}

func (m *model) statusOf(number string, before uint64) registry.CertificateStatus {
	for _, s := range slices.Backward(m.status[number]) {
		if s.index < before {
			return s.status
		}
	}
	return registry.CertificateValid
}

// together are all documents that are one person with who by the merges that stand.
func (m *model) together(who int) []int {
	out := []int{who}
	for i := 0; i < len(out); i++ {
		for _, j := range m.joined {
			for _, side := range []int{0, 1} {
				if j[side] == out[i] && !slices.Contains(out, j[1-side]) {
					out = append(out, j[1-side])
				}
			}
		}
	}
	return out
}

// asked is what is held against a person's other claims and certificates.
type asked struct {
	kind     int
	cert     *raceCertificate
	from, to standards.Date
	units    int
	received standards.Date
	people   []int // whose claims and certificates
	now      moment
	index    uint64 // what is in the log before it
	self     *modelClaim
}

func (m *model) askedOf(a *raceAsk) asked {
	out := asked{kind: a.Kind, from: a.From, to: a.To, units: a.Units, received: a.Received, people: m.together(a.Who), index: a.Tree}
	if a.Cert >= 0 {
		out.cert = m.plan.Certificates[a.Cert]
	}
	return out
}

// bars says whether other claims and certificates stand against one more claim,
// and which claims do.
func (m *model) bars(q asked) (barred bool, against []*modelClaim) {
	var year, uplift, scarce, units []*modelClaim // what counts: in the year, of these skill-uplift, of these scarce; months of work
	months := 0
	bar := func(x ...*modelClaim) { barred, against = true, append(against, x...) }
	for _, x := range m.others(q) {
		training := x.Kind == inGuangdong
		switch {
		case q.cert != nil && x.cert != nil && x.cert.Occupation == q.cert.Occupation:
			switch higher := x.cert.Level > q.cert.Level; {
			case x.cert.Level == q.cert.Level: // each counts the other's fund, or excludes it
				bar(x)
			case higher && (q.kind == inJiangsu && !training || q.kind == inGuangdong && training):
				bar(x) // higher paid
			}
		case q.cert == nil && x.cert == nil && x.Kind != q.kind: // 岗前培训与以工代训不重复
			bar(x)
		case q.cert == nil && x.cert == nil && x.From <= q.to && q.from <= x.To: // 同一期间
			bar(x)
		}
		if q.kind == workMonths && x.Kind == workMonths {
			months, units = months+x.Units, append(units, x)
		}
		if x.Received.Year() != q.received.Year() {
			continue
		}
		year = append(year, x)
		if x.cert != nil && !training {
			uplift = append(uplift, x)
			if x.cert.Scarce {
				scarce = append(scarce, x)
			}
		}
	}
	switch q.kind {
	case inKunshan, preJob, workMonths: // 每人每年可享受不超过3次
		if len(year) >= 3 {
			bar(year...)
		}
		if q.kind == workMonths && months+q.units > 6 { // 最长6个月
			bar(units...)
		}
	case inJiangsu: // 每人每年1次，紧缺的增加2次; 已持有高等级证书的不再享受
		extra := min(2, len(scarce))
		if free := len(uplift)-extra < 1 || q.cert.Scarce && extra < 2; !free {
			bar(uplift...)
		}
		if m.holds(q, registry.CertificateValid) {
			bar()
		}
	}
	return barred, against
}

// others are the person's other claims that count, as they were.
func (m *model) others(q asked) (out []*modelClaim) {
	for _, who := range q.people {
		for _, x := range m.claims[who] {
			if l, there := x.before(q.index); there && x != q.self && l.counts(q.now) {
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, func(a, b *modelClaim) int { return cmp.Compare(a.index, b.index) })
	return out
}

// holds reports whether the person has a higher certificate of the occupation with
// a status.
func (m *model) holds(q asked, status registry.CertificateStatus) bool {
	for _, who := range q.people {
		for _, x := range m.held[who] {
			if x.Occupation == q.cert.Occupation && x.Level > q.cert.Level && m.statusOf(x.Number, q.index) == status {
				return true
			}
		}
	}
	return false
}

// decide answers a question as the texts do.
func (m *model) decide(a *raceAsk, now moment) policy.Outcome {
	q := m.askedOf(a)
	q.now = now
	status := registry.CertificateValid
	if q.cert != nil {
		status = m.statusOf(q.cert.Number, q.index)
		switch {
		case status == registry.CertificateVoided, a.Received < q.cert.Issued:
			return policy.Deny
		case a.Kind != inKunshan && a.Received > "2025-12-31": // 执行至2025年12月31日
			return policy.Deny
		case a.Kind != inKunshan && a.Received > q.cert.Issued.AddMonths(12): // 12个月内
			return policy.Deny
		case a.Kind == inGuangdong && !agedForGuangdong(personOf(a.Who), a.Received):
			return policy.Deny
		}
	}
	switch barred, _ := m.bars(q); {
	case barred:
		return policy.Deny
	case status == registry.CertificateSuspended, a.Kind == inJiangsu && m.holds(q, registry.CertificateSuspended):
		return policy.Hold
	}
	return policy.Allow
}

// amountOf is what an allowed claim is worth, in fen.
func (a *raceAsk) amountOf(plan *RacePlan) policy.Fen {
	switch a.Kind {
	case preJob:
		return 300_00
	case workMonths:
		return policy.Fen(a.Units) * 500_00
	}
	c := plan.Certificates[a.Cert]
	yuan := []policy.Fen{1000, 1500, 2000}[c.Level]
	if c.Scarce && (a.Kind != inGuangdong || c.Level == 2) {
		yuan = yuan * 13 / 10
	}
	return yuan * 100
}

// advanceOf is what may be paid ahead 先行拨付: at most half, of 岗前培训 alone.
func (a *raceAsk) advanceOf() policy.Fen {
	if a.Kind == preJob {
		return 150_00
	}
	return 0
}

// agedForGuangdong reads the age from the identity number: 16 to 60, women to 55
// (一（一）1).
func agedForGuangdong(person int, on standards.Date) bool {
	id := invented.PersonAt(person).Document
	born, _ := strconv.Atoi(id[6:14])
	day, _ := strconv.Atoi(string(on[:4]) + string(on[5:7]) + string(on[8:10]))
	age, most := (day-born)/10000, 60
	if (id[16]-'0')%2 == 0 {
		most = 55
	}
	return age >= 16 && age <= most
}
