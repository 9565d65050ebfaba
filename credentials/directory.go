package credentials

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// An InstitutionStatus is where a filing stands, in the words of the directory.
type InstitutionStatus string

// The statuses of a filing.
const (
	Filed              InstitutionStatus = "filed"      // 已备案
	Rectifying         InstitutionStatus = "rectifying" // 整改中
	InstitutionOnHold  InstitutionStatus = "suspended"  // 已暂停
	FilingExpired      InstitutionStatus = "expired"    // 已到期
	FilingEnded        InstitutionStatus = "ended"      // 已终止
	FilingRemoved      InstitutionStatus = "removed"    // 取消备案并移出目录
	InstitutionExited  InstitutionStatus = "exited"     // 已退出
	InstitutionUnknown InstitutionStatus = ""           // no status is recorded for the day
)

// Directory is what an offline verifier needs to put names to the codes in a
// token: institutions with the history of their names and statuses, occupations
// and trades. It is published as a compact JWS of type TypDirectory:
//
//	{"registry":"js","name":"职业技能证书登记系统","origin":"https://skills.example.org","issued_at":"2026-03-02T00:00:00Z",
//	 "institutions":[{"prefix":"S000032058300",
//	   "names":[{"from":"2020-01-01","name":"某某培训中心"}],
//	   "statuses":[{"from":"2020-01-01","recorded":"2020-01-01T02:00:00Z","status":"filed"},
//	               {"from":"2026-02-01","recorded":"2026-02-01T08:00:00Z","status":"exited"}]}],
//	 "occupations":{"6-31-01-03":{"name":"电工","trades":{"01":"变配电运行值班员"}}}}
type Directory struct {
	Registry     string                         `json:"registry"` // code, the first characters of every key id
	Name         string                         `json:"name"`     // who runs the register
	Origin       string                         `json:"origin"`
	IssuedAt     time.Time                      `json:"issued_at"`
	Institutions []DirectoryInstitution         `json:"institutions"`
	Occupations  map[string]DirectoryOccupation `json:"occupations"` // by code as in Claims.Occupation
}

// DirectoryInstitution is one filing: the first 13 characters of its numbers.
// Names and Statuses are in the order of From; a status of the future (the end
// of a filing) may stand among them.
type DirectoryInstitution struct {
	Prefix   string        `json:"prefix"`
	Names    []DatedName   `json:"names"`
	Statuses []DatedStatus `json:"statuses"`
}

// DatedName is a name and the civil date from which it holds.
type DatedName struct {
	From string `json:"from"`
	Name string `json:"name"`
}

// DatedStatus is a status, the civil date from which it holds, and when the
// registry recorded it. What was recorded late counts from the day it was
// recorded: a retroactive decision does not rewrite what was true for an issuer
// on a day.
type DatedStatus struct {
	From     string            `json:"from"`
	Recorded time.Time         `json:"recorded"`
	Status   InstitutionStatus `json:"status"`
}

// DirectoryOccupation is an occupation and its trades by catalogue id.
type DirectoryOccupation struct {
	Name   string            `json:"name"`
	Trades map[string]string `json:"trades,omitempty"`
}

// TypDirectory is the header type of a signed directory.
const TypDirectory = "bajigong-directory+jws"

// MaxDirectory is the size limit of a signed directory in characters, enough
// for about 50,000 filings.
const MaxDirectory = 16 << 20

// civil is the zone of civil dates.
var civil = time.FixedZone("Asia/Shanghai", 8*3600)

func civilDate(t time.Time) string { return t.In(civil).Format(time.DateOnly) }

// Institution returns the filing with the given number prefix.
func (d *Directory) Institution(prefix string) (DirectoryInstitution, bool) {
	for _, i := range d.Institutions {
		if i.Prefix == prefix {
			return i, true
		}
	}
	return DirectoryInstitution{}, false
}

// NameAt returns the name on a civil date: the last one that began by then, or
// the first of all for an earlier day.
func (i DirectoryInstitution) NameAt(date string) string {
	name := ""
	for n, x := range i.Names {
		if n == 0 || x.From <= date {
			name = x.Name
		}
	}
	return name
}

// StatusAt returns the status on a civil date, InstitutionUnknown before the
// first.
func (i DirectoryInstitution) StatusAt(date string) InstitutionStatus {
	status := InstitutionUnknown
	for _, x := range i.Statuses {
		if max(x.From, civilDate(x.Recorded)) <= date {
			status = x.Status
		}
	}
	return status
}

// SignDirectory returns the signed text of d. It fails (fail.Invalid) when s is
// no directory key (wrong_purpose) or d is malformed (bad_directory).
func SignDirectory(s jws.Signer, d Directory) (string, error) {
	if s.Purpose() != jws.Directory {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign the directory", s.KID(), s.Purpose()).In("密钥 %s 不用于目录签名", s.KID())
	}
	if err := d.check(); err != nil {
		return "", err
	}
	payload, err := marshalPlain(d)
	if err != nil {
		return "", err
	}
	return s.Sign(payload, TypDirectory)
}

// OpenDirectory returns the directory in a signed text. The error is a jws.Err
// value or fail.Invalid, bad_directory. Unknown members are ignored, so that a
// later registry can add some.
func OpenDirectory(compact string, set jws.KeySet) (Directory, error) {
	opened, err := jws.Open(compact, set, jws.Directory, jws.Limits{MaxChars: MaxDirectory, Typ: TypDirectory})
	if err != nil {
		return Directory{}, err
	}
	if err := distinctMembers(opened.Payload); err != nil {
		return Directory{}, err
	}
	var d Directory
	if err := json.Unmarshal(opened.Payload, &d); err != nil {
		return Directory{}, badDirectory("the content is not a directory").Because(err)
	}
	if err := d.check(); err != nil {
		return Directory{}, err
	}
	if code := kidRegistry(opened.KID); code != d.Registry {
		return Directory{}, badDirectory("the directory of registry %q is signed by a key of registry %q", d.Registry, code)
	}
	return d, nil
}

func (d Directory) check() error {
	if !validRegistryCode(d.Registry) {
		return badDirectory("the registry code is malformed")
	}
	if _, err := ParseOrigin(d.Origin); err != nil {
		return badDirectory("the origin is malformed")
	}
	if d.IssuedAt.IsZero() {
		return badDirectory("issued_at is missing")
	}
	seen := make(map[string]bool, len(d.Institutions))
	for _, i := range d.Institutions {
		if len(i.Prefix) != 13 || !validNumber(i.Prefix+"250000000") || seen[i.Prefix] {
			return badDirectory("institution prefix %q is malformed or repeated", i.Prefix)
		}
		seen[i.Prefix] = true
		if len(i.Names) == 0 || !slices.IsSortedFunc(i.Names, func(a, b DatedName) int { return strings.Compare(a.From, b.From) }) ||
			!slices.IsSortedFunc(i.Statuses, func(a, b DatedStatus) int { return strings.Compare(a.From, b.From) }) {
			return badDirectory("institution %s has no name, or its history is out of order", i.Prefix)
		}
		for _, n := range i.Names {
			if !matches(n.From, "9999-99-99") || n.Name == "" {
				return badDirectory("institution %s has a name that is empty or not dated", i.Prefix)
			}
		}
		for _, s := range i.Statuses {
			if !matches(s.From, "9999-99-99") || s.Status == InstitutionUnknown {
				return badDirectory("institution %s has a status that is empty or not dated", i.Prefix)
			}
		}
	}
	for code, o := range d.Occupations {
		if !validOccupation(code) || o.Name == "" {
			return badDirectory("occupation %q is malformed", code)
		}
		for id, name := range o.Trades {
			if id == "" || !validTrade(id) || name == "" {
				return badDirectory("occupation %s has a malformed trade", code)
			}
		}
	}
	return nil
}

func badDirectory(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_directory", format, args...).In("目录文件不合要求")
}
