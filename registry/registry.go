// Package registry is the ledger: who may issue, what was issued, what became of
// it, and who was paid for it. It holds the tables, the use cases, the audit log
// and the authorisation; the rules themselves are pure functions in standards,
// evaluators, credentials and registry/policy.
//
// Every use case is one method in one file. It loads, lets a pure rule decide,
// stores, and appends to the audit log, in that order and in one Update.
package registry

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Config is what a Registry needs besides the store. Every field is required
// unless it says otherwise.
type Config struct {
	// Origin is the address printed in every QR code, for example
	// https://zs.example.gov.cn, without a path or a slash at the end.
	Origin string
	// LogOrigin is the name of the audit log; LogOrigin(Origin) when empty. It is
	// another one after StartLogOrigin.
	LogOrigin string
	// Region is the GB/T 2260 code of the authority that runs the register.
	Region string
	// Operator is who runs it, as pages name it: zh and en.
	OperatorZH, OperatorEN string
	// Keys is the key ring, which lives outside the store.
	Keys *credentials.KeyRing
	// Checkpoint keeps the last signed checkpoint outside the store.
	Checkpoint auditlog.CheckpointStore
	// Policies are the subsidy policies in use.
	Policies policy.Set
	// Sameness says which occupations are the same across editions; when nil it is
	// what Rules.Sameness says.
	Sameness policy.Equivalence
	// Rules are the rule files in use.
	Rules Rules
	// Calendar knows working days.
	Calendar standards.Calendar
	// WebhookNetworks are networks besides the public internet in which endpoints of
	// payers may be; none when empty.
	WebhookNetworks []netip.Prefix
	// Witnesses are asked for cosignatures of each checkpoint; none when empty.
	Witnesses []Witness
	// WitnessNetworks are networks besides the public internet in which witnesses
	// may be; none when empty.
	WitnessNetworks []netip.Prefix
	// Now and Rand are the clock and randomness. Rules that decide a write use
	// the store's time; Now serves only what is signed and shown.
	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger
}

// Registry is the ledger over one store. Its methods may be called from several
// goroutines.
type Registry struct {
	db        store
	cfg       Config
	vault     *vault
	rand      *randomness
	starter   standards.Catalogue
	same      sameTables
	laws      sync.Map // digests of laws that this process has seen committed
	log       *slog.Logger
	signer    *auditlog.Signer
	publisher *auditlog.Publisher
	tree      *auditlog.Cache
	witnesses []auditlog.WitnessKey // of cfg.Witnesses, in order
	cosigned  atomic.Pointer[auditlog.Cosigned]
	verdicts  recent[placeOfVersion, *verdictFound]
	handles   recent[credentials.Handle, versionIn]
	issuers   recent[issuerPlace, issuerFound]
	read      struct {
		versions     recent[string, decoded[Version]]
		batches      recent[string, decoded[Batch]]
		filings      recent[string, decoded[evaluators.Filing]]
		institutions recent[string, decoded[evaluators.Institution]]
	}
	tokens    recent[credentials.Token, openedToken]
	statuses  statusTexts
	directory directoryCache
	fewRows   int // see fewRows
}

// New returns the ledger over db. It answers Invalid when the origin is too
// long for a QR code within budget.
func New(db *kv.DB, cfg Config) (*Registry, error) {
	if err := credentials.Budget(cfg.Origin); err != nil {
		return nil, err
	}
	publisher, signer, err := newPublisher(cfg)
	if err != nil {
		return nil, err
	}
	witnesses, err := witnessKeys(signer.Origin(), cfg.Witnesses)
	if err != nil {
		return nil, err
	}
	random := &randomness{r: cfg.Rand}
	return &Registry{
		fewRows: fewRows,
		db:      store{db}, cfg: cfg, rand: random,
		vault:   &vault{secrets: cfg.Keys, rand: random},
		starter: standards.Starter(),
		same:    newSameTables(cfg.Rules.Sameness, cfg.Region),
		log:     cfg.Log,
		signer:  signer, publisher: publisher, tree: auditlog.NewCache(),
		witnesses: witnesses,
	}, nil
}

// Migrations are the schema's steps, oldest first. They are appended to, never
// edited.
func Migrations() []kv.Migration {
	return []kv.Migration{{Name: "institutions in full", Step: institutionsInFull},
		{Name: "batches to report to the national query", Step: batchesToReport},
		{Name: "history of status lists", Step: statusHistories},
		{Name: "reliance feeds begin", Step: relianceBegins, Trace: relianceBegan},
		{Name: "claims that something is to be done about", Step: claimsInFull},
		{Name: "claims counted", Step: claimsCounted},
		{Name: "hashes within tiles of the log", Step: auditlog.FillMiddles},
		{Name: "claims number themselves", Step: claimCountersEnd}}
}

// Outdated is closed once a newer version of the program has taken over the store, or
// the store was emptied or replaced: nothing is answered any more, and the process
// should end.
func (r *Registry) Outdated() <-chan struct{} { return r.db.Outdated() }

// OutdatedBy is why; see [kv.DB.OutdatedBy].
func (r *Registry) OutdatedBy() error { return r.db.OutdatedBy() }

// Config returns what the registry was made with.
func (r *Registry) Config() Config { return r.cfg }

// now is the time that a View decides with: never before what was committed.
func (r *Registry) now(rd kv.Reader) (time.Time, error) { return r.db.Now(rd) }

// view runs fn on a consistent state together with its time.
func (r *Registry) view(ctx context.Context, fn func(rd kv.Reader, now time.Time) error) error {
	return r.db.View(ctx, func(rd kv.Reader) error {
		now, err := r.now(rd)
		if err != nil {
			return err
		}
		return fn(rd, now)
	})
}

// notFound is the one answer for records that are not there or may not be seen.
func notFound(what, zh, id string) error {
	return fail.New(fail.NotFound, "not_found", "there is no %s %s", what, id).In("没有该%s：%s", zh, id)
}

// need reads a record that has to exist.
func need[V any](rd kv.Reader, table kv.Records[V], key []byte, what, zh, id string) (V, error) {
	v, ok, err := table.Get(rd, key)
	if err != nil {
		return v, err
	}
	if !ok {
		return v, notFound(what, zh, id)
	}
	return v, nil
}

// Page is where a list goes on: Cursor is opaque and comes from Next of the page
// before, Limit is 1 to 500 and 50 when zero.
type Page struct {
	Cursor string
	Limit  int
}
