package relations_test

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/evaluators/relations"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

func TestEmbeddedFilesSayWhereTheyAreFrom(t *testing.T) {
	set, err := relations.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.All() {
		if (f.Source == "") == (f.Sample == "") || len(f.Bodies) == 0 {
			t.Errorf("%s: source %q, sample %q, %d bodies", f.ID, f.Source, f.Sample, len(f.Bodies))
		}
	}
}

// 兵团 2025: 兵团局统筹特级、首席，师市局统筹技师、高级技师 (zc.51shebao.com/detail/837987).
func TestTheCorpsSupervisesByLevel(t *testing.T) {
	set, err := relations.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := set.On("660100", "2025-08-31"); !ok || r.ID != "relations-sample" {
		t.Errorf("the day before: %v %s", ok, r.ID)
	}
	r, ok := set.On("660100", "2025-09-01")
	if !ok || r.ID != "relations-corps-2025" {
		t.Fatalf("on its first day: %v %s", ok, r.ID)
	}
	f := evaluators.Filing{Authority: "660000", Province: "66", Bodies: []evaluators.Supervision{{Bodies: r.Resolve("660100", "660000"), From: "2025-09-01"}}}
	for level, region := range map[standards.Level]string{standards.ChiefTechnician: "660000", standards.SpecialTechnician: "660000",
		standards.SeniorTechnician: "660100", standards.Technician: "660100"} {
		if b, _ := f.BodyFor(evaluators.RelationLocal, "6-31-01-03", level, "2025-09-01", standards.Date("2025-09-01").Time()); b.Region != region {
			t.Errorf("%s is supervised by %+v, want %s", level, b, region)
		}
	}
}

func TestResolve(t *testing.T) {
	set, err := relations.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.On("320583", "2026-03-01")
	var got []string
	for _, b := range r.Resolve("320583", "320500") {
		got = append(got, string(b.Relation)+" "+b.Region)
	}
	want := []string{"filing 320500", "local 320583", "local 320500", "trade 320000"}
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for seat, want := range map[relations.Seat]string{relations.Nation: "000000", relations.Province: "320000", relations.Prefecture: "", relations.County: ""} {
		if got := seat.Region("320000"); got != want {
			t.Errorf("%s of a province: %q, want %q", seat, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("id: a\nregion: \"320000\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\nbodies:\n  - {relation: local, at: county, name: {zh: 甲, en: a}, levels: [technician]}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := rulefile.Parse[relations.Rules]("f", src)
		if err != nil {
			return
		}
		for _, b := range r.Resolve("320583", "320500") {
			if len(b.Region) != 6 || b.Relation.Chinese() == "" {
				t.Errorf("body %+v", b)
			}
		}
	})
}
