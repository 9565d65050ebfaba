package registry

import (
	"encoding/json"
	"fmt"
	"slices"

	"bajigong/internal/kv"
	"bajigong/standards"
)

// sealedRecords: what a record says stands sealed beside it is there, and photos
// are the ones recorded. That the blocks which are there open is said by sealed.
func (c *check) sealedRecords() error {
	c.of(tableSessionPhotos, tableHandouts, tableNationalUploads)
	err := each(c, sessionPhotos, sealedPage, func(c *check, p SessionPhoto) error {
		return c.photo("a photo of session "+p.Session, sealedSessionPhoto(p.Session, p.Person), p.SHA256)
	})
	if err != nil {
		return err
	}
	err = each(c, handouts, pageMax, func(c *check, h Handout) error {
		if !h.Proxy {
			return nil
		}
		return c.block(fmt.Sprintf("handout of %s version %d", h.Number, h.Version), sealedProxy(h.Number, h.Version))
	})
	if err != nil {
		return err
	}
	return each(c, nationalUploads, pageMax, func(c *check, u NationalUpload) error {
		if u.Receipt == nil || u.Receipt.Returned == 0 {
			return nil
		}
		return c.block("receipt of report "+u.ID, sealedReceipt(u.ID))
	})
}

func (c *check) block(what string, place sealedPlace) error {
	block, err := c.rd.Get(tableSealed, place.storeKey())
	if err == nil && block == nil {
		c.problem("%s has no sealed block", what)
	}
	return err
}

func (c *check) photo(what string, place sealedPlace, sum []byte) error {
	block, err := c.rd.Get(tableSealed, place.storeKey())
	if err != nil {
		return err
	}
	if block == nil {
		c.problem("%s has no sealed block", what)
	} else if _, err := c.r.openPhoto(place, block, sum); err != nil {
		c.problem("%s: %v", what, err)
	}
	return nil
}

// paperPhoto holds the photo that a paper names against its hash.
func (c *check) paperPhoto(place sealedPlace, plain []byte) error {
	if place.table != tableVersions || place.field != "paper" {
		return nil
	}
	var p Paper
	if err := json.Unmarshal(plain, &p); err != nil {
		c.problem("the paper at %x cannot be read", place.key)
		return nil
	}
	parts, err := kv.ParseKey(place.key)
	if err != nil || len(parts) == 0 {
		c.problem("the paper at %x is of no certificate", place.key)
		return nil
	}
	number, _ := parts[0].(string)
	cert, ok, err := certificates.Get(c.rd, kv.Key(number))
	if err != nil || !ok {
		return err // a paper without its certificate is for others to say
	}
	if err := c.holder(cert, p); err != nil || p.Photo == nil {
		return err
	}
	return c.photo("photo of certificate "+number, photoPlace(cert, *p.Photo), p.Photo.SHA256)
}

// holder: the document on a paper leads to whom the certificate is of. One that leads
// nowhere would make its holder a new person, who has no certificates and was paid
// nothing.
func (c *check) holder(cert Certificate, p Paper) error {
	people, known, _, err := c.r.knownPeople(c.rd, []standards.Document{p.Document})
	if err != nil {
		return err
	}
	if !known[0] {
		c.problem("certificate %s: the document on its paper leads to nobody", cert.Number)
		return nil
	}
	if people[0] == cert.Person {
		return nil
	}
	ids, err := identitiesOf(c.rd, []PersonID{cert.Person})
	if err == nil && !slices.Contains(ids[0], people[0]) {
		c.problem("certificate %s: the document on its paper leads to another person", cert.Number)
	}
	return err
}
