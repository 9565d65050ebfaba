package paper

import (
	"embed"
	"fmt"
	"math"
	"regexp"
	"slices"

	"bajigong/internal/rulefile"
)

// Face is what a certificate says besides its fields. The fields, their order and
// the size of type are those of 人社鉴发〔2021〕1号; the text 正文 is not confirmed
// by a readable source and differs by what an institution was given, so it is
// data.
type Face struct {
	rulefile.Head `yaml:",inline"`
	// Title is 证书名称.
	Title rulefile.Text `yaml:"title"`
	// Body is the text 正文. {name}, {institution}, {occupation}, {trade} and
	// {level} stand for the fields.
	Body rulefile.Text `yaml:"body"`
	// CertificateQuery and InstitutionQuery are the addresses of the national
	// queries; Provincial is the one of the province, where it wants one.
	CertificateQuery string `yaml:"certificate_query"`
	InstitutionQuery string `yaml:"institution_query"`
	Provincial       string `yaml:"provincial_query,omitempty"`
	// SealDiameter is that of the seal of an institution, mm.
	SealDiameter float64 `yaml:"seal_diameter"`
}

//go:embed data/faces/*.yaml data/blanks/*.yaml
var files embed.FS

// EmbeddedFaces returns the faces that come with the product; the text is a sample.
func EmbeddedFaces() (rulefile.Set[Face], error) {
	return rulefile.ReadSet[Face](files, "data/faces/*.yaml")
}

// EmbeddedBlanks returns the sample of a numbered blank.
func EmbeddedBlanks() (rulefile.Set[Blank], error) {
	return rulefile.ReadSet[Blank](files, "data/blanks/*.yaml")
}

var placeholder = regexp.MustCompile(`\{[^}]*\}?`)

// Problems says what is wrong with a face beyond its form.
func (f Face) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(f.Title.ZH != "" && f.Title.EN != "", "title 应有 zh 和 en", "title has zh and en")
	say(f.Body.ZH != "" && f.Body.EN != "", "body 应有 zh 和 en", "body has zh and en")
	for _, p := range placeholder.FindAllString(f.Body.ZH+f.Body.EN, -1) {
		say(slices.Contains([]string{"{name}", "{institution}", "{occupation}", "{trade}", "{level}"}, p), "body 中没有占位符 "+p, "body has no placeholder "+p)
	}
	say(f.CertificateQuery != "" && f.InstitutionQuery != "", "certificate_query 和 institution_query 必填", "certificate_query and institution_query are needed")
	say(f.SealDiameter >= 30 && f.SealDiameter <= 60, "seal_diameter 应为 30 至 60 毫米", "seal_diameter is 30 to 60 mm")
	return out
}

// The fields of a certificate as layouts and errors name them.
const (
	FieldBody        = "body"            // 正文
	FieldInstitution = "institution"     // 评价机构名称
	FieldIssued      = "issued"          // 发证日期
	FieldName        = "name"            // 姓名
	FieldDocument    = "document_kind"   // 证件类型
	FieldDocumentNo  = "document_number" // 证件号码
	FieldOccupation  = "occupation"      // 职业名称
	FieldTrade       = "trade"           // 工种/职业方向
	FieldLevel       = "level"           // 职业技能等级
	FieldNumber      = "number"          // 证书编号
	FieldSerial      = "serial"          // 印制流水码
	FieldHandle      = "handle"          // 查验码
	FieldPhoto       = "photo"           // 照片
	FieldQR          = "qr"              // 二维码
)

// labels are the words before the fields, 人社鉴发〔2021〕1号; the English is ours.
var labels = map[string]rulefile.Text{
	FieldBody:        {ZH: "正文", EN: "Text"},
	FieldInstitution: {ZH: "评价机构名称", EN: "Evaluation institution"},
	FieldIssued:      {ZH: "发证日期", EN: "Date of issue"},
	FieldName:        {ZH: "姓名", EN: "Name"},
	FieldDocument:    {ZH: "证件类型", EN: "Type of document"},
	FieldDocumentNo:  {ZH: "证件号码", EN: "Document number"},
	FieldOccupation:  {ZH: "职业名称", EN: "Occupation"},
	FieldTrade:       {ZH: "工种/职业方向", EN: "Trade or direction"},
	FieldLevel:       {ZH: "职业技能等级", EN: "Skill level"},
	FieldNumber:      {ZH: "证书编号", EN: "Certificate number"},
	FieldSerial:      {ZH: "印制流水码", EN: "Print serial"},
	FieldHandle:      {ZH: "查验码", EN: "Code"},
	FieldPhoto:       {ZH: "照片", EN: "Photo"},
	FieldQR:          {ZH: "二维码", EN: "QR code"},
}

// A Box is where one field of a blank is printed, mm from the upper left corner
// of the sheet.
type Box struct {
	Field  string  `yaml:"field"`
	X      float64 `yaml:"x"`
	Y      float64 `yaml:"y"`
	Width  float64 `yaml:"width"`
	Height float64 `yaml:"height"`
	Size   float64 `yaml:"size,omitempty"`  // type, points; 12 when absent
	Align  string  `yaml:"align,omitempty"` // left, centre, right; left when absent
}

// Blank is the layout of a numbered blank 空白证书 for 套打: only what differs from
// certificate to certificate is printed, at its place. Blanks differ by
// institution; the one that comes with the product is a sample.
type Blank struct {
	rulefile.Head `yaml:",inline"`
	Width         float64 `yaml:"width"`  // of the sheet, mm
	Height        float64 `yaml:"height"` // mm
	Boxes         []Box   `yaml:"boxes"`
}

// Problems says what is wrong with a layout beyond its form.
func (b Blank) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string, args ...any) {
		if !ok {
			out = append(out, rulefile.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)})
		}
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	say(b.Width >= 80 && b.Width <= 450 && b.Height >= 80 && b.Height <= 450, "纸张宽、高应为 80 至 450 毫米", "the sheet is 80 to 450 mm wide and high")
	seen := map[string]bool{}
	for _, box := range b.Boxes {
		_, known := labels[box.Field]
		say(known && box.Field != FieldBody, "没有字段 %q", "there is no field %q", box.Field)
		say(!seen[box.Field], "字段 %s 出现两次", "the field %s is there twice", box.Field)
		seen[box.Field] = true
		inside := finite(box.X) && finite(box.Y) && box.X >= 0 && box.Y >= 0 && box.Width > 0 && box.Height > 0 && box.X+box.Width <= b.Width && box.Y+box.Height <= b.Height
		say(inside, "字段 %s 超出纸张", "the field %s is not on the sheet", box.Field)
		say(box.Size == 0 || box.Size >= 7 && box.Size <= 36, "字段 %s 的字号应为 7 至 36 磅", "the type of %s is 7 to 36 points", box.Field)
		say(slices.Contains([]string{"", "left", "centre", "right"}, box.Align), "字段 %s 的 align 应为 left、centre 或 right", "align of %s is left, centre or right", box.Field)
		if box.Field == FieldQR {
			say(min(box.Width, box.Height) >= qrBox, "二维码（含白边）不得小于 %.0f 毫米", "the QR code with its white edge is at least %.0f mm", qrBox)
		}
	}
	for _, field := range []string{FieldName, FieldNumber, FieldQR} {
		say(seen[field], "缺少字段 %s", "the field %s is missing", field)
	}
	return out
}

// Shift moves everything that is printed, mm to the right and down: printers
// draw paper in by a mm or two more or less.
type Shift struct{ X, Y float64 }
