package standards

// ParseOtherNumber reads a certificate number of a kind whose form no source
// tells: it is taken as it stands, 4 to 40 letters, digits, Chinese characters
// and - / ( ) with at least one digit, even where it looks like a number of
// another kind. One that is an identity number, or T and an identity number, is
// recognised as such: it has to be kept as personal data.
// Error codes: number_missing, spreadsheet_number, number_length, number_format,
// number_operation.
func ParseOtherNumber(s string) (Number, error) {
	t := cleanNumber(s)
	switch {
	case t == "":
		return Number{}, numberMissing()
	case spreadsheetForm.MatchString(t):
		return Number{}, spreadsheetNumber()
	case operationLike.MatchString(t) || looksIdentity(t) || isIdentity(t):
		return ParseNumber(s)
	}
	n, err := parseOther(t)
	if err != nil {
		return Number{}, err
	}
	n.Raw, n.Text = s, t
	return n, nil
}
