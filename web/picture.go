package web

import (
	"bytes"
	"image"
	"io"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
)

// frameBody is the limit of a picture of /api/v1/verify/image. The page sends
// squares of 800 pixels as JPEG, which have at most 200 KB.
const frameBody = 512 << 10

// frameSide is how many pixels a side such a picture may have: it is a frame of
// a camera, and a second of camera must not cost a second of processor.
const frameSide = 1600

// pictureAnswer says what was read in a picture. That there is no code in it is
// an answer: most pictures of a camera have none.
type pictureAnswer struct {
	Found bool   `json:"found"`
	Text  string `json:"text,omitempty"` // of the code
	// Verdict is absent when the code is no code of a register of this kind.
	Verdict *verdictJSON `json:"verdict,omitempty"`
}

// verifyPicture reads the code in a picture and gives the verdict on it.
func (s *Server) verifyPicture(c *call) error {
	if media := c.mediaType(); media != "image/jpeg" && media != "image/png" {
		return refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_type", "send image/jpeg or image/png").In("请以 image/jpeg 或 image/png 提交")}
	}
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil {
		return err
	}
	data, err := io.ReadAll(b)
	if err != nil {
		return err
	}
	release, err := slot(c, s.images)
	if err != nil {
		return err
	}
	out, err := s.readPicture(c, data)
	release()
	if err != nil {
		return err
	}
	return c.json(out)
}

func (s *Server) readPicture(c *call, data []byte) (out pictureAnswer, err error) {
	// What is no picture at all is for DecodeImage to say.
	if size, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && max(size.Width, size.Height) > frameSide {
		return out, fail.New(fail.TooLarge, "image_too_large", "the picture has more than %d pixels a side; make it smaller, or send it with the form at /verify", frameSide).
			In("图片每边最多 %d 像素；请缩小，或在“查验二维码”页上传", frameSide)
	}
	text, err := credentials.DecodeImage(bytes.NewReader(data))
	switch e := fail.Of(err); {
	case err != nil && e.Code == "no_qr_found":
		return out, nil
	case err != nil:
		return out, err
	}
	out = pictureAnswer{Found: true, Text: text}
	v, err := s.reg.VerdictByToken(c.ctx, text)
	switch kind := fail.KindOf(err); {
	case err == nil:
		out.Verdict = &v
	case kind != fail.Invalid && kind != fail.TooLarge:
		return pictureAnswer{}, err
	}
	return out, nil
}
