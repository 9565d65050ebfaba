package web

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/registry"
)

// access says who may call a route at all. What they may do is for the registry.
type access string

// The kinds of access.
const (
	public   access = "public"
	optional access = "optional" // a key shows more
	keyed    access = "key"
	signed   access = "sign-in" // a page for who is signed in; keys are not looked at
)

// repetition says how a creating request can be repeated without doing it twice.
type repetition string

// The kinds of repetition.
const (
	repeatsItself repetition = ""    // repeating changes nothing by itself
	withKey       repetition = "key" // an Idempotency-Key is honoured
	notIdempotent repetition = "no"  // an Idempotency-Key is refused
)

// parameter is one of a query.
type parameter struct {
	Name, Description string
	Enum              []string
	Integer           bool
}

// answer is an answer other than the JSON of the success or a problem.
type answer struct {
	Status      int
	Media       string // no body when empty
	Description string
}

// route is one row of the table: the router, the limits and the document are
// made from it.
type route struct {
	Method, Path, Tag string
	Summary           string
	Description       string
	Access            access
	Limit             limitName
	Success           int   // 200 when zero
	Body              int64 // limit of what is sent; see bodyLimit
	Time              time.Duration
	Idempotent        repetition
	CORS              bool
	Query             []parameter
	Takes             []string // media types of the body when it is not JSON
	Answers           []answer // instead of JSON, or besides
	endpoint
}

func (r route) status() int {
	if r.Success == 0 {
		return fiber.StatusOK
	}
	return r.Success
}

func (r route) timeout() time.Duration {
	if r.Time == 0 {
		return 15 * time.Second
	}
	return r.Time
}

// bodyLimit is 16 KB for the public and 1 MB for accounts unless the table says
// otherwise.
func (r route) bodyLimit() int64 {
	switch {
	case r.Body != 0:
		return r.Body
	case r.Access == keyed:
		return bodyLimit
	}
	return 16 << 10
}

// pattern is the path as fiber writes it.
func (r route) pattern() string {
	out := strings.ReplaceAll(r.Path, "{path}", "*")
	return strings.NewReplacer("{", ":", "}", "").Replace(out)
}

const imageBody = 8 << 20

var (
	paging = []parameter{{Name: "cursor", Description: "next of the page before"},
		{Name: "limit", Description: "1 to 500; 50 when absent", Integer: true}}
	language = parameter{Name: "lang", Description: "language of the page", Enum: []string{"zh", "en"}}
	pageHTML = []answer{{200, "text/html", "the page"}}
)

// routes is the table. Its order is that of the document.
func routes() []route {
	return slices.Concat(pageRoutes(), publicRoutes(), trustRoutes(), authorityRoutes(), sessionRoutes(), relianceRoutes(), sameRoutes(), stockRoutes(), printRoutes(), matchRoutes(), signInRoutes(), listRoutes(), correctionRoutes(), massRoutes(), examinerRoutes(), creditRoutes(), caseRoutes(), filingRoutes(), signRoutes(), normRoutes(), postRoutes(), certificateRoutes(), nationalRoutes(), claimBatchRoutes(), claimLifeRoutes(), counterRoutes(), claimRoutes(), operatorRoutes())
}

func pageRoutes() []route {
	pages := []route{
		{Method: "GET", Path: "/", Summary: "Home page with the look-up form", endpoint: raw((*Server).homePage)},
		{Method: "POST", Path: "/", Summary: "Look up by number and name or document, answered as a page", Limit: limitLookup,
			Takes: []string{fiber.MIMEApplicationForm}, endpoint: raw((*Server).lookupPage)},
		{Method: "GET", Path: "/verify", Summary: "Form to check a code", endpoint: raw((*Server).verifyPage)},
		{Method: "POST", Path: "/verify", Summary: "Check a pasted code or a picture of it, answered as a page", Limit: limitVerify,
			Body: imageBody, Time: 30 * time.Second, Takes: []string{fiber.MIMEApplicationForm, fiber.MIMEMultipartForm}, endpoint: raw((*Server).verifyCodePage)},
		{Method: "GET", Path: shellPath, Summary: "The page that a browser keeps to check codes without this server", endpoint: raw((*Server).offlinePage)},
		{Method: "GET", Path: "/directory", Summary: "Directory of institutions", Query: append(directoryFilters[:len(directoryFilters):len(directoryFilters)], paging[0]), endpoint: raw((*Server).directoryPage)},
		{Method: "GET", Path: "/directory/{id}", Summary: "An institution over time", endpoint: raw((*Server).institutionPage)},
		{Method: "GET", Path: "/statistics", Summary: "Certificates by level and year", Query: []parameter{{Name: "year", Description: "the year to show by level", Integer: true}},
			endpoint: raw((*Server).statisticsPage)},
		{Method: "GET", Path: "/publicity", Summary: "Sessions in publicity", Query: paging[:1], endpoint: raw((*Server).publicityPage)},
		{Method: "GET", Path: "/publicity/{id}", Summary: "Who passed in a session in publicity", Query: append([]parameter{{Name: "row", Description: "row chosen in the form to object", Integer: true}}, paging[0]), endpoint: raw((*Server).publicSessionPage)},
		{Method: "POST", Path: "/publicity/{id}/appeal", Summary: "Object to a row in publicity 异议, answered as a page", Limit: limitLookup, Body: objectionBody,
			Query: paging[:1], Takes: []string{fiber.MIMEApplicationForm}, endpoint: raw((*Server).appealPage)},
		{Method: "GET", Path: "/decisions", Summary: "Decisions on institutions that are public", Query: paging[:1], endpoint: raw((*Server).decisionsPage)},
		{Method: "GET", Path: "/inspections", Summary: "Published results of random inspections", Query: paging[:1], endpoint: raw((*Server).inspectionsPage)},
	}
	for i := range pages {
		pages[i].Tag, pages[i].Access, pages[i].Answers = "pages", public, pageHTML
		pages[i].Query = append([]parameter{language}, pages[i].Query...)
	}
	return append(pages,
		route{Method: "GET", Path: "/static/{file}", Tag: "pages", Access: public, Summary: "Style sheet, icon and modules, named by their content",
			Answers: []answer{{200, "text/css", "the file"}}, endpoint: raw((*Server).staticFile)},
		route{Method: "GET", Path: "/sw.js", Tag: "pages", Access: public, Summary: "Service worker: keeps the page that checks codes offline",
			Answers: []answer{{200, "text/javascript", "the worker"}}, endpoint: raw((*Server).serviceWorker)})
}

func publicRoutes() []route {
	return []route{
		{Method: "GET", Path: "/c/{handle}", Tag: "verdict", Access: public, Query: []parameter{language},
			Summary: "Verdict on the certificate behind a QR code",
			Description: "A page for people, JSON with Accept: application/json, the W3C credential with Accept: application/vc+jwt. An unknown or malformed handle is 404 with a verdict: not found is not false. " +
				"A credential is signed for a certificate that is good: 409 certificate_not_good says why not.",
			Answers: []answer{{200, "text/html", "the page"}, {200, typeVC, "W3C Verifiable Credential 2.0, signed now"}, {404, "", "unknown-certificate, in the same forms"},
				{406, "", "none of these is accepted; application/vc has no embedded proof here"}},
			endpoint: rawOf[verdictJSON]((*Server).verdictByHandle)},
		{Method: "GET", Path: "/c/{handle}/credential.jwt", Tag: "verdict", Access: public, Query: []parameter{language},
			Summary:     "The certificate as a W3C credential to keep 电子凭证",
			Description: "The same as GET /c/{handle} with Accept: application/vc+jwt, as a file.",
			Answers:     []answer{{200, typeVC, "W3C Verifiable Credential 2.0, signed now"}}, endpoint: raw((*Server).credentialFile)},
		{Method: "POST", Path: "/api/v1/verify", Tag: "verdict", Access: public, Limit: limitVerify,
			Summary:     "Verdict on what was read from a QR code, or on a W3C credential",
			Description: "token is the whole text of the code, the digits in it, or the compact JWS; or a vc+jwt, alone or as an EnvelopedVerifiableCredential. Whatever is none of these is 400.",
			endpoint:    api((*Server).verify)},
		{Method: "POST", Path: "/api/v1/verify/image", Tag: "verdict", Access: public, Limit: limitFrame, Body: frameBody, Takes: []string{"image/jpeg", "image/png"},
			Summary:     "Read the QR code in a picture, with the verdict on it",
			Description: "For browsers that cannot read codes themselves: at most 1600 pixels a side and 512 KB. That no code is found is an answer, not an error. The picture is read and not kept.",
			endpoint:    rawOf[pictureAnswer]((*Server).verifyPicture)},
		{Method: "POST", Path: "/api/v1/lookup", Tag: "verdict", Access: public, Limit: limitLookup,
			Summary:     "Verdict for somebody who has the number and one more fact",
			Description: "What does not match answers like a number that is not there.",
			endpoint:    api((*Server).lookup)},
		{Method: "POST", Path: "/api/v1/publicity/{id}/appeals", Tag: "directory", Access: public, Limit: limitLookup, Success: 201,
			Summary:     "Object to a row in publicity 异议; it stops that row until the appeal is decided",
			Description: "With the name and telephone number under which the answer can be given; both are sealed.",
			endpoint:    api((*Server).fileAppeal)},
		{Method: "GET", Path: "/api/v1/institutions", Tag: "directory", Access: public, CORS: true, Query: slices.Concat(directoryFilters, paging), Summary: "Directory of institutions with their filings",
			Description: "Each filing that is listed satisfies every filter. A page may have fewer items than were asked for, even none, and still have a next. A name that fits several occupations is answered with choices.",
			endpoint:    api((*Server).institutions)},
		{Method: "GET", Path: "/api/v1/institutions/{id}/history", Tag: "directory", Access: public, CORS: true,
			Summary: "An institution over time: names, filings, decisions, and what it issued by year and level", endpoint: api((*Server).institutionHistory)},
		{Method: "GET", Path: "/api/v1/statistics/public", Tag: "directory", Access: public, CORS: true,
			Summary: "Certificates by level and year, and targets", endpoint: api((*Server).publicStatistics)},
		{Method: "GET", Path: "/api/v1/occupations", Tag: "directory", Access: public, CORS: true, Query: paging, Summary: "The imported classification of occupations",
			endpoint: api((*Server).occupations)},
		{Method: "GET", Path: "/api/v1/occupations/{code}", Tag: "directory", Access: public, CORS: true, Summary: "One occupation",
			endpoint: api((*Server).occupation)},
		{Method: "GET", Path: "/api/v1/catalogue", Tag: "directory", Access: public, CORS: true, Summary: "The embedded catalogue of commonly examined occupations, with trades and levels",
			endpoint: api((*Server).catalogue)},
	}
}

func trustRoutes() []route {
	rows := []route{
		{Path: "/keys/{purpose}.json", Summary: "Public keys for one purpose: qr, vc, status, decision or directory", Answers: []answer{{200, "application/jwk-set+json", "JWK set"}},
			endpoint: raw((*Server).keysFor)},
		{Path: "/.well-known/jwks.json", Summary: "Public keys of credentials and status lists", Answers: []answer{{200, "application/jwk-set+json", "JWK set"}},
			endpoint: raw((*Server).wellKnownKeys)},
		{Path: "/status/{list}", Summary: "A status list, such as revocation-0", Query: statusQuery, Description: statusDescription, Answers: []answer{{200, "application/vc+jwt", "BitstringStatusListCredential"}},
			endpoint: raw((*Server).statusList)},
		{Path: "/schemas/{file}", Summary: "JSON Schema of our credentials, such as certificate-1.json", Answers: []answer{{200, typeSchema, "JSON Schema, draft 2020-12"}},
			endpoint: raw((*Server).schemaFile)},
		{Path: "/contexts/{file}", Summary: "JSON-LD context of our credentials, such as certificate-1.jsonld", Answers: []answer{{200, typeContext, "JSON-LD context"}},
			endpoint: raw((*Server).contextFile)},
		{Path: "/directory.jws", Summary: "The signed directory for offline verifiers", Answers: []answer{{200, "application/jose", "compact JWS"}},
			endpoint: raw((*Server).signedDirectory)},
		{Path: "/log/checkpoint", Summary: "The newest signed checkpoint of the audit log (C2SP tlog-checkpoint)", Description: "With the cosignatures of its witnesses (C2SP tlog-cosignature) when the log has any; it may then be up to three minutes old.", Answers: []answer{{200, "text/plain", "signed note"}},
			endpoint: raw((*Server).logCheckpoint)},
		{Path: "/log/key", Summary: "The verification key of checkpoints", Answers: []answer{{200, "text/plain", "key in the note format"}},
			endpoint: raw((*Server).logKey)},
		{Path: "/log/tile/{path}", Summary: "A tile of the audit log (C2SP tlog-tiles)", Answers: []answer{{200, "application/octet-stream", "hashes or entries"}},
			endpoint: raw((*Server).logTile)},
	}
	for i := range rows {
		rows[i].Method, rows[i].Tag, rows[i].Access, rows[i].CORS = "GET", "trust", public, true
	}
	return append(rows, route{Method: "GET", Path: "/api/v1/log/entries/{index}", Tag: "trust", Access: optional, CORS: true,
		Summary:     "An entry of the audit log with its proof",
		Description: "Whom the entry concerns gets the event with it. 409 log_pending: no checkpoint has it yet; ask again.",
		Answers:     []answer{{200, "application/json", "a bundle for `bajigong audit`"}}, endpoint: raw((*Server).logEntry)})
}

func authorityRoutes() []route {
	return keyedRoutes("authority", []route{
		{Method: "POST", Path: "/api/v1/institutions", Success: 201, Idempotent: withKey, Summary: "Admit an institution", endpoint: api((*Server).admitInstitution)},
		{Method: "GET", Path: "/api/v1/institutions/{id}", Summary: "An institution with all that is recorded on it", endpoint: api((*Server).institution)},
		{Method: "POST", Path: "/api/v1/filings", Success: 201, Idempotent: withKey, Summary: "Record a filing of an institution", endpoint: api((*Server).recordFiling)},
		{Method: "POST", Path: "/api/v1/decisions", Success: 201, Idempotent: withKey, Summary: "Record a measure that needs no case by its rule: a suspension, its end, an order to rectify, an exit of its own",
			Description: "409 case_needed: the kind is decided in a case.", endpoint: api((*Server).recordDecision)},
		{Method: "GET", Path: "/api/v1/statistics", Query: statisticsParameters, Summary: "A report 统计报表 of a month, quarter or year",
			Description: "人次 (certificates) and 人数 (persons) are different figures; 人数 is null where none is exact. The same period of the year before is compared once the period has ended.",
			Answers:     []answer{{200, "application/json", "the report"}, {200, "text/csv", "with format=csv: RFC 4180, with format=csv-bom for Excel"}},
			endpoint:    rawOf[registry.Statistics]((*Server).statistics)},
		{Method: "GET", Path: "/api/v1/statistics/cells", Query: append([]parameter{{Name: "month", Description: "such as 2026-03"}, {Name: "region", Description: "six digits; the caller's own when absent"}}, paging...),
			Summary: "The finest figures of a month, for tables that no report makes", endpoint: api((*Server).statisticsCells)},
		{Method: "POST", Path: "/api/v1/accounts", Success: 201, Idempotent: withKey, Summary: "Make an account", endpoint: api((*Server).createAccount)},
		{Method: "POST", Path: "/api/v1/keys", Success: 201, Idempotent: notIdempotent, Summary: "Make an API key; its secret is shown this once", endpoint: api((*Server).issueKey)},
		{Method: "DELETE", Path: "/api/v1/keys/{id}", Summary: "Revoke an API key", endpoint: api((*Server).revokeKey)},
	})
}

func sessionRoutes() []route {
	return keyedRoutes("sessions", []route{
		{Method: "GET", Path: "/api/v1/sessions", Query: append([]parameter{{Name: "institution", Description: "id; the caller's own when absent"}}, paging...),
			Summary: "Sessions of an institution", endpoint: api((*Server).sessions)},
		{Method: "POST", Path: "/api/v1/sessions", Success: 201, Idempotent: withKey, Summary: "File the plan of a session", endpoint: api((*Server).planSession)},
		{Method: "GET", Path: "/api/v1/sessions/{id}", Summary: "One session", endpoint: api((*Server).session)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/results", Body: registry.ResultsMaxBytes + 64<<10, Time: 4 * time.Minute,
			Takes:       []string{"text/csv", typeXLSX, fiber.MIMEMultipartForm},
			Query:       []parameter{{Name: "accept", Description: "take the rows without mistakes and answer the others", Enum: []string{"good-rows"}}},
			Summary:     "Upload results as CSV or XLSX: as the body, or as the file of a form",
			Description: "A file with any bad row is refused as a whole, with a reason for each row, unless accept=good-rows. The same file again changes nothing.",
			endpoint:    rawOf[registry.UploadReport]((*Server).uploadResults)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/candidates", Body: registry.ResultsMaxBytes + 64<<10, Time: 4 * time.Minute,
			Takes:       []string{"text/csv", typeXLSX, fiber.MIMEMultipartForm, fiber.MIMEApplicationJSON},
			Summary:     "Enter the roster 报名 of a session, as CSV, XLSX or JSON; it replaces an earlier one",
			Description: "Every candidate has to satisfy a condition 申报条件 of the standard in force, or apply on a basis that waives it. One mistake refuses the whole roster.",
			endpoint:    rawOf[registry.RosterReport]((*Server).enterRoster)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/candidates", Query: paging, Summary: "The roster of a session, documents masked", endpoint: api((*Server).roster)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/timeline", Summary: "When each step was due and done, in working days", endpoint: api((*Server).timeline)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/platform", Summary: "Record the reference on the supervision platform 云眸", endpoint: api((*Server).setPlatform)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/confirmation", Summary: "Confirm uploaded results 复核, by another account than the one that uploaded them", endpoint: api((*Server).confirmResults)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/approval", Summary: "Approve publicised results, by the authority", endpoint: api((*Server).approveResults)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/return", Summary: "Send publicised results back 退回, by the authority", endpoint: api((*Server).returnResults)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/appeals", Query: paging, Summary: "Appeals 异议 in the publicity of a session", endpoint: api((*Server).appeals)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/appeals/{appeal}", Summary: "Uphold or reject an appeal, or record that it was withdrawn", endpoint: api((*Server).decideAppeal)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/publicity", Summary: "Begin the publicity of the results", endpoint: api((*Server).startPublicity)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/certificates", Time: 30 * time.Second, Success: 201, Summary: "Issue the certificates of a session",
			Description: "Takes no rows: what was publicised is issued, all or none. 202 while it goes on: ask again, or follow /batch. 200 when it had been issued before.",
			Answers:     []answer{{200, fiber.MIMEApplicationJSON, "issued before"}, {202, fiber.MIMEApplicationJSON, "not yet ended"}},
			endpoint:    api((*Server).issue)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/certificates", Query: paging, Summary: "The certificates of a session", endpoint: api((*Server).certificatesOfSession)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/batch", Summary: "How far the issue of a session has come", endpoint: api((*Server).batch)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/batch/abort", Summary: "End an unfinished batch; its numbers are burnt", endpoint: api((*Server).abortBatch)},
	})
}

func postRoutes() []route {
	return keyedRoutes("posts", []route{
		{Method: "POST", Path: "/api/v1/appointments", Success: 201, Idempotent: withKey, Summary: "Propose a post as 特级技师 or 首席技师 评聘", endpoint: api((*Server).proposeAppointment)},
		{Method: "GET", Path: "/api/v1/appointments", Query: append([]parameter{{Name: "institution", Description: "id; the caller's own when absent"}}, paging...),
			Summary: "Appointments of an employer", endpoint: api((*Server).appointments)},
		{Method: "POST", Path: "/api/v1/appointments/{id}", Summary: "File, refuse, withdraw or end an appointment", endpoint: api((*Server).changeAppointment)},
		{Method: "POST", Path: "/api/v1/apprenticeships", Success: 201, Idempotent: withKey, Summary: "Enter an apprentice 学徒工", endpoint: api((*Server).beginApprenticeship)},
		{Method: "POST", Path: "/api/v1/apprenticeships/{id}", Summary: "End an apprenticeship: 转正定级, or leaving", endpoint: api((*Server).endApprenticeship)},
		{Method: "POST", Path: "/api/v1/people/record", Summary: "What is on record for a person: certificates, and apart from them posts and apprenticeships",
			Description: "For the authority. The document is in the body, so that no address or log has it.", endpoint: api((*Server).personRecord)},
	})
}

func certificateRoutes() []route {
	rows := []route{
		{Method: "POST", Path: "/api/v1/certificates", Success: 201, Summary: "Register certificates from elsewhere, all or none", endpoint: api((*Server).registerElsewhere)},
		{Method: "GET", Path: "/api/v1/certificates/{number}", Summary: "A certificate, for its institution and the authority", endpoint: api((*Server).certificate)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/qr.png", Query: []parameter{{Name: "scale", Description: "pixels per module, 1 to 40; 8 when absent", Integer: true}},
			Summary: "Its QR code as PNG", Answers: []answer{{200, "image/png", "the code"}}, endpoint: raw((*Server).qrPNG)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/qr.svg", Summary: "Its QR code as SVG", Answers: []answer{{200, "image/svg+xml", "the code"}}, endpoint: raw((*Server).qrSVG)},
	}
	for _, change := range []struct {
		path, summary string
		kind          registry.ChangeKind
	}{
		{"voiding", "Void a certificate 撤销: it was never valid", registry.ChangeVoid},
		{"cancellation", "Cancel a certificate 注销: it ends on a date", registry.ChangeCancel},
		{"suspension", "Suspend a certificate 暂停 while it is under review", registry.ChangeSuspend},
		{"resumption", "Resume a suspended certificate 恢复", registry.ChangeResume},
	} {
		rows = append(rows, route{Method: "POST", Path: "/api/v1/certificates/{number}/" + change.path, Idempotent: withKey, Summary: change.summary,
			endpoint: api(changeCertificate(change.kind))})
	}
	rows = append(rows, route{Method: "POST", Path: "/api/v1/certificates/{number}/reissue", Success: 201, Idempotent: withKey,
		Summary:     "Replace a lost or damaged paper 补发: a new version under the same number",
		Description: "The old paper says superseded from then on, offline too.", endpoint: api((*Server).reissueCertificate)})
	return keyedRoutes("certificates", rows)
}

func claimRoutes() []route {
	return keyedRoutes("claims", []route{
		{Method: "POST", Path: "/api/v1/claims/check", Query: []parameter{{Name: "signed", Description: "yes: the answer also as a compact JWS, signed by a key of /keys/decision.json"}},
			Summary: "Say whether a claim could be reserved, with every failing rule", endpoint: api((*Server).checkClaim)},
		{Method: "POST", Path: "/api/v1/claims", Summary: "Reserve a claim 锁定",
			Description: "200 whether it is allowed, denied or held: outcome says which. The same reference and content gives the same answer, so no Idempotency-Key is needed.",
			endpoint:    api((*Server).reserveClaim)},
		{Method: "GET", Path: "/api/v1/claims", Query: append(claimFilters[:len(claimFilters):len(claimFilters)], paging...), Summary: "The caller's own claims, by reference; narrowed, in the order of their reservations", endpoint: api((*Server).claims)},
		{Method: "GET", Path: "/api/v1/claims/{id}", Summary: "One claim", endpoint: api((*Server).claim)},
		{Method: "GET", Path: "/api/v1/claims/{id}/decision", Summary: "The decision on a claim, signed, to be kept with the payment's papers",
			Description: "A compact JWS of type bajigong-decision+jwt, signed by a key of /keys/decision.json.", Answers: []answer{{200, typeStatement, "the signed decision"}}, endpoint: raw((*Server).claimDecision)},
		{Method: "GET", Path: "/api/v1/claims/{id}/replay", Summary: "Decide a claim anew from what it rested on, and compare", endpoint: api((*Server).replayClaim)},
		{Method: "POST", Path: "/api/v1/claims/{id}/confirm", Summary: "Record the payment 确认发放, or an advance 先行拨付", endpoint: api((*Server).confirmClaim)},
		{Method: "POST", Path: "/api/v1/claims/{id}/release", Summary: "Give a reservation up 解除锁定", endpoint: api((*Server).releaseClaim)},
		{Method: "POST", Path: "/api/v1/claims/{id}/refund", Summary: "Record that money came back 追回, all of it or a part", endpoint: api((*Server).refundClaim)},
	})
}

func signRoutes() []route {
	rows := keyedRoutes("oversight", []route{
		{Method: "GET", Path: "/api/v1/signs/rules", Query: []parameter{{Name: "region", Description: "GB/T 2260; the caller's own when absent"}},
			Summary: "The thresholds of the signs of fraud in force in a region", endpoint: api((*Server).signRules)},
		{Method: "GET", Path: "/api/v1/reviews", Query: append(slices.Clone(reviewFilters), paging...), Summary: "Reviews that signs have opened",
			Description: "By region and then in the order opened. A page may be short while it has a next one.", endpoint: api((*Server).reviews)},
		{Method: "GET", Path: "/api/v1/reviews/{id}", Summary: "One review with its findings", endpoint: api((*Server).review)},
		{Method: "POST", Path: "/api/v1/reviews/{id}/look", Summary: "Record that a review is being looked at 开始核查", endpoint: api((*Server).lookAtReview)},
		{Method: "POST", Path: "/api/v1/reviews/{id}/dismissal", Summary: "Dismiss a review with a reason 排除", endpoint: api((*Server).dismissReview)},
		{Method: "POST", Path: "/api/v1/reviews/{id}/case", Summary: "Record the case that a review became 转立案", endpoint: api((*Server).takeUpReview)},
		{Method: "POST", Path: "/api/v1/draws", Success: 201, Idempotent: withKey, Summary: "Announce a draw 双随机: fixes population and inspectors before the seed is known",
			endpoint: api((*Server).announceDraw)},
		{Method: "GET", Path: "/api/v1/draws", Query: append([]parameter{{Name: "region", Description: "GB/T 2260; the caller's own when absent"}}, paging...),
			Summary: "Draws of a region", endpoint: api((*Server).draws)},
		{Method: "GET", Path: "/api/v1/draws/{id}", Summary: "One draw", endpoint: api((*Server).draw)},
		{Method: "POST", Path: "/api/v1/draws/{id}/seed", Summary: "Draw sessions and inspectors from the log's root or the named public value", endpoint: api((*Server).seedDraw)},
		{Method: "GET", Path: "/api/v1/draws/{id}/inspections", Query: paging, Summary: "The inspections of a draw", endpoint: api((*Server).inspectionsOfDraw)},
		{Method: "GET", Path: "/api/v1/draws/{id}/inspections/{session}", Summary: "One inspection", endpoint: api((*Server).inspection)},
		{Method: "POST", Path: "/api/v1/draws/{id}/inspections/{session}/result", Summary: "Enter the result of an inspection 检查结果", endpoint: api((*Server).enterInspection)},
		{Method: "POST", Path: "/api/v1/draws/{id}/inspections/{session}/answer", Summary: "The institution's answer to the result", endpoint: api((*Server).answerInspection)},
		{Method: "POST", Path: "/api/v1/draws/{id}/inspections/{session}/publication", Summary: "Publish an inspection 一公开", endpoint: api((*Server).publishInspection)},
		{Method: "GET", Path: "/api/v1/institutions/{id}/inspections", Query: paging, Summary: "Inspections of an institution; it sees its own once their results are entered",
			endpoint: api((*Server).inspectionsOfInstitution)},
	})
	return append(rows,
		route{Method: "GET", Path: "/api/v1/inspections/published", Tag: "directory", Access: public, CORS: true, Query: paging,
			Summary: "Published inspections 抽查结果公开", endpoint: api((*Server).publishedInspections)},
		route{Method: "GET", Path: "/api/v1/draws/{id}/proof", Tag: "directory", Access: public, CORS: true,
			Summary:     "All that is needed to repeat a draw",
			Description: "Seed, population and inspectors, once every inspection of the draw is published; 404 before.", endpoint: api((*Server).drawProof)})
}

func keyedRoutes(tag string, rows []route) []route {
	for i := range rows {
		rows[i].Tag, rows[i].Access = tag, keyed
	}
	return rows
}

func operatorRoutes() []route {
	rows := []route{
		{Path: "/openapi.json", Summary: "This document", CORS: true, Answers: []answer{{200, fiber.MIMEApplicationJSON, "OpenAPI 3.1"}}, endpoint: raw((*Server).openAPI)},
		{Path: "/healthz", Summary: "The process answers, and a restart is not needed", Answers: []answer{{200, "text/plain", "ok"}, {503, "", "the store only reads until the process is restarted"}}, endpoint: raw((*Server).healthz)},
		{Path: "/readyz", Summary: "The store answers", Answers: []answer{{200, "text/plain", "ok, or store_read_only or store_full with a sentence: verdicts are given, nothing is taken"}, {503, "", "not ready"}}, endpoint: raw((*Server).readyz)},
		{Path: metricsPath, Summary: "Counts and durations of requests in the text format of Prometheus, when the operator serves them",
			Answers: []answer{{200, "text/plain", "figures"}}, endpoint: raw((*Server).metricsText)},
	}
	for i := range rows {
		rows[i].Method, rows[i].Tag, rows[i].Access = "GET", "operation", public
	}
	return rows
}

const metricsPath = "/metrics"

func withoutMetrics(table []route) []route {
	return slices.DeleteFunc(table, func(r route) bool { return r.Path == metricsPath })
}
