package registry

// SetMigrationPage makes the pages of migrations smaller until the answer is called.
func SetMigrationPage(n int) (restore func()) {
	was := migrationPage
	migrationPage = n
	return func() { migrationPage = was }
}
