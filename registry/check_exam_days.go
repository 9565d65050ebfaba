package registry

import "bajigong/internal/kv"

// examDays: draws find every session by its exam date, and no other.
func (c *check) examDays() error {
	c.of(tableSessions, tableExamDays)
	if err := eachPage(c, sessions, pageMax, func(page []Session) error {
		keys := make([][]byte, len(page))
		for i, s := range page {
			keys[i] = examDays.Key(examDayOf(s))
		}
		found, there, err := examDays.GetMany(c.base, keys)
		if err != nil {
			return nil // a row that cannot be read is for the pass below
		}
		for i, s := range page {
			if !there[i] || found[i] != examDayOf(s) {
				c.problem("session %s is not found by its exam date %s", s.ID, s.ExamDate)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return eachPage(c, examDays, pageMax, func(page []examDay) error {
		keys := make([][]byte, len(page))
		for i, d := range page {
			keys[i] = kv.Key(d.Session)
		}
		found, there, err := sessions.GetMany(c.base, keys)
		if err != nil {
			return err
		}
		for i, d := range page {
			if !there[i] || examDayOf(found[i]) != d {
				c.problem("session %s is found by the exam date %s and has none such", d.Session, d.ExamDate)
			}
		}
		return nil
	})
}

func examDayOf(s Session) examDay {
	return examDay{ExamDate: s.ExamDate, Session: s.ID, Institution: s.Institution, Region: s.Region}
}

// pageOfExamDays makes the entries of some sessions anew.
func pageOfExamDays(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := sessions.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil {
		return nil, done, err
	}
	keys := make([][]byte, len(page))
	for i, s := range page {
		keys[i] = examDays.Key(examDayOf(s))
	}
	stored, err := tx.GetMany(tableExamDays, keys)
	if err != nil {
		return nil, done, err
	}
	for i, s := range page {
		if d, err := examDays.Decode(keys[i], stored[i]); stored[i] != nil && err == nil && d == examDayOf(s) {
			continue
		}
		tx.Delete(tableExamDays, keys[i]) // it may be one that cannot be read
		if err := examDays.Put(tx, examDayOf(s)); err != nil {
			return nil, done, err
		}
		done.Written++
	}
	return next, done, nil
}

// pageOfStrayExamDays takes away those of no session.
func pageOfStrayExamDays(_ *Registry, tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	entries, err := tx.Scan(tableExamDays, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil || len(entries) == 0 {
		return nil, done, err
	}
	keys := make([][]byte, len(entries))
	for i, e := range entries {
		d, _ := examDays.Decode(e.Key, e.Value)
		keys[i] = kv.Key(d.Session)
	}
	found, there, err := sessions.GetMany(tx, keys)
	if err != nil {
		return nil, done, err
	}
	for i, e := range entries {
		d, err := examDays.Decode(e.Key, e.Value)
		if err == nil && there[i] && examDayOf(found[i]) == d && string(examDays.Key(d)) == string(e.Key) {
			continue
		}
		tx.Delete(tableExamDays, e.Key)
		done.Removed++
	}
	if len(entries) == bulkPage {
		next = kv.Range{}.After(entries[len(entries)-1].Key).From
	}
	return next, done, nil
}
