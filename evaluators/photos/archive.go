package photos

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"

	"bajigong/internal/fail"
)

// Limits bound what is taken from one archive.
type Limits struct {
	Files int   // photos
	Bytes int64 // of one photo, unpacked
	Total int64 // of all photos, unpacked
}

// File is one file of an archive. N counts from 1 in the order of the archive.
// Problem is why it is not looked at; nil for one that may be a photo.
type File struct {
	N       int
	Key     string // its name without folders and extension, normalised: what it is matched by
	Shown   string // its name for messages, without what names a person
	Problem *fail.Error
	file    *zip.File
	limits  Limits
}

// directorySignature begins each entry of a ZIP's directory (APPNOTE 4.3.12).
var directorySignature = []byte("PK\x01\x02")

// Open reads the directory of a ZIP archive. Folders, and what systems put beside
// photos (__MACOSX, .DS_Store, Thumbs.db), are left out. Names are UTF-8, or
// GB18030 where the archive does not say UTF-8. Nothing is unpacked: a file with a
// path that leads out, an archive within the archive, a link or a file behind a
// password has a Problem. Errors: Invalid archive_form; TooLarge archive_files.
func Open(data []byte, limits Limits) ([]File, error) {
	tooMany := fail.New(fail.TooLarge, "archive_files", "an archive has at most %d files; send several", limits.Files).In("压缩包最多 %d 个文件，请分几个上传", limits.Files)
	if bytes.Count(data, directorySignature) > 4*limits.Files { // before memory is given to a directory of millions
		return nil, tooMany
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fail.New(fail.Invalid, "archive_form", "the file is not a ZIP archive, or broken").In("文件不是 ZIP 压缩包，或已损坏；RAR、7z 请改存为 ZIP").Because(err)
	}
	var out []File
	for _, f := range r.File {
		name := decodedName(f)
		if strings.HasSuffix(name, "/") || f.FileInfo().IsDir() || beside(name) {
			continue
		}
		if len(out) == limits.Files {
			return nil, tooMany
		}
		base := path.Base(strings.ReplaceAll(name, `\`, "/"))
		key := Key(strings.TrimSuffix(base, path.Ext(base)))
		out = append(out, File{N: len(out) + 1, Key: key, Shown: shown(base), Problem: problem(f, name), file: f, limits: limits})
	}
	if len(out) == 0 {
		return nil, fail.New(fail.Invalid, "archive_form", "there is no photo in the archive").In("压缩包中没有照片")
	}
	return out, nil
}

func decodedName(f *zip.File) string {
	if !f.NonUTF8 && utf8.ValidString(f.Name) || utf8.ValidString(f.Name) {
		return f.Name
	}
	name, err := simplifiedchinese.GB18030.NewDecoder().String(f.Name)
	if err != nil {
		return strings.ToValidUTF8(f.Name, "?")
	}
	return name
}

func beside(name string) bool {
	parts := strings.Split(strings.ReplaceAll(name, `\`, "/"), "/")
	last := parts[len(parts)-1]
	return parts[0] == "__MACOSX" || strings.HasPrefix(last, "._") || strings.EqualFold(last, ".DS_Store") || strings.EqualFold(last, "Thumbs.db") || strings.EqualFold(last, "desktop.ini")
}

var archives = map[string]bool{".zip": true, ".rar": true, ".7z": true, ".gz": true, ".tgz": true, ".bz2": true, ".xz": true, ".tar": true, ".cab": true, ".iso": true}

func problem(f *zip.File, name string) *fail.Error {
	const encrypted = 1
	slashed := strings.ReplaceAll(name, `\`, "/")
	drive := len(slashed) > 1 && slashed[1] == ':'
	switch {
	case strings.HasPrefix(slashed, "/") || drive || strings.Contains("/"+slashed+"/", "/../") || strings.ContainsFunc(name, unicode.IsControl):
		return fail.New(fail.Invalid, "file_path", "its path leads out of the archive").In("文件路径不合规（含上级目录、盘符或控制字符）")
	case f.Mode()&fs.ModeType != 0:
		return fail.New(fail.Invalid, "file_path", "it is a link or device, not a file").In("是链接或设备，不是普通文件")
	case archives[strings.ToLower(path.Ext(slashed))]:
		return nested()
	case f.Flags&encrypted != 0:
		return fail.New(fail.Invalid, "file_password", "it is behind a password").In("文件已加密，请去掉密码后重新压缩")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fail.New(fail.Invalid, "file_method", "it is packed in a way that is not read").In("压缩方式不支持，请以标准 ZIP 方式压缩")
	}
	return nil
}

func nested() *fail.Error {
	return fail.New(fail.Invalid, "file_nested", "an archive within the archive is not opened").In("压缩包中不得再有压缩包")
}

// Read unpacks the file; total is how many bytes may still be unpacked of the
// archive, and is counted down by what really comes out, whatever the directory
// says. Errors: Invalid file_large, file_broken, file_nested; TooLarge
// archive_large, which ends the whole archive.
func (f File) Read(total *int64) ([]byte, error) {
	r, err := f.file.Open()
	if err != nil {
		return nil, broken(err)
	}
	defer r.Close()
	most := min(f.limits.Bytes, *total)
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	*total -= int64(len(data))
	switch {
	case *total < 0:
		return nil, fail.New(fail.TooLarge, "archive_large", "the archive unpacks to more than %d MB; send several", f.limits.Total>>20).In("压缩包解压后超过 %d MB，请分几个上传", f.limits.Total>>20)
	case int64(len(data)) > f.limits.Bytes:
		return nil, fail.New(fail.Invalid, "file_large", "it has more than %d MB", f.limits.Bytes>>20).In("文件超过 %d MB", f.limits.Bytes>>20)
	case err != nil:
		return nil, broken(err)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("Rar!\x1a\x07")) || bytes.HasPrefix(data, []byte("7z\xbc\xaf\x27\x1c")):
		return nil, nested()
	}
	return data, nil
}

func broken(err error) error {
	return fail.New(fail.Invalid, "file_broken", "it is broken").In("文件已损坏").Because(err)
}

// Key is a name as it is compared: full-width forms made narrow, capitals, no
// spaces.
func Key(name string) string {
	name = strings.ToUpper(norm.NFKC.String(name))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
}

// shownMost is how many characters of a name are shown.
const shownMost = 40

// shown is a file's name without what names a person: of words only the first
// character stays, of Latin letters and of numbers with six digits or more the
// first and the last. The extension stays.
func shown(base string) string {
	ext := path.Ext(base)
	if len(ext) > 6 || strings.ContainsFunc(ext, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) }) {
		ext = ""
	}
	var out strings.Builder
	var word []rune
	flush := func() {
		switch n := len(word); {
		case n == 0:
		case word[0] > unicode.MaxASCII:
			fmt.Fprintf(&out, "%c%s", word[0], strings.Repeat("*", n-1))
		case n < 6 && !strings.ContainsFunc(string(word), unicode.IsLetter):
			out.WriteString(string(word))
		case n <= 2:
			out.WriteString("**"[:n])
		default:
			fmt.Fprintf(&out, "%c%s%c", word[0], strings.Repeat("*", n-2), word[n-1])
		}
		word = word[:0]
	}
	wide := false
	for _, r := range strings.TrimSuffix(base, ext) {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !letter || (r > unicode.MaxASCII) != wide {
			flush()
		}
		wide = r > unicode.MaxASCII
		switch {
		case letter:
			word = append(word, r)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		}
	}
	flush()
	name := []rune(out.String())
	if len(name) > shownMost {
		name = append(name[:shownMost:shownMost], '…')
	}
	return string(name) + ext
}
