package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// EventKind says what happened.
type EventKind string

// The kinds of events. An event names records by id and number, never a person
// by name or document.
const (
	AccountCreated       EventKind = "account_created"
	KeyIssued            EventKind = "key_issued"
	KeyRevoked           EventKind = "key_revoked"
	InstitutionAdmitted  EventKind = "institution_admitted"
	FilingRecorded       EventKind = "filing_recorded"
	DecisionRecorded     EventKind = "decision_recorded"
	OccupationsImported  EventKind = "occupations_imported"
	SessionFiled         EventKind = "session_planned"
	RosterEntered        EventKind = "roster_entered"
	PlatformSet          EventKind = "platform_set"
	ResultsUploaded      EventKind = "results_uploaded"
	ResultsConfirmed     EventKind = "results_confirmed"
	ResultsApproved      EventKind = "results_approved"
	ResultsReturned      EventKind = "results_returned"
	AppealFiled          EventKind = "appeal_filed"
	AppealDecided        EventKind = "appeal_decided"
	PublicityStarted     EventKind = "publicity_started"
	BatchStarted         EventKind = "batch_started"
	CertificateSigned    EventKind = "certificate_signed"
	BatchWasPublished    EventKind = "batch_published"
	BatchWasAborted      EventKind = "batch_aborted"
	CertificateChanged   EventKind = "certificate_changed"
	LogOriginStarted     EventKind = "log_origin_started"
	IndexesRepaired      EventKind = "indexes_repaired" // what follows from the records was made anew
	CertificateReissued  EventKind = "certificate_reissued"
	CertificateElsewhere EventKind = "certificate_registered"
	AppointmentProposed  EventKind = "appointment_proposed"
	AppointmentChanged   EventKind = "appointment_changed"
	ApprenticeBegun      EventKind = "apprentice_begun"
	ApprenticeEnded      EventKind = "apprentice_ended"
	MassProposedEvent    EventKind = "mass_change_proposed"
	MassApprovedEvent    EventKind = "mass_change_approved"
	MassClosedEvent      EventKind = "mass_change_closed"   // rejected or withdrawn
	CertificatesChanged  EventKind = "certificates_changed" // one page of a mass change
	MassUndoEvent        EventKind = "mass_change_undo"
	CertificatesRestored EventKind = "certificates_restored" // one page of its undoing
	MassEndedEvent       EventKind = "mass_change_ended"
	CorrectionProposed   EventKind = "correction_proposed"
	CorrectionDecided    EventKind = "correction_decided"
	LawRecorded          EventKind = "law_recorded"
	ClaimReserved        EventKind = "claim_reserved"
	ClaimRefused         EventKind = "claim_refused"
	ClaimConfirmed       EventKind = "claim_confirmed"
	ClaimReleased        EventKind = "claim_released"
	ClaimRefunded        EventKind = "claim_refunded"
	ClaimExtended        EventKind = "claim_extended"
	ClaimPublicised      EventKind = "claim_publicised"
	ClaimObjected        EventKind = "claim_objected"
	ClaimMadePayable     EventKind = "claim_payable"
	ClaimPartPaid        EventKind = "claim_part_paid"
	ClaimReturned        EventKind = "claim_returned" // 退票
	ClaimWithdrawn       EventKind = "claim_withdrawn"
	PersonLookedUp       EventKind = "person_looked_up" // at the counter, by a payer
	ClaimRecovery        EventKind = "claim_recovery_opened"
	ClaimCorrectionAsked EventKind = "claim_correction_proposed"
	ClaimCorrectionEnded EventKind = "claim_correction_ended" // rejected or withdrawn
	ClaimCorrected       EventKind = "claim_corrected"
	PayoutReceived       EventKind = "payout_received" // 发放批次
	PayoutEnded          EventKind = "payout_ended"
	NormWasFiled         EventKind = "norm_filed"
	NormWasDecided       EventKind = "norm_decided"
	ReviewOpened         EventKind = "review_opened"
	ReviewGrew           EventKind = "review_grew" // a further finding
	ReviewStepped        EventKind = "review_stepped"
	DrawAnnounced        EventKind = "draw_announced"
	DrawSeeded           EventKind = "draw_seeded"
	InspectionEntered    EventKind = "inspection_entered"
	InspectionAnswered   EventKind = "inspection_answered"
	InspectionPublished  EventKind = "inspection_published"

	InstitutionRenamed    EventKind = "institution_renamed"
	InstitutionReadmitted EventKind = "institution_readmitted"
	FilingApplied         EventKind = "filing_applied"
	ApplicationMoved      EventKind = "application_moved"
	FilingScopeChanged    EventKind = "filing_scope_changed"
	FilingSiteChanged     EventKind = "filing_site_changed"
	FilingGroupAdmitted   EventKind = "filing_group_admitted"
	FilingRecognised      EventKind = "filing_recognised"
	FilingSupervised      EventKind = "filing_supervised"
	CaseOpened            EventKind = "case_opened"
	CaseAdvanced          EventKind = "case_advanced"
	CreditRecorded        EventKind = "credit_recorded"
	CreditReviewed        EventKind = "credit_reviewed"
	CreditReviewPublished EventKind = "credit_review_published"
	StarsBegun            EventKind = "stars_begun"
	StarsChanged          EventKind = "stars_changed"
	TaskListMade          EventKind = "task_list_made"
	TaskListEntered       EventKind = "task_list_entered"
	TaskListRemoved       EventKind = "task_list_removed"
	IntegrityRecorded     EventKind = "integrity_recorded"
	IntegrityChanged      EventKind = "integrity_changed"
	ExaminerRegistered    EventKind = "examiner_registered"
	ExaminerRenewed       EventKind = "examiner_renewed"
	ExaminerMeasured      EventKind = "examiner_measured" // suspended or revoked
	ExaminerRestored      EventKind = "examiner_restored"
	ExaminerAppealed      EventKind = "examiner_appealed"
	AvoidanceRecorded     EventKind = "avoidance_recorded"
	TeachingRecorded      EventKind = "teaching_recorded"
	TieEnded              EventKind = "tie_ended"
	SessionArranged       EventKind = "session_arranged"
	SupervisionFiled      EventKind = "supervision_filed"
	CertificatePrinted    EventKind = "certificate_printed"
	PastImported          EventKind = "past_imported"     // one page of certificates
	PastImportEnded       EventKind = "past_import_ended" // a whole file
	PhotosUploaded        EventKind = "photos_uploaded"
	BlanksApplication     EventKind = "blanks_application" // one step of an application
	BlanksMoved           EventKind = "blanks_moved"       // taken, returned, spoiled, lost, found
	BlanksDestruction     EventKind = "blanks_destruction" // one step of a batch of destruction
	BlanksCounted         EventKind = "blanks_counted"     // 盘点
	PrintsRecorded        EventKind = "prints_recorded"
	PrintJobMoved         EventKind = "print_job" // begun, waiting, ended
	CertificateHandedOut  EventKind = "certificate_handed_out"
	ListExported          EventKind = "list_exported"  // with full documents
	KeysChanged           EventKind = "keys_changed"   // of the key ring
	CodesResigned         EventKind = "codes_resigned" // one page
	NationalMade          EventKind = "national_upload_made"
	NationalFileTaken     EventKind = "national_upload_file_taken" // with full document numbers
	NationalSent          EventKind = "national_upload_sent"
	NationalWithdrawn     EventKind = "national_upload_withdrawn"
	NationalReceived      EventKind = "national_upload_receipt"
	NationalQueryable     EventKind = "national_upload_queryable"
	HolderDiffers         EventKind = "holder_differs" // 核对不一致: a try at document or photo that did not fit
	HolderTriesSpent      EventKind = "holder_tries_spent"
	SignedIn              EventKind = "signed_in"
	SignedOut             EventKind = "signed_out"
	ListChecked           EventKind = "list_checked"
	ClaimsChecked         EventKind = "claims_checked"        // a whole file, see ClaimBatch
	PersonsMergeStepped   EventKind = "persons_merge_stepped" // proposed, decided or undone
	CollisionWasOpened    EventKind = "collision_opened"
	CollisionStepped      EventKind = "collision_stepped" // proposed, decided or lapsed
	WebhookAdded          EventKind = "webhook_added"
	WebhookRotated        EventKind = "webhook_rotated"
	WebhookReplayed       EventKind = "webhook_replayed"
	WebhookDisabled       EventKind = "webhook_disabled"
	WebhookRemoved        EventKind = "webhook_removed"
)

// Event is one change as the audit log keeps it. Its stored bytes are hashed,
// so it is written once and never marshalled again.
type Event struct {
	Kind   EventKind `json:"kind"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`            // account id
	Via    string    `json:"via,omitempty"` // key id or cli
	Object string    `json:"object"`        // id or number of what changed
	// Institution and Payer are whom the event concerns besides the authority.
	Institution string `json:"institution,omitempty"`
	Payer       string `json:"payer,omitempty"`
	// Detail has what an auditor needs to recompute the change.
	Detail any `json:"detail,omitempty"`
}

// appendEvent adds ev to the audit log in the same Update as the change itself
// and returns its index.
func (r *Registry) appendEvent(tx kv.Tx, by Actor, ev Event) (uint64, error) {
	ev.At, ev.By, ev.Via = tx.Now(), by.Account, by.Via
	b, err := json.Marshal(ev)
	if err != nil {
		return 0, fmt.Errorf("event %s: %w", ev.Kind, err)
	}
	if len(b) > auditlog.MaxEvent {
		// A filing with hundreds of occupations: the log binds its hash, the
		// record itself is in its table.
		detail, err := json.Marshal(ev.Detail)
		if err != nil {
			return 0, fmt.Errorf("event %s: %w", ev.Kind, err)
		}
		sum := sha256.Sum256(detail)
		ev.Detail = map[string]any{"sha256": hex.EncodeToString(sum[:]), "bytes": len(detail)}
		if b, err = json.Marshal(ev); err != nil {
			return 0, fmt.Errorf("event %s: %w", ev.Kind, err)
		}
	}
	return auditlog.Append(tx, b, r.rand.salt())
}
