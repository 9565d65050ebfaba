package policy

import (
	"bajigong/internal/fail"
	"bajigong/standards"
)

// AllFunds lists every kind of fund, in the order of their codes.
func AllFunds() []Fund { return sortedKeys(funds) }

// ParseFund reads a kind of fund by its code or its name. Error: Invalid
// fund_unknown.
func ParseFund(s string) (Fund, error) {
	if f := Fund(s); f.Known() {
		return f, nil
	}
	for _, f := range AllFunds() {
		if standards.NormaliseName(f.Name().ZH) == standards.NormaliseName(s) {
			return f, nil
		}
	}
	return "", fail.New(fail.Invalid, "fund_unknown", "%q is no kind of fund; known are %v", s, AllFunds()).In("没有资金类别“%s”，可用：%v", s, AllFunds())
}
