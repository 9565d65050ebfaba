package registry

import (
	"context"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// StateRefused is the state of a claim that was refused and is only kept so that
// its reference gives the same answer again. It counts in no rule and never
// becomes anything else.
const StateRefused policy.State = "refused"

// How much of one person an Update reads at most. A person with more needs a
// reviewer, not a quicker loop.
const (
	claimsMax   = 500
	holdingsMax = 500
	// refusalsMax is how many records of a person there may be before refusals
	// are answered without being recorded: a payer that asks again and again
	// cannot fill the room that claims need.
	refusalsMax = 250
	// givenUpMax is how many claims of a person one payer may have released,
	// withdrawn or let expire before it gets no further one.
	givenUpMax = 50
)

// Claim is one subsidy claim 补贴申领 of a person, for ever. It has no personal
// data: what the decision rests on is sealed with it (claimBasis). Steps are
// added with the index of their log entry and never removed.
type Claim struct {
	ID        string   `json:"id"`
	Person    PersonID `json:"person"`
	Seq       int      `json:"seq"`       // 1, 2, … per person, in the order of the log
	Payer     string   `json:"payer"`     // the organisation that asked
	Region    string   `json:"region"`    // of the payer, GB/T 2260
	Reference string   `json:"reference"` // the payer's own, unique for it

	Policy        string      `json:"policy"`
	PolicyVersion int         `json:"policy_version"`
	PolicyDigest  string      `json:"policy_digest"` // SHA-256 of the policy file
	Fund          policy.Fund `json:"fund"`

	Certificate        string          `json:"certificate"` // number, as the ledger keeps it
	CertificateVersion int             `json:"certificate_version"`
	Occupation         string          `json:"occupation"`
	Edition            string          `json:"edition"`
	Trade              string          `json:"trade,omitempty"`
	Level              standards.Level `json:"level"`

	Outcome policy.Outcome  `json:"outcome"` // allow, or deny for a refused one
	Reasons []policy.Reason `json:"reasons"`
	Amount  policy.Fen      `json:"amount_fen"`
	OnceKey string          `json:"once_key"` // for auditors; nothing is locked by it
	Year    int             `json:"year"`     // the natural year in which it counts
	Basis   []byte          `json:"basis"`    // SHA-256 of the sealed claimBasis, which begins with a salt

	State    policy.State   `json:"state"` // as last written; see StateAt
	Reserved time.Time      `json:"reserved"`
	Expires  time.Time      `json:"expires,omitzero"`
	Release  *ReleaseRecord `json:"release,omitempty"`
	Payment  *PaymentRecord `json:"payment,omitempty"`
	Refund   *RefundRecord  `json:"refund,omitempty"`
	Recovery *RecoveryItem  `json:"recovery,omitempty"`
	LogIndex uint64         `json:"log_index"` // its entry; the decision rests on the tree of that size

	Received standards.Date   `json:"received,omitempty"` // 受理日; empty in claims of the first release
	Issued   standards.Date   `json:"issued,omitempty"`   // of the certificate
	Subject  policy.Subject   `json:"subject,omitzero"`   // of a claim without a certificate
	Scarce   bool             `json:"scarce,omitempty"`
	PayTo    string           `json:"pay_to,omitempty"`
	Advance  policy.Fen       `json:"advance_most_fen,omitempty"`
	Channel  policy.Channel   `json:"channel,omitempty"` // empty: by the system
	Imported *ImportedPayment `json:"imported,omitempty"`
	// Institution issued the certificate; empty without one, or when it is not in
	// this register.
	Institution string `json:"institution,omitempty"`

	// Steps are all that happened since, each with its entry of the log; what
	// stands above in State, Expires, Release, Payment, Refund and Recovery, and
	// below, is what they have led to. A claim of the first release that was not
	// touched since has none.
	Steps       []ClaimStep       `json:"steps,omitempty"`
	Since       time.Time         `json:"since,omitzero"` // in State
	Publicity   *ClaimPublicity   `json:"publicity,omitempty"`
	Withdrawal  *ReleaseRecord    `json:"withdrawal,omitempty"`
	Corrections []ClaimCorrection `json:"corrections,omitempty"`
}

// ImportedPayment says that a claim was not decided here: it is a payment of the
// past, taken over from a payer's ledger. It counts, and nothing replays it.
type ImportedPayment struct {
	Ledger string    `json:"ledger"` // the import's id
	Row    int       `json:"row"`    // in the ledger, from 1
	At     time.Time `json:"at"`     // when it was taken over
}

// RecoveryItem is money that has to come back 追回: paid although the right was
// gone, or to be recovered for another reason. It stays listed until it is closed.
type RecoveryItem struct {
	Amount policy.Fen `json:"amount_fen"`
	Opened time.Time  `json:"opened"`
	Closed time.Time  `json:"closed,omitzero"`
	Back   policy.Fen `json:"back_fen,omitempty"`
	// Restores says whether the person may claim again once all is back; nil until
	// it is said. It is said once.
	Restores *bool  `json:"restores_right,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Again: a payment was taken for returned by the bank and paid again, and then
	// that proved wrong. What was too much has to come back; the right stays used by
	// what was due, so that Restores is false and the claim is confirmed again in the end.
	Again bool `json:"again,omitempty"`
}

// claimBasis is what a decision rests on besides the ledger. It is stored sealed.
type claimBasis struct {
	Salt     []byte         `json:"salt"`    // 16 random bytes: the hash of the basis gives nothing away
	Request  []byte         `json:"request"` // SHA-256 of the canonical request
	Received standards.Date `json:"received"`
	Facts    policy.Facts   `json:"facts,omitempty"`
	// Certificates are the numbers of all the person's public certificates at
	// that moment, the claimed one included.
	Certificates []string        `json:"certificates"`
	Decision     policy.Decision `json:"decision"`

	// What was asked besides, and what the register knew: the records it knew it
	// from may change, so a replay takes it from here. Asked is the certificate as
	// the rules saw it and Others the person's other ones; Equivalence is the
	// digest of the table of same occupations.
	Applied     standards.Date       `json:"applied,omitempty"`
	Subject     policy.Subject       `json:"subject,omitzero"`
	Person      policy.Person        `json:"person,omitzero"`
	Channel     policy.Channel       `json:"channel,omitempty"`
	Exceptions  []policy.Exception   `json:"exceptions,omitempty"`
	Asked       policy.Certificate   `json:"asked,omitzero"`
	Others      []policy.Certificate `json:"others,omitempty"`
	Equivalence string               `json:"equivalence,omitempty"`
	// Unconfirmed is what the answer said besides, for who asks again.
	Unconfirmed []UnconfirmedPolicy `json:"unconfirmed,omitempty"`
}

// StateAt is the state at now: a reservation expires without being written.
func (c Claim) StateAt(now time.Time) policy.State {
	return policy.StateAt(c.State, c.Expires, now)
}

// past is the claim as the rules see it.
func (c Claim) past() policy.PastClaim {
	return policy.PastClaim{
		ID: c.ID, Payer: c.Payer, Fund: c.Fund, Policy: c.Policy,
		Occupation: c.Occupation, Edition: c.Edition, Trade: c.Trade, Level: c.Level, Certificate: c.Certificate,
		State: c.State, At: c.Reserved, Expires: c.Expires, Year: c.Year,
		Subject: c.Subject.Kind, From: c.Subject.From, To: c.Subject.To, Units: c.Subject.Units,
		Course: c.Subject.Course, Scarce: c.Scarce, Received: c.Received, Issued: c.Issued,
	}
}

// pastClaims are the claims that rules look at, and the facts completed by what
// the register itself knows: when the policy's text is silent on whether a
// refund gives the right back, each refund was recorded with the answer. Refunds
// that did are left out; for the others the fact is stated in the payer's place.
func pastClaims(p policy.Policy, all []Claim, self string, facts policy.Facts) ([]policy.PastClaim, policy.Facts) {
	var out []policy.PastClaim
	for _, c := range all {
		if c.State == StateRefused || c.ID == self {
			continue
		}
		if c.State == policy.Refunded && p.Refund == nil {
			if c.Refund.Restores {
				continue
			}
			completed := policy.Facts{}
			for k, f := range facts {
				completed[k] = f
			}
			completed[policy.RightRestored] = policy.Fact{Value: policy.No, Source: "登记系统追回记录", At: c.Refund.At, Reference: c.ID}
			facts = completed
		}
		out = append(out, c.past())
	}
	return out, facts
}

// ClaimView is a claim as its payer and auditors see it, with its state as of
// the answer. It does not name the person.
type ClaimView struct {
	ID          string          `json:"id"`
	Payer       string          `json:"payer"`
	Region      string          `json:"region"`
	Reference   string          `json:"reference"`
	Policy      string          `json:"policy"`
	Version     int             `json:"policy_version"`
	Digest      string          `json:"policy_digest"`
	Fund        policy.Fund     `json:"fund"`
	Certificate string          `json:"certificate"`
	Occupation  string          `json:"occupation"`
	Edition     string          `json:"edition"`
	Trade       string          `json:"trade,omitempty"`
	Level       standards.Level `json:"level"`
	Outcome     policy.Outcome  `json:"outcome"`
	Reasons     []policy.Reason `json:"reasons"`
	Amount      policy.Fen      `json:"amount_fen"`
	OnceKey     string          `json:"once_key"`
	Year        int             `json:"year"`
	State       policy.State    `json:"state"`
	StateName   policy.Text     `json:"state_name"`
	Reserved    time.Time       `json:"reserved"`
	Expires     time.Time       `json:"expires,omitzero"`
	Release     *ReleaseRecord  `json:"release,omitempty"`
	Payment     *PaymentRecord  `json:"payment,omitempty"`
	Refund      *RefundRecord   `json:"refund,omitempty"`
	Recovery    *RecoveryItem   `json:"recovery,omitempty"`
	Basis       []byte          `json:"basis"` // SHA-256 of what the decision rests on
	LogIndex    uint64          `json:"log_index"`

	Subject     policy.Subject    `json:"subject,omitzero"`
	PayTo       string            `json:"pay_to,omitempty"`
	Advance     policy.Fen        `json:"advance_most_fen,omitempty"`
	Imported    *ImportedPayment  `json:"imported,omitempty"`
	Since       time.Time         `json:"since,omitzero"` // in this state
	Publicity   *ClaimPublicity   `json:"publicity,omitempty"`
	Withdrawal  *ReleaseRecord    `json:"withdrawal,omitempty"`
	Payments    []PaymentRecord   `json:"payments,omitempty"` // in force: a returned one is only a step
	InHands     policy.Fen        `json:"in_hands_fen"`       // paid, neither returned nor recovered
	Owed        policy.Fen        `json:"owed_fen"`           // to be recovered
	Steps       []ClaimStep       `json:"steps,omitempty"`
	Corrections []ClaimCorrection `json:"corrections,omitempty"`
}

// View is the claim for its payer at now.
func (c Claim) View(now time.Time) ClaimView {
	state, life := c.StateAt(now), c.life()
	since := c.Since
	switch {
	case state != c.State:
		since = c.Expires
	case since.IsZero() && state != StateRefused:
		since = life.since // of a claim of the first release
	}
	return ClaimView{
		ID: c.ID, Payer: c.Payer, Region: c.Region, Reference: c.Reference,
		Policy: c.Policy, Version: c.PolicyVersion, Digest: c.PolicyDigest, Fund: c.Fund,
		Certificate: c.Certificate, Occupation: c.Occupation, Edition: c.Edition, Trade: c.Trade, Level: c.Level,
		Outcome: c.Outcome, Reasons: c.Reasons, Amount: c.Amount, OnceKey: c.OnceKey, Year: c.Year,
		State: state, StateName: ClaimStateName(state), Reserved: c.Reserved, Expires: c.Expires,
		Release: c.Release, Payment: c.Payment, Refund: c.Refund, Recovery: c.Recovery, Basis: c.Basis, LogIndex: c.LogIndex,
		Subject: c.Subject, PayTo: c.PayTo, Advance: c.Advance, Imported: c.Imported, Since: since, Publicity: c.Publicity, Withdrawal: c.Withdrawal,
		Payments: life.payments, InHands: life.paid - life.back, Owed: c.Owed(), Steps: c.viewSteps(), Corrections: c.Corrections,
	}
}

func (c Claim) viewSteps() []ClaimStep {
	if c.State == StateRefused {
		return nil
	}
	return c.steps()
}

// ClaimStateName is a claim's state as officials say it.
func ClaimStateName(s policy.State) policy.Text {
	if s == StateRefused {
		return policy.Text{ZH: "不予锁定", EN: "refused"}
	}
	return s.Name()
}

// claimFor loads a claim that by may handle. What belongs to another payer is
// not there: its existence alone says that somebody was paid.
func claimFor(rd kv.Reader, by Actor, do Action, id string) (Claim, error) {
	if len(by.Roles) == 0 {
		return Claim{}, may(by, do, Object{})
	}
	if id == "" || len(id) > 64 {
		return Claim{}, notFound("claim", "申领", "")
	}
	c, ok, err := claims.Lookup(rd, indexClaimsByID, kv.Key(id))
	if err != nil {
		return Claim{}, err
	}
	if !ok || may(by, do, Object{Payer: c.Payer, Region: c.Region}) != nil {
		return Claim{}, notFound("claim", "申领", id)
	}
	return c, nil
}

// personClaims reads every claim of a person, under whatever ids it has after
// merges, in the order of the log.
func personClaims(rd kv.Reader, person PersonID) ([]Claim, error) {
	ids, err := identities(rd, person)
	if err != nil {
		return nil, err
	}
	return claimsUnderAll(rd, ids)
}

// claimsUnder reads the claims under one id.
func claimsUnder(rd kv.Reader, id PersonID) ([]Claim, error) {
	rng := kv.Prefix(kv.Key(id[:]))
	rng.Limit = claimsMax + 1
	cs, _, err := claims.Scan(rd, rng)
	if err == nil && len(cs) > claimsMax {
		err = tooManyClaims()
	}
	return cs, err
}

// ClaimByID shows a claim to its payer and to auditors of its region; to all
// others it is NotFound.
func (r *Registry) ClaimByID(ctx context.Context, by Actor, id string) (out ClaimView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		c, err := claimFor(rd, by, ReadClaim, id)
		if err != nil {
			return err
		}
		out = c.View(now)
		return nil
	})
	return out, err
}

// changeClaim is the thin shell of every step after a reservation: load, let
// rule decide, log, store. rule answers the claim with the step; done says that
// the step was taken before, and then nothing changes.
func (r *Registry) changeClaim(ctx context.Context, by Actor, id string, rule func(tx kv.Tx, c Claim) (out Claim, done bool, err error)) (ClaimView, error) {
	var out ClaimView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = ClaimView{}
		c, err := claimFor(tx, by, UseClaims, id)
		if err != nil {
			return err
		}
		c, done, err := rule(tx, c)
		if err != nil {
			return err
		}
		if !done {
			if c, err = r.putStep(tx, by, c); err != nil {
				return err
			}
		}
		out = c.View(tx.Now())
		return nil
	})
	return out, err
}

// putStep logs the newest step of a claim and stores it.
func (r *Registry) putStep(tx kv.Tx, by Actor, c Claim) (Claim, error) {
	s := c.Steps[len(c.Steps)-1]
	index, err := r.appendEvent(tx, by, Event{Kind: s.event(), Object: c.ID, Payer: c.Payer, Detail: s.detail()})
	if err != nil {
		return c, err
	}
	if c, err = c.logged(index); err != nil {
		return c, err
	}
	if err := countClaims(tx, c); err != nil {
		return c, err
	}
	if err := claims.Put(tx, c); err != nil {
		return c, err
	}
	if s.Kind != StepPaid {
		return c, nil
	}
	if c.State == policy.Duplicate {
		if err := r.collideNow(tx, by, FromLate, c, index); err != nil {
			return c, err
		}
	}
	return c, r.relianceOfPayment(tx, c, index)
}
