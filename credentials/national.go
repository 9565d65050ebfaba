package credentials

import "time"

// NationalState is where the report of a certificate to the national query
// 全国联网查询 stands.
type NationalState string

// The states.
const (
	NationalNotReported NationalState = "not_reported"
	NationalGenerated   NationalState = "generated" // the file is made, not sent
	NationalSent        NationalState = "sent"
	NationalAccepted    NationalState = "accepted"
	NationalReturned    NationalState = "returned" // sent back, to be put right and reported again
	NationalQueryable   NationalState = "queryable"
)

// National is what the register knows of a certificate in the national query. That
// it cannot be found there yet is no fault of the certificate, unless the rules of
// its region say that only the national query counts: the verdict then has the
// reason not-yet-published.
type National struct {
	State NationalState `json:"state"`
	Since string        `json:"since,omitempty"` // civil date, first day on which it can be queried
}

var nationalWords = map[NationalState]words{
	NationalNotReported: {"尚未上报，尚未可查", "not reported yet"},
	NationalGenerated:   {"尚未报送，尚未可查", "not sent yet"},
	NationalSent:        {"已报送，尚未可查", "reported, not to be found yet"},
	NationalAccepted:    {"已接收，尚未可查", "accepted, not to be found yet"},
	NationalReturned:    {"已退回更正，尚未可查", "sent back for correction, not to be found yet"},
	NationalQueryable:   {"可查询", "can be found"},
}

// NationalStates lists the states.
func NationalStates() []NationalState {
	return []NationalState{NationalNotReported, NationalGenerated, NationalSent, NationalAccepted, NationalReturned, NationalQueryable}
}

// Text returns the line under "national query": "2026-11-20 起可查询".
func (n National) Text(lang Lang) string {
	if day, err := time.Parse(time.DateOnly, n.Since); err == nil && n.State == NationalQueryable {
		if lang == EN {
			return "can be found since " + day.Format("2 January 2006")
		}
		return n.Since + " 起可查询"
	}
	return nationalWords[n.State].in(lang)
}
