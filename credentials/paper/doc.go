// Package paper makes what is printed: certificates, print on numbered blanks
// 套打, lists and admission tickets, all as PDF. Data goes in, bytes come out; it
// has no clock, no randomness and no store, and equal input gives equal bytes.
//
// # Why the PDF is written here
//
// Names have characters beyond the BMP (𬭎, 𠮷), and a certificate with a hole in
// its name, or from which the name copies out as another, is worth nothing.
// codeberg.org/go-pdf/fpdf v0.12.0 panics on such a character (index 65536), and
// github.com/signintech/gopdf v0.33.0 writes a wrong ToUnicode for it. What a
// certificate needs of PDF is little: TrueType subsets as Type 0 fonts with
// Identity-H, JPEG, an alpha mask, lines and rectangles. This package writes just
// that, with character numbers given in the order of first use, so that pages are
// streamed and one subset follows at the end.
//
// # Sizes
//
// Places are in mm from the upper left corner, type in points. The paper is A4
// 210 × 297, one page a certificate, 仿宋小四 (12 pt): 人社鉴发〔2021〕1号.
package paper
