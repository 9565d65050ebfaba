package torture

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// pastPeople is the first person of the ledgers: nobody who has a certificate of the
// town, so that a measured claim is decided without a past.
const pastPeople = 50_000_000

// pastLoad is how many payments are taken over at a time.
const pastLoad = 4 * LoadDefault

// pastOf spreads the payments of ledgers that are missing over the loads that are left.
func (f *Filling) pastOf(size TownSize, certificates int) int {
	missing, loads := size.Past-f.Past, max(1, (size.Certificates-f.Certificates)/certificates)
	return max(0, min((missing+loads-1)/loads, pastLoad))
}

// ledger takes over so many payments of the past from the ledgers of the town's
// payers. Every third person was paid twice, for two levels in two years.
func (f *Filling) ledger(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	occupations := standards.Starter().Occupations()
	levels := []standards.Level{standards.Junior, standards.Intermediate}
	for payer := range townPayers {
		from, until := f.Past+n*payer/len(townPayers), f.Past+n*(payer+1)/len(townPayers)
		var text strings.Builder
		w := csv.NewWriter(&text)
		_ = w.Write([]string{"姓名", "证件号码", "发放日期", "发放金额", "职业编码", "等级", "支付流水号"})
		for i := from; i < until; i++ {
			who, second := i/4*3+i%4, 0
			if i%4 == 3 {
				who, second = i/4*3, 1
			}
			p, o := invented.PersonAt(pastPeople+who), occupations[who%len(occupations)]
			paid := standards.Date("2017-03-01").AddDays(who%1400 + second*1500)
			_ = w.Write([]string{p.Name, p.Document, string(paid), []string{"1000", "1500"}[second], o.Code, levels[second].Code(), fmt.Sprintf("L-%d", i)})
		}
		w.Flush()
		by := townPayers[payer]
		report, err := f.Registry.ImportPayments(ctx, f.authority(), registry.PaymentLedger{
			PastFile: registry.PastFile{File: strings.NewReader(text.String())}, Payer: by.name, Region: by.region, Fund: policy.FundSkillUplift})
		switch {
		case err != nil:
			return err
		case report.Imported != until-from || report.Collisions > 0:
			return fmt.Errorf("of a ledger of %d payments %d were taken over, %d collide", until-from, report.Imported, report.Collisions)
		}
	}
	f.Past += n
	return nil
}
