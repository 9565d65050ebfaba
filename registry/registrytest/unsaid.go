package registrytest

// Unsaid are the members of records of which a check sees no change, with the reason;
// "table *" are all members of a table, and a member stands for those below it. Whoever
// adds a member to a record lets its event say it, or adds it here.
var Unsaid = map[string]string{
	"api_keys label":                   "free text of an operator, which may name a person; nothing rests on it",
	"claims certificate_version":       "what the answer said besides; no rule asks for it",
	"publications shown_until":         "a term of the rule file in force on its day",
	"reliance id":                      "random",
	"reliance version":                 "the version at the time of the change; told for convenience",
	"mass_changes undo.done":           "where the register stands; the certificates say what was given back",
	"supervision_reports items[].text": "free text, which may name a person",
	"versions created":                 "the day of the batch stands for it",
	"sign_days *":                      "counts from which signs are made; a sign says what it was made of",
	"sign_people *":                    "the same",
	"certificates occupation_name":     "as the catalogue said at issue; the code is compared, and the signed paper says the name",
	"certificates trade_name":          "the same",
	"results hold":                     "follows from the appeals; a certificate in spite of one is seen",
	"results batch":                    "the certificates of the batch say it",

	"sessions publicity.released": "rows that appeals let go after the others were issued; issuing them counts them down",

	"claims(imported) certificate_version": "what the answer said besides; no rule asks for it",
	"claims(imported) imported":            "of a ledger of before: the event has one digest for a page of the file",
	"claims(imported) once_key":            "the same", "claims(imported) outcome": "the same", "claims(imported) payment": "the same",
	"claims(imported) policy_digest": "the same", "claims(imported) policy_version": "the same", "claims(imported) received": "the same",
	"certificates(imported) *":           "of a file of before: the event has one digest of its numbers; the entries of the log count them",
	"past_runs *":                        "how an import went; what it took over is in its events",
	"past_runs(imported) *":              "the same",
	"past_pages *":                       "the same",
	"past_pages(imported) *":             "the same",
	"reliance(of no change of status) *": "an entry about a merge, a collision, an integrity entry or an endpoint; who reads it looks there",

	"blank_runs reason": "of a move, of which the event has the ranges", "blank_stock counted": "day of the newest stocktaking", "blank_stock since": "when the stock was opened",
	"blank_uses institution": "that of its session", "prints spoiled": "of a move of its blank, which says so",
	"print_jobs *": "how far printing has come; the prints have events each",

	"claim_batch_pages *":                 "answers that are kept for a time; the run has their digest",
	"draw_populations inspectors[].avoid": "the draw that was made is compared", "draw_populations inspectors[].id": "the same",
	"draw_populations sessions[].institution": "the same", "draw_populations sessions[].region": "the same",
	"examiner_ties avoidances[].ended": "it may be of another id of the same person", "examiner_ties teaching[].ended": "the same",
	"examiners measures[].appeal": "the event does not say of which measure it is, or how it is kept", "examiners measures[].lifted": "the same",
	"merges collisions": "each collision names its merge", "publications note": "of the publication of the case",
	"national_files *": "the report has the digest of the file", "national_rows *": "who differs from its batch; reports and certificates are compared",
	"requests *": "answers to repeated requests, kept for 30 days", "leases *": "of processes, for seconds", "status_published *": "the signed lists are compared",
	"webhook_deliveries *": "attempts, kept for a time", "webhooks failing_since": "where sending stands", "webhooks failures": "the same", "webhooks log_index": "the same",
	"webhooks next": "the same", "webhooks due": "the same", "webhooks state": "the same", "webhooks ended": "the same", "webhooks secrets": "the secrets are sealed",

	"asked *": "tries and lists, kept for days", "backups *": "of the machine", "reliance_due *": "an outbox that is emptied", "reliance_read *": "how far a payer has read",
	"session_photos *": "each photo is held against its hash, which its sealed block is bound to",
	"occupations *":    "the public catalogue", "sign_ins used": "when it was last used",
	"claims(imported) edition": "of a ledger of before", "claims(imported) fund": "the same", "claims(imported) issued": "the same", "claims(imported) occupation": "the same",
	"claims steps[].reason": "free text of a payer, which may name a person", "claims corrections[].reason": "the same", "claims corrections[].why": "the same",
	"claims release.reason": "the same", "claims refund.reason": "the same",
	"claims steps[].basis": "what the days rest on; the days are compared", "claims steps[].unpublicised": "told to auditors beside the payment; the days are compared",
	"inspections region":               "where the session is; until the inspection is entered",
	"payout_pages lines[].answer.code": "the words of an answer; what it led to is compared", "payout_pages lines[].answer.en": "the same", "payout_pages lines[].answer.zh": "the same",
	"payout_pages lines[].answer.claim": "of a line that led to nothing", "payout_pages lines[].answer.state": "the same", "payout_pages lines[].line": "its place in the page",
	"mass_changes cursor": "how far its pages have come", "mass_changes done": "the same", "mass_changes total": "the same", "mass_changes undo.total": "the same; when it is undone it is compared",
	"mass_changes undo.kept": "the same", "versions resigned": "when the code was signed anew; with which key is summed up",

	"certificates queryable": "as stated by who registered it from elsewhere, and later by the national query",
}
