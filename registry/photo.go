package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/evaluators/photos"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Limits of one archive of photos. More people than it can hold send several: each
// adds to what is there.
const (
	PhotosMaxBytes = 32 << 20  // of the archive
	photosMaxFiles = 2000      // photos in it
	photoMaxFile   = 8 << 20   // bytes of one, unpacked
	photosMaxTotal = 256 << 20 // bytes of all, unpacked
	photosPage     = 40        // photos of one Update
)

// SessionPhoto is the photo of a candidate of a session. The JPEG is sealed beside
// it.
type SessionPhoto struct {
	Session string    `json:"session"`
	Person  PersonID  `json:"person"`
	SHA256  []byte    `json:"sha256"`
	Bytes   int       `json:"bytes"`
	Width   int       `json:"width"`  // pixels
	Height  int       `json:"height"` // pixels
	By      string    `json:"by"`     // account
	At      time.Time `json:"at"`
}

// PhotoUpload says how an archive of photos is taken.
type PhotoUpload struct {
	File io.Reader // a ZIP
	// GoodOnly takes the photos without mistakes and answers the others; without
	// it an archive with any mistake changes nothing.
	GoodOnly bool
	// Progress, when not nil, sees how many files are looked at.
	Progress func(done, total int)
}

// PhotoReport is what became of an archive of photos. Errors and Warnings name the
// file by its place in the archive (file 3) and its name, masked; in Missing Row is
// the row of the list.
type PhotoReport struct {
	Session  string       `json:"session"`
	List     string       `json:"list"` // whose rows are meant: "results", or "roster" before there are any
	Files    int          `json:"files"`
	Stored   int          `json:"stored"`
	Replaced int          `json:"replaced"` // of them, had a photo before
	Refused  int          `json:"refused"`
	Errors   []fail.Field `json:"errors,omitempty"`
	Warnings []fail.Field `json:"warnings,omitempty"`
	// Unneeded are photos of people who get no certificate here, by the results or
	// because they were absent. They are not kept.
	Unneeded int `json:"unneeded,omitempty"`
	// Without is how many who need a photo have none after this; Missing lists
	// them, 1000 at most.
	Without int          `json:"without"`
	Missing []fail.Field `json:"missing,omitempty"`
}

// TakePhotos reports whether a session takes photos now: until it is issued, later
// a photo changes by correction only.
func (s Session) TakePhotos() error {
	if s.State == SessionIssuing || s.State == SessionIssued {
		return fail.New(fail.Conflict, "session_closed", "session %s is %s; a photo is now changed by a correction of its certificate", s.ID, s.State).
			In("批次 %s 已进入发证，照片如需更换请办理证书更正", s.ID)
	}
	if s.Results == nil && s.Roster == nil {
		return fail.New(fail.Conflict, "no_candidates", "session %s has neither a roster nor results; photos are matched to them", s.ID).In("批次 %s 尚无报名名单或成绩，照片无从匹配", s.ID)
	}
	return nil
}

// photoPerson is somebody whom a photo may be of.
type photoPerson struct {
	person PersonID
	row    int
	needs  bool // his certificate will carry it
	files  int  // of this archive that go by his name
	photo  photos.Photo
}

// photoCase is what an archive is judged by.
type photoCase struct {
	session Session
	rules   photos.Rules
	list    string
	people  []photoPerson
	// byDocument, byNumber, byTicket and byRow find people by what a file may be
	// named after, in this order.
	byDocument, byNumber, byTicket, byRow map[string]int
}

// UploadPhotos takes an archive of photos of a session's candidates, each file named
// by the document number, the certificate number where the results bring it, the
// 准考证号 or the row of the list. Every photo is encoded anew without metadata, in
// the size of one inch, and sealed. It replaces earlier photos of the same people.
// Errors: Invalid photos (files with mistakes, one field each), archive_form;
// TooLarge; Conflict session_closed, no_candidates.
func (r *Registry) UploadPhotos(ctx context.Context, by Actor, session string, up PhotoUpload) (PhotoReport, error) {
	data, err := readLimited(up.File, PhotosMaxBytes)
	if err != nil {
		return PhotoReport{}, err
	}
	about, err := r.photoContext(ctx, by, session)
	if err != nil {
		return PhotoReport{}, fmt.Errorf("photos of session %s: %w", session, err)
	}
	files, err := photos.Open(data, photos.Limits{Files: photosMaxFiles, Bytes: photoMaxFile, Total: photosMaxTotal})
	if err != nil {
		return PhotoReport{}, err
	}
	report := PhotoReport{Session: about.session.ID, List: about.list, Files: len(files)}
	if err := about.look(ctx, files, &report, up.Progress); err != nil {
		return PhotoReport{}, err
	}
	if report.Refused = len(report.Errors); report.Refused > 0 && !up.GoodOnly {
		return report, fail.New(fail.Invalid, "photos", "%d of %d files cannot be taken; nothing was stored", report.Refused, report.Files).
			In("共 %d 个文件，其中 %d 个有误；本次未保存任何照片", report.Files, report.Refused).At(report.Errors[:min(len(report.Errors), resultsMaxErrors)]...)
	}
	report.Errors = report.Errors[:min(len(report.Errors), resultsMaxErrors)]
	if err := r.storePhotos(ctx, by, about, &report); err != nil {
		return report, fmt.Errorf("photos of session %s: %w", session, err)
	}
	return report, r.missingPhotos(ctx, about, &report)
}

// PhotosOfSession says who of a session has no photo yet.
func (r *Registry) PhotosOfSession(ctx context.Context, by Actor, session string) (PhotoReport, error) {
	about, err := r.photoPeople(ctx, by, ReadCandidates, session)
	if err != nil {
		return PhotoReport{}, fmt.Errorf("photos of session %s: %w", session, err)
	}
	report := PhotoReport{Session: about.session.ID, List: about.list}
	return report, r.missingPhotos(ctx, about, &report)
}

func (r *Registry) photoContext(ctx context.Context, by Actor, session string) (photoCase, error) {
	about, err := r.photoPeople(ctx, by, RunSessions, session)
	if err != nil {
		return about, err
	}
	if err := about.session.TakePhotos(); err != nil {
		return about, err
	}
	now, err := r.nowOf(ctx)
	if err != nil {
		return about, err
	}
	var ok bool
	if about.rules, ok = r.cfg.Rules.Photos.On(about.session.Region, string(standards.DateOf(now))); !ok {
		return about, fail.New(fail.Conflict, "no_photo_rules", "no rules for photos are in force in region %s", about.session.Region).In("地区 %s 没有现行的照片规则", about.session.Region)
	}
	return about, nil
}

func (r *Registry) nowOf(ctx context.Context) (out time.Time, err error) {
	err = r.view(ctx, func(_ kv.Reader, now time.Time) error {
		out = now
		return nil
	})
	return out, err
}

// photoPeople are the people of a session with what their photos may be named
// after: those of its results or, before there are any, of its roster.
func (r *Registry) photoPeople(ctx context.Context, by Actor, do Action, session string) (photoCase, error) {
	var about photoCase
	about.byDocument, about.byNumber, about.byTicket, about.byRow = map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	listed, err := r.sessionPeople(ctx, by, do, session)
	if err != nil {
		return about, err
	}
	about.session, about.list = listed.session, listed.list
	for _, p := range listed.people {
		i := len(about.people)
		about.people = append(about.people, photoPerson{person: p.person, row: p.row, needs: p.passed || listed.list == listRoster})
		about.byDocument[photos.Key(p.paper.Document.Number)] = i
		about.byRow[strconv.Itoa(p.row)] = i
		if p.number != "" {
			about.byNumber[photos.Key(p.number)] = i
		}
		if p.ticket != "" {
			about.byTicket[p.ticket] = i
		}
	}
	for _, p := range listed.entered {
		key := photos.Key(p.paper.Document.Number)
		if _, there := about.byDocument[key]; !there { // absent: on the roster and not in the results
			about.byDocument[key], about.byTicket[p.ticket] = len(about.people), len(about.people)
			about.people = append(about.people, photoPerson{person: p.person})
		}
	}
	return about, nil
}

// find is whom a file is of.
func (about photoCase) find(key string) (int, bool) {
	for _, names := range []map[string]int{about.byDocument, about.byNumber, about.byTicket, about.byRow} {
		if i, ok := names[key]; ok {
			return i, true
		}
	}
	return 0, false
}

// look matches every file and reads those that are somebody's, several at a time.
func (about photoCase) look(ctx context.Context, files []photos.File, report *PhotoReport, progress func(done, total int)) error {
	total := int64(photosMaxTotal)
	for _, f := range files {
		if at, ok := about.find(f.Key); ok && f.Problem == nil && about.people[at].needs {
			about.people[at].files++
		}
	}
	for start := 0; start < len(files); start += photosPage {
		if err := ctx.Err(); err != nil {
			return err
		}
		page := files[start:min(start+photosPage, len(files))]
		read, err := about.match(page, &total, report)
		if err != nil {
			return err
		}
		results, errs := make([]photos.Photo, len(page)), make([]error, len(page))
		group, _ := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range page {
			if read[i].data != nil {
				group.Go(func() error {
					results[i], errs[i] = about.rules.Normalise(read[i].data)
					return nil
				})
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, f := range page {
			switch {
			case read[i].data == nil:
			case errs[i] != nil:
				report.refuse(f, errs[i])
			default:
				about.people[read[i].of].photo = results[i]
				for _, w := range results[i].Warnings {
					w.Name = fileName(f)
					w.Row = about.people[read[i].of].row
					report.Warnings = append(report.Warnings, w)
				}
			}
		}
		if progress != nil {
			progress(start+len(page), len(files))
		}
	}
	return nil
}

type readFile struct {
	data []byte // nil for one that is refused
	of   int    // place among the people
}

// match finds whom each file is of and unpacks it.
func (about photoCase) match(page []photos.File, total *int64, report *PhotoReport) ([]readFile, error) {
	out := make([]readFile, len(page))
	for i, f := range page {
		if f.Problem != nil {
			report.refuse(f, f.Problem)
			continue
		}
		at, ok := about.find(f.Key)
		if !ok {
			report.refuse(f, fail.New(fail.Invalid, "unknown", "nobody of this session goes by this name; files are named by document number, 准考证号, certificate number or row").
				In("本批次没有对应人员；文件名应为证件号码、准考证号、证书编号或行号"))
			continue
		}
		if p := about.people[at]; p.files > 1 {
			report.refuse(f, fail.New(fail.Invalid, "double", "%d files of this archive are of the person in row %d; leave one", p.files, p.row).
				In("第 %d 行的人员在本压缩包中有 %d 张照片，请只留一张", p.row, p.files))
			continue
		}
		if !about.people[at].needs {
			report.Unneeded++
			continue
		}
		data, err := f.Read(total)
		if fail.KindOf(err) == fail.TooLarge {
			return nil, err
		}
		if err != nil {
			report.refuse(f, err)
			continue
		}
		out[i] = readFile{data: data, of: at}
	}
	return out, nil
}

func (p *PhotoReport) refuse(f photos.File, err error) {
	e := fail.Of(err)
	p.Errors = append(p.Errors, fail.Field{Name: fileName(f), Row: f.N, Code: e.Code, ZH: e.ZH, EN: e.Text})
}

// fileName names a file for messages: nothing that names a person.
func fileName(f photos.File) string { return fmt.Sprintf("#%d %s", f.N, f.Shown) }

// storePhotos seals the photos page by page. Each Update asks again whether the
// session takes photos: none is changed under a batch that is being issued. A crash
// leaves the pages that were stored; sending the archive again is safe.
func (r *Registry) storePhotos(ctx context.Context, by Actor, about photoCase, report *PhotoReport) error {
	var with []photoPerson
	for _, p := range about.people {
		if p.photo.JPEG != nil {
			with = append(with, p)
		}
	}
	for start := 0; start < len(with); start += photosPage {
		page := with[start:min(start+photosPage, len(with))]
		replaced, err := r.storePhotoPage(ctx, by, about.session.ID, page)
		if err != nil {
			return err
		}
		report.Stored += len(page)
		report.Replaced += replaced
	}
	if len(with) == 0 {
		return nil
	}
	return r.db.Update(ctx, func(tx kv.Tx) error {
		_, err := r.appendEvent(tx, by, Event{Kind: PhotosUploaded, Object: about.session.ID, Institution: about.session.Institution,
			Detail: map[string]any{"files": report.Files, "stored": report.Stored, "replaced": report.Replaced, "refused": report.Refused}})
		return err
	})
}

func (r *Registry) storePhotoPage(ctx context.Context, by Actor, session string, page []photoPerson) (replaced int, err error) {
	blocks, keys := make([][]byte, len(page)), make([][]byte, len(page))
	for i, p := range page {
		place := sealedSessionPhoto(session, p.person)
		if blocks[i], err = r.vault.sealBytes(place, p.photo.JPEG); err != nil {
			return 0, err
		}
		keys[i] = sessionPhotos.Key(SessionPhoto{Session: session, Person: p.person})
	}
	err = r.db.Bulk(ctx, func(tx kv.Tx) error {
		replaced = 0
		s, err := sessionFor(tx, by, RunSessions, session)
		if err != nil {
			return err
		}
		if err := s.TakePhotos(); err != nil {
			return err
		}
		_, had, err := sessionPhotos.GetMany(tx, keys)
		if err != nil {
			return err
		}
		records := make([]SessionPhoto, len(page))
		for i, p := range page {
			if had[i] {
				replaced++
			}
			sum := sha256.Sum256(p.photo.JPEG)
			records[i] = SessionPhoto{Session: session, Person: p.person, SHA256: sum[:], Bytes: len(p.photo.JPEG), Width: p.photo.Width, Height: p.photo.Height, By: by.Account, At: tx.Now()}
			tx.Put(tableSealed, sealedSessionPhoto(session, p.person).storeKey(), blocks[i])
		}
		return sessionPhotos.PutMany(tx, records)
	})
	return replaced, err
}

// missingPhotos finds who needs a photo and has none.
func (r *Registry) missingPhotos(ctx context.Context, about photoCase, report *PhotoReport) error {
	for start := 0; start < len(about.people); start += bulkPage {
		page := about.people[start:min(start+bulkPage, len(about.people))]
		keys := make([][]byte, len(page))
		for i, p := range page {
			keys[i] = sessionPhotos.Key(SessionPhoto{Session: about.session.ID, Person: p.person})
		}
		var there []bool
		err := r.db.View(ctx, func(rd kv.Reader) (err error) {
			_, there, err = sessionPhotos.GetMany(rd, keys)
			return err
		})
		if err != nil {
			return err
		}
		for i, p := range page {
			if there[i] || !p.needs {
				continue
			}
			if report.Without++; len(report.Missing) < resultsMaxErrors {
				report.Missing = append(report.Missing, fail.Field{Name: "照片", Row: p.row, Code: "missing", ZH: "缺照片", EN: "has no photo"})
			}
		}
	}
	return nil
}

// photographed puts the photos of candidates on the papers of their certificates.
// The photo itself stays where it was sealed: nothing changes it once the session
// is being issued.
func photographed(rd kv.Reader, s Session, cs []Certificate, papers []Paper) error {
	keys := make([][]byte, len(cs))
	for i, c := range cs {
		keys[i] = sessionPhotos.Key(SessionPhoto{Session: s.ID, Person: c.Person})
	}
	found, there, err := sessionPhotos.GetMany(rd, keys)
	if err != nil {
		return err
	}
	for i := range papers {
		if there[i] {
			papers[i].Photo = &PhotoRef{Version: 1, Session: s.ID, SHA256: found[i].SHA256}
		}
	}
	return nil
}
