package registry

import (
	"slices"
	"time"

	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// BatchState is how far the issue of one session has come. Every step is one or
// more Updates; what is stored decides where a new process goes on. A dash means
// that nothing is changed.
//
//	state      | allocate | sign   | publish   | abort
//	-----------+----------+--------+-----------+--------
//	allocating | signing  | -      | -         | aborted
//	signing    | -        | signed | -         | aborted
//	signed     | -        | -      | published | aborted
//	published  | -        | -      | -         | -
//	aborted    | -        | -      | -         | -
//
// allocate and sign go by pages; the last page leads on. What is durable then:
//
//	allocating  numbers, handles, status indices up to Allocated
//	signing     tokens, sealed papers, log entries up to Signed
//	signed      everything but the flip
//	published   public, all of it
//	aborted     never public; what it allocated is burnt
type BatchState string

// The states of a batch.
const (
	BatchAllocating BatchState = "allocating"
	BatchSigning    BatchState = "signing"
	BatchSigned     BatchState = "signed"
	BatchPublished  BatchState = "published"
	BatchAborted    BatchState = "aborted"
)

// Ended reports whether nothing more will happen.
func (s BatchState) Ended() bool { return s == BatchPublished || s == BatchAborted }

// Batch is the issue of one session. It becomes public at one moment or never.
type Batch struct {
	ID              string         `json:"id"`
	Session         string         `json:"session"`
	Institution     string         `json:"institution"`
	InstitutionName string         `json:"institution_name"`
	Filing          string         `json:"filing"`
	State           BatchState     `json:"state"`
	Issued          standards.Date `json:"issued"` // 发证日期 of every certificate in it
	Total           int            `json:"total"`
	Released        bool           `json:"released,omitempty"` // has only rows that appeals had held
	Allocated       int            `json:"allocated"`
	Signed          int            `json:"signed"`
	// AllocatedRow and SignedRow are the cursors: the last row done.
	AllocatedRow int        `json:"allocated_row"`
	SignedRow    int        `json:"signed_row"`
	By           string     `json:"by"`
	Started      time.Time  `json:"started"`
	Published    *time.Time `json:"published,omitempty"` // the receive time of every certificate in it
	Aborted      string     `json:"aborted,omitempty"`   // why, in English; AbortedZH in Chinese
	AbortedZH    string     `json:"aborted_zh,omitempty"`
	// People is what the signs counted of its holders while it was signed.
	People *signs.PeopleFigures `json:"people,omitempty"`
	// National are its reports to the national query, by runs of rows.
	National []uploads.Part `json:"national,omitempty"`
}

// unreported reports whether certificates of the batch have not all been sent to
// the national query.
func (b Batch) unreported() bool {
	return b.State == BatchPublished && !uploads.Reported(b.National, b.SignedRow)
}

// StartBatch is the rule for beginning to issue: after the last day of
// publicity, and not before. Rows that an appeal holds or has excluded are left
// out. A session that has issued begins a further batch for the rows whose
// appeals were rejected since.
func (s Session) StartBatch(b Batch, now time.Time) (Session, Batch, error) {
	further := s.State == SessionIssued && s.Publicity != nil && s.Publicity.Released > 0
	if s.State != SessionPublicity && !further || s.Publicity == nil || s.Results == nil {
		return s, b, fail.New(fail.Conflict, "not_publicised", "session %s is %s; certificates follow publicity", s.ID, s.State).
			In("批次 %s 尚未公示，不能发证", s.ID)
	}
	today := standards.DateOf(now)
	if today <= s.Publicity.Until {
		return s, b, fail.New(fail.Conflict, "publicity_running", "publicity of session %s runs until %s; certificates can be issued from the day after", s.ID, s.Publicity.Until).
			In("批次 %s 公示至 %s，次日起方可发证", s.ID, s.Publicity.Until)
	}
	b.Session, b.Institution, b.Filing = s.ID, s.Institution, s.Filing
	b.State, b.Issued, b.Total, b.Started = BatchAllocating, today, s.Results.Passed-s.Publicity.Held-s.Publicity.Excluded, now
	if further {
		b.Released, b.Total = true, s.Publicity.Released
		s.Earlier = append(slices.Clone(s.Earlier), s.Batch)
	}
	if b.Total <= 0 {
		return s, b, fail.New(fail.Conflict, "all_rows_held", "every passed row of session %s waits for an appeal or lost one", s.ID).
			In("批次 %s 的合格人员均有异议未办结或异议成立，暂无可发证人员", s.ID)
	}
	s.State, s.Batch = SessionIssuing, b.ID
	return s, b, nil
}

// Publish is the flip. It answers Conflict when the batch is not complete.
func (s Session) Publish(b Batch, now time.Time) (Session, Batch, error) {
	if b.State != BatchSigned || b.Signed != b.Total || b.Allocated != b.Total || s.Batch != b.ID || s.State != SessionIssuing {
		return s, b, fail.New(fail.Conflict, "batch_incomplete", "batch %s is %s with %d of %d signed", b.ID, b.State, b.Signed, b.Total).
			In("发证批次 %s 尚未完成：已签 %d / %d", b.ID, b.Signed, b.Total)
	}
	b.State, b.Published = BatchPublished, &now
	s.State = SessionIssued
	if s.Issued == nil {
		s.Issued = &now
	}
	if b.Released {
		p := *s.Publicity
		p.Released -= b.Total
		s.Publicity = &p
	}
	return s, b, nil
}

// Abort ends a batch for good; its session can be issued anew, with new numbers.
func (s Session) Abort(b Batch, why *fail.Error) (Session, Batch, error) {
	if b.State.Ended() {
		return s, b, fail.New(fail.Conflict, "batch_ended", "batch %s is already %s", b.ID, b.State).In("发证批次 %s 已结束", b.ID)
	}
	b.State, b.Aborted, b.AbortedZH = BatchAborted, why.Text, why.ZH
	for _, f := range why.Fields {
		b.Aborted, b.AbortedZH = b.Aborted+"; "+f.EN, b.AbortedZH+"；"+f.ZH
	}
	s.State, s.Batch = SessionPublicity, ""
	if n := len(s.Earlier); n > 0 {
		s.State, s.Batch, s.Earlier = SessionIssued, s.Earlier[n-1], slices.Clone(s.Earlier[:n-1])
	}
	return s, b, nil
}
