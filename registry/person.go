package registry

import (
	"fmt"

	"bajigong/internal/kv"
	"bajigong/standards"
)

// personByDocument finds the person of a document under any index key version.
func (r *Registry) personByDocument(rd kv.Reader, d standards.Document) (p PersonID, ok bool, err error) {
	var keys [][]byte
	for _, v := range r.vault.indexVersions() {
		key, err := r.vault.documentKey(v, string(d.Kind), d.Number)
		if err != nil {
			return p, false, err
		}
		keys = append(keys, key)
	}
	found, err := rd.GetMany(tablePersonByDocument, keys)
	if err != nil {
		return p, false, err
	}
	for _, b := range found {
		if b == nil {
			continue
		}
		if len(b) != len(p) {
			return p, false, fmt.Errorf("persons_by_document: a person id of %d bytes", len(b))
		}
		copy(p[:], b)
		return p, true, nil
	}
	return p, false, nil
}

// knownPeople finds the persons of many documents, in one read for each index key
// version. own are the keys under the newest version.
func (r *Registry) knownPeople(rd kv.Reader, documents []standards.Document) (people []PersonID, known []bool, own [][]byte, err error) {
	people, known = make([]PersonID, len(documents)), make([]bool, len(documents))
	current, _ := r.vault.secrets.Index()
	for _, version := range r.vault.indexVersions() {
		keys := make([][]byte, len(documents))
		for i, d := range documents {
			key, err := r.vault.documentKey(version, string(d.Kind), d.Number)
			if err != nil {
				return nil, nil, nil, err
			}
			keys[i] = key
		}
		if version == current {
			own = keys
		}
		found, err := rd.GetMany(tablePersonByDocument, keys)
		if err != nil {
			return nil, nil, nil, err
		}
		for i, b := range found {
			if len(b) == len(people[i]) && !known[i] {
				copy(people[i][:], b)
				known[i] = true
			}
		}
	}
	return people, known, own, nil
}

// peopleFor finds the persons of many documents, or makes them with the ids in
// fresh.
func (r *Registry) peopleFor(tx kv.Tx, documents []standards.Document, fresh []PersonID) ([]PersonID, error) {
	out, known, own, err := r.knownPeople(tx, documents)
	if err != nil {
		return nil, err
	}
	first := map[string]PersonID{} // a document may stand here twice and is one person
	for i := range documents {
		if known[i] {
			continue
		}
		if p, twice := first[string(own[i])]; twice {
			out[i] = p
			continue
		}
		out[i], first[string(own[i])] = fresh[i], fresh[i]
		tx.Put(tablePersonByDocument, own[i], out[i][:])
	}
	return out, nil
}

// Paper is the personal data of one person as a result row or a certificate
// version has it. It is stored sealed only.
type Paper struct {
	Name     string             `json:"name"`
	Document standards.Document `json:"document"`
	// Number is the certificate's number when it has an identity number in it;
	// the ledger then knows it by a keyed hash only.
	Number string `json:"number,omitempty"`
	// Token is the QR token of a certificate version. It has the name in it and
	// is therefore sealed with it.
	Token string `json:"token,omitempty"`
	// Employer is 工作单位, where it is known.
	Employer string `json:"employer,omitempty"`
	// Photo is the photo of the holder, when the register has one.
	Photo *PhotoRef `json:"photo,omitempty"`
}

// PhotoRef names a photo: the version of the certificate that brought it, and the
// SHA-256 of the JPEG. It is sealed under that version or, when it was uploaded
// before issue, under its session and holder (see photoPlace).
type PhotoRef struct {
	Version int    `json:"version"`
	Session string `json:"session,omitempty"`
	SHA256  []byte `json:"sha256"`
}

// photoPlace is where the photo of a certificate is sealed.
func photoPlace(c Certificate, ref PhotoRef) sealedPlace {
	if ref.Session != "" {
		return sealedSessionPhoto(ref.Session, c.Person)
	}
	return sealedPhoto(c.Number, ref.Version)
}

func (p Paper) sameName(name string) bool {
	return standards.NormaliseName(p.Name) == standards.NormaliseName(name)
}

// maskName shows the family name, as public lists do: 张*. Of a name with a dot
// or in Latin letters only the first character stays too.
func maskName(name string) string {
	for _, r := range name {
		return string(r) + "*"
	}
	return ""
}
