package standards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Scores are the scores of one candidate, of 100. A part that is not in the map
// was not taken.
type Scores map[PartKind]float64

// Shortfall is a part that was not passed.
type Shortfall struct {
	Part    Part
	Score   float64 // 0 when missing
	Missing bool    // no score: not taken, or not reported
}

// Chinese says what is wrong: 理论知识考试 58 分，低于合格分 60 分.
func (s Shortfall) Chinese() string {
	if s.Missing {
		return s.Part.Name + "无成绩"
	}
	return fmt.Sprintf("%s %s 分，低于合格分 %s 分", s.Part.Name, scoreText(s.Score), scoreText(s.Part.Pass))
}

// English is Chinese in English.
func (s Shortfall) English() string {
	if s.Missing {
		return fmt.Sprintf("there is no score for %s (%s)", s.Part.Kind, s.Part.Name)
	}
	return fmt.Sprintf("%s (%s) has %s, below the pass mark %s", s.Part.Kind, s.Part.Name, scoreText(s.Score), scoreText(s.Part.Pass))
}

func scoreText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Passed reports whether every part has its pass mark of the standard, and the
// parts that have not. Without parts nothing is passed.
func Passed(parts []Part, scores Scores) (bool, []Shortfall) {
	var short []Shortfall
	for _, p := range parts {
		score, ok := scores[p.Kind]
		switch {
		case !ok:
			short = append(short, Shortfall{Part: p, Missing: true})
		case !(score >= p.Pass && score <= 100):
			short = append(short, Shortfall{Part: p, Score: score})
		}
	}
	return len(parts) > 0 && len(short) == 0, short
}

// Unexpected returns the kinds that have a score and are no part, in the order
// theory, skill, review: a review score at 三级, for instance.
func Unexpected(parts []Part, scores Scores) []PartKind {
	var out []PartKind
	for _, k := range []PartKind{Theory, Skill, Review} {
		if _, ok := scores[k]; !ok {
			continue
		}
		known := false
		for _, p := range parts {
			known = known || p.Kind == k
		}
		if !known {
			out = append(out, k)
		}
	}
	return out
}

var scoreForm = regexp.MustCompile(`^\d{1,3}(\.\d{1,2}0*)?$`)

// ParseScore reads a score of 100 with at most two decimals. Nothing, -- and 缺考
// mean that the part was not taken: taken is false. Error code: score.
func ParseScore(s string) (score float64, taken bool, err error) {
	t := strings.TrimSuffix(squeeze(norm.NFKC.String(s)), "分")
	switch t {
	case "", "-", "--", "/", "缺考", "未考", "无":
		return 0, false, nil
	}
	if scoreForm.MatchString(t) {
		if f, err := strconv.ParseFloat(t, 64); err == nil && f <= 100 {
			return f, true, nil
		}
	}
	return 0, false, fail.New(fail.Invalid, "score", "the score must be a number from 0 to 100 with at most two decimals; leave it empty or write 缺考 when the part was not taken").
		In("成绩应为 0 至 100 的数字，最多两位小数；未参加的留空或填“缺考”")
}
