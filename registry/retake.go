package registry

import (
	"context"
	"maps"
	"slices"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// KeptPart is a part passed in an earlier session that counts in a later one.
type KeptPart struct {
	Session    string         `json:"session"`
	Generation int            `json:"generation"`
	Row        int            `json:"row"`
	Score      float64        `json:"score"`
	Exam       standards.Date `json:"exam"`
}

// all are the scores of a candidate with those kept from earlier sessions.
func (c Candidate) all() standards.Scores {
	if len(c.Kept) == 0 {
		return c.Scores
	}
	out := maps.Clone(c.Scores)
	for kind, k := range c.Kept {
		out[kind] = k.Score
	}
	return out
}

// retakesMax bounds how many earlier rows of one person are looked at.
const retakesMax = 50

// keepParts looks up parts passed before, for rows in which parts are missing
// (practice: one 补考 of a failed part, what was passed is kept for a time), and
// decides anew whether they pass.
func (r *Registry) keepParts(ctx context.Context, about resultsCase, rows []resultRow) error {
	if about.rules.Retakes == 0 || !about.mode.Scores {
		return nil
	}
	var short []int
	for i, row := range rows {
		if len(row.candidate.Scores) > 0 && len(row.candidate.Scores) < len(about.parts) {
			short = append(short, i)
		}
	}
	for start := 0; start < len(short); start += bulkPage {
		page := short[start:min(start+bulkPage, len(short))]
		err := r.db.View(ctx, func(rd kv.Reader) error {
			documents := make([]standards.Document, len(page))
			for i, at := range page {
				documents[i] = rows[at].paper.Document
			}
			people, known, _, err := r.knownPeople(rd, documents)
			if err != nil {
				return err
			}
			ids, err := identitiesOf(rd, people)
			if err != nil {
				return err
			}
			for i, at := range page {
				if !known[i] {
					continue
				}
				c := &rows[at].candidate
				if c.Kept, err = r.keptParts(rd, about, ids[i], c.Scores); err != nil {
					return err
				}
				c.Passed, _ = standards.Passed(about.parts, c.all())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keptParts are the parts of one person, under whatever ids it has after merges,
// that count in this session: passed at
// this institution for the same occupation, trade and level, in time, and not
// used in more retakes than the rules allow.
func (r *Registry) keptParts(rd kv.Reader, about resultsCase, ids []PersonID, taken standards.Scores) (map[standards.PartKind]KeptPart, error) {
	var before []Candidate
	for _, p := range ids {
		rng := kv.Prefix(kv.Key(p[:]))
		rng.Limit = retakesMax
		own, _, err := candidates.ScanIndex(rd, indexResultsByPerson, rng)
		if err != nil {
			return nil, err
		}
		before = append(before, own...)
	}
	if len(before) == 0 {
		return nil, nil
	}
	keys := make([][]byte, len(before))
	for i, c := range before {
		keys[i] = kv.Key(c.Session)
	}
	held, _, err := sessions.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	used := map[string]int{} // by the session the part comes from
	for i, c := range before {
		if held[i].ID == about.session.ID || held[i].Results == nil || held[i].Results.Generation != c.Generation {
			continue
		}
		from := map[string]bool{}
		for _, k := range c.Kept {
			from[k.Session] = true
		}
		for id := range from {
			used[id]++
		}
	}
	out := map[standards.PartKind]KeptPart{}
	for i, c := range before {
		s := held[i]
		if !about.keeps(s, c) || used[s.ID] >= about.rules.Retakes {
			continue
		}
		for _, part := range about.parts {
			score, ok := c.Scores[part.Kind]
			if _, now := taken[part.Kind]; ok && !now && score >= part.Pass && out[part.Kind].Exam < s.ExamDate {
				out[part.Kind] = KeptPart{Session: s.ID, Generation: c.Generation, Row: c.Row, Score: score, Exam: s.ExamDate}
			}
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// keeps reports whether parts of an earlier row may count in this session.
func (about resultsCase) keeps(s Session, c Candidate) bool {
	return about.follows(s) && s.Results != nil && s.Results.Generation == c.Generation && s.mustBeConfirmed(about.rules) == nil
}

// follows reports whether an earlier session is one whose parts can be kept here.
func (about resultsCase) follows(s Session) bool {
	own := about.session
	return s.ID != own.ID && s.Institution == own.Institution && s.Occupation == own.Occupation && s.Trade == own.Trade && s.Level == own.Level && s.Norm == own.Norm &&
		s.ExamDate < own.ExamDate && own.ExamDate <= about.rules.KeptUntil(s.ExamDate)
}

// keptNoMore names the first row of a page, among those a batch takes, that rests
// on a part of an earlier session whose results were replaced since: Conflict
// kept_part_replaced.
func keptNoMore(rd kv.Reader, b Batch, page []Candidate) (*fail.Error, error) {
	var held, rows [][]byte
	var from []KeptPart
	var of []Candidate
	for _, c := range page {
		if take, err := taken(rd, b, c); err != nil {
			return nil, err
		} else if !take {
			continue
		}
		for _, kind := range slices.Sorted(maps.Keys(c.Kept)) {
			k := c.Kept[kind]
			held, rows = append(held, kv.Key(k.Session)), append(rows, candidates.Key(Candidate{Session: k.Session, Generation: k.Generation, Row: k.Row}))
			from, of = append(from, k), append(of, c)
		}
	}
	if len(from) == 0 {
		return nil, nil
	}
	before, _, err := sessions.GetMany(rd, held)
	if err != nil {
		return nil, err
	}
	was, there, err := candidates.GetMany(rd, rows)
	if err != nil {
		return nil, err
	}
	people := make([]PersonID, len(of))
	for i, c := range of {
		people[i] = c.Person
	}
	ids, err := identitiesOf(rd, people)
	if err != nil {
		return nil, err
	}
	for i, k := range from {
		if res := before[i].Results; !there[i] || res == nil || res.Generation != k.Generation || !slices.Contains(ids[i], was[i].Person) {
			return fail.New(fail.Conflict, "kept_part_replaced", "row %d rests on a part kept from session %s, whose results were replaced since; upload the results again", of[i].Row, k.Session).
				In("第 %d 行保留的成绩取自批次 %s，该批次成绩已重新上报；请重新上报本批次成绩", of[i].Row, k.Session), nil
		}
	}
	return nil, nil
}
