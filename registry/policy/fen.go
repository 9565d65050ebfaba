package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fen is an amount of money in hundredths of a yuan. JSON and the store hold it
// as a whole number of fen; people see yuan.
type Fen int64

// String returns the amount in yuan, "2000" or "2600.50".
func (f Fen) String() string {
	sign := ""
	u := uint64(f)
	if f < 0 {
		sign, u = "-", -u
	}
	if u%100 == 0 {
		return sign + strconv.FormatUint(u/100, 10)
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// ParseFen reads an amount in yuan, "2000", "2600.5" or "2600.50": digits, and
// at most two after a point. It returns false for anything else, also for
// amounts that are negative or do not fit.
func ParseFen(yuan string) (Fen, bool) {
	whole, cents, point := strings.Cut(yuan, ".")
	if !digits(whole) || point && (!digits(cents) || len(cents) > 2) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/100-1 {
		return 0, false
	}
	c, err := strconv.ParseInt((cents + "00")[:2], 10, 64)
	if err != nil {
		return 0, false
	}
	return Fen(n*100 + c), true
}

// raised returns f raised by percent, and false when that is no whole number of fen.
func (f Fen) raised(percent int) (Fen, bool) {
	n := int64(f)
	if n > math.MaxInt64/1000 {
		return 0, false
	}
	n *= int64(100 + percent)
	return Fen(n / 100), n%100 == 0
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
