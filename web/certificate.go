package web

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// certificateView is a certificate without the internal id of its holder, by
// which institutions could join what they know of people.
type certificateView struct {
	registry.Certificate
	Person *hidden `json:"person,omitempty"`
}

// issuedView is certificateView with what the paper shows.
type issuedView struct {
	registry.Issued
	Person *hidden `json:"person,omitempty"`
}

// elsewhereRequest has the certificates to be registered, all or none.
type elsewhereRequest struct {
	Certificates []registry.Elsewhere `json:"certificates"`
}

// number is the certificate number of the path. One with an identity number in
// it does not belong into an address; the register's own name for it does.
func (c *call) number() (string, error) {
	text, err := c.param("number")
	if err != nil {
		return "", err
	}
	if n, err := standards.ParseNumber(text); err == nil && n.Personal() && !strings.Contains(text, ":") {
		return "", fail.New(fail.Invalid, "number_personal", "this number has an identity number in it and must not stand in an address; use the number that the register answered").
			In("该编号含身份证号码，不得写在网址中；请使用登记系统返回的编号")
	}
	return text, nil
}

func (s *Server) certificatesOfSession(c *call, _ none) (list[issuedView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[issuedView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[issuedView]{}, err
	}
	found, next, err := s.reg.CertificatesOfSession(c.ctx, c.by, id, page)
	var out []issuedView
	for _, one := range found {
		out = append(out, issuedView{Issued: one})
	}
	return listOf(out, next), err
}

func (s *Server) certificate(c *call, _ none) (issuedView, error) {
	number, err := c.number()
	if err != nil {
		return issuedView{}, err
	}
	out, err := s.reg.CertificateByNumber(c.ctx, c.by, number)
	return issuedView{Issued: out}, err
}

func (s *Server) registerElsewhere(c *call, in elsewhereRequest) (list[certificateView], error) {
	found, err := s.reg.RegisterElsewhere(c.ctx, c.by, in.Certificates)
	var out []certificateView
	for _, one := range found {
		out = append(out, certificateView{Certificate: one})
	}
	return listOf(out, ""), err
}

// changeCertificate makes the handler of one kind of change.
func changeCertificate(kind registry.ChangeKind) func(*Server, *call, registry.NewChange) (certificateView, error) {
	return func(s *Server, c *call, in registry.NewChange) (certificateView, error) {
		number, err := c.number()
		if err != nil {
			return certificateView{}, err
		}
		in.Kind = kind
		out, err := s.reg.ChangeCertificate(c.ctx, c.by, number, in)
		return certificateView{Certificate: out}, err
	}
}

func (s *Server) reissueCertificate(c *call, in registry.Reissue) (issuedView, error) {
	number, err := c.number()
	if err != nil {
		return issuedView{}, err
	}
	out, err := s.reg.ReissueCertificate(c.ctx, c.by, number, in)
	return issuedView{Issued: out}, err
}

func (s *Server) qrImage(c *call) (*credentials.Image, error) {
	number, err := c.number()
	if err != nil {
		return nil, err
	}
	one, err := s.reg.CertificateByNumber(c.ctx, c.by, number)
	if err != nil {
		return nil, err
	}
	if one.QR == "" {
		return nil, fail.New(fail.NotFound, "no_qr", "a certificate from elsewhere has no QR code of this register").In("在别处颁发的证书没有本系统二维码")
	}
	return credentials.NewImage(one.QR)
}

func (s *Server) qrPNG(c *call) error {
	scale := 8
	text, err := c.query("scale")
	if err != nil {
		return err
	}
	if text != "" {
		if scale, err = strconv.Atoi(text); err != nil || scale < 1 || scale > 40 {
			return fail.New(fail.Invalid, "scale", "scale is 1 to 40").In("scale 应为 1 至 40").
				At(fail.Field{Name: "scale", Code: "range", ZH: "1 至 40", EN: "1 to 40"})
		}
	}
	image, err := s.qrImage(c)
	if err != nil {
		return err
	}
	png, err := image.PNG(scale)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, "image/png")
	return c.fiber.Send(png)
}

func (s *Server) qrSVG(c *call) error {
	image, err := s.qrImage(c)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, "image/svg+xml")
	return c.fiber.Send(image.SVG())
}
