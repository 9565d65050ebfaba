package credentials

import (
	"bytes"
	_ "embed"

	"bajigong/internal/fail"
)

// The published files say what our credentials mean, for ever: they are never
// edited. Another form of credential gets another number and another file.
var (
	//go:embed vocab/certificate-1.json
	certificateSchema []byte
	//go:embed vocab/certificate-1.jsonld
	certificateContext []byte
)

// schemaOrigin stands in the schema for the origin of the register.
const schemaOrigin = "https://register.invalid"

// Schema returns the JSON Schema (draft 2020-12) of that name, as the register
// with this origin publishes it under /schemas/. It fails (fail.NotFound,
// no_schema) for a name that there is none of.
func Schema(origin, name string) ([]byte, error) {
	if name != "certificate-1.json" {
		return nil, fail.New(fail.NotFound, "no_schema", "there is no schema of that name").In("没有该数据格式文件")
	}
	return bytes.ReplaceAll(certificateSchema, []byte(schemaOrigin), []byte(origin)), nil
}

// Context returns the JSON-LD context of that name, as it is published under
// /contexts/: the same in every register. It fails (fail.NotFound, no_context)
// for a name that there is none of.
func Context(name string) ([]byte, error) {
	if name != "certificate-1.jsonld" {
		return nil, fail.New(fail.NotFound, "no_context", "there is no context of that name").In("没有该词汇文件")
	}
	return bytes.Clone(certificateContext), nil
}
