package standards

import "testing"

// GB 11643: the 17th digit is odd for men and even for women. The number is the
// example of the standard.
func TestSexOfResidentNumbers(t *testing.T) {
	for d, want := range map[Document][2]bool{
		{ResidentID, "11010519491231002X"}:  {false, true},
		{ResidentID, "440524188001010014"}:  {true, true},
		{ResidentID, ""}:                    {false, false},
		{Passport, "E12345678"}:             {false, false},
		{ForeignerPR, "911124198108030024"}: {false, false},
	} {
		if male, ok := d.Male(); male != want[0] || ok != want[1] {
			t.Errorf("%s: male %t, known %t, want %v", d, male, ok, want)
		}
	}
}
