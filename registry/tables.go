package registry

import (
	"encoding/binary"
	"fmt"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/blanks"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/corrections"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/evaluators/figures"
	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
	"bajigong/registry/webhooks"
	"bajigong/standards"
)

// The schema: every table, key shape and index of the register. Keys are tuples
// of kv.Key; values are JSON unless said otherwise. Only Records.Put writes a
// record that has indexes. Stored JSON grows by adding members; any other change
// is a numbered migration.
//
//	table                    key                              value
//	accounts                 id                               Account
//	api_keys                 id                               APIKey (hash of the secret)
//	institutions             id                               evaluators.Institution
//	filings                  id                               evaluators.Filing
//	decisions                institution, id                  evaluators.Decision
//	occupations              code                             standards.Occupation (imported)
//	sessions                 id                               Session
//	results                  session, generation, row         Candidate
//	rosters                  session, person                  Entry
//	appeals                  session, id                      Appeal
//	batches                  id                               Batch
//	certificates             number                           Certificate
//	versions                 number, version                  Version
//	status_bits              purpose, list, index             the moment it was set, 8 bytes
//	status_lists             list                             the moment its first place was given, 8 bytes
//	status_history           purpose, list, time, version,    1 byte: 1 set, 0 cleared
//	                         index
//	status_bases             purpose, list, time, version     the bits behind that version, 16 KiB
//	status_due               purpose, list                    the first change not published, 8 bytes
//	status_published         purpose, list                    publishedStatus: its newest publication
//	status_texts             purpose, list                    the signed text of that publication
//	leases                   name                             leaseRecord
//	counters                 name…                            8 bytes, big endian: the next value
//	persons_by_document      index key version, HMAC          PersonID, 16 bytes
//	sealed                   table, key, field                sealed block (vault.go)
//	appointments             id                               Appointment
//	apprentices              id                               Apprentice
//	claims                   person, seq                      Claim
//	claim_totals             region, policy, year, payer      ClaimTotal; an empty payer is the sum of the region
//	laws                     digest                           Law
//	payouts                  id                               Payout
//	payout_pages             payout, page                     payoutLines, a hundred
//	sign_days                institution, date                signs.Day
//	sign_people              person                           signPerson
//	reviews                  id                               signs.Review
//	exam_days                exam date, session               examDay
//	draws                    id                               Draw
//	draw_populations         draw                             drawPopulation
//	inspections              draw, session                    signs.Inspection
//	applications             id                               evaluators.Application
//	cases                    id                               cases.Case
//	publications             published, decision              PublishedDecision
//	credit_events            institution, id                  credit.Event; ids order as recorded
//	credit_sums              institution, length, period      credit.Sum of a period
//	credit_reviews           institution, year                credit.Review
//	stars                    institution, id                  credit.Assessment; ids order as recorded
//	task_lists               id                               credit.TaskList
//	task_entries             institution, id                  credit.Entry
//	integrity                kind, id of the subject          credit.IntegrityFile
//	figure_due               "batch", id                      row of the last counted, 8 bytes
//	                         "certificate", number            empty: registered from elsewhere
//	                         "change", number, n              empty: its n-th change, from 1
//	figure_cells             month, region, origin, class,    figures.Count, 5 × 8 bytes
//	                         level, occupation, group, mode
//	figure_sums              by, period, origin, region,      figures.Count, 5 × 8 bytes
//	                         value, rank
//	figure_issuers           institution, year, origin, level figures.Count, 5 × 8 bytes
//	figure_people            year, person                     []figures.Fact
//	examiners                id                               examiners.Examiner (a card; who it is stands sealed)
//	examiner_ties            person                           examiners.Ties
//	arrangements             session                          Arrangement, the one that counts
//	arrangements_past        session, n                       Arrangement, replaced
//	supervision_reports      session, id                      examiners.Report
//	mass_changes             id                               MassChange
//	corrections              id                               CorrectionRequest
//	past_runs                import                           PastRun (file of the past: its cursor)
//	past_pages               import, run, first row           PastPage (findings)
//	national_uploads         id                               NationalUpload
//	national_files           upload                           nationalFile (its rows, by number and version)
//	national_rows            number                           nationalRow (who differs from its batch)
//	requests                 actor, route, key                Request (Idempotency-Key, 30 days)
//	norms                    id                               standards.Norm (评价规范, one version)
//	asked                    kind, whom it is counted for     asked (tries at document and photo, lists)
//	sign_ins                 SHA-256 of the token             SignIn
//	session_photos           session, person                  SessionPhoto (the photo stands sealed)
//	blank_runs               prefix, digits, first number     blanks.Run
//	blank_stock              institution                      blanks.Stock
//	blank_uses               session                          blanks.Use
//	blank_applications       id                               blanks.Application
//	blank_destructions       id                               blanks.Destruction
//	stocktakings             institution, recorded, id        Stocktaking
//	prints                   number, n                        blanks.Printing
//	printed                  number                           blanks.Prints
//	print_jobs               id                               PrintJob
//	handouts                 number, version                  Handout (who fetched it for another stands sealed)
//	claim_batches            id                               ClaimBatch (a file of claims that was checked)
//	claim_batch_pages        run, n                           claimBatchPage (the answers stand sealed, 30 days)
//	collisions               id                               Collision of claims
//	merges                   id                               Merge of two persons (the documents stand sealed)
//	persons_merged           person                           personMerges: with which ids it is one, since when
//	reliance                 payer, seq                       RelianceEntry
//	reliance_due             n                                relianceDue (outbox of the feeds)
//	reliance_read            payer                            RelianceReader
//	webhooks                 id                               Webhook (its secrets stand sealed)
//	webhook_deliveries       webhook, seq                     Delivery
//	webhook_marks            payer                            when an entry was written for it, 8 bytes
//	backups                  "backup"                         Backup, the newest
//	repairs                  "current"                        repairRun: a repair that has not ended
//	distrusted_keys          kid                              distrustedKey: a signing key that one process distrusts
//	events, log_*            see registry/auditlog
const (
	tableAccounts         kv.Table = "accounts"
	tableKeys             kv.Table = "api_keys"
	tableInstitutions     kv.Table = "institutions"
	tableFilings          kv.Table = "filings"
	tableDecisions        kv.Table = "decisions"
	tableOccupations      kv.Table = "occupations"
	tableSessions         kv.Table = "sessions"
	tableResults          kv.Table = "results"
	tableRoster           kv.Table = "rosters"
	tableAppeals          kv.Table = "appeals"
	tableBatches          kv.Table = "batches"
	tableCertificates     kv.Table = "certificates"
	tableVersions         kv.Table = "versions"
	tableStatusBits       kv.Table = "status_bits"
	tableStatusLists      kv.Table = "status_lists"
	tableStatusHistory    kv.Table = "status_history"
	tableStatusBases      kv.Table = "status_bases"
	tableStatusDue        kv.Table = "status_due"
	tableStatusPublished  kv.Table = "status_published"
	tableStatusTexts      kv.Table = "status_texts"
	tableLeases           kv.Table = "leases"
	tableCounters         kv.Table = "counters"
	tablePersonByDocument kv.Table = "persons_by_document"
	tableSealed           kv.Table = "sealed"
	tableAppointments     kv.Table = "appointments"
	tableApprentices      kv.Table = "apprentices"
	tableClaims           kv.Table = "claims"
	tableClaimTotals      kv.Table = "claim_totals"
	tableLaws             kv.Table = "laws"
	tablePayouts          kv.Table = "payouts"
	tablePayoutPages      kv.Table = "payout_pages"
	tableSignDays         kv.Table = "sign_days"
	tableSignPeople       kv.Table = "sign_people"
	tableReviews          kv.Table = "reviews"
	tableExamDays         kv.Table = "exam_days"
	tableDraws            kv.Table = "draws"
	tableDrawPopulations  kv.Table = "draw_populations"
	tableInspections      kv.Table = "inspections"
	tableApplications     kv.Table = "applications"
	tableCases            kv.Table = "cases"
	tablePublications     kv.Table = "publications"
	tableCreditEvents     kv.Table = "credit_events"
	tableCreditSums       kv.Table = "credit_sums"
	tableCreditReviews    kv.Table = "credit_reviews"
	tableStars            kv.Table = "stars"
	tableTaskLists        kv.Table = "task_lists"
	tableTaskEntries      kv.Table = "task_entries"
	tableIntegrity        kv.Table = "integrity"
	tableFigureDue        kv.Table = "figure_due"
	tableFigureCells      kv.Table = "figure_cells"
	tableFigureSums       kv.Table = "figure_sums"
	tableFigureIssuers    kv.Table = "figure_issuers"
	tableFigurePeople     kv.Table = "figure_people"
	tableExaminers        kv.Table = "examiners"
	tableExaminerTies     kv.Table = "examiner_ties"
	tableArrangements     kv.Table = "arrangements"
	tableArrangementsPast kv.Table = "arrangements_past"
	tableSupervision      kv.Table = "supervision_reports"
	tableMassChanges      kv.Table = "mass_changes"
	tableCorrections      kv.Table = "corrections"
	tablePastRuns         kv.Table = "past_runs"
	tablePastPages        kv.Table = "past_pages"
	tableRequests         kv.Table = "requests"
	tableNorms            kv.Table = "norms"
	tableNationalUploads  kv.Table = "national_uploads"
	tableNationalFiles    kv.Table = "national_files"
	tableNationalRows     kv.Table = "national_rows"
	tableAsked            kv.Table = "asked"
	tableSignIns          kv.Table = "sign_ins"
	tableSessionPhotos    kv.Table = "session_photos"
	tableBlankRuns        kv.Table = "blank_runs"
	tableBlankStock       kv.Table = "blank_stock"
	tableBlankUses        kv.Table = "blank_uses"
	tableBlankApplication kv.Table = "blank_applications"
	tableDestructions     kv.Table = "blank_destructions"
	tableStocktakings     kv.Table = "stocktakings"
	tablePrints           kv.Table = "prints"
	tablePrinted          kv.Table = "printed"
	tablePrintJobs        kv.Table = "print_jobs"
	tableHandouts         kv.Table = "handouts"
	tableClaimBatches     kv.Table = "claim_batches"
	tableClaimBatchPages  kv.Table = "claim_batch_pages"
	tableCollisions       kv.Table = "collisions"
	tableMerges           kv.Table = "merges"
	tablePersonsMerged    kv.Table = "persons_merged"
	tableReliance         kv.Table = "reliance"
	tableRelianceDue      kv.Table = "reliance_due"
	tableRelianceRead     kv.Table = "reliance_read"
	tableWebhooks         kv.Table = "webhooks"
	tableDeliveries       kv.Table = "webhook_deliveries"
	tableWebhookMarks     kv.Table = "webhook_marks"
	tableBackups          kv.Table = "backups"
	tableRepairs          kv.Table = "repairs"
	tableDistrustedKeys   kv.Table = "distrusted_keys"

	// indexes: entry key → primary key
	indexKeysByAccount             kv.Table = "api_keys_by_account"         // account, id
	indexAccountsByName            kv.Table = "accounts_by_name"            // name
	indexInstitutionsByUSCC        kv.Table = "institutions_by_uscc"        // code
	indexFilingsByInstitution      kv.Table = "filings_by_institution"      // institution, id
	indexFilingsByPrefix           kv.Table = "filings_by_prefix"           // first 13 characters of numbers, id
	indexSessionsByInstitution     kv.Table = "sessions_by_institution"     // institution, id
	indexSessionsInPublicity       kv.Table = "sessions_in_publicity"       // last day, id
	indexResultsByPerson           kv.Table = "results_by_person"           // person, session, generation, row
	indexBatchesOpen               kv.Table = "batches_open"                // id
	indexBatchesBySession          kv.Table = "batches_by_session"          // session, id
	indexCertificatesByPerson      kv.Table = "certificates_by_person"      // person, number
	indexCertificatesByText        kv.Table = "certificates_by_text"        // number as on the paper, or its keyed hash, key; of numbers kept with their place
	indexCertificatesByBatch       kv.Table = "certificates_by_batch"       // batch, row, number
	indexCertificatesByIssuer      kv.Table = "certificates_by_issuer"      // institution, created, number
	indexVersionsByHandle          kv.Table = "versions_by_handle"          // handle
	indexVersionsByStatusIndex     kv.Table = "versions_by_status_index"    // status index
	indexStatusToSign              kv.Table = "status_to_sign"              // when it is signed anew, purpose, list
	indexAppointmentsByPerson      kv.Table = "appointments_by_person"      // person, id
	indexApprenticesByPerson       kv.Table = "apprentices_by_person"       // person, id
	indexClaimsByID                kv.Table = "claims_by_id"                // id
	indexClaimsByReference         kv.Table = "claims_by_reference"         // payer, reference
	indexClaimsByCertificate       kv.Table = "claims_by_certificate"       // number, id
	indexClaimBatchesByPayer       kv.Table = "claim_batches_by_payer"      // payer, started, id
	indexClaimBatchesByExpiry      kv.Table = "claim_batches_by_expiry"     // expires, id: while the answers are there
	indexClaimsByInstitution       kv.Table = "claims_by_institution"       // institution of the certificate, reserved, id
	indexClaimsByPayer             kv.Table = "claims_by_payer"             // payer, reserved, id
	indexClaimsOpen                kv.Table = "claims_open"                 // payer, class, moment, id: reserved, to be paid, or owed
	indexClaimsByPayout            kv.Table = "claims_by_payout"            // payout, line, id
	indexPayoutsByReference        kv.Table = "payouts_by_reference"        // payer, reference
	indexPayoutsByPayer            kv.Table = "payouts_by_payer"            // payer, received, id
	indexPayoutsWorking            kv.Table = "payouts_working"             // id: has lines to do
	indexAppointmentsByInstitution kv.Table = "appointments_by_institution" // institution, id
	indexReviewsByWindow           kv.Table = "reviews_by_window"           // institution, sign, window, n
	indexReviewsByRegion           kv.Table = "reviews_by_region"           // region, opened, id
	indexReviewsByState            kv.Table = "reviews_by_state"            // state, region, opened, id
	indexDrawsByRegion             kv.Table = "draws_by_region"             // region, announced, id
	indexInspectionsByIssuer       kv.Table = "inspections_by_issuer"       // institution, draw, session
	indexInspectionsPublished      kv.Table = "inspections_published"       // published, draw, session
	indexApplicationsByInstitution kv.Table = "applications_by_institution" // institution, id
	indexApplicationsOpen          kv.Table = "applications_open"           // 备案机关, time of application, id
	indexApplicationsPending       kv.Table = "applications_pending"        // institution, id; open ones
	indexCasesByRegion             kv.Table = "cases_by_region"             // region, opened, id
	indexCasesByState              kv.Table = "cases_by_state"              // state, region, opened, id
	indexCasesByInstitution        kv.Table = "cases_by_institution"        // institution, opened, id
	indexCasesByPerson             kv.Table = "cases_by_person"             // person, id
	indexPublicationsByID          kv.Table = "publications_by_decision"    // decision
	indexCreditEventsByYear        kv.Table = "credit_events_by_year"       // institution, credit year, effective day, id
	indexCreditEventsBySubject     kv.Table = "credit_events_by_subject"    // institution, subject, id
	indexStarsByID                 kv.Table = "stars_by_id"                 // id
	indexStarsInPublicity          kv.Table = "stars_in_publicity"          // last day, institution, id
	indexTaskEntriesByList         kv.Table = "task_entries_by_list"        // list, institution, id
	indexTaskEntriesByID           kv.Table = "task_entries_by_id"          // id
	indexIntegrityByEntry          kv.Table = "integrity_by_entry"          // id of the entry
	indexDirectory                 kv.Table = "directory_by_occupation"     // occupation or "", region, institution, filing
	indexOccupationsByName         kv.Table = "occupations_by_name"         // name, code
	indexExaminersByNumber         kv.Table = "examiners_by_number"         // institution (none for an authority's), number of the card
	indexExaminersByPerson         kv.Table = "examiners_by_person"         // person, id
	indexExaminersByRegion         kv.Table = "examiners_by_region"         // region, id
	indexExaminersByInstitution    kv.Table = "examiners_by_institution"    // institution, id; of its own cards
	indexExaminersByOccupation     kv.Table = "examiners_by_occupation"     // occupation, region, id
	indexArrangementsByInstitution kv.Table = "arrangements_by_institution" // institution, exam date, session
	indexArrangementsByPerson      kv.Table = "arrangements_by_person"      // person, exam date, session
	indexRosterByEmployer          kv.Table = "rosters_by_employer"         // session, credit code, person
	indexMassByInstitution         kv.Table = "mass_by_institution"         // institution, proposed, id
	indexMassWaiting               kv.Table = "mass_waiting"                // proposed, id: waits for its second person
	indexMassWorking               kv.Table = "mass_working"                // id: has pages to do
	indexCorrectionsByNumber       kv.Table = "corrections_by_number"       // number, proposed, id
	indexCorrectionsWaiting        kv.Table = "corrections_waiting"         // institution, proposed, id
	indexCorrectionsToSign         kv.Table = "corrections_to_sign"         // id: approved and not yet signed
	indexRequestsByExpiry          kv.Table = "requests_by_expiry"          // expiry, actor, route, key
	indexNormsByInstitution        kv.Table = "norms_by_institution"        // institution, id
	indexNormsBySeries             kv.Table = "norms_by_series"             // series, version
	indexRunsByInstitution         kv.Table = "blank_runs_by_institution"   // institution, state, prefix, digits, first number
	indexRunsBySession             kv.Table = "blank_runs_by_session"       // session, state, prefix, digits, first number
	indexBlankApplications         kv.Table = "blank_applications_by_inst"  // institution, applied, id
	indexBlankApplicationsOpen     kv.Table = "blank_applications_open"     // region, applied, id; waiting for the authority
	indexDestructions              kv.Table = "blank_destructions_by_inst"  // institution, collected, id
	indexPrintsByCode              kv.Table = "prints_by_code"              // prefix, digits, number of the blank
	indexPrintsBySession           kv.Table = "prints_by_session"           // session, number, n
	indexPrintsByJob               kv.Table = "prints_by_job"               // job, place, number, n
	indexPrintJobsBySession        kv.Table = "print_jobs_by_session"       // session, started, id
	indexPrintJobsWorking          kv.Table = "print_jobs_working"          // id: has pages to do
	indexNationalByInstitution     kv.Table = "national_by_institution"     // institution, made, id
	indexNationalWaiting           kv.Table = "national_waiting"            // institution, data type, number: waits for a report
	indexBatchesUnreported         kv.Table = "batches_unreported"          // date of issue, id: published, not all sent to the national query
	indexBatchesUnreportedOf       kv.Table = "batches_unreported_of"       // institution, date of issue, id: the same
	indexAskedByExpiry             kv.Table = "asked_by_expiry"             // first day on which it does not matter, kind, whom
	indexSignInsByKey              kv.Table = "sign_ins_by_key"             // API key, began, SHA-256 of the token
	indexSignInsByExpiry           kv.Table = "sign_ins_by_expiry"          // end at the latest, SHA-256 of the token
	indexMergesByTime              kv.Table = "merges_by_time"              // proposed, id
	indexMergesWaiting             kv.Table = "merges_waiting"              // proposed, id: waits for its second person
	indexMergesByPerson            kv.Table = "merges_by_person"            // person, proposed, id; both persons
	indexCollisionsByRegion        kv.Table = "collisions_by_region"        // region, opened, id; one for each payer's region
	indexCollisionsByState         kv.Table = "collisions_by_state"         // state, region, opened, id; one for each payer's region
	indexCollisionsByPayer         kv.Table = "collisions_by_payer"         // payer, opened, id; one for each payer concerned
	indexCollisionsByPerson        kv.Table = "collisions_by_person"        // person, opened, id
	indexCollisionsByClaim         kv.Table = "collisions_by_claim"         // claim, id; one for each claim
	indexRelianceByClaim           kv.Table = "reliance_by_claim"           // claim, entry of the log
	indexRecoveries                kv.Table = "recoveries"                  // institution, day of voiding, payer, seq
	indexRecoveriesByPayer         kv.Table = "recoveries_by_payer"         // payer, institution, day of voiding, payer, seq
	indexWebhooksByPayer           kv.Table = "webhooks_by_payer"           // payer, id; not removed
	indexWebhooksDue               kv.Table = "webhooks_due"                // when, id
	indexDeliveriesDead            kv.Table = "webhook_deliveries_dead"     // webhook, seq
)

var (
	accounts = kv.Records[Account]{
		Table: tableAccounts,
		Key:   func(a Account) []byte { return kv.Key(a.ID) },
		Indexes: []kv.Index[Account]{
			{Table: indexAccountsByName, Unique: true, Keys: func(a Account) [][]byte { return [][]byte{kv.Key(a.Name)} }},
		},
	}
	apiKeys = kv.Records[APIKey]{
		Table: tableKeys,
		Key:   func(k APIKey) []byte { return kv.Key(k.ID) },
		Indexes: []kv.Index[APIKey]{
			{Table: indexKeysByAccount, Keys: func(k APIKey) [][]byte { return [][]byte{kv.Key(k.Account, k.ID)} }},
		},
	}
	institutions = kv.Records[evaluators.Institution]{
		Table: tableInstitutions,
		Key:   func(i evaluators.Institution) []byte { return kv.Key(i.ID) },
		Indexes: []kv.Index[evaluators.Institution]{
			{Table: indexInstitutionsByUSCC, Unique: true, Keys: func(i evaluators.Institution) [][]byte { return [][]byte{kv.Key(i.USCC)} }},
		},
	}
	filings = kv.Records[evaluators.Filing]{
		Table: tableFilings,
		Key:   func(f evaluators.Filing) []byte { return kv.Key(f.ID) },
		Indexes: []kv.Index[evaluators.Filing]{
			{Table: indexFilingsByInstitution, Keys: func(f evaluators.Filing) [][]byte { return [][]byte{kv.Key(f.Institution, f.ID)} }},
			{Table: indexFilingsByPrefix, Keys: func(f evaluators.Filing) [][]byte { return [][]byte{kv.Key(f.Prefix(), f.ID)} }},
			{Table: indexDirectory, Keys: directoryEntries},
		},
	}
	decisions = kv.Records[evaluators.Decision]{
		Table: tableDecisions,
		Key:   func(d evaluators.Decision) []byte { return kv.Key(d.Institution, d.ID) },
	}
	occupations = kv.Records[standards.Occupation]{
		Table: tableOccupations,
		Key:   func(o standards.Occupation) []byte { return kv.Key(o.Code) },
		Indexes: []kv.Index[standards.Occupation]{
			{Table: indexOccupationsByName, Keys: func(o standards.Occupation) [][]byte { return [][]byte{kv.Key(o.Name, o.Code)} }},
		},
	}
	sessions = kv.Records[Session]{
		Table: tableSessions,
		Key:   func(s Session) []byte { return kv.Key(s.ID) },
		Indexes: []kv.Index[Session]{
			{Table: indexSessionsByInstitution, Keys: func(s Session) [][]byte { return [][]byte{kv.Key(s.Institution, s.ID)} }},
			{Table: indexSessionsInPublicity, Keys: func(s Session) [][]byte {
				if s.Publicity == nil {
					return nil
				}
				return [][]byte{kv.Key(string(s.Publicity.Until), s.ID)}
			}},
		},
	}
	candidates = kv.Records[Candidate]{
		Table: tableResults,
		Key:   func(c Candidate) []byte { return kv.Key(c.Session, uint64(c.Generation), uint64(c.Row)) },
		Indexes: []kv.Index[Candidate]{
			// Only rows that did not pass as a whole are looked for again: by a retake.
			{Table: indexResultsByPerson, Keys: func(c Candidate) [][]byte {
				if c.Passed {
					return nil
				}
				return [][]byte{kv.Key(c.Person[:], c.Session, uint64(c.Generation), uint64(c.Row))}
			}},
		},
	}
	roster = kv.Records[Entry]{
		Table: tableRoster,
		Key:   func(e Entry) []byte { return rosterKey(e.Session, e.Person) },
		Indexes: []kv.Index[Entry]{
			{Table: indexRosterByEmployer, Keys: func(e Entry) [][]byte {
				if e.Employer == "" {
					return nil
				}
				return [][]byte{kv.Key(e.Session, e.Employer, e.Person[:])}
			}},
		},
	}
	appeals = kv.Records[Appeal]{
		Table: tableAppeals,
		Key:   func(a Appeal) []byte { return kv.Key(a.Session, a.ID) },
	}
	batches = kv.Records[Batch]{
		Table: tableBatches,
		Key:   func(b Batch) []byte { return kv.Key(b.ID) },
		Indexes: []kv.Index[Batch]{
			{Table: indexBatchesOpen, Keys: func(b Batch) [][]byte {
				if b.State.Ended() {
					return nil
				}
				return [][]byte{kv.Key(b.ID)}
			}},
			{Table: indexBatchesBySession, Keys: func(b Batch) [][]byte { return [][]byte{kv.Key(b.Session, b.ID)} }},
			{Table: indexBatchesUnreported, Keys: func(b Batch) [][]byte {
				if !b.unreported() {
					return nil
				}
				return [][]byte{kv.Key(string(b.Issued), b.ID)}
			}},
			{Table: indexBatchesUnreportedOf, Keys: func(b Batch) [][]byte {
				if !b.unreported() {
					return nil
				}
				return [][]byte{kv.Key(b.Institution, string(b.Issued), b.ID)}
			}},
		},
	}
	certificates = kv.Records[Certificate]{
		Table: tableCertificates,
		Key:   func(c Certificate) []byte { return kv.Key(c.Number) },
		Indexes: []kv.Index[Certificate]{
			{Table: indexCertificatesByPerson, Keys: func(c Certificate) [][]byte { return [][]byte{kv.Key(c.Person[:], c.Number)} }},
			{Table: indexCertificatesByText, Keys: func(c Certificate) [][]byte {
				if c.PaperText == "" {
					return nil
				}
				return [][]byte{kv.Key(c.PaperText, c.Number)}
			}},
			{Table: indexCertificatesByBatch, Keys: func(c Certificate) [][]byte {
				if c.Batch == "" {
					return nil
				}
				return [][]byte{kv.Key(c.Batch, uint64(c.Row), c.Number)}
			}},
			{Table: indexCertificatesByIssuer, Keys: func(c Certificate) [][]byte {
				return [][]byte{kv.Key(c.Institution, uint64(c.Created.Unix()), c.Number)}
			}},
		},
	}
	versions = kv.Records[Version]{
		Table: tableVersions,
		Key:   func(v Version) []byte { return versionKey(v.Number, v.N) },
		Indexes: []kv.Index[Version]{
			{Table: indexVersionsByHandle, Unique: true, Keys: func(v Version) [][]byte {
				if v.Handle == "" {
					return nil
				}
				return [][]byte{kv.Key(string(v.Handle))}
			}},
			{Table: indexVersionsByStatusIndex, Unique: true, Keys: func(v Version) [][]byte {
				if v.Handle == "" {
					return nil
				}
				return [][]byte{kv.Key(v.Status)}
			}},
		},
	}
	payouts = kv.Records[Payout]{
		Table: tablePayouts,
		Key:   func(p Payout) []byte { return kv.Key(p.ID) },
		Indexes: []kv.Index[Payout]{
			{Table: indexPayoutsByReference, Unique: true, Keys: func(p Payout) [][]byte { return [][]byte{kv.Key(p.Payer, p.Reference)} }},
			{Table: indexPayoutsByPayer, Keys: func(p Payout) [][]byte { return [][]byte{kv.Key(p.Payer, uint64(p.Received.Unix()), p.ID)} }},
			{Table: indexPayoutsWorking, Keys: func(p Payout) [][]byte {
				if p.State != PayoutRunning {
					return nil
				}
				return [][]byte{kv.Key(p.ID)}
			}},
		},
	}
	payoutPages = kv.Records[payoutLines]{
		Table: tablePayoutPages,
		Key:   func(p payoutLines) []byte { return kv.Key(p.Payout, uint64(p.Page)) },
	}
	claimTotals = kv.Records[ClaimTotal]{
		Table: tableClaimTotals,
		Key:   func(t ClaimTotal) []byte { return kv.Key(t.Region, t.Policy, uint64(t.Year), t.Payer) },
	}
	claims = kv.Records[Claim]{
		Table: tableClaims,
		Key:   func(c Claim) []byte { return kv.Key(c.Person[:], uint64(c.Seq)) },
		Indexes: []kv.Index[Claim]{
			{Table: indexClaimsByID, Unique: true, Keys: func(c Claim) [][]byte { return [][]byte{kv.Key(c.ID)} }},
			{Table: indexClaimsByReference, Unique: true, Keys: func(c Claim) [][]byte { return [][]byte{kv.Key(c.Payer, c.Reference)} }},
			{Table: indexClaimsByCertificate, Keys: func(c Claim) [][]byte {
				if c.Certificate == "" {
					return nil
				}
				return [][]byte{kv.Key(c.Certificate, c.ID)}
			}},
			{Table: indexClaimsByPayer, Keys: func(c Claim) [][]byte { return [][]byte{kv.Key(c.Payer, uint64(c.Reserved.Unix()), c.ID)} }},
			{Table: indexClaimsByInstitution, Keys: func(c Claim) [][]byte {
				if c.Institution == "" {
					return nil
				}
				return [][]byte{kv.Key(c.Institution, uint64(c.Reserved.Unix()), c.ID)}
			}},
			{Table: indexClaimsOpen, Keys: openClaimKeys},
			{Table: indexClaimsByPayout, Keys: payoutClaimKeys},
		},
	}
	laws = kv.Records[Law]{
		Table: tableLaws,
		Key:   func(l Law) []byte { return kv.Key(l.Digest) },
	}
	appointments = kv.Records[Appointment]{
		Table: tableAppointments,
		Key:   func(a Appointment) []byte { return kv.Key(a.ID) },
		Indexes: []kv.Index[Appointment]{
			{Table: indexAppointmentsByPerson, Keys: func(a Appointment) [][]byte { return [][]byte{kv.Key(a.Person[:], a.ID)} }},
			{Table: indexAppointmentsByInstitution, Keys: func(a Appointment) [][]byte { return [][]byte{kv.Key(a.Institution, a.ID)} }},
		},
	}
	apprentices = kv.Records[Apprentice]{
		Table: tableApprentices,
		Key:   func(a Apprentice) []byte { return kv.Key(a.ID) },
		Indexes: []kv.Index[Apprentice]{
			{Table: indexApprenticesByPerson, Keys: func(a Apprentice) [][]byte { return [][]byte{kv.Key(a.Person[:], a.ID)} }},
		},
	}
	signDays = kv.Records[signs.Day]{
		Table: tableSignDays,
		Key:   func(d signs.Day) []byte { return kv.Key(d.Institution, string(d.Date)) },
	}
	signPeople = kv.Records[signPerson]{
		Table: tableSignPeople,
		Key:   func(p signPerson) []byte { return kv.Key(p.Person[:]) },
	}
	reviews = kv.Records[signs.Review]{
		Table: tableReviews,
		Key:   func(v signs.Review) []byte { return kv.Key(v.ID) },
		Indexes: []kv.Index[signs.Review]{
			{Table: indexReviewsByWindow, Unique: true, Keys: func(v signs.Review) [][]byte {
				return [][]byte{kv.Key(v.Institution, string(v.Sign), v.Window, uint64(v.N))}
			}},
			{Table: indexReviewsByRegion, Keys: func(v signs.Review) [][]byte {
				return [][]byte{kv.Key(v.Region, uint64(v.Opened.Unix()), v.ID)}
			}},
			{Table: indexReviewsByState, Keys: func(v signs.Review) [][]byte {
				return [][]byte{kv.Key(string(v.State), v.Region, uint64(v.Opened.Unix()), v.ID)}
			}},
		},
	}
	examDays = kv.Records[examDay]{
		Table: tableExamDays,
		Key:   func(d examDay) []byte { return kv.Key(string(d.ExamDate), d.Session) },
	}
	draws = kv.Records[Draw]{
		Table: tableDraws,
		Key:   func(d Draw) []byte { return kv.Key(d.ID) },
		Indexes: []kv.Index[Draw]{
			{Table: indexDrawsByRegion, Keys: func(d Draw) [][]byte { return [][]byte{kv.Key(d.Region, uint64(d.Announced.Unix()), d.ID)} }},
		},
	}
	drawPopulations = kv.Records[drawPopulation]{
		Table: tableDrawPopulations,
		Key:   func(p drawPopulation) []byte { return kv.Key(p.Draw) },
	}
	inspections = kv.Records[signs.Inspection]{
		Table: tableInspections,
		Key:   func(i signs.Inspection) []byte { return kv.Key(i.Draw, i.Session) },
		Indexes: []kv.Index[signs.Inspection]{
			{Table: indexInspectionsByIssuer, Keys: func(i signs.Inspection) [][]byte { return [][]byte{kv.Key(i.Institution, i.Draw, i.Session)} }},
			{Table: indexInspectionsPublished, Keys: func(i signs.Inspection) [][]byte {
				if i.PublishedAt == nil {
					return nil
				}
				return [][]byte{kv.Key(uint64(i.PublishedAt.Unix()), i.Draw, i.Session)}
			}},
		},
	}
	caseRecords = kv.Records[cases.Case]{
		Table: tableCases,
		Key:   func(c cases.Case) []byte { return kv.Key(c.ID) },
		Indexes: []kv.Index[cases.Case]{
			{Table: indexCasesByRegion, Keys: func(c cases.Case) [][]byte {
				return [][]byte{kv.Key(c.Region, uint64(c.Opened.Unix()), c.ID)}
			}},
			{Table: indexCasesByState, Keys: func(c cases.Case) [][]byte {
				return [][]byte{kv.Key(c.State, c.Region, uint64(c.Opened.Unix()), c.ID)}
			}},
			{Table: indexCasesByInstitution, Keys: func(c cases.Case) [][]byte {
				if c.Subject.Institution() == "" {
					return nil
				}
				return [][]byte{kv.Key(c.Subject.Institution(), uint64(c.Opened.Unix()), c.ID)}
			}},
			{Table: indexCasesByPerson, Keys: func(c cases.Case) [][]byte {
				if c.Subject.Person == "" {
					return nil
				}
				return [][]byte{kv.Key(c.Subject.Person, c.ID)}
			}},
		},
	}
	publications = kv.Records[PublishedDecision]{
		Table: tablePublications,
		Key:   func(p PublishedDecision) []byte { return kv.Key(uint64(p.Published.Unix()), p.Decision) },
		Indexes: []kv.Index[PublishedDecision]{
			{Table: indexPublicationsByID, Unique: true, Keys: func(p PublishedDecision) [][]byte { return [][]byte{kv.Key(p.Decision)} }},
		},
	}
	creditEvents = kv.Records[credit.Event]{
		Table: tableCreditEvents,
		Key:   func(e credit.Event) []byte { return kv.Key(e.Institution, e.ID) },
		Indexes: []kv.Index[credit.Event]{
			{Table: indexCreditEventsByYear, Keys: func(e credit.Event) [][]byte {
				return [][]byte{kv.Key(e.Institution, uint64(e.Year), string(e.Effective), e.ID)}
			}},
			{Table: indexCreditEventsBySubject, Keys: func(e credit.Event) [][]byte {
				return [][]byte{kv.Key(e.Institution, e.Subject, e.ID)}
			}},
		},
	}
	creditSums = kv.Records[credit.Sum]{
		Table: tableCreditSums,
		// The length tells the kinds of periods apart, so that each is a range.
		Key: func(s credit.Sum) []byte { return kv.Key(s.Institution, uint64(len(s.Period)), s.Period) },
	}
	creditReviews = kv.Records[credit.Review]{
		Table: tableCreditReviews,
		Key:   func(v credit.Review) []byte { return kv.Key(v.Institution, uint64(v.Year)) },
	}
	stars = kv.Records[credit.Assessment]{
		Table: tableStars,
		Key:   func(a credit.Assessment) []byte { return kv.Key(a.Institution, a.ID) },
		Indexes: []kv.Index[credit.Assessment]{
			{Table: indexStarsByID, Unique: true, Keys: func(a credit.Assessment) [][]byte { return [][]byte{kv.Key(a.ID)} }},
			{Table: indexStarsInPublicity, Keys: func(a credit.Assessment) [][]byte {
				if a.State != credit.StarPublicised {
					return nil
				}
				return [][]byte{kv.Key(string(a.Publicity.Until), a.Institution, a.ID)}
			}},
		},
	}
	taskLists = kv.Records[credit.TaskList]{
		Table: tableTaskLists,
		Key:   func(l credit.TaskList) []byte { return kv.Key(l.ID) },
	}
	taskEntries = kv.Records[credit.Entry]{
		Table: tableTaskEntries,
		Key:   func(e credit.Entry) []byte { return kv.Key(e.Institution, e.ID) },
		Indexes: []kv.Index[credit.Entry]{
			{Table: indexTaskEntriesByID, Unique: true, Keys: func(e credit.Entry) [][]byte { return [][]byte{kv.Key(e.ID)} }},
			{Table: indexTaskEntriesByList, Keys: func(e credit.Entry) [][]byte { return [][]byte{kv.Key(e.List, e.Institution, e.ID)} }},
		},
	}
	integrityFiles = kv.Records[credit.IntegrityFile]{
		Table: tableIntegrity,
		Key:   func(p credit.IntegrityFile) []byte { return kv.Key(string(p.Kind), p.ID) },
		Indexes: []kv.Index[credit.IntegrityFile]{
			{Table: indexIntegrityByEntry, Unique: true, Keys: func(p credit.IntegrityFile) (out [][]byte) {
				for _, e := range p.Entries {
					out = append(out, kv.Key(e.ID))
				}
				return out
			}},
		},
	}
	examinerCards = kv.Records[examiners.Examiner]{
		Table: tableExaminers,
		Key:   func(e examiners.Examiner) []byte { return kv.Key(e.ID) },
		Indexes: []kv.Index[examiners.Examiner]{
			{Table: indexExaminersByNumber, Unique: true, Keys: func(e examiners.Examiner) [][]byte { return [][]byte{kv.Key(e.Institution, e.Number)} }},
			{Table: indexExaminersByPerson, Keys: func(e examiners.Examiner) [][]byte { return [][]byte{kv.Key(e.Person, e.ID)} }},
			{Table: indexExaminersByRegion, Keys: func(e examiners.Examiner) [][]byte { return [][]byte{kv.Key(e.Region, e.ID)} }},
			{Table: indexExaminersByInstitution, Keys: func(e examiners.Examiner) [][]byte {
				if e.Institution == "" {
					return nil
				}
				return [][]byte{kv.Key(e.Institution, e.ID)}
			}},
			{Table: indexExaminersByOccupation, Keys: func(e examiners.Examiner) (keys [][]byte) {
				for _, o := range e.Occupations {
					keys = append(keys, kv.Key(o, e.Region, e.ID))
				}
				return keys
			}},
		},
	}
	examinerTies = kv.Records[examiners.Ties]{
		Table: tableExaminerTies,
		Key:   func(t examiners.Ties) []byte { return kv.Key(t.Person) },
	}
	arrangements = kv.Records[Arrangement]{
		Table: tableArrangements,
		Key:   func(a Arrangement) []byte { return kv.Key(a.Session) },
		Indexes: []kv.Index[Arrangement]{
			{Table: indexArrangementsByInstitution, Keys: func(a Arrangement) [][]byte {
				return [][]byte{kv.Key(a.Institution, string(a.ExamDate), a.Session)}
			}},
			{Table: indexArrangementsByPerson, Keys: func(a Arrangement) (keys [][]byte) {
				for _, p := range a.persons() {
					keys = append(keys, kv.Key(p, string(a.ExamDate), a.Session))
				}
				return keys
			}},
		},
	}
	arrangementsPast = kv.Records[Arrangement]{
		Table: tableArrangementsPast,
		Key:   func(a Arrangement) []byte { return kv.Key(a.Session, uint64(a.N)) },
	}
	supervisionReports = kv.Records[examiners.Report]{
		Table: tableSupervision,
		Key:   func(p examiners.Report) []byte { return kv.Key(p.Session, p.ID) },
	}
	massChanges = kv.Records[MassChange]{
		Table: tableMassChanges,
		Key:   func(m MassChange) []byte { return kv.Key(m.ID) },
		Indexes: []kv.Index[MassChange]{
			{Table: indexMassByInstitution, Keys: func(m MassChange) [][]byte {
				return [][]byte{kv.Key(m.Scope.Institution, uint64(m.Proposed.Unix()), m.ID)}
			}},
			{Table: indexMassWaiting, Keys: func(m MassChange) [][]byte {
				if m.State != MassProposed {
					return nil
				}
				return [][]byte{kv.Key(uint64(m.Proposed.Unix()), m.ID)}
			}},
			{Table: indexMassWorking, Keys: func(m MassChange) [][]byte {
				if !m.State.Working() {
					return nil
				}
				return [][]byte{kv.Key(m.ID)}
			}},
		},
	}
	correctionRequests = kv.Records[CorrectionRequest]{
		Table: tableCorrections,
		Key:   func(c CorrectionRequest) []byte { return kv.Key(c.ID) },
		Indexes: []kv.Index[CorrectionRequest]{
			{Table: indexCorrectionsByNumber, Keys: func(c CorrectionRequest) [][]byte {
				return [][]byte{kv.Key(c.Number, uint64(c.Proposed.Unix()), c.ID)}
			}},
			{Table: indexCorrectionsWaiting, Keys: func(c CorrectionRequest) [][]byte {
				if c.State != corrections.Proposed {
					return nil
				}
				return [][]byte{kv.Key(c.Institution, uint64(c.Proposed.Unix()), c.ID)}
			}},
			{Table: indexCorrectionsToSign, Keys: func(c CorrectionRequest) [][]byte {
				if c.State != corrections.Approved {
					return nil
				}
				return [][]byte{kv.Key(c.ID)}
			}},
		},
	}
	pastRuns = kv.Records[PastRun]{
		Table: tablePastRuns,
		Key:   func(p PastRun) []byte { return kv.Key(p.ID) },
	}
	pastPages = kv.Records[PastPage]{
		Table: tablePastPages,
		Key:   func(p PastPage) []byte { return kv.Key(p.Import, uint64(p.Run), uint64(p.First)) },
	}
	requests = kv.Records[Request]{
		Table: tableRequests,
		Key:   func(q Request) []byte { return kv.Key(q.Account, q.Route, q.Key) },
		Indexes: []kv.Index[Request]{
			{Table: indexRequestsByExpiry, Keys: func(q Request) [][]byte {
				return [][]byte{kv.Key(uint64(q.Expires.Unix()), q.Account, q.Route, q.Key)}
			}},
		},
	}
	norms = kv.Records[standards.Norm]{
		Table: tableNorms,
		Key:   func(n standards.Norm) []byte { return kv.Key(n.ID) },
		Indexes: []kv.Index[standards.Norm]{
			{Table: indexNormsByInstitution, Keys: func(n standards.Norm) [][]byte { return [][]byte{kv.Key(n.Institution, n.ID)} }},
			{Table: indexNormsBySeries, Unique: true, Keys: func(n standards.Norm) [][]byte { return [][]byte{kv.Key(n.Series, uint64(n.Version))} }},
		},
	}
)

func versionKey(number string, n int) []byte { return kv.Key(number, uint64(n)) }

func rosterKey(session string, p PersonID) []byte { return kv.Key(session, p[:]) }

// Places of sealed blocks.
func sealedEntry(e Entry) sealedPlace { return sealedPlace{tableRoster, roster.Key(e), "evidence"} }

func sealedAppeal(a Appeal) sealedPlace {
	return sealedPlace{tableAppeals, appeals.Key(a), "objection"}
}

func sealedCandidate(c Candidate) sealedPlace {
	return sealedPlace{tableResults, candidates.Key(c), "person"}
}

func sealedVersion(number string, n int) sealedPlace {
	return sealedPlace{tableVersions, versionKey(number, n), "paper"}
}

func sealedAppointment(id string) sealedPlace {
	return sealedPlace{tableAppointments, kv.Key(id), "person"}
}

func sealedApprentice(id string) sealedPlace {
	return sealedPlace{tableApprentices, kv.Key(id), "person"}
}

// sealedHolder is the name and document with which a person first claimed without
// a certificate.
func sealedHolder(p PersonID) sealedPlace {
	return sealedPlace{tablePersonByDocument, kv.Key(p[:]), "holder"}
}

// sealedBasis is what a claim's decision rests on, in the order of the log: a new one is
// stored behind the one before, whoever the person is. sealedFacts is where that was
// until claims numbered themselves.
func sealedBasis(c Claim) sealedPlace { return sealedPlace{"claim_bases", kv.Key(c.LogIndex), "facts"} }

func sealedFacts(c Claim) sealedPlace { return sealedPlace{tableClaims, claims.Key(c), "facts"} }

// Counters: one number per name, the next value to be given out.
func counterSerial(prefix string, year int, level standards.Level) []byte {
	return kv.Key("serial", prefix, uint64(year), uint64(level))
}

func counterGeneration(session string) []byte { return kv.Key("results", session) }

func counterDecisions(institution string) []byte { return kv.Key("decisions", institution) }

func counterStatus() []byte { return kv.Key("status") }

// ScatteredTables are the large tables whose keys begin with a person, a hash or a
// random id: new ones fall anywhere among those that are there.
func ScatteredTables() []kv.Table {
	return []kv.Table{
		tablePersonByDocument, tableClaims, tableSignPeople, tableFigurePeople, indexCertificatesByPerson,
		indexResultsByPerson, indexVersionsByHandle,
	}
}

func counterStatusVersion(purpose string, list int) []byte {
	return kv.Key("status-version", purpose, uint64(list))
}

// counterKeyRing is the generation of the key ring that the log has last seen.
func counterKeyRing() []byte { return kv.Key("key-ring") }

func counterDirectory() []byte { return kv.Key("directory-version") }

// counter reads a counter; a counter that was never written is first.
func counter(r kv.Reader, key []byte, first uint64) (uint64, error) {
	b, err := r.Get(tableCounters, key)
	if err != nil || len(b) != 8 {
		return first, err
	}
	return binary.BigEndian.Uint64(b), nil
}

func setCounter(tx kv.Tx, key []byte, next uint64) {
	tx.Put(tableCounters, key, binary.BigEndian.AppendUint64(nil, next))
}

// bump adds one to a counter that only says "something changed".
func bump(tx kv.Tx, key []byte) error {
	n, err := counter(tx, key, 0)
	if err != nil {
		return err
	}
	setCounter(tx, key, n+1)
	return nil
}

func unixBytes(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.Unix())) }

var applications = kv.Records[evaluators.Application]{
	Table: tableApplications,
	Key:   func(a evaluators.Application) []byte { return kv.Key(a.ID) },
	Indexes: []kv.Index[evaluators.Application]{
		{Table: indexApplicationsByInstitution, Keys: func(a evaluators.Application) [][]byte { return [][]byte{kv.Key(a.Institution, a.ID)} }},
		{Table: indexApplicationsOpen, Keys: func(a evaluators.Application) [][]byte {
			if !a.State.Open() {
				return nil
			}
			return [][]byte{kv.Key(a.Authority, uint64(a.Applied.Unix()), a.ID)}
		}},
		{Table: indexApplicationsPending, Keys: func(a evaluators.Application) [][]byte {
			if !a.State.Open() {
				return nil
			}
			return [][]byte{kv.Key(a.Institution, a.ID)}
		}},
	},
}

// sealedCaseText is the text of a step of a case, counted from 0.
func sealedCaseText(id string, step int) sealedPlace {
	return sealedPlace{tableCases, kv.Key(id), fmt.Sprintf("step-%d", step)}
}

// counterCredit is the count of an institution's ledger.
func counterCredit(institution string) []byte { return kv.Key("credit", institution) }

// counterCreditYear is how many events of the ledger are of a credit year.
func counterCreditYear(institution string, year int) []byte {
	return kv.Key("credit-year", institution, uint64(year))
}

func counterStars(institution string) []byte { return kv.Key("stars", institution) }

// directoryEntries: one for the filing at its place, under no occupation, and one
// for each occupation that was ever in its scope; who reads asks the scope of the
// day.
func directoryEntries(f evaluators.Filing) [][]byte {
	out := [][]byte{kv.Key("", f.Region, f.Institution, f.ID)}
	for _, occupation := range f.Occupations() {
		out = append(out, kv.Key(occupation, f.Region, f.Institution, f.ID))
	}
	return out
}

// Keys of the figures that statistics keep.
func dueBatch(id string) []byte { return kv.Key("batch", id) }

func dueCertificate(number string) []byte { return kv.Key("certificate", number) }

func dueChange(number string, n int) []byte { return kv.Key("change", number, uint64(n)) }

func figureCell(f figures.Fact) []byte {
	return kv.Key(f.Month, f.Region, f.Origin, f.Class, f.Level, f.Occupation, f.Group, f.Mode)
}

func figureSum(s figures.Sum) []byte {
	return kv.Key(s.By, s.Period, s.Origin, s.Region, s.Value, s.Rank)
}

func figureIssuer(i issuerFigure) []byte {
	return kv.Key(i.institution, uint64(i.year), i.origin, i.level)
}

func figurePerson(year int, p PersonID) []byte { return kv.Key(uint64(year), p[:]) }

func sealedExaminer(id string) sealedPlace { return sealedPlace{tableExaminers, kv.Key(id), "person"} }

// sealedPhoto is the photo (JPEG) that version n brought; see PhotoRef.
func sealedPhoto(number string, n int) sealedPlace {
	return sealedPlace{tableVersions, versionKey(number, n), "photo"}
}

// sealedCorrection is what a correction would change, until it has ended;
// sealedCorrectionPhoto its photo.
func sealedCorrection(id string) sealedPlace {
	return sealedPlace{tableCorrections, kv.Key(id), "paper"}
}

func sealedCorrectionPhoto(id string) sealedPlace {
	return sealedPlace{tableCorrections, kv.Key(id), "photo"}
}

var (
	nationalUploads = kv.Records[NationalUpload]{
		Table: tableNationalUploads,
		Key:   func(u NationalUpload) []byte { return kv.Key(u.ID) },
		Indexes: []kv.Index[NationalUpload]{
			{Table: indexNationalByInstitution, Keys: func(u NationalUpload) [][]byte {
				return [][]byte{kv.Key(u.Institution, uint64(u.Made.Unix()), u.ID)}
			}},
		},
	}
	nationalFiles = kv.Records[nationalFile]{
		Table: tableNationalFiles,
		Key:   func(f nationalFile) []byte { return kv.Key(f.Upload) },
	}
	nationalRows = kv.Records[nationalRow]{
		Table: tableNationalRows,
		Key:   func(r nationalRow) []byte { return kv.Key(r.Number) },
		Indexes: []kv.Index[nationalRow]{
			{Table: indexNationalWaiting, Keys: func(r nationalRow) [][]byte {
				if r.Waits() == "" {
					return nil
				}
				return [][]byte{kv.Key(r.Institution, r.Waits(), r.Number)}
			}},
		},
	}
)

// sealedReceipt is why the rows of a report were returned, by their place in it.
func sealedReceipt(upload string) sealedPlace {
	return sealedPlace{tableNationalUploads, kv.Key(upload), "receipt"}
}

// counterNational numbers the reports of an institution in a year.
func counterNational(institution string, year int) []byte {
	return kv.Key("national-uploads", institution, uint64(year))
}

// A list of one purpose; status_due and status_texts have the same keys.
func statusListKey(purpose credentials.StatusPurpose, list int) []byte {
	return kv.Key(string(purpose), uint64(list))
}

var (
	publishedStatuses = kv.Records[publishedStatus]{
		Table: tableStatusPublished,
		Key:   func(p publishedStatus) []byte { return statusListKey(p.Purpose, p.List) },
		Indexes: []kv.Index[publishedStatus]{
			{Table: indexStatusToSign, Keys: func(p publishedStatus) [][]byte {
				return [][]byte{kv.Key(uint64(p.SignAnew.Unix()), string(p.Purpose), uint64(p.List))}
			}},
		},
	}
	leases = kv.Records[leaseRecord]{
		Table: tableLeases,
		Key:   func(l leaseRecord) []byte { return kv.Key(l.Name) },
	}
	backups = kv.Records[Backup]{
		Table: tableBackups,
		Key:   func(Backup) []byte { return kv.Key(backupJob) },
	}
)

// statusHistoryKey orders the changes of a list as they were made.
func statusHistoryKey(purpose credentials.StatusPurpose, list int, at statusMoment, index int) []byte {
	return kv.Key(string(purpose), uint64(list), uint64(at.time), at.version, uint64(index))
}

func statusBaseKey(purpose credentials.StatusPurpose, list int, at statusMoment) []byte {
	return kv.Key(string(purpose), uint64(list), uint64(at.time), at.version)
}

// counterMoment is the newest moment up to which the past was asked for: writing
// it makes sure that no later Update has an earlier time.
func counterMoment() []byte { return kv.Key("moment") }

var askedRecords = kv.Records[asked]{
	Table: tableAsked,
	Key:   func(a asked) []byte { return kv.Key(a.Kind, a.Whom) },
	Indexes: []kv.Index[asked]{
		{Table: indexAskedByExpiry, Keys: func(a asked) [][]byte { return [][]byte{kv.Key(string(a.Expires), a.Kind, a.Whom)} }},
	},
}

var signIns = kv.Records[SignIn]{
	Table: tableSignIns,
	Key:   func(s SignIn) []byte { return kv.Key(s.Hash) },
	Indexes: []kv.Index[SignIn]{
		{Table: indexSignInsByKey, Keys: func(s SignIn) [][]byte { return [][]byte{kv.Key(s.Key, uint64(s.Began.Unix()), s.Hash)} }},
		{Table: indexSignInsByExpiry, Keys: func(s SignIn) [][]byte { return [][]byte{kv.Key(uint64(s.Expires.Unix()), s.Hash)} }},
	},
}

// sealedSessionPhoto is the photo (JPEG) of a candidate, from its upload on;
// certificates issued by the session refer to it.
func sealedSessionPhoto(session string, p PersonID) sealedPlace {
	return sealedPlace{tableSessionPhotos, kv.Key(session, p[:]), "photo"}
}

// sealedProxy is who fetched a certificate for its holder.
func sealedProxy(number string, version int) sealedPlace {
	return sealedPlace{tableHandouts, versionKey(number, version), "proxy"}
}

func blankKey(c blanks.Code) []byte { return kv.Key(c.Prefix, uint64(c.Digits), c.Number) }

var (
	sessionPhotos = kv.Records[SessionPhoto]{
		Table: tableSessionPhotos,
		Key:   func(p SessionPhoto) []byte { return kv.Key(p.Session, p.Person[:]) },
	}
	blankRuns = kv.Records[blanks.Run]{
		Table: tableBlankRuns,
		Key:   func(r blanks.Run) []byte { return blankKey(r.First) },
		Indexes: []kv.Index[blanks.Run]{
			{Table: indexRunsByInstitution, Keys: func(r blanks.Run) [][]byte {
				return [][]byte{kv.Key(r.Institution, string(r.State), r.First.Prefix, uint64(r.First.Digits), r.First.Number)}
			}},
			{Table: indexRunsBySession, Keys: func(r blanks.Run) [][]byte {
				if r.Session == "" {
					return nil
				}
				return [][]byte{kv.Key(r.Session, string(r.State), r.First.Prefix, uint64(r.First.Digits), r.First.Number)}
			}},
		},
	}
	blankStocks = kv.Records[blanks.Stock]{
		Table: tableBlankStock,
		Key:   func(s blanks.Stock) []byte { return kv.Key(s.Institution) },
	}
	blankUses = kv.Records[blanks.Use]{
		Table: tableBlankUses,
		Key:   func(u blanks.Use) []byte { return kv.Key(u.Session) },
	}
	blankApplications = kv.Records[blanks.Application]{
		Table: tableBlankApplication,
		Key:   func(a blanks.Application) []byte { return kv.Key(a.ID) },
		Indexes: []kv.Index[blanks.Application]{
			{Table: indexBlankApplications, Keys: func(a blanks.Application) [][]byte {
				return [][]byte{kv.Key(a.Institution, uint64(a.Applied.Unix()), a.ID)}
			}},
			{Table: indexBlankApplicationsOpen, Keys: func(a blanks.Application) [][]byte {
				if a.Approver != blanks.ByAuthority || a.State != blanks.Applied && a.State != blanks.Approved {
					return nil
				}
				return [][]byte{kv.Key(a.Region, uint64(a.Applied.Unix()), a.ID)}
			}},
		},
	}
	destructions = kv.Records[blanks.Destruction]{
		Table: tableDestructions,
		Key:   func(d blanks.Destruction) []byte { return kv.Key(d.ID) },
		Indexes: []kv.Index[blanks.Destruction]{
			{Table: indexDestructions, Keys: func(d blanks.Destruction) [][]byte {
				return [][]byte{kv.Key(d.Institution, uint64(d.Collected.Unix()), d.ID)}
			}},
		},
	}
	stocktakings = kv.Records[Stocktaking]{
		Table: tableStocktakings,
		Key:   func(s Stocktaking) []byte { return kv.Key(s.Institution, uint64(s.At.Unix()), s.ID) },
	}
	prints = kv.Records[blanks.Printing]{
		Table: tablePrints,
		Key:   func(p blanks.Printing) []byte { return kv.Key(p.Number, uint64(p.N)) },
		Indexes: []kv.Index[blanks.Printing]{
			{Table: indexPrintsByCode, Unique: true, Keys: func(p blanks.Printing) [][]byte {
				if p.Code == nil {
					return nil
				}
				return [][]byte{blankKey(*p.Code)}
			}},
			{Table: indexPrintsBySession, Keys: func(p blanks.Printing) [][]byte {
				return [][]byte{kv.Key(p.Session, p.Number, uint64(p.N))}
			}},
			{Table: indexPrintsByJob, Keys: func(p blanks.Printing) [][]byte {
				if p.Job == "" {
					return nil
				}
				return [][]byte{kv.Key(p.Job, uint64(p.Place), p.Number, uint64(p.N))}
			}},
		},
	}
	printed = kv.Records[blanks.Prints]{
		Table: tablePrinted,
		Key:   func(p blanks.Prints) []byte { return kv.Key(p.Number) },
	}
	printJobs = kv.Records[PrintJob]{
		Table: tablePrintJobs,
		Key:   func(j PrintJob) []byte { return kv.Key(j.ID) },
		Indexes: []kv.Index[PrintJob]{
			{Table: indexPrintJobsBySession, Keys: func(j PrintJob) [][]byte {
				return [][]byte{kv.Key(j.Session, uint64(j.Started.Unix()), j.ID)}
			}},
			{Table: indexPrintJobsWorking, Keys: func(j PrintJob) [][]byte {
				if j.State != blanks.JobRunning {
					return nil
				}
				return [][]byte{kv.Key(j.ID)}
			}},
		},
	}
	handouts = kv.Records[Handout]{
		Table: tableHandouts,
		Key:   func(h Handout) []byte { return versionKey(h.Number, h.Version) },
	}
)

var (
	claimBatches = kv.Records[ClaimBatch]{
		Table: tableClaimBatches,
		Key:   func(b ClaimBatch) []byte { return kv.Key(b.ID) },
		Indexes: []kv.Index[ClaimBatch]{
			{Table: indexClaimBatchesByPayer, Keys: func(b ClaimBatch) [][]byte {
				return [][]byte{kv.Key(b.Payer, uint64(b.Started.Unix()), b.ID)}
			}},
			{Table: indexClaimBatchesByExpiry, Keys: func(b ClaimBatch) [][]byte {
				if b.Gone {
					return nil
				}
				return [][]byte{kv.Key(uint64(b.Expires.Unix()), b.ID)}
			}},
		},
	}
	claimBatchPages = kv.Records[claimBatchPage]{
		Table: tableClaimBatchPages,
		Key:   func(p claimBatchPage) []byte { return kv.Key(p.Run, uint64(p.N)) },
	}
)

// sealedBatchLines are the answers of a page, sealedBatchAllowed the rows of it that
// were allowed, as claims that later rows have to reckon with.
func sealedBatchLines(run string, n int) sealedPlace {
	return sealedPlace{tableClaimBatchPages, kv.Key(run, uint64(n)), "lines"}
}

func sealedBatchAllowed(run string, n int) sealedPlace {
	return sealedPlace{tableClaimBatchPages, kv.Key(run, uint64(n)), "allowed"}
}

var collisions = kv.Records[Collision]{
	Table: tableCollisions,
	Key:   func(c Collision) []byte { return kv.Key(c.ID) },
	Indexes: []kv.Index[Collision]{
		{Table: indexCollisionsByRegion, Keys: func(c Collision) (out [][]byte) {
			for _, region := range c.seenFrom() {
				out = append(out, kv.Key(region, uint64(c.Opened.Unix()), c.ID))
			}
			return out
		}},
		{Table: indexCollisionsByState, Keys: func(c Collision) (out [][]byte) {
			for _, region := range c.seenFrom() {
				out = append(out, kv.Key(string(c.State), region, uint64(c.Opened.Unix()), c.ID))
			}
			return out
		}},
		{Table: indexCollisionsByPayer, Keys: func(c Collision) (out [][]byte) {
			for _, p := range c.Payers {
				out = append(out, kv.Key(p, uint64(c.Opened.Unix()), c.ID))
			}
			return out
		}},
		{Table: indexCollisionsByPerson, Keys: func(c Collision) [][]byte { return [][]byte{kv.Key(c.Person[:], uint64(c.Opened.Unix()), c.ID)} }},
		{Table: indexCollisionsByClaim, Keys: func(c Collision) (out [][]byte) {
			for _, id := range c.Claims {
				out = append(out, kv.Key(id, c.ID))
			}
			return out
		}},
	},
}

var (
	merges = kv.Records[Merge]{
		Table: tableMerges,
		Key:   func(m Merge) []byte { return kv.Key(m.ID) },
		Indexes: []kv.Index[Merge]{
			{Table: indexMergesByTime, Keys: func(m Merge) [][]byte { return [][]byte{kv.Key(uint64(m.Proposed.Unix()), m.ID)} }},
			{Table: indexMergesWaiting, Keys: func(m Merge) [][]byte {
				if !m.State.waits() {
					return nil
				}
				return [][]byte{kv.Key(uint64(m.Proposed.Unix()), m.ID)}
			}},
			{Table: indexMergesByPerson, Keys: func(m Merge) [][]byte {
				at := uint64(m.Proposed.Unix())
				return [][]byte{kv.Key(m.Survivor[:], at, m.ID), kv.Key(m.Loser[:], at, m.ID)}
			}},
		},
	}
	personsMerged = kv.Records[personMerges]{
		Table: tablePersonsMerged,
		Key:   func(m personMerges) []byte { return kv.Key(m.Person[:]) },
	}
)

// sealedMerge is the two documents of a merge.
func sealedMerge(id string) sealedPlace { return sealedPlace{tableMerges, kv.Key(id), "documents"} }

var (
	reliances = kv.Records[RelianceEntry]{
		Table: tableReliance,
		Key:   func(e RelianceEntry) []byte { return kv.Key(e.Payer, e.Seq) },
		Indexes: []kv.Index[RelianceEntry]{
			// Unique: a claim is told once of a change.
			{Table: indexRelianceByClaim, Unique: true, Keys: func(e RelianceEntry) [][]byte {
				if e.Claim == "" {
					return nil
				}
				return [][]byte{kv.Key(e.Claim, e.LogIndex)}
			}},
			{Table: indexRecoveries, Keys: func(e RelianceEntry) [][]byte {
				if e.recovers() == 0 {
					return nil
				}
				return [][]byte{kv.Key(e.Institution, e.day(), e.Payer, e.Seq)}
			}},
			{Table: indexRecoveriesByPayer, Keys: func(e RelianceEntry) [][]byte {
				if e.recovers() == 0 {
					return nil
				}
				return [][]byte{kv.Key(e.Payer, e.Institution, e.day(), e.Payer, e.Seq)}
			}},
		},
	}
	relianceDues = kv.Records[relianceDue]{
		Table: tableRelianceDue,
		Key:   func(d relianceDue) []byte { return kv.Key(d.N) },
	}
	relianceReaders = kv.Records[RelianceReader]{
		Table: tableRelianceRead,
		Key:   func(r RelianceReader) []byte { return kv.Key(r.Payer) },
	}
	storedWebhooks = kv.Records[Webhook]{
		Table: tableWebhooks,
		Key:   func(w Webhook) []byte { return kv.Key(w.ID) },
		Indexes: []kv.Index[Webhook]{
			{Table: indexWebhooksByPayer, Keys: func(w Webhook) [][]byte {
				if w.State == webhooks.Removed {
					return nil
				}
				return [][]byte{kv.Key(w.Payer, w.ID)}
			}},
			{Table: indexWebhooksDue, Keys: func(w Webhook) [][]byte {
				if w.State != webhooks.Active || w.Due.IsZero() {
					return nil
				}
				return [][]byte{kv.Key(uint64(w.Due.Unix()), w.ID)}
			}},
		},
	}
	deliveries = kv.Records[Delivery]{
		Table: tableDeliveries,
		Key:   func(d Delivery) []byte { return kv.Key(d.Webhook, d.Seq) },
		Indexes: []kv.Index[Delivery]{
			{Table: indexDeliveriesDead, Keys: func(d Delivery) [][]byte {
				if d.State != webhooks.Dead {
					return nil
				}
				return [][]byte{kv.Key(d.Webhook, d.Seq)}
			}},
		},
	}
)

// counterReliance is the next entry of a payer's feed; counterRelianceDue the next
// place in the outbox, counterRelianceSince the entry of the log from which on
// changes are told.
func counterReliance(payer string) []byte { return kv.Key("reliance", payer) }

func counterRelianceDue() []byte { return kv.Key("reliance-due") }

func counterRelianceSince() []byte { return kv.Key("reliance-since") }

// sealedWebhook are the secrets of an endpoint.
func sealedWebhook(id string) sealedPlace { return sealedPlace{tableWebhooks, kv.Key(id), "secrets"} }

var (
	repairRuns = kv.Records[repairRun]{
		Table: tableRepairs,
		Key:   func(repairRun) []byte { return repairKey },
	}
	repairKey = kv.Key("current")
)

var distrustedKeys = kv.Records[distrustedKey]{
	Table: tableDistrustedKeys,
	Key:   func(k distrustedKey) []byte { return kv.Key(k.KID) },
}
