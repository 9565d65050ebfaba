package uploads

import (
	"slices"

	"bajigong/standards"
)

// Change is what has happened to a certificate.
type Change string

// The changes. Which of them are reported, and as what, is for the rule file.
const (
	ChangeCorrect Change = "correct" // 更正
	ChangeReissue Change = "reissue" // 补发
	ChangeVoid    Change = "void"    // 撤销
	ChangeCancel  Change = "cancel"  // 注销
	ChangeSuspend Change = "suspend" // 暂停
	ChangeResume  Change = "resume"  // 恢复
	ChangeUndo    Change = "undo"    // 撤回: a mass change was undone
)

// Changes lists the changes.
func Changes() []Change {
	return []Change{ChangeCorrect, ChangeReissue, ChangeVoid, ChangeCancel, ChangeSuspend, ChangeResume, ChangeUndo}
}

// Due is a change that has to be reported. Type is the data type of the last of
// its changes that has one.
type Due struct {
	Type    string         `json:"type"`
	Changes []Change       `json:"changes"`
	Since   standards.Date `json:"since"`
}

// Row is the standing of a certificate that does not simply follow the first
// report of its batch. It does not change in place: every method answers the new
// one.
type Row struct {
	// Own says that State, Upload and Since are the certificate's own; else it
	// follows its part.
	Own    bool           `json:"own,omitempty"`
	State  State          `json:"state,omitempty"`
	Upload string         `json:"upload,omitempty"` // the report that has it, or had it last
	Since  standards.Date `json:"since,omitempty"`
	// Was is the state to which a withdrawn report gives it back.
	Was State `json:"was,omitempty"`
	// Due waits for a report of its type.
	Due *Due `json:"due,omitempty"`
	// Change is the report that has Taken, until its receipt.
	Change string `json:"change,omitempty"`
	Taken  *Due   `json:"taken,omitempty"`
}

// Standing is that of the certificate, which is of part.
func (r Row) Standing(part Part) Standing {
	if r.Own {
		return Standing{State: r.State, Upload: r.Upload, Since: r.Since}
	}
	return part.Standing()
}

// Waits is the data type as which the certificate waits to be reported; none when
// it does not.
func (r Row) Waits() string {
	switch {
	case r.Own && (r.State == Returned || r.State == Waiting):
		return New
	case r.Due != nil && r.Change == "":
		return r.Due.Type
	}
	return ""
}

// OfPart is the row of a certificate that the report of its part leaves out: one
// that is not valid, or that cannot be written into the file.
func OfPart(valid bool) Row {
	if valid {
		return Row{Own: true, State: Waiting}
	}
	return Row{Own: true, State: LeftOut}
}

// Changed notes a change of a certificate of which the first report may have gone
// out. undone is what a ChangeUndo undoes; valid says whether it is valid now. A
// certificate that the national query never got is not reported as changed: what is
// reported later is as it is then. Undoing what nobody was told of tells nobody.
func (r Row) Changed(part Part, change, undone Change, valid bool, types Types, today standards.Date) Row {
	switch r.Standing(part).State {
	case Returned, Waiting, LeftOut, NotUploaded:
		r.Own, r.Due = true, nil
		switch {
		case !valid:
			r.State = LeftOut
		case r.State == LeftOut:
			r.State = Waiting
		}
		return r
	}
	if types.Of(change) == "" || change == ChangeUndo && types.Of(undone) == "" {
		return r
	}
	if change == ChangeUndo && r.Due != nil {
		if last := len(r.Due.Changes) - 1; r.Due.Changes[last] == undone {
			r.Due = types.due(slices.Clone(r.Due.Changes[:last]), r.Due.Since)
			return r
		}
	}
	since := today
	var before []Change
	if r.Due != nil {
		since, before = r.Due.Since, r.Due.Changes
	}
	r.Due = types.due(append(slices.Clone(before), change), since)
	return r
}

// TakeNew puts a waiting certificate into a report of new ones.
func (r Row) TakeNew(upload string) Row {
	r.Was, r.State, r.Upload = r.State, Generated, upload
	return r
}

// TakeDue puts a change into a report.
func (r Row) TakeDue(upload string) Row {
	r.Change, r.Taken, r.Due = upload, r.Due, nil
	return r
}

// GiveBack undoes TakeNew or TakeDue for a report that was withdrawn, or a change
// whose row was returned. A certificate that is not valid any more does not wait.
func (r Row) GiveBack(upload string, valid bool, types Types) Row {
	if r.Change == upload {
		changes := slices.Clone(r.Taken.Changes)
		if r.Due != nil {
			changes = append(changes, r.Due.Changes...)
		}
		r.Due = types.due(changes, r.Taken.Since)
		r.Change, r.Taken = "", nil
		if r.Own && (r.State == Returned || r.State == Waiting || r.State == LeftOut) {
			r.Due = nil // its own report came back meanwhile: there is nothing to change
		}
		return r
	}
	r.State, r.Was = r.Was, NotUploaded
	return r.unreported(valid)
}

// SentBack is a row of a report of new certificates that the receipt returns. What
// changed meanwhile goes with the next report of the whole certificate.
func (r Row) SentBack(upload string, valid bool) Row {
	r.Own, r.State, r.Upload, r.Since, r.Was = true, Returned, upload, "", NotUploaded
	return r.unreported(valid)
}

// unreported is a certificate that the national query does not have.
func (r Row) unreported(valid bool) Row {
	r.Due = nil
	if !valid {
		r.State = LeftOut
	}
	return r
}

// Follow takes over a step of the report that has the row: sent, received, or
// queryable since a day.
func (r Row) Follow(upload string, to State, since standards.Date) Row {
	switch {
	case r.Change == upload && (to == Accepted || to == Returned):
		r.Change, r.Taken = "", nil
	case r.Own && r.Upload == upload && r.State != Returned && r.State != Waiting && r.State != LeftOut:
		if to == Returned {
			to = Accepted // its own row was not returned
		}
		r.State, r.Since = to, since
	}
	return r
}
