package registry

// WithFewDoubts lets a check keep so few members of records in mind that it goes
// through the log more than once; back ends it.
func WithFewDoubts(n int) (back func()) {
	was := doubtsMost
	doubtsMost = n
	return func() { doubtsMost = was }
}

// SaysOfRecords reports whether the check knows what an event of a kind says of records.
func SaysOfRecords(kind EventKind) bool { return sayings[kind] != nil || kind == CertificateSigned }
