package registry

import (
	"encoding/json"

	"bajigong/internal/kv"
)

// madeTables are the tables of which every record has an event that made it.
var madeTables = []kv.Table{
	tableAccounts, tableKeys, tableInstitutions, tableFilings, tableDecisions, tableApplications, tableSessions, tableAppeals, tableBatches,
	tableMassChanges, tableCorrections, tableLaws, tablePayouts, tableAppointments, tableApprentices, tableNorms, tableReviews, tableDraws, tableCases,
	tableCreditEvents, tableStars, tableTaskLists, tableTaskEntries, tableExaminers, tableSupervision, tableMerges, tableCollisions, tableNationalUploads,
	tableInspections, tableStocktakings, tablePrints, tableHandouts, tableWebhooks,
}

// eventTables are the tables that the part goes through.
var eventTables = append([]kv.Table{tableCertificates, tableVersions, tableClaims}, madeTables...)

// tables adds what the records are to the sums.
func (e *eventCheck) tables() error {
	for _, table := range madeTables {
		lists := growing[table]
		err := e.c.eachEntry(table, pageMax, func(page []kv.Entry) error {
			for _, entry := range page {
				e.sums.add(sideKept, sumKey(sumMade, table, entry.Key), 1)
				switch table {
				case tableReviews:
					e.number(table, entry, "count", sumFindings)
				case tableDraws:
					e.number(table, entry, "open", sumOpen)
				case tableTaskLists:
					e.number(table, entry, "entries", sumEntries)
				}
				if len(lists) > 0 {
					e.lists(table, entry, lists)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := e.beside(); err != nil {
		return err
	}
	if err := e.c.eachEntry(tableCertificates, pageMax, e.certificates); err != nil {
		return err
	}
	if err := e.c.eachEntry(tableVersions, pageMax, e.versions); err != nil {
		return err
	}
	return e.c.eachEntry(tableClaims, pageMax, e.pastClaims)
}

// number adds what a record says that it has.
func (e *eventCheck) number(table kv.Table, entry kv.Entry, member, what string) {
	v, _ := jsonOf(entry.Value)
	count, _ := memberAt(v, member).(json.Number)
	if n, err := count.Int64(); err == nil {
		e.sums.add(sideKept, sumKey(what, table, entry.Key), n)
	}
}

func (e *eventCheck) lists(table kv.Table, entry kv.Entry, lists []string) {
	v, _ := jsonOf(entry.Value)
	m, _ := v.(map[string]any)
	for _, list := range lists {
		if elements, _ := m[list].([]any); len(elements) > 0 {
			e.sums.add(sideKept, sumKey(sumList+list, table, entry.Key), int64(len(elements)))
		}
	}
}

// certificates adds up the changes of certificates.
func (e *eventCheck) certificates(page []kv.Entry) error {
	for _, entry := range page {
		var c struct {
			Changes []struct{} `json:"changes"`
		}
		if json.Unmarshal(entry.Value, &c) == nil && len(c.Changes) > 0 {
			e.sums.add(sideKept, sumKey(sumList+"changes", tableCertificates, entry.Key), int64(len(c.Changes)))
		}
	}
	return nil
}

// pastClaims adds up the payments of the past by the entries that took them over. A
// claim that was decided here has an entry of its own.
func (e *eventCheck) pastClaims(page []kv.Entry) error {
	for _, entry := range page {
		var c struct {
			Imported *struct{} `json:"imported"`
			LogIndex uint64    `json:"log_index"`
		}
		if json.Unmarshal(entry.Value, &c) == nil && c.Imported != nil {
			s := paidSum(c.LogIndex, 1)
			e.sums.add(sideKept, s.key, s.n)
		}
	}
	return nil
}

// versions adds up the versions by what they were signed with.
func (e *eventCheck) versions(page []kv.Entry) error {
	all, err := decodeAll(e.c.quiet(), versions, page)
	for _, v := range all {
		var sums []sumSaid
		switch {
		case v.Signed:
			sums = []sumSaid{versionSum(v.Number, uint64(v.N), v.Status, v.LogIndex, 1), kidSum(v.KID, 1)}
		case v.Handle == "" && v.N == 1:
			sums = []sumSaid{takenSum(v.LogIndex, 1)}
		}
		if v.Handle == "" && v.Status != 0 && !e.sumsOnly {
			e.c.problem("version %s/%d has no handle and a place in the status lists", v.Number, v.N)
		}
		for _, s := range sums {
			e.sums.add(sideKept, s.key, s.n)
		}
	}
	return err
}

// RecordTables are the tables of the register's records, without their indexes.
func RecordTables() (out []kv.Table) {
	for _, table := range allRecords {
		out = append(out, table.RecordTable())
	}
	return out
}
