package internal_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ruleCode is the code that decides by rules. What a law, a standard or practice
// sets there (days, months, years, points, bands, scores, numbers of people) is
// data and stands in no number.
var ruleCode = []string{"../evaluators/*.go", "../evaluators/*/*.go", "../standards/eligibility/*.go", "../registry/*.go"}

// numbersAllowed are the numbers in that code that are no rule of evaluation,
// by file and by the name that has the number, or the line of a comparison or
// calculation of days. Each says what the number is.
var numbersAllowed = map[string]string{
	"registry/import_payments.go paymentMost":                         "fen of one row of a ledger before it is taken for an error",
	"registry/import_payments.go pastMost":                            "rows of a ledger under one document before it is taken for that of who handed in for others",
	"registry/claim.go givenUpMax":                                    "given-up claims of one payer on one person before a person is asked",
	"registry/counter.go overviewMost":                                "certificates of one answer at the counter",
	"registry/counter_patterns.go SamplePatternThresholds":            "thresholds of hints, each said in the request or a sample",
	"registry/counter_patterns.go t.TradeMonths > 120":                "bound of a threshold that a request may name",
	"registry/counter_patterns.go t.PayerDays > 366":                  "bound of a threshold that a request may name",
	"registry/counter_patterns.go t.Claims > 100":                     "bound of a threshold that a request may name",
	"registry/counter_patterns.go t.ClaimDays > 3660":                 "bound of a threshold that a request may name",
	"registry/claim_subject.go subjectLongest":                        "days of training or work before a stated period is taken for an error; what is paid for stands in the policies",
	"registry/claim_subject.go unitsMost":                             "months or years before a stated number is taken for an error; what is paid for stands in the policies",
	"registry/claim_exception.go exceptionsMost":                      "approvals of one request",
	"registry/collision.go collisionAgainst":                          "claims that one finding names",
	"registry/elsewhere_kind.go sameTextMost":                         "certificates read for one number",
	"registry/merge_collide.go mergeClaimsMost":                       "claims decided again in one Update",
	"registry/merge_person.go identitiesMost":                         "documents of one person",
	"registry/merge_run.go mergesMost":                                "proposals read of one person",
	"evaluators/application.go maxRounds":                             "how often one application is returned before it is begun anew",
	"evaluators/application.go maxPending":                            "open applications of one institution",
	"evaluators/filing.go maxScope":                                   "entries of one filing",
	"evaluators/number.go n.Year < 2000":                              "years that two digits of a number can mean",
	"evaluators/number.go n.Year > 2099":                              "years that two digits of a number can mean",
	"evaluators/readmission.go maxChanges":                            "entries of a history",
	"evaluators/relation.go maxBodies":                                "bodies of one filing",
	"evaluators/serial.go r.Year < 2000":                              "years that two digits of a number can mean",
	"evaluators/serial.go r.Year > 2099":                              "years that two digits of a number can mean",
	"evaluators/status.go gravity":                                    "an order of words, no number",
	"evaluators/blanks/application.go TextMost":                       "characters",
	"evaluators/blanks/application.go RangesMost":                     "ranges of one request",
	"evaluators/blanks/code.go PrefixMost":                            "characters of a code; the lengths that are used are data",
	"evaluators/blanks/code.go DigitsMost":                            "digits of a code; the lengths that are used are data",
	"evaluators/blanks/code.go RangeMost":                             "blanks of one range",
	"evaluators/blanks/run.go fieldsMost":                             "errors of one report",
	"evaluators/photos/archive.go shownMost":                          "characters",
	"evaluators/photos/exif.go short":                                 "a type of EXIF",
	"evaluators/photos/exif.go v <= 8":                                "orientations of EXIF",
	"evaluators/photos/photos.go mostSide":                            "bounds a rule file, and so what is decoded",
	"evaluators/photos/photos.go mostPixels":                          "memory of one photo while it is decoded",
	"evaluators/photos/photos.go KeptMost":                            "size of a kept photo",
	"evaluators/photos/photos.go turn >= 5":                           "orientations of EXIF",
	"evaluators/photos/photos.go orientation >= 5":                    "orientations of EXIF",
	"evaluators/photos/photos.go quality >= 30":                       "quality of a JPEG",
	"evaluators/cases/cases.go MaxText":                               "characters",
	"evaluators/cases/steps.go MaxSteps":                              "entries of a case",
	"evaluators/cases/steps.go MaxMeasures":                           "measures of one decision",
	"evaluators/corrections/corrections.go ProofsMax":                 "papers of one request",
	"evaluators/corrections/corrections.go ProofLength":               "characters",
	"evaluators/credit/event.go MaxFollowers":                         "corrections and repairs of one event",
	"evaluators/credit/integrity.go MaxIntegrityEntries":              "entries of one file",
	"evaluators/credit/rules.go most":                                 "entries of a rule file",
	"evaluators/credit/star.go MaxObjections":                         "objections to one publicity",
	"evaluators/credit/star.go in.Score > 100":                        "parts are scored out of 100, as evaluations are",
	"evaluators/examiners/arrange.go maxPanel":                        "people of one panel that are computed",
	"evaluators/examiners/arrange.go maxRooms":                        "rooms of one session",
	"evaluators/examiners/arrange.go maxInvigilators":                 "people of one room",
	"evaluators/examiners/arrange.go MaxPeople":                       "people of one session",
	"evaluators/examiners/arrange.go room.Seats > 5000":               "bounds an input",
	"evaluators/examiners/examiner.go maxOccupations":                 "entries of a card",
	"evaluators/examiners/examiner.go maxTerms":                       "entries of a card",
	"evaluators/examiners/examiner.go maxMeasures":                    "entries of a card",
	"evaluators/examiners/rules.go MostInARow":                        "bounds what a rule file may ask for, and so what is read",
	"evaluators/examiners/ties.go MaxTies":                            "ties of one person",
	"evaluators/figures/period.go year < 1949":                        "bounds an input",
	"evaluators/figures/period.go year > 2199":                        "bounds an input",
	"evaluators/figures/period.go m <= 12":                            "months of a year",
	"evaluators/figures/rules.go maxSpan":                             "years that a target may run, which bounds what is read",
	"evaluators/posts/posts.go since.AddMonths(12 * rule.Years)":      "12 months a year; the years are data",
	"evaluators/signs/draw.go PopulationMax":                          "bounds one draw",
	"evaluators/signs/draw.go InspectorsMax":                          "bounds one draw",
	"evaluators/signs/draw.go DrawnMax":                               "bounds one draw",
	"evaluators/signs/draw.go n > 10":                                 "inspectors of one inspection, which bounds one draw",
	"evaluators/signs/people.go maxMarks":                             "certificates of one person that are remembered; rule files may ask for half",
	"evaluators/signs/people.go out[len(out)-1].On.AddDays(-2 * 366)": "how long a certificate is remembered; rule files may ask for 180 days",
	"evaluators/signs/people.go d.AddDays(366)":                       "the day a year after 29 February",
	"evaluators/signs/people.go maxExamples":                          "examples that a finding shows",
	"evaluators/signs/review.go MaxFindings":                          "findings of one review",
	"evaluators/signs/rules.go HistoryMax":                            "days of history that are kept; rule files may ask for less",
	"evaluators/signs/sign.go maxRecords":                             "records that a finding names",
	"standards/eligibility/file.go maxYears":                          "bounds a rule file",
	"standards/eligibility/record.go MaxEntries":                      "entries of a record",
	"standards/eligibility/record.go MaxEvidence":                     "characters",
	"standards/eligibility/record.go maxText":                         "characters",
	"standards/eligibility/set.go i == 4":                             "a place in a text or key",
	"standards/eligibility/set.go i == 7":                             "a place in a text",
	"standards/eligibility/years.go never":                            "the end of the calendar",
	"standards/eligibility/years.go m > 12":                           "months of a year",
	"standards/eligibility/years.go m == 4":                           "months with 30 days",
	"standards/eligibility/years.go m == 6":                           "months with 30 days",
	"standards/eligibility/years.go m == 9":                           "months with 30 days",
	"standards/eligibility/years.go m == 11":                          "months with 30 days",
	"registry/recent.go recentValues":                                 "memory of one process",
	"registry/account.go KeyLifeMax":                                  "life of an API key, a matter of security",
	"registry/account.go KeyLifeDefault":                              "life of an API key, a matter of security",
	"registry/allocate.go piece":                                      "records of one read",
	"registry/appeal.go appealsPerRow":                                "open appeals, so that nobody can fill the store",
	"registry/appeal.go appealsPerSession":                            "open appeals, so that nobody can fill the store",
	"registry/appointment.go postsPerPerson":                          "records of one read",
	"registry/arrangement.go pastShown":                               "records of one page",
	"registry/arrangement.go maxReplacements":                         "versions of one arrangement",
	"registry/arrangement.go rowRead":                                 "records of one read",
	"registry/arrangement.go dayRead":                                 "records of one read",
	"registry/blank.go runsMost":                                      "records of one read",
	"registry/blank.go spoilMost":                                     "records of one Update",
	"registry/blank_destroy.go stockRunsMost":                         "records of one read",
	"registry/session_list.go TicketsMost":                            "records of one page",
	"registry/photo.go PhotosMaxBytes":                                "size of a file",
	"registry/photo.go photosMaxFiles":                                "files of an archive",
	"registry/photo.go photoMaxFile":                                  "size of a file",
	"registry/photo.go photosMaxTotal":                                "size of an archive, unpacked",
	"registry/photo.go photosPage":                                    "records of one Update",
	"registry/print_job.go printPage":                                 "records of one Update",
	"registry/case.go maxPersonCases":                                 "records of one read",
	"registry/check.go sealedPage":                                    "records of one page",
	"registry/check.go sealedPageBytes":                               "bytes of one page",
	"registry/check_log.go cosignedWithin":                            "time after which the silence of witnesses is worth a word to the operator",
	"registry/check_claims.go claimsAtOnce":                           "records of one page",
	"registry/check_credit.go creditPage":                             "records of one page",
	"registry/check_read.go keptBytes":                                "bytes of a cache",
	"registry/check_run.go CheckMaxProblems":                          "problems of one report",
	"registry/check_run.go checkMaxKinds":                             "kinds in one report",
	"registry/check_run.go checkShare":                                "records of a page that one goroutine reads",
	"registry/check_sums.go sumBuckets":                               "sums held at a time",
	"registry/check_sums.go sumBucketsMax":                            "sums held at a time",
	"registry/check_events.go eventsPage":                             "entries of the log read at a time",
	"registry/check_events.go doubtsMost":                             "memory of a check",
	"registry/check_events.go halfBitsMost":                           "how often a check goes through the log at most, as a power of two",
	"registry/claim_batch_check.go claimBatchesAtOnce":                "records of one page",
	"registry/counter_totals.go claimTotalFigures":                    "members of a record",
	"registry/repair_sums.go repairPage":                              "records of one Update",
	"registry/repair_sums.go repairBuckets":                           "sums held at a time",
	"registry/claim.go claimsMax":                                     "records of one read",
	"registry/claim.go holdingsMax":                                   "records of one read",
	"registry/claim.go refusalsMax":                                   "refusals that are recorded, so that nobody can fill the store",
	"registry/claim_request.go receivedBack":                          "how old a stated date may be before it is taken for an error; the times in which to claim stand in the policies",
	"registry/claim_request.go factMax":                               "characters",
	"registry/correct.go correctionsMax":                              "records of one read",
	"registry/correct.go signAttempts":                                "attempts after a concurrent change",
	"registry/correction.go PhotoMaxBytes":                            "size of a photo",
	"registry/correction.go photoMaxSide":                             "size of a photo",
	"registry/correction.go employerMax":                              "characters",
	"registry/credit_score.go maxReplay":                              "records of one read",
	"registry/credit_score.go q.Year > 9999":                          "bounds an input",
	"registry/draw.go in.Until.DaysSince(in.From) > 366":              "how long the time of one draw may be, which bounds its population",
	"registry/draw.go populationPages":                                "pages of one read",
	"registry/examiner.go phoneMost":                                  "characters",
	"registry/examiner.go cardsMost":                                  "records of one read",
	"registry/ids.go bits >= 5":                                       "bits of a character of an id",
	"registry/import_institutions.go PastInstitutionsMaxRows":         "rows of a file",
	"registry/institution.go maxDecisions":                            "records of one read",
	"registry/institution_list.go directoryLooks":                     "records of one read",
	"registry/institution_list.go directoryChoices":                   "choices that a page offers",
	"registry/institution_list.go f.Stars > 5":                        "bounds an input; the grades are data",
	"registry/issue.go bulkPage":                                      "records of one Update",
	"registry/issue.go fewRows":                                       "up to how many rows a batch is no bulk work of the store",
	"registry/list_parse.go ListMaxBytes":                             "size of a file",
	"registry/list_parse.go digits < 13":                              "characters of a code",
	"registry/list_parse.go countDigits(s) >= 4":                      "digits by which a number is told from a word",
	"registry/receipt.go receiptVersions":                             "versions of one certificate that are tried",
	"registry/receipt.go receiptLeast":                                "versions that are tried though there are fewer, so that time tells nothing",
	"registry/signin.go SignInIdle":                                   "life of a sign-in, a matter of security",
	"registry/signin.go SignInLife":                                   "life of a sign-in, a matter of security",
	"registry/signin.go signInTouch":                                  "how often a use is recorded",
	"registry/signin.go signInsMost":                                  "open sign-ins of one key",
	"registry/claim_batch.go ClaimBatchLife":                          "how long sealed answers are kept",
	"registry/claim_batch_file.go ClaimBatchMaxBytes":                 "size of a file",
	"registry/claim_batch_file.go ClaimBatchMaxRows":                  "rows of a file",
	"registry/claim_batch_file.go claimBatchCell":                     "characters",
	"registry/claim_batch_file.go claimBatchLine":                     "size of a line",
	"registry/claim_batch_file.go claimBatchColumns":                  "columns of a file",
	"registry/claim_batch_file.go claimBatchFaults":                   "errors of one report",
	"registry/claim_batch_file.go countDigits(name) > 6":              "digits by which a number is told from a word",
	"registry/claim_batch_file.go namesMost":                          "names in memory",
	"registry/claim_batch_gather.go few":                              "rows that a worker takes at a time",
	"registry/warm.go warmPage":                                       "records of one read",
	"registry/log.go tile.Width == 256":                               "width of a tile of the log, tlog-tiles",
	"registry/reliance.go relianceFew":                                "subjects told of in one transaction",
	"registry/reliance.go relianceRows":                               "claims of one transaction",
	"registry/reliance.go RelianceWaitMost":                           "how long a request waits",
	"registry/reliance.go reliancePoll":                               "how often a waiting request looks",
	"registry/reliance_recovery.go RecoveriesMost":                    "rows of one list",
	"registry/log_witness.go witnessTime":                             "how long witnesses are waited for in a round",
	"registry/log_witness.go witnessQuestions":                        "requests to one witness in a round",
	"registry/webhook_deliver.go webhookWorkers":                      "requests at once",
	"registry/webhook_deliver.go webhookRound":                        "endpoints of one round",
	"registry/webhook_deliver.go webhookTurn":                         "messages of one turn",
	"registry/webhook_deliver.go webhookTurnTime":                     "how long one turn lasts",
	"registry/webhook_deliver.go webhookRenew":                        "a part of the time of a lease",
	"registry/mass.go massPayers":                                     "payers that a preview names",
	"registry/mass.go massAffectedMax":                                "certificates of one change",
	"registry/mass.go massReadMax":                                    "certificates of one read",
	"registry/mass_preview.go claimsPage":                             "records of one read",
	"registry/occupation.go importPage":                               "records of one Update",
	"registry/page.go pageDefault":                                    "records of one page",
	"registry/page.go pageMax":                                        "records of one page",
	"registry/print.go PrintMost":                                     "certificates of one document",
	"registry/print.go printParts":                                    "documents of one session",
	"registry/request.go RequestLife":                                 "how long a request can be repeated under its key",
	"registry/results.go ResultsMaxBytes":                             "size of a file",
	"registry/results.go ResultsMaxRows":                              "rows of a file",
	"registry/results.go resultsMaxErrors":                            "errors of one report",
	"registry/retake.go retakesMax":                                   "records of one read; the retakes allowed are data",
	"registry/review.go reviewRounds":                                 "pages of one read",
	"registry/roster.go RosterMaxRows":                                "rows of a file",
	"registry/roster.go certificatesPerPerson":                        "records of one read",
	"registry/star.go maxStars":                                       "records of one read",
	"registry/statistics.go figurePage":                               "records of one page",
	"registry/statistics.go publicYears":                              "years that the public page shows",
	"registry/statistics.go i == 4":                                   "a place in a text or key",
	"registry/lease.go LeaseTime":                                     "how long a job stands still after a crash",
	"registry/backup.go renewEvery":                                   "how often a job that works says that it does",
	"registry/status_history.go baseEvery":                            "records of one read",
	"registry/status_history.go parts == 5":                           "parts of a key",
	"registry/status_history.go statusBytes":                          "bytes of a list",
	"registry/status_publish.go statusValidity":                       "how long a status list may be cached",
	"registry/status_publish.go statusSignAnew":                       "when a status list is signed anew",
	"registry/status_publish.go textsMost":                            "texts in memory",
	"registry/status_publish.go publishPage":                          "records of one read",
	"registry/supervision.go reportsMost":                             "reports of one session",
	"registry/tasklist.go maxEntering":                                "entries of one list",
	"registry/tasklist.go maxListed":                                  "entries of one list",

	"registry/claim_correction.go claimCorrectionsMax":                     "entries of one claim",
	"registry/claim_list.go days > 366":                                    "how far a list looks ahead at most",
	"registry/claim_list.go now.Add(time.Duration(days) * 24 * time.Hour)": "hours of a day",
	"registry/claim_payout.go PayoutMaxLines":                              "lines of one request",
	"registry/claim_payout.go payoutPage":                                  "lines of one Update",
	"registry/claim_payout_file.go PayoutFileMaxBytes":                     "size of a file",
	"registry/claim_publicity.go publicityAhead":                           "a typing mistake in a day; how long it is shown is data",
	"registry/claim_publicity.go publicityLongest":                         "a typing mistake in a day; how long it is shown is data",
	"registry/claim_step.go claimStepsMax":                                 "entries of one claim",
	"registry/claim_step.go claimStepsSoft":                                "entries of one claim",
	"registry/confirm.go run == 12":                                        "digits in a row that may be a bank account",
}

// TestRulesAreData fails for a number in the code that decides, unless it is
// known to be no rule.
func TestRulesAreData(t *testing.T) {
	found := map[string]bool{}
	for _, pattern := range ruleCode {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			for _, n := range numbersOf(t, path) {
				found[n] = true
				if numbersAllowed[n] == "" {
					t.Errorf("%s: a number that looks like a rule. If a law, a standard or practice sets it, it belongs in a rule file with its source; if not, say in numbersAllowed what it is", n)
				}
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(numbersAllowed)) {
		if !found[n] {
			t.Errorf("numbersAllowed has %s, which is not in the code any more", n)
		}
	}
}

// numbersOf are the numbers above 2 of a file that are the value of a constant
// or variable, or stand in a comparison, or in a calculation of time. Lengths of
// texts, lists and keys are no rules: what is compared with len, and the bounds
// of a rule file's own fields (what calls say), are left out.
func numbersOf(t *testing.T, path string) (out []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[string]bool{} // variables that hold a length
	file := strings.TrimPrefix(filepath.ToSlash(path), "../")
	seen := map[string]bool{}
	add := func(what string) {
		if n := file + " " + what; !seen[n] {
			seen[n], out = true, append(out, n)
		}
	}
	walk := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, right := range n.Rhs {
				if left, ok := n.Lhs[i].(*ast.Ident); ok && isLen(right, nil) {
					lengths[left.Name] = true
				}
			}
		case *ast.ValueSpec:
			for i, value := range n.Values {
				if hasNumber(value) {
					add(n.Names[i].Name)
				}
			}
		case *ast.CallExpr:
			name := nameOf(n.Fun)
			if name == "say" {
				return false
			}
			if slices.Contains([]string{"AddDays", "AddDate", "AddMonths", "AddYears", "Add", "AddWorkingDays"}, name) && slices.ContainsFunc(n.Args, hasNumber) {
				add(source(n))
			}
		case *ast.BinaryExpr:
			comparison := slices.Contains([]token.Token{token.LSS, token.LEQ, token.GTR, token.GEQ, token.EQL, token.NEQ}, n.Op)
			if comparison && (isNumber(n.X) && !isLen(n.Y, lengths) || isNumber(n.Y) && !isLen(n.X, lengths)) {
				add(source(n))
			}
		}
		return true
	}
	ast.Inspect(f, walk)
	return out
}

func isNumber(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.INT && l.Kind != token.FLOAT {
		return false
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(l.Value, "_", ""), 64)
	return err == nil && n > 2
}

// hasNumber reports a number anywhere in a plain expression, but not in what a
// composite value or a function holds.
func hasNumber(e ast.Expr) (has bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit, *ast.IndexExpr, *ast.SliceExpr, *ast.ArrayType:
			return false
		case ast.Expr:
			has = has || isNumber(n)
		}
		return true
	})
	return has
}

// isLen reports whether an expression is a length, or a variable that holds one.
func isLen(e ast.Expr, lengths map[string]bool) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		name := nameOf(e.Fun)
		return name == "len" || name == "RuneCountInString" || name == "NumField"
	case *ast.Ident:
		return lengths[e.Name]
	}
	return false
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// source writes an expression in one line.
func source(n ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, token.NewFileSet(), n)
	return strings.Join(strings.Fields(b.String()), " ")
}
