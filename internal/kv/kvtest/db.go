package kvtest

import "testing"

func runDB(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Model", dbModel},
		{"State", dbState},
		{"ClaimOnce", dbClaimOnce},
		{"EmptyAndAbsent", dbEmptyAndAbsent},
		{"Limits", dbLimits},
		{"Pages", dbPages},
		{"Snapshot", dbSnapshot},
		{"Time", dbTime},
		{"Close", dbClose},
		{"Nested", dbNested},

		{"Neighbours", dbNeighbours},
		{"OneGroup", dbOneGroup},
		{"GroupCaps", dbGroupCaps},
		{"Bulk", dbBulk},
		{"CancelledWaiter", dbCancelledWaiter},
		{"CancelledWhileRunning", dbCancelledWhileRunning},

		{"FailedCommit", dbFailedCommit},
		{"FailedRead", dbFailedRead},
		{"OutcomeUnknown", dbOutcomeUnknown},
		{"OutcomeNeverKnown", dbOutcomeNeverKnown},

		{"Migrations", dbMigrations},
		{"MigrationResumes", dbMigrationResumes},
		{"SchemaNewer", dbSchemaNewer},
		{"SchemaOlder", dbSchemaOlder},
		{"SchemaEdited", dbSchemaEdited},
		{"SchemaLost", dbSchemaLost},
		{"Records", dbRecords},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}
