package standards

// Male reports the sex that the number of a resident identity card carries in
// its 17th digit, odd for men and even for women (GB 11643); ok is false for
// other documents.
func (d Document) Male() (male, ok bool) {
	if d.Kind != ResidentID || len(d.Number) != 18 || !isDigits(d.Number[16:17]) {
		return false, false
	}
	return (d.Number[16]-'0')%2 == 1, true
}
