package registry

import (
	"io/fs"
	"sync"

	"bajigong/credentials/paper"
	"bajigong/evaluators/blanks"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/corrections"
	"bajigong/evaluators/course"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/evaluators/figures"
	"bajigong/evaluators/numbering"
	"bajigong/evaluators/photos"
	"bajigong/evaluators/posts"
	"bajigong/evaluators/relations"
	"bajigong/evaluators/signs"
	"bajigong/internal/rulefile"
	"bajigong/registry/locks"
	"bajigong/registry/quota"
	"bajigong/registry/uploads"
	"bajigong/registry/webhooks"
	"bajigong/standards/eligibility"
	"bajigong/standards/sameness"
)

// Rules are the rule files in use: what differs by region and date.
type Rules struct {
	Course      rulefile.Set[course.Rules]    // the course of a session
	Eligibility eligibility.Set               // conditions of application 申报条件
	Posts       rulefile.Set[posts.Rules]     // 特级技师, 首席技师, 学徒工
	Signs       rulefile.Set[signs.Rules]     // thresholds of the signs of fraud
	Relations   rulefile.Set[relations.Rules] // who files and who supervises
	Numbering   rulefile.Set[numbering.Rules] // who gives certificates their numbers
	Cases       rulefile.Set[cases.Rules]     // cases and measures
	Credit      credit.Sets                   // credit, stars, task lists, integrity
	Fields      rulefile.Set[figures.Fields]
	Targets     rulefile.Set[figures.Targets]
	People      rulefile.Set[examiners.Rules] // examiners, exam staff and supervisors
	Corrections rulefile.Set[corrections.Rules]
	Locks       rulefile.Set[locks.Rules]   // how long a reserved claim stands
	National    rulefile.Set[uploads.Rules] // reports to the national query
	Quota       rulefile.Set[quota.Rules]   // how often holders and lists may be checked
	Faces       rulefile.Set[paper.Face]    // what certificates say besides their fields
	Blanks      rulefile.Set[paper.Blank]   // layouts of numbered blanks 套打
	Stock       rulefile.Set[blanks.Rules]  // blank certificates
	Photos      rulefile.Set[photos.Rules]
	Sameness    rulefile.Set[sameness.File]  // which occupations of different editions are the same
	Webhooks    rulefile.Set[webhooks.Rules] // how changes are announced to payers
}

// EmbeddedRules returns the files that come with the product, which are read once:
// no set changes once it is made.
func EmbeddedRules() (Rules, error) { return embeddedRules() }

var embeddedRules = sync.OnceValues(readEmbeddedRules)

func readEmbeddedRules() (r Rules, err error) {
	if r.Course, err = course.Embedded(); err != nil {
		return r, err
	}
	if r.Eligibility, err = eligibility.Embedded(); err != nil {
		return r, err
	}
	if r.Posts, err = posts.Embedded(); err != nil {
		return r, err
	}
	if r.Signs, err = signs.Embedded(); err != nil {
		return r, err
	}
	if r.Relations, err = relations.Embedded(); err != nil {
		return r, err
	}
	if r.Numbering, err = numbering.Embedded(); err != nil {
		return r, err
	}
	if r.Cases, err = cases.Embedded(); err != nil {
		return r, err
	}
	if r.Credit, err = credit.Embedded(); err != nil {
		return r, err
	}
	if r.Fields, err = figures.EmbeddedFields(); err != nil {
		return r, err
	}
	if r.Targets, err = figures.EmbeddedTargets(); err != nil {
		return r, err
	}
	if r.People, err = examiners.Embedded(); err != nil {
		return r, err
	}
	if r.Corrections, err = corrections.Embedded(); err != nil {
		return r, err
	}
	if r.Locks, err = locks.Embedded(); err != nil {
		return r, err
	}
	if r.National, err = uploads.Embedded(); err != nil {
		return r, err
	}
	if r.Quota, err = quota.Embedded(); err != nil {
		return r, err
	}
	if r.Faces, err = paper.EmbeddedFaces(); err != nil {
		return r, err
	}
	if r.Blanks, err = paper.EmbeddedBlanks(); err != nil {
		return r, err
	}
	if r.Stock, err = blanks.Embedded(); err != nil {
		return r, err
	}
	if r.Photos, err = photos.Embedded(); err != nil {
		return r, err
	}
	if r.Sameness, err = sameness.Embedded(); err != nil {
		return r, err
	}
	if r.Webhooks, err = webhooks.Embedded(); err != nil {
		return r, err
	}
	return r, nil
}

// With returns the rules with an operator's own files, one folder for each kind:
// course/*.yaml, eligibility/*.yaml and so on. A file with the id of one that comes with the
// product takes its place. Error: Invalid rulefile_invalid, naming the file.
func (r Rules) With(own fs.FS) (Rules, error) {
	var err error
	if r.Course, err = overlay(r.Course, own, "course"); err != nil {
		return r, err
	}
	set, err := eligibility.ReadSet(own, "eligibility/*.yaml")
	if err != nil {
		return r, err
	}
	if r.Eligibility, err = r.Eligibility.With(set.All()...); err != nil {
		return r, err
	}
	if r.Posts, err = overlay(r.Posts, own, "posts"); err != nil {
		return r, err
	}
	if r.Signs, err = overlay(r.Signs, own, "signs"); err != nil {
		return r, err
	}
	if r.Relations, err = overlay(r.Relations, own, "relations"); err != nil {
		return r, err
	}
	if r.Numbering, err = overlay(r.Numbering, own, "numbering"); err != nil {
		return r, err
	}
	if r.Cases, err = overlay(r.Cases, own, "cases"); err != nil {
		return r, err
	}
	if r.Credit.Credit, err = overlay(r.Credit.Credit, own, "credit"); err != nil {
		return r, err
	}
	if r.Credit.Stars, err = overlay(r.Credit.Stars, own, "stars"); err != nil {
		return r, err
	}
	if r.Credit.Lists, err = overlay(r.Credit.Lists, own, "lists"); err != nil {
		return r, err
	}
	if r.Credit.Integrity, err = overlay(r.Credit.Integrity, own, "integrity"); err != nil {
		return r, err
	}
	if r.Fields, err = overlay(r.Fields, own, "fields"); err != nil {
		return r, err
	}
	if r.Targets, err = overlay(r.Targets, own, "targets"); err != nil {
		return r, err
	}
	if r.People, err = overlay(r.People, own, "people"); err != nil {
		return r, err
	}
	if r.Corrections, err = overlay(r.Corrections, own, "corrections"); err != nil {
		return r, err
	}
	if r.Locks, err = overlay(r.Locks, own, "locks"); err != nil {
		return r, err
	}
	if r.National, err = overlay(r.National, own, "national"); err != nil {
		return r, err
	}
	if r.Quota, err = overlay(r.Quota, own, "quota"); err != nil {
		return r, err
	}
	if r.Faces, err = overlay(r.Faces, own, "faces"); err != nil {
		return r, err
	}
	if r.Blanks, err = overlay(r.Blanks, own, "blanks"); err != nil {
		return r, err
	}
	if r.Stock, err = overlay(r.Stock, own, "stock"); err != nil {
		return r, err
	}
	if r.Photos, err = overlay(r.Photos, own, "photos"); err != nil {
		return r, err
	}
	if r.Sameness, err = overlay(r.Sameness, own, "sameness"); err != nil {
		return r, err
	}
	if r.Webhooks, err = overlay(r.Webhooks, own, "webhooks"); err != nil {
		return r, err
	}
	return r, nil
}

func overlay[T rulefile.File](set rulefile.Set[T], own fs.FS, folder string) (rulefile.Set[T], error) {
	more, err := rulefile.ReadSet[T](own, folder+"/*.yaml")
	if err != nil {
		return set, err
	}
	return set.With(more.All()...)
}
