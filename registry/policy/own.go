package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bajigong/internal/fail"
)

// RegionsFile is the name of a file of regions among files of policies.
const RegionsFile = "regions.yaml"

// ownFolder is where an operator's own policies stand among rule files.
const ownFolder = "policies"

// A File is a file of a policy, or of regions when its base name is [RegionsFile].
type File struct {
	Name   string // for messages
	Source []byte
}

// A Fault is one thing wrong with files: with one of them alone, or with what
// they are together with the policies that were there before.
type Fault struct {
	File  string `json:"file"`
	Line  int    `json:"line,omitempty"`  // 0: the whole file
	Field string `json:"field,omitempty"` // $.amounts.levels[0]
	Code  string `json:"code"`
	Text
}

// With returns the set with an operator's own files, policies/*.yaml of own:
// policies, and in policies/regions.yaml the regions they need. They stand beside
// those of the set: one that is to replace another is a new version of it. No such
// folder is no files. Error: fail.Invalid "policy_own" with every fault, and then
// nothing of the files is taken.
func (s Set) With(own fs.FS) (Set, error) {
	files, err := OwnFiles(own, ownFolder)
	if err != nil {
		return Set{}, err
	}
	out, faults := s.Join(files...)
	if len(faults) == 0 {
		return out, nil
	}
	var fields []fail.Field
	for _, f := range faults {
		fields = append(fields, fail.Field{Name: strings.TrimSpace(f.File + " " + f.Field), Row: f.Line, Code: f.Code, ZH: f.ZH, EN: f.EN})
	}
	first := faults[0]
	return Set{}, fail.New(fail.Invalid, "policy_own", "the operator's own policies have problems, %d in all, and none of them is used: %s:%d: %s", len(faults), first.File, first.Line, first.EN).
		In("自有政策有 %d 处问题，均未采用：%s 第 %d 行 %s", len(faults), first.File, first.Line, first.ZH).At(fields...)
}

// OwnFiles reads the policy files *.yaml of a folder; none when there is no such
// folder. A file *.yml is refused (fail.Invalid "policy_file_name"), since nobody
// would see that it is not read. Folders and other files are left alone.
func OwnFiles(own fs.FS, folder string) ([]File, error) {
	entries, err := fs.ReadDir(own, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read own policies: %w", err)
	}
	var out []File
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		ext := path.Ext(name)
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if ext != ".yaml" && (strings.EqualFold(ext, ".yml") || strings.EqualFold(ext, ".yaml")) {
			return nil, fail.New(fail.Invalid, "policy_file_name", "%s would not be read: the name of a policy file ends in .yaml", name).
				In("%s 不会被读取：政策文件名应以 .yaml 结尾", name)
		}
		if ext != ".yaml" {
			continue
		}
		src, err := fs.ReadFile(own, name)
		if err != nil {
			return nil, fmt.Errorf("read own policy: %w", err)
		}
		out = append(out, File{name, src})
	}
	return out, nil
}

// Join returns the set with the policies and regions of files, or every fault of
// them and then the zero set. When a file cannot be read for itself, only such
// faults are told: what the files are together is looked at when each is sound.
// A region that the set has may be said again as it is, not otherwise.
func (s Set) Join(files ...File) (Set, []Fault) {
	j := joining{base: s, files: map[string]File{}, regions: s.Regions(), policies: s.Policies()}
	for _, f := range files {
		if path.Base(f.Name) == RegionsFile {
			j.addRegions(f)
		} else {
			j.addPolicy(f)
		}
	}
	if len(j.faults) > 0 {
		return Set{}, j.faults
	}
	out := Set{regions: map[string]Region{}, policies: j.policies}
	slices.SortFunc(out.policies, byVersion)
	for _, f := range out.settle(j.regions) {
		j.faults = append(j.faults, j.told(f))
	}
	if len(j.faults) > 0 {
		return Set{}, j.faults
	}
	return out, nil
}

type joining struct {
	base     Set
	files    map[string]File // by key of what they hold
	regions  []Region
	policies []Policy
	faults   []Fault
}

func (j *joining) fault(f File, field string, line int, code string, err error) {
	e := fail.Of(err)
	j.faults = append(j.faults, Fault{f.Name, line, field, code, Text{e.ZH, e.Text}})
}

// unread tells what is wrong with one file alone.
func (j *joining) unread(f File, err error) {
	e := fail.Of(err)
	for _, x := range e.Fields {
		j.faults = append(j.faults, Fault{f.Name, x.Row, x.Name, x.Code, Text{x.ZH, x.EN}})
	}
	if len(e.Fields) == 0 {
		j.fault(f, "", 0, e.Code, err)
	}
}

func (j *joining) addRegions(f File) {
	regions, err := ParseRegions(f.Name, f.Source)
	if err != nil {
		j.unread(f, err)
		return
	}
	for i, r := range regions {
		key := place{region: r.Code}.key()
		o, there := j.base.regions[r.Code]
		other, twice := j.files[key]
		field := fmt.Sprintf("$.regions[%d]", i)
		switch {
		case there && o == r:
		case there:
			j.fault(f, field, f.line("regions", i), "region_differs", setError("行政区划 %s 已有：%s，上级 %s，不得改动", "region %s is there already: %s under %s, which cannot be changed", r.Code, o.Name, o.Parent))
		case twice:
			j.fault(f, field, f.line("regions", i), "region_twice", setError("行政区划 %s 重复，另见 %s", "region %s stands twice, also in %s", r.Code, other.Name))
		default:
			j.files[key] = f
			j.regions = append(j.regions, r)
		}
	}
}

func (j *joining) addPolicy(f File) {
	p, err := Parse(f.Name, f.Source)
	if err != nil {
		j.unread(f, err)
		return
	}
	key := p.at("").key()
	_, err = j.base.Policy(p.ID, p.Version)
	other, twice := j.files[key]
	switch {
	case err == nil:
		j.fault(f, "$.version", f.line("version", -1), "version_twice", setError("政策 %s 已有；改动政策须用新的版本号", "policy %s is there already; a policy is changed by a new version", p))
	case twice:
		j.fault(f, "$.version", f.line("version", -1), "version_twice", setError("政策 %s 重复，另见 %s", "policy %s stands twice, also in %s", p, other.Name))
	default:
		j.files[key] = f
		j.policies = append(j.policies, p)
	}
}

// told is a flaw of the whole, at the place in the first of the files that it is about.
func (j *joining) told(fl flaw) Fault {
	e := fail.Of(fl.err)
	out := Fault{Code: fl.code, Text: Text{e.ZH, e.Text}}
	for _, at := range fl.about {
		f, ok := j.files[at.key()]
		if !ok {
			continue
		}
		out.File = f.Name
		if at.region == "" {
			out.Field, out.Line = "$."+at.field, f.line(at.field, -1)
			return out
		}
		regions, _ := ParseRegions(f.Name, f.Source)
		i := slices.IndexFunc(regions, func(r Region) bool { return r.Code == at.region })
		out.Field, out.Line = fmt.Sprintf("$.regions[%d]", i), f.line("regions", i)
		return out
	}
	return out
}

// key names what a place is in: one version of a policy, or a region.
func (p place) key() string {
	if p.region != "" {
		return p.region
	}
	return fmt.Sprintf("%s v%d", p.policy, p.version)
}

// line is the line of a key of the file, or of a member of its list; 1 when it
// is not there.
func (f File) line(key string, member int) int {
	root, err := readYAML(f.Name, f.Source, &problems{file: f.Name})
	if err != nil {
		return 1
	}
	pairs, _ := root.pairs()
	for _, p := range pairs {
		if p.key != key {
			continue
		}
		if member >= 0 {
			if all := p.value.items(); member < len(all) {
				return all[member].line
			}
		}
		return p.value.line
	}
	return 1
}
