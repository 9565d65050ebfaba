package registry

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/corrections"
	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// saying is an event being read, and what is found in it.
type saying struct {
	said
	kind        EventKind
	at, by, via string
	object      string
	institution string
	payer       string
	detail      map[string]any
	cut         bool // the log has the hash of its detail alone
	time        time.Time
}

// saidBy reads one event.
func saidBy(index uint64, event []byte) (said, error) {
	var ev struct {
		Kind        EventKind       `json:"kind"`
		At          time.Time       `json:"at"`
		By          string          `json:"by"`
		Via         string          `json:"via"`
		Object      string          `json:"object"`
		Institution string          `json:"institution"`
		Payer       string          `json:"payer"`
		Detail      json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(event, &ev); err != nil {
		return said{index: index}, err
	}
	s := &saying{said: said{index: index}, kind: ev.Kind, time: ev.At, at: ev.At.Format(time.RFC3339Nano), by: ev.By, via: ev.Via, object: ev.Object, institution: ev.Institution, payer: ev.Payer}
	if ev.Kind == CertificateSigned {
		return s.said, s.signed(ev.Detail)
	}
	say := sayings[ev.Kind]
	if say == nil {
		return s.said, nil
	}
	if len(ev.Detail) > 0 {
		v, err := jsonOf(ev.Detail)
		if err != nil {
			return s.said, err
		}
		s.detail, _ = v.(map[string]any)
	}
	_, hashed := s.detail["sha256"]
	_, sized := s.detail["bytes"]
	s.cut = hashed && sized && len(s.detail) == 2
	say(s)
	return s.said, nil
}

// of is a record that the event speaks of.
func (s *saying) of(table kv.Table, key ...any) *recordSaid {
	r := &recordSaid{table: table, key: kv.Key(key...)}
	s.records = append(s.records, r)
	return r
}

// by id, where the key has more in it.
func (s *saying) ofIndex(table, index kv.Table, entry ...any) *recordSaid {
	r := &recordSaid{table: table, index: index, entry: kv.Key(entry...)}
	s.records = append(s.records, r)
	return r
}

// made says that the event has made a record: there is one such event for each
// record of the table.
func (s *saying) made(table kv.Table, key ...any) *recordSaid {
	r := s.of(table, key...)
	s.sum(r, sumMade, 1)
	return r
}

// What sums are about: the words of a problem.
const sumMade = "events that made it"

func (s *saying) sum(r *recordSaid, what string, n int64) {
	s.sums = append(s.sums, sumSaid{sumKey(what, r.table, r.key), n})
}

func sumKey(what string, table kv.Table, key []byte) string {
	return what + "\x00" + recordName(table, key)
}

// whole says that the record is as v, which has every member but those named.
func (s *saying) whole(r *recordSaid, v any, but ...string) {
	if !s.cut && v != nil {
		r.facts = append(r.facts, fact{want: v, but: but, grows: growing[r.table]})
	}
	m, _ := v.(map[string]any)
	for _, list := range growing[r.table] {
		if s.cut {
			continue
		}
		elements, _ := m[list].([]any)
		s.sum(r, sumList+list, int64(len(elements)))
	}
}

const (
	sumFindings = "findings"
	sumEntries  = "institutions entered"
	sumOpen     = "inspections that are not published"
)

const sumList = "elements of the list "

// is says what a member is now.
func (r *recordSaid) is(path string, v any) *recordSaid {
	r.facts = append(r.facts, fact{path: path, want: v})
	return r
}

// free says that from now on no event says what a member is.
func (r *recordSaid) free(paths ...string) *recordSaid {
	for _, path := range paths {
		r.facts = append(r.facts, fact{path: path, any: true})
	}
	return r
}

// tell says of members of a record what the members of the detail with the same
// names say. An event of an earlier release may lack one.
func (s *saying) tell(r *recordSaid, members ...string) *recordSaid {
	for _, m := range members {
		if v, there := s.detail[m]; there && !s.cut {
			r.is(m, v)
		}
	}
	return r
}

// added says that a list has an element with these members, which is never changed.
func (s *saying) added(r *recordSaid, list string, element map[string]any) {
	if s.cut || element == nil {
		return
	}
	r.facts = append(r.facts, fact{path: list, want: element, element: true})
	if slices.Contains(growing[r.table], list) {
		s.sum(r, sumList+list, 1)
	}
}

// element says what the element of a list with its id is now.
func (r *recordSaid) element(list, id string, element map[string]any) {
	r.facts = append(r.facts, fact{path: list, want: element, element: true, by: id})
}

func (s *saying) text(member string) string { v, _ := s.detail[member].(string); return v }

func (s *saying) number(member string) uint64 {
	n, _ := s.detail[member].(json.Number)
	v, _ := strconv.ParseUint(string(n), 10, 64)
	return v
}

func (s *saying) part(member string) map[string]any {
	m, _ := s.detail[member].(map[string]any)
	return m
}

// step is who did it and when, as records keep it.
func (s *saying) step() map[string]any { return map[string]any{"by": s.by, "at": s.at} }

func (s *saying) logIndex() json.Number { return json.Number(strconv.FormatUint(s.index, 10)) }

func trimmed(s string) any { return strings.TrimSpace(s) }

func with(m map[string]any, more ...any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

// base64Of is how a record keeps bytes that the detail has as hexadecimal digits.
func base64Of(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return digits
	}
	return base64.StdEncoding.EncodeToString(b)
}

// growing are the lists that are only added to, of which every element has its event.
var growing = map[kv.Table][]string{
	tableInstitutions: {"names", "readmissions"},
	tableFilings:      {"scope_changes", "site_changes", "bodies", "groups", "recognitions"},
	tableCases:        {"steps"},
	tableApplications: {"history"},
	tableReviews:      {"steps"},
	tableMerges:       {"steps"},
	tableCollisions:   {"steps"},
	tableExaminers:    {"terms", "measures"},
	tableSessions:     {"earlier_batches"},
}

// sayings say for each kind of event what it says of records. Kinds that are not
// here change no record of which they say anything: see TestEveryEventIsConsidered.
var sayings = map[EventKind]func(s *saying){
	AccountCreated: func(s *saying) { s.whole(s.made(tableAccounts, s.object), any(s.detail)) },
	KeyIssued: func(s *saying) {
		r := s.tell(s.made(tableKeys, s.object), "account", "expires").is("created", s.at).is("revoked", nil)
		if hash := s.text("hash_sha256"); hash != "" {
			r.facts = append(r.facts, fact{path: "hash", want: hash, hashed: true})
		}
	},
	KeyRevoked: func(s *saying) { s.of(tableKeys, s.object).is("revoked", s.at) },

	InstitutionAdmitted: func(s *saying) { s.whole(s.made(tableInstitutions, s.object), any(s.detail)) },
	InstitutionRenamed: func(s *saying) {
		r := s.of(tableInstitutions, s.object)
		s.tell(r, "name")
		s.added(r, "names", s.detail)
	},
	InstitutionReadmitted: func(s *saying) { s.added(s.of(tableInstitutions, s.object), "readmissions", s.detail) },
	FilingRecorded: func(s *saying) {
		r := s.made(tableFilings, s.object)
		if s.detail["region"] == nil { // of the first release; the migration has set it
			s.whole(r, any(s.detail), "region")
			return
		}
		s.whole(r, any(s.detail))
	},
	FilingScopeChanged:  filingGrew("scope_changes"),
	FilingSiteChanged:   filingGrew("site_changes"),
	FilingSupervised:    filingGrew("bodies"),
	FilingGroupAdmitted: filingGrew("groups"),
	FilingRecognised:    filingGrew("recognitions"),
	DecisionRecorded:    func(s *saying) { s.whole(s.made(tableDecisions, s.institution, s.object), any(s.detail)) },
	FilingApplied: func(s *saying) {
		s.whole(s.made(tableApplications, s.object), any(s.detail), "state", "filing")
		s.tell(s.of(tableApplications, s.object), "state")
	},
	ApplicationMoved: func(s *saying) {
		r := s.tell(s.of(tableApplications, s.object), "state", "filing")
		s.added(r, "history", s.part("act"))
	},

	SessionFiled: func(s *saying) {
		r := s.made(tableSessions, s.object)
		if s.detail["course"] == nil { // of the first release; the migration has set it
			s.whole(r, any(s.detail), "course")
			return
		}
		s.whole(r, any(s.detail))
	},
	RosterEntered: func(s *saying) {
		r := s.of(tableSessions, s.object)
		r.facts = append(r.facts, fact{path: "roster", want: any(s.detail), absent: true})
	},
	PlatformSet: func(s *saying) { s.tell(s.of(tableSessions, s.object), "platform") },
	ResultsUploaded: func(s *saying) {
		s.of(tableSessions, s.object).is("results", any(s.detail)).is("publicity", nil).is("state", string(SessionResults))
	},
	ResultsConfirmed: func(s *saying) { s.of(tableSessions, s.object).is("results.confirmed", any(s.detail)) },
	ResultsApproved:  func(s *saying) { s.of(tableSessions, s.object).is("results.approved", any(s.detail)) },
	ResultsReturned: func(s *saying) {
		s.of(tableSessions, s.object).is("results.confirmed", nil).is("results.approved", nil).is("results.returned", s.detail["reason"]).
			is("publicity", nil).is("state", string(SessionResults))
	},
	PublicityStarted: func(s *saying) {
		r := s.of(tableSessions, s.object).is("state", string(SessionPublicity))
		for _, m := range []string{"from", "until", "basis", "at"} {
			r.is("publicity."+m, s.detail[m])
		}
		r.free("publicity.held", "publicity.excluded", "publicity.released") // appeals change how many rows they are
	},
	AppealFiled: func(s *saying) {
		r := s.made(tableAppeals, s.object, s.text("appeal")).is("filed", s.at).is("state", string(AppealOpen)).is("decided", nil).is("reason", nil).is("session", s.object)
		s.tell(r, "row", "generation")
	},
	AppealDecided: func(s *saying) {
		r := s.of(tableAppeals, s.object, s.text("appeal")).is("decided", any(s.step()))
		s.tell(r, "row", "state", "reason")
	},
	BatchStarted: func(s *saying) {
		s.whole(s.made(tableBatches, s.object), any(s.detail), "state", "allocated", "signed", "allocated_row", "signed_row", "people", "national")
		r := s.of(tableSessions, s.text("session")).is("batch", s.object).is("state", string(SessionIssuing))
		if s.detail["released"] != nil {
			s.sum(r, sumList+"earlier_batches", 1)
		}
	},
	BatchWasPublished: func(s *saying) {
		s.whole(s.of(tableBatches, s.object), any(s.detail), "national")
		r := s.of(tableSessions, s.text("session")).is("state", string(SessionIssued))
		if s.detail["released"] == nil {
			r.is("issued", s.detail["published"])
		}
	},
	BatchWasAborted: func(s *saying) {
		s.whole(s.of(tableBatches, s.object), any(s.detail), "national")
		r := s.of(tableSessions, s.text("session"))
		if s.detail["released"] == nil {
			r.is("batch", nil).is("state", string(SessionPublicity))
			return
		}
		r.is("state", string(SessionIssued)).free("batch") // is the one before again
		s.sum(r, sumList+"earlier_batches", -1)
	},

	CertificateReissued: func(s *saying) {
		s.version(s.object, s.number("version"), s.number("status"), s.text("kid"))
		if id := s.text("correction"); id != "" {
			r := s.of(tableCorrections, id)
			r.facts = append(r.facts, fact{path: someMember, any: true})
			s.tell(r, "version").is("state", string(corrections.Done)).is("ended", s.at).is("log_index", s.logIndex()).is("decision.by", s.detail["approved_by"])
		}
	},
	CodesResigned: func(s *saying) {
		n := int64(s.number("count"))
		s.sums = append(s.sums, kidSum(s.object, -n), kidSum(s.text("kid"), n))
	},
	CertificateElsewhere: func(s *saying) {
		r := s.of(tableCertificates, s.object).is("log_index", s.logIndex())
		s.whole(r, any(s.detail), "status", "changes", "log_index", "queryable")
		s.sums = append(s.sums, takenSum(s.index, 1))
	},
	PastImported: func(s *saying) {
		if n := s.number("certificates"); n > 0 {
			s.sums = append(s.sums, takenSum(s.index, int64(n)))
		}
		if n := s.number("payments"); n > 0 {
			s.sums = append(s.sums, paidSum(s.index, int64(n)))
		}
	},
	CertificateChanged: func(s *saying) {
		s.changed(s.object, "")
		s.tell(s.of(tableCertificates, s.object), "status")
	},
	CertificatesChanged:  (*saying).changedInMass,
	CertificatesRestored: (*saying).changedInMass,

	MassProposedEvent: func(s *saying) {
		r := s.made(tableMassChanges, s.object).is("by", s.by).is("proposed", s.at).is("state", string(MassProposed))
		s.tell(r, "region", "kind", "scope", "lifts", "document", "reason", "undo_hours").is("log_index", s.logIndex())
		s.preview(r, "preview")
		r.is("approved_by", nil).is("approved", nil).is("confirmed", nil).is("effective", nil).is("undo_until", nil).is("closed", nil).is("undo", nil)
	},
	MassApprovedEvent: func(s *saying) {
		r := s.of(tableMassChanges, s.object).is("approved_by", s.by).is("approved", s.at).is("log_index", s.logIndex())
		r.free("state", "confirmed") // its pages change the state
		s.tell(r, "effective")
		s.preview(r, "confirmed")
		if n, there := s.part("preview")["certificates"]; there {
			r.is("total", n)
		}
	},
	MassClosedEvent: func(s *saying) {
		r := s.of(tableMassChanges, s.object)
		s.tell(r, "state")
		r.is("closed.by", s.by).is("closed.at", s.at).is("closed.reason", trimmed(s.text("reason"))).is("log_index", s.logIndex())
	},
	MassUndoEvent: func(s *saying) {
		r := s.of(tableMassChanges, s.object)
		r.free("state", "undo")
		r.is("undo.by", s.by).is("undo.at", s.at).is("undo.reason", trimmed(s.text("reason"))).is("done", s.detail["done"]).is("log_index", s.logIndex())
	},
	MassEndedEvent: func(s *saying) {
		r := s.tell(s.of(tableMassChanges, s.object), "state", "changed", "undo_until").is("log_index", s.logIndex())
		if s.detail["restored"] != nil {
			r.is("undo.restored", s.detail["restored"]).is("undo.kept", s.detail["kept"]).is("undo.ended", s.at)
		} else {
			r.is("ended", s.at)
		}
	},
	CorrectionProposed: func(s *saying) {
		r := s.made(tableCorrections, s.text("correction")).is("number", s.object).is("institution", s.institution).is("by", s.by).is("proposed", s.at)
		s.tell(r, "state", "fields", "proofs", "basis", "reason", "rules", "region", "second_person").is("log_index", s.logIndex())
		if s.text("state") == string(corrections.Approved) { // no second person is asked for
			r.is("decision.by", s.by).is("decision.at", s.at)
		}
		s.digest(r)
	},
	CorrectionDecided: func(s *saying) {
		r := s.of(tableCorrections, s.text("correction"))
		s.tell(r, "state").is("log_index", s.logIndex())
		s.digest(r)
		if s.detail["why"] == nil {
			r.is("decision.by", s.by).is("decision.at", s.at)
		}
		if reason := s.detail["reason"]; reason != nil {
			r.is("decision.reason", reason)
		}
	},

	LawRecorded: func(s *saying) {
		r := s.made(tableLaws, s.text("digest")).is("id", s.object).is("recorded", s.at).is("log_index", s.logIndex())
		s.tell(r, "kind", "version")
		r.facts = append(r.facts, fact{path: "text", want: s.text("digest"), hashed: true})
	},
	ClaimReserved: (*saying).claimed,
	ClaimRefused:  (*saying).claimed,
	ClaimCorrectionAsked: func(s *saying) {
		s.correction(map[string]any{"by": s.by, "at": s.at, "log_index": s.logIndex()})
	},
	ClaimCorrectionEnded: func(s *saying) {
		s.correction(map[string]any{"state": s.detail["state"], "ended": s.logIndex(), "decided": any(s.step())})
	},
	SignedIn: func(s *saying) {
		hash, account := s.text("hash_sha256"), s.text("account")
		s.signIn = &signInSaid{id: s.object, account: account, hash: hash}
	},
	PayoutReceived: func(s *saying) {
		r := s.made(tablePayouts, s.object).is("payer", s.payer).is("by", s.by).is("received", s.at).is("sha256", base64Of(s.text("sha256")))
		s.tell(r, "region", "reference", "lines")
	},
	PayoutEnded: func(s *saying) {
		s.tell(s.of(tablePayouts, s.object), "outcomes", "paid_fen").is("ended", s.at).is("state", string(PayoutDone)).is("log_index", s.logIndex())
	},
	ClaimsChecked: func(s *saying) {
		r := s.of(tableClaimBatches, s.object)
		r.passing = true
		s.digest(r)
		s.tell(r, "rows", "policies", "tree_from", "tree_size", "results").is("ended", s.at).is("log_index", s.logIndex())
	},

	AppointmentProposed: func(s *saying) { s.whole(s.made(tableAppointments, s.object), any(s.detail)) },
	AppointmentChanged:  func(s *saying) { s.whole(s.of(tableAppointments, s.object), any(s.detail)) },
	ApprenticeBegun:     func(s *saying) { s.whole(s.made(tableApprentices, s.object), any(s.detail)) },
	ApprenticeEnded:     func(s *saying) { s.whole(s.of(tableApprentices, s.object), any(s.detail)) },
	NormWasFiled:        func(s *saying) { s.whole(s.made(tableNorms, s.object), any(s.detail)) },
	NormWasDecided: func(s *saying) {
		r := s.of(tableNorms, s.object).is("decision", any(s.detail)).is("state", normAfter[standards.NormStep(s.text("step"))])
		r.free("accepted")
	},

	ReviewOpened: func(s *saying) {
		r := s.made(tableReviews, s.object).is("opened", s.at)
		s.finding(r)
		r.facts = append(r.facts, fact{path: "findings", want: any([]any{s.detail["finding"]}), begins: true})
	},
	ReviewGrew:    func(s *saying) { s.finding(s.of(tableReviews, s.object)) },
	ReviewStepped: func(s *saying) { s.added(s.of(tableReviews, s.object), "steps", s.detail) },
	DrawAnnounced: func(s *saying) {
		s.whole(s.made(tableDraws, s.object), any(with(s.detail, "inspectors", nil)), "log_index")
		s.of(tableDraws, s.object).is("log_index", s.logIndex())
	},
	DrawSeeded:         (*saying).drawn,
	InspectionEntered:  (*saying).inspected,
	InspectionAnswered: (*saying).inspected,
	InspectionPublished: func(s *saying) {
		s.inspected()
		draw, _, _ := strings.Cut(s.object, "/")
		s.sums = append(s.sums, sumSaid{sumKey(sumOpen, tableDraws, kv.Key(draw)), -1})
	},

	CaseOpened: func(s *saying) {
		s.whole(s.made(tableCases, s.object), any(s.detail), "notice", "ruling", "service", "publication", "checks", "review")
	},
	CaseAdvanced: (*saying).advanced,

	CreditRecorded:        func(s *saying) { s.whole(s.made(tableCreditEvents, s.institution, s.object), any(s.detail)) },
	CreditReviewed:        func(s *saying) { s.whole(s.of(tableCreditReviews, s.object, s.number("year")), any(s.detail)) },
	CreditReviewPublished: func(s *saying) { s.whole(s.of(tableCreditReviews, s.object, s.number("year")), any(s.detail)) },
	StarsBegun:            func(s *saying) { s.whole(s.made(tableStars, s.institution, s.object), any(s.detail)) },
	StarsChanged:          func(s *saying) { s.whole(s.of(tableStars, s.institution, s.object), s.detail["assessment"]) },
	TaskListMade:          func(s *saying) { s.whole(s.made(tableTaskLists, s.object), any(s.detail), "entries") },
	TaskListEntered: func(s *saying) {
		s.sum(s.of(tableTaskLists, s.object), sumEntries, 1)
		s.whole(s.made(tableTaskEntries, s.institution, s.text("id")), any(s.detail))
	},
	TaskListRemoved:   func(s *saying) { s.whole(s.of(tableTaskEntries, s.institution, s.text("id")), any(s.detail)) },
	IntegrityRecorded: (*saying).integrity,
	IntegrityChanged:  (*saying).integrity,

	ExaminerRegistered: func(s *saying) { s.whole(s.made(tableExaminers, s.object), any(s.detail)) },
	ExaminerRenewed:    func(s *saying) { s.added(s.of(tableExaminers, s.object), "terms", s.detail) },
	ExaminerMeasured: func(s *saying) {
		r := s.of(tableExaminers, s.object)
		s.added(r, "measures", s.detail)
		r.element("measures", "id", with(s.detail, "lifted", s.detail["lifted"], "appeal", s.detail["appeal"]))
	},
	ExaminerRestored:  (*saying).measuresChanged,
	ExaminerAppealed:  (*saying).measuresChanged,
	AvoidanceRecorded: func(s *saying) { s.tie("avoidances") },
	TeachingRecorded:  func(s *saying) { s.tie("teaching") },
	SessionArranged: func(s *saying) {
		past := s.of(tableArrangementsPast, s.object, s.number("n"))
		past.passing = true // it is there when it was replaced
		for _, r := range []*recordSaid{s.of(tableArrangements, s.object), past} {
			s.tell(r, "n", "rules", "reason").is("by", s.by).is("recorded", s.at)
			for _, m := range arrangementPlan {
				r.is(m, s.part("plan")[m])
			}
		}
	},
	SupervisionFiled: func(s *saying) {
		r := s.made(tableSupervision, s.text("session"), s.object).is("institution", s.institution).is("by", s.by).is("recorded", s.at)
		s.tell(r, "session", "side", "supervisor", "overall", "findings", "rules")
		items, _ := s.detail["items"].([]any)
		for i, item := range items {
			for _, m := range []string{"code", "outcome", "severity"} {
				v, _ := item.(map[string]any)
				r.is("items."+strconv.Itoa(i)+"."+m, v[m])
			}
		}
	},
	PersonsMergeStepped: func(s *saying) {
		r := s.of(tableMerges, s.object)
		if s.detail["do"] == nil {
			s.sum(r, sumMade, 1)
		}
		s.tell(r, "survivor", "loser", "evidence", "kinds").is("reason", s.detail["why"]).is("state", s.detail["to"]).is("log_index", s.logIndex())
		step := with(s.detail, "log_index", s.logIndex())
		for _, m := range []string{"survivor", "loser", "evidence", "why", "kinds"} {
			delete(step, m)
		}
		s.added(r, "steps", step)
	},
	CollisionWasOpened: func(s *saying) {
		r := s.made(tableCollisions, s.object).is("opened", s.at).is("state", string(CollisionOpen))
		s.tell(r, "source", "merge").is("log_index", s.logIndex())
		s.digest(r)
	},
	CollisionStepped: func(s *saying) {
		r := s.of(tableCollisions, s.object).is("state", s.detail["to"]).is("log_index", s.logIndex())
		s.digest(r)
		step := with(s.detail, "log_index", s.logIndex())
		delete(step, "record_sha256")
		s.added(r, "steps", step)
	},

	NationalMade: func(s *saying) {
		r := s.made(tableNationalUploads, s.object).is("by", s.by).is("made", s.at).is("institution", s.institution).is("log_index", s.logIndex()).is("state", string(uploads.Generated))
		s.tell(r, "number", "type", "rules", "batch", "rows", "left_out", "content_sha256")
		if rows, _ := s.detail["batch_rows"].([]any); len(rows) == 2 {
			r.is("from", rows[0]).is("to", rows[1])
		}
		s.digest(r)
	},
	NationalSent:      func(s *saying) { s.nationalStep("sent", "on") },
	NationalWithdrawn: func(s *saying) { s.nationalStep("withdrawn", "on") },
	NationalQueryable: func(s *saying) { s.nationalStep("queryable", "since") },
	NationalReceived: func(s *saying) {
		s.nationalStep("receipt", "on")
		s.records[len(s.records)-1].is("receipt.digest", base64Of(s.text("digest")))
	},

	BlanksApplication: func(s *saying) {
		r := s.of(tableBlankApplication, s.object)
		s.digest(r)
		s.tell(r, "state", "quantity", "granted", "rules").is("institution", s.institution).is("log_index", s.logIndex())
	},
	BlanksDestruction: func(s *saying) {
		r := s.of(tableDestructions, s.object)
		s.digest(r)
		s.tell(r, "state", "document", "method").is("institution", s.institution).is("log_index", s.logIndex())
	},
	BlanksCounted: func(s *saying) {
		r := s.made(tableStocktakings, s.institution, uint64(s.time.Unix()), s.object).is("quantity", s.detail["counted"]).is("by", s.by).is("log_index", s.logIndex())
		s.tell(r, "ledger", "note")
		s.digest(r)
	},
	PrintsRecorded: func(s *saying) {
		said, _ := s.detail["prints"].([]any)
		if said == nil {
			said = []any{any(with(s.detail, "number", s.object))}
		}
		for _, one := range said {
			p, _ := one.(map[string]any)
			n, _ := p["n"].(json.Number)
			count, _ := strconv.ParseUint(string(n), 10, 64)
			number, _ := p["number"].(string)
			r := s.made(tablePrints, number, count).is("by", s.by).is("at", s.at)
			for m, v := range p {
				r.is(m, v)
			}
			if p["kind"] == string(blanks.Reprint) {
				r.is("reason", s.detail["reason"])
			}
		}
	},
	PrintJobMoved: func(s *saying) {
		s.tell(s.of(tablePrintJobs, s.object), "session", "total", "numbers", "plain", "reason").is("institution", s.institution)
	},
	CertificateHandedOut: func(s *saying) {
		r := &recordSaid{table: tableHandouts, key: versionKey(s.object, int(s.number("version")))}
		s.records = append(s.records, r)
		s.sum(r, sumMade, 1)
		s.tell(r, "version", "date", "proxy").is("by", s.by).is("at", s.at).is("log_index", s.logIndex())
	},
	WebhookAdded: func(s *saying) {
		r := s.made(tableWebhooks, s.object).is("payer", s.payer).is("by", s.by).is("created", s.at)
		s.tell(r, "region")
		if sum := s.text("url_sha256"); sum != "" {
			r.facts = append(r.facts, fact{path: "url", want: sum, plain: true})
		}
	},
	PastImportEnded: func(s *saying) {
		r := s.of(tablePastRuns, s.object)
		r.passing = true          // that of institutions is none
		s.tell(r, "kind", "rows") // a run that did nothing new has no event
	},
}

// normAfter is the state of a norm after a decision.
var normAfter = map[standards.NormStep]any{standards.NormAccept: string(standards.NormAccepted), standards.NormRefuse: string(standards.NormRefused), standards.NormWithdraw: string(standards.NormWithdrawn)}

// arrangementPlan are the members of an arrangement that are its plan.
var arrangementPlan = []string{"panel", "review", "rooms", "internal_supervisor", "external_supervisor"}

func filingGrew(list string) func(*saying) {
	return func(s *saying) { s.added(s.of(tableFilings, s.object), list, s.detail) }
}

// signed is CertificateSigned. There are as many of them as certificates, so what
// they say is summed up beside the versions and no record is read.
func (s *saying) signed(detail []byte) error {
	var d struct {
		Version uint64 `json:"version"`
		Status  uint64 `json:"status"`
		KID     string `json:"kid"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return err
	}
	s.version(s.object, d.Version, d.Status, d.KID)
	return nil
}

func (s *saying) version(number string, n, status uint64, kid string) {
	s.sums = append(s.sums, versionSum(number, n, status, s.index, 1), kidSum(kid, 1))
}

// changedInMass is one page of a mass change or of its undoing.
func (s *saying) changedInMass() {
	numbers, _ := s.detail["certificates"].([]any)
	for _, one := range numbers {
		number, _ := one.(string)
		s.changed(number, s.object)
	}
}

// changed says that a certificate has a change of its status.
func (s *saying) changed(number, mass string) {
	r := s.of(tableCertificates, number)
	change := map[string]any{"kind": s.detail["change"], "effective": s.detail["effective"], "document": s.detail["document"], "reason": s.detail["reason"],
		"recorded": s.at, "log_index": s.logIndex(), "mass": mass}
	if mass == "" {
		change["by"] = s.by
	} else { // who does the pages may be the register; massKinds compares who decided
		r.free("status")
	}
	s.added(r, "changes", change)
	s.sum(r, sumList+"changes", 1)
}

// preview says what the log has of a preview: not the money.
func (s *saying) preview(r *recordSaid, member string) {
	for m, v := range s.part("preview") {
		if m == "money_sha256" {
			r.facts = append(r.facts, fact{path: member, want: v, digested: []string{"claims", "payers", "elsewhere"}})
			continue
		}
		r.is(member+"."+m, v)
	}
}

func (s *saying) claimed() {
	r := s.ofIndex(tableClaims, indexClaimsByID, s.object).is("payer", s.payer).is("reserved", s.at).is("log_index", s.logIndex()).
		is("basis", base64Of(s.text("basis"))).is("policy_digest", s.detail["policy_digest"])
	s.tell(r, "policy", "policy_version", "outcome", "reasons", "amount_fen")
}

// correction is of a step of a claim: as proposed, with more that the event says.
func (s *saying) correction(more map[string]any) {
	more["n"], more["step"], more["void"], more["amount_fen"], more["reference"], more["on"] =
		s.detail["n"], s.detail["step"], s.detail["void"], s.detail["amount_fen"], s.detail["payment"], s.detail["paid_on"]
	s.added(s.ofIndex(tableClaims, indexClaimsByID, s.object), "corrections", more)
}

func (s *saying) finding(r *recordSaid) {
	s.tell(r, "institution").is("newest", s.at)
	finding := s.part("finding")
	s.sum(r, sumFindings, 1)
	r.facts = append(r.facts, fact{path: "findings", want: any(finding), element: true, most: signs.MaxFindings})
	r.is("sign", finding["kind"]).is("window", finding["window"])
}

// measuresChanged: measures of a card were lifted or appealed against; the event says
// how, and what it says is not compared. What a measure was recorded with stays.
func (s *saying) measuresChanged() {
	r := s.of(tableExaminers, s.object)
	r.facts = append(r.facts, fact{path: "measures", elements: true})
}

// tie is what was recorded of whom a card is of; how it ended is not compared.
func (s *saying) tie(list string) {
	r := &recordSaid{table: tableExaminerTies, card: kv.Key(s.object)}
	s.records = append(s.records, r)
	s.added(r, list, s.detail)
}

// digest says that the record is as it was then, down to its last member.
func (s *saying) digest(r *recordSaid) {
	if sum := s.text("record_sha256"); sum != "" {
		r.facts = append(r.facts, fact{want: sum, record: true})
	}
}

// drawn is a draw with its inspections, which it makes.
func (s *saying) drawn() {
	s.tell(s.of(tableDraws, s.object), "seed", "log_root", "public_value", "drawn").is("seeded", s.at).free("state", "open") // the inspections change these
	drawn, _ := s.detail["drawn"].([]any)
	s.sums = append(s.sums, sumSaid{sumKey(sumOpen, tableDraws, kv.Key(s.object)), int64(len(drawn))})
	for _, one := range drawn {
		d, _ := one.(map[string]any)
		session, _ := d["session"].(string)
		s.made(tableInspections, s.object, session).is("institution", d["institution"]).is("inspectors", d["inspectors"]).is("state", string(signs.InspectionDrawn))
	}
}

func (s *saying) inspected() {
	draw, session, _ := strings.Cut(s.object, "/")
	s.whole(s.of(tableInspections, draw, session), any(s.detail))
}

// advanced is a step of a case. What it says of the notice, of the ruling and of the
// rest is in the step.
func (s *saying) advanced() {
	step := s.part("step")
	kind, _ := step["step"].(string)
	r := s.tell(s.of(tableCases, s.object), "state")
	on := step["on"]
	if on == nil {
		on = string(standards.DateOf(s.time)) // as a step without a day is taken
	}
	entry := map[string]any{"step": kind, "by": s.by, "at": s.at, "on": on}
	s.added(r, "steps", entry)
	today := string(standards.DateOf(s.time))
	switch cases.StepKind(kind) {
	case cases.Notify:
		r.is("notice.served", on)
		r.words("notice", step)
	case cases.Decide:
		r.is("ruling.by", s.by).is("ruling.on", today)
		r.words("ruling", step)
	case cases.Serve:
		r.is("service.on", on)
	case cases.Publish:
		r.is("publication.on", today).is("publication.reason", step["reason"])
	case cases.Accept:
		s.added(r, "checks", map[string]any{"on": today, "passed": step["passed"], "document": step["document"], "basis": step["basis"], "reason": step["reason"], "due": step["due"]})
	case cases.RequestReview:
		r.is("review.requested", on)
	case cases.DecideReview:
		r.is("review.outcome", step["outcome"]).is("review.on", today)
		for _, m := range []string{"document", "basis", "reason"} {
			r.is("review."+m, step[m])
		}
	}
	for member, day := range s.part("days") {
		r.is(member, day)
	}
}

// words are those of a notice or of a ruling. Earlier events have the measures as they
// were sent: a measure that named no target has that of the case.
func (r *recordSaid) words(member string, step map[string]any) {
	for _, m := range []string{"document", "basis", "reason"} {
		r.is(member+"."+m, step[m])
	}
	measures, _ := step["measures"].([]any)
	if !slices.ContainsFunc(measures, func(m any) bool {
		one, _ := m.(map[string]any)
		return one["target"] == nil
	}) {
		r.is(member+".measures", step["measures"])
	}
}

func (s *saying) integrity() {
	subject := s.part("subject")
	kind, _ := subject["kind"].(string)
	id, _ := subject["id"].(string)
	if kind == "" || id == "" {
		return
	}
	s.of(tableIntegrity, kind, id).element("entries", "id", s.part("entry"))
}

// nationalStep is what was reported of a report; day is the member of the detail that
// has the day.
func (s *saying) nationalStep(member, day string) {
	r := s.of(tableNationalUploads, s.object).is("log_index", s.logIndex()).free("state")
	s.digest(r)
	r.is(member+".on", s.detail[day]).is(member+".reference", s.detail["reference"]).is(member+".by", s.by).is(member+".at", s.at)
}

// The sums that have no record of their own.

func versionSum(number string, n, status, index uint64, count int64) sumSaid {
	return sumSaid{"events that signed it with status index " + strconv.FormatUint(status, 10) + " in entry " + strconv.FormatUint(index, 10) + "\x00" +
		recordName(tableVersions, versionKey(number, int(n))), count}
}

func kidSum(kid string, n int64) sumSaid {
	return sumSaid{"versions signed with the key\x00" + recordName("key", kv.Key(kid)), n}
}

// paidSum is about payments that were taken over with one entry of the log.
func paidSum(index uint64, n int64) sumSaid {
	return sumSaid{"payments taken over by it\x00" + recordName("entry", kv.Key(index)), n}
}

// takenSum is about certificates that were taken over with one entry of the log.
func takenSum(index uint64, n int64) sumSaid {
	return sumSaid{"certificates taken over by it\x00" + recordName("entry", kv.Key(index)), n}
}
