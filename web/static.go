package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// staticFile is a file of the folder static as it is served: under a name with
// its content in it, whole and compressed. Both are made when the server starts.
type staticFile struct {
	contentType string
	data        []byte
	zipped      []byte // gzip; nil when it saves nothing
}

// staticTypes are the kinds of files that are served.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
	".js":  "text/javascript; charset=utf-8",
}

// script is an entry module of a page and the modules that it imports, so that a
// page can ask for all of them at once and not one after the other.
type script struct {
	Path  string
	Needs []string
}

// statics are the static files by the name in their address, and the address of
// each by its name in the folder.
type statics struct {
	files   map[string]staticFile
	address map[string]string   // "site.css" → "/static/site.0123456789abcdef.css"
	needs   map[string][]string // names that a module imports, those of its imports first
}

// moduleImport is an import of a module beside it. Modules are written so that no
// other text looks like it.
var moduleImport = regexp.MustCompile(`(?m)^(import [^'";]*from |import |export [^'";]*from )["']\./([a-z-]+\.js)["']`)

// newStatics reads the folder. A module is named after its content as it is
// served, and what it imports is served under such a name too: so the addresses
// in its imports are put in before it is named, modules without imports first.
// This is done here, and not by an import map, which older phones do not know
// and which would have to be an inline script.
func newStatics(folder fs.FS) (*statics, error) {
	s := &statics{files: map[string]staticFile{}, address: map[string]string{}, needs: map[string][]string{}}
	names, err := fs.Glob(folder, "static/*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := s.add(folder, path.Base(name), nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add reads one file and, before it, what it imports. above are the modules that
// wait for it: none of them may come again.
func (s *statics) add(folder fs.FS, name string, above []string) error {
	if s.address[name] != "" {
		return nil
	}
	data, err := fs.ReadFile(folder, "static/"+name)
	if err != nil {
		return err
	}
	stem, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	if staticTypes[ext] == "" || slices.Contains(above, name) {
		return fmt.Errorf("static/%s: neither a style sheet, a picture nor a module, or it imports itself", name)
	}
	if ext != ".svg" {
		data = withoutComments(data)
	}
	if ext == ".js" {
		for _, m := range moduleImport.FindAllSubmatch(data, -1) {
			needed := string(m[2])
			if err := s.add(folder, needed, append(above, name)); err != nil {
				return err
			}
			for _, one := range append(slices.Clone(s.needs[needed]), needed) {
				if !slices.Contains(s.needs[name], one) {
					s.needs[name] = append(s.needs[name], one)
				}
			}
		}
		data = moduleImport.ReplaceAllFunc(data, func(line []byte) []byte {
			m := moduleImport.FindSubmatch(line)
			return fmt.Appendf(nil, "%s%q", m[1], s.address[string(m[2])])
		})
	}
	sum := sha256.Sum256(data)
	hashed := fmt.Sprintf("%s.%x%s", stem, sum[:8], ext)
	s.address[name] = "/static/" + hashed
	s.files[hashed] = staticFile{contentType: staticTypes[ext], data: data, zipped: zipped(data)}
	return nil
}

// withoutComments leaves out of a module or a style sheet the lines that are
// comment from their first letter on and the space that lines begin with: what
// explains a module to its reader is a third of it and of no use on a phone. A
// line that begins a comment inside a string of several lines would be lost;
// modules have none.
func withoutComments(module []byte) []byte {
	var out bytes.Buffer
	inside := false
	for line := range bytes.Lines(module) {
		line = bytes.TrimSpace(line)
		switch {
		case inside:
			inside = !bytes.HasSuffix(line, []byte("*/"))
		case bytes.HasPrefix(line, []byte("/*")):
			inside = !bytes.HasSuffix(line, []byte("*/"))
		case len(line) > 0 && !bytes.HasPrefix(line, []byte("//")):
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// script is a page's entry module.
func (s *statics) script(name string) *script {
	out := &script{Path: s.address[name]}
	for _, needed := range s.needs[name] {
		out.Needs = append(out.Needs, s.address[needed])
	}
	return out
}

// zipped is data as gzip, nil when that is not smaller.
func zipped(data []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		if _, err = w.Write(data); err == nil {
			err = w.Close()
		}
	}
	if err != nil || out.Len() >= len(data) { // writing to memory does not fail
		return nil
	}
	return out.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3). A client that says
// nothing gets the file as it is.
func acceptsGzip(header string) bool {
	best, found := 0, false
	for _, part := range strings.Split(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			best, found = quality(params), true
		case "*":
			if !found {
				best = quality(params)
			}
		}
	}
	return best > 0
}

// packed answers a file, compressed for those who take it.
func (c *call) packed(f staticFile, control string) error {
	c.fiber.Vary(fiber.HeaderAcceptEncoding)
	data := f.data
	if f.zipped != nil && acceptsGzip(c.fiber.Get(fiber.HeaderAcceptEncoding)) {
		c.fiber.Set(fiber.HeaderContentEncoding, "gzip")
		data = f.zipped
	}
	return c.cached(f.contentType, data, control)
}

func (s *Server) staticFile(c *call) error {
	name, err := c.param("file")
	if err != nil {
		return err
	}
	file, ok := s.pages.statics.files[name]
	if !ok {
		return fiber.ErrNotFound
	}
	return c.packed(file, immutable)
}
