package registry

// StoreTrouble says that the disk of the store has let it down, in the words that
// a refused write gets: store_read_only (Unavailable) until the process is
// restarted, store_full (Unavailable) until there is room again. nil when writes
// are taken, and for a store whose disk is not ours.
func (r *Registry) StoreTrouble() error { return unavailable(r.db.Trouble(), nil) }
