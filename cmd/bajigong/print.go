package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bajigong/credentials/paper"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/standards"
	"bajigong/web"
)

// fontFolders are where fonts are looked for when the configuration names none,
// below the root of the file system.
var fontFolders = []string{"usr/share/fonts", "usr/local/share/fonts", "Library/Fonts", "System/Library/Fonts", "Windows/Fonts"}

// openFonts opens the fonts that are named, as a chain, or those found on the
// machine. The warnings say what is not as the notice wants it.
func openFonts(paths []string) (paper.Fonts, []rulefile.Text, error) {
	var chain []*paper.Font
	var warnings []rulefile.Text
	for i, path := range paths {
		data, err := readFile(path, paper.MaxFontBytes+1)
		if err != nil {
			return paper.Fonts{}, nil, err
		}
		f, err := paper.OpenFont(data)
		if err != nil {
			e := fail.Of(err)
			return paper.Fonts{}, nil, fail.New(e.Kind, e.Code, "%s: %s", path, e.Text).In("%s：%s", path, e.ZH)
		}
		if w := paper.CheckFangSong(f); w != nil && i == 0 {
			warnings = append(warnings, *w)
		}
		chain = append(chain, f)
	}
	if len(paths) == 0 {
		for i, found := range paper.FindFonts(os.DirFS("/"), fontFolders...) {
			if found.Warning != nil && i == 0 {
				warnings = append(warnings, *found.Warning)
			}
			chain = append(chain, found.Font)
		}
	}
	fonts, err := paper.NewFonts(chain...)
	return fonts, warnings, err
}

// paperOf is what the server prints with: fonts are opened when the first
// certificate is printed, since they take tens of megabytes.
func paperOf(c config, log *slog.Logger) (web.Paper, error) {
	var once sync.Once
	var fonts paper.Fonts
	var warnings []rulefile.Text
	var failed error
	out := web.Paper{Seals: map[string]web.SealImage{}, Fonts: func() (paper.Fonts, []rulefile.Text, error) {
		once.Do(func() {
			fonts, warnings, failed = openFonts(c.Fonts)
			for _, w := range warnings {
				log.Warn("printing", "zh", w.ZH, "en", w.EN)
			}
			if failed != nil {
				log.Error("no fonts to print with", "error", failed)
			}
		})
		return fonts, warnings, failed
	}}
	for institution, path := range c.Seals {
		data, err := readFile(path, paper.MaxSealBytes+1)
		if err != nil {
			return out, err
		}
		seal, err := paper.OpenSeal(data)
		if err != nil {
			return out, fmt.Errorf("seal of %s: %w", institution, err)
		}
		out.Seals[institution] = web.SealImage{Seal: seal, PNG: data}
	}
	return out, nil
}

// printFlags are those of printing a certificate.
type printFlags struct {
	output, purpose, blank, offset string
	bilingual                      bool
}

func (f *printFlags) add(flags *pflag.FlagSet) {
	flags.StringVarP(&f.output, "output", "o", "", "输出的 PDF 文件 (PDF file to write)")
	flags.StringVar(&f.purpose, "purpose", string(registry.PrintIssue), "用途，记入日志：issue 首次制证、reissue 补发更正、spoiled 废证重打、archive 存档 (why it is printed; logged)")
	flags.BoolVar(&f.bilingual, "bilingual", false, "中英文对照 (Chinese and English)")
	flags.StringVar(&f.blank, "blank", "", "套打版式编号，例如 blank-sample；不填则打印整张票面 (layout of a numbered blank)")
	flags.StringVar(&f.offset, "offset", "", "套打整体偏移 X,Y 毫米，右、下为正，例如 0.5,-1 (offset in mm, right and down)")
}

func (f *printFlags) query() (url.Values, error) {
	if f.output == "" {
		return nil, usageError{errors.New("请用 -o 指定输出文件 (name the file to write with -o)")}
	}
	shift, err := parseOffset(f.offset)
	if err != nil {
		return nil, err
	}
	q := url.Values{"purpose": {f.purpose}}
	if f.bilingual {
		q.Set("lang", "both")
	}
	if f.blank != "" {
		q.Set("blank", f.blank)
		q.Set("x", strconv.FormatFloat(shift.X, 'f', -1, 64))
		q.Set("y", strconv.FormatFloat(shift.Y, 'f', -1, 64))
	} else if f.offset != "" {
		return nil, usageError{errors.New("--offset 只用于套打，须同时指定 --blank (--offset goes with --blank)")}
	}
	return q, nil
}

func parseOffset(text string) (s paper.Shift, err error) {
	if text == "" {
		return s, nil
	}
	x, y, ok := strings.Cut(strings.ReplaceAll(text, "，", ","), ",")
	if ok {
		if s.X, err = strconv.ParseFloat(strings.TrimSpace(x), 64); err == nil {
			s.Y, err = strconv.ParseFloat(strings.TrimSpace(y), 64)
		}
	}
	if !ok || err != nil || !(s.X >= -20 && s.X <= 20 && s.Y >= -20 && s.Y <= 20) {
		return s, usageError{errors.New("--offset 应为 X,Y，各为 -20 至 20 毫米 (--offset is X,Y, each -20 to 20 mm)")}
	}
	return s, nil
}

func printCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "print",
		Short: "制证：证书 PDF、套打、校准页 (certificates as PDF, on blanks or whole)",
		Long: `print 用评价机构的接口密钥把证书打印成 PDF。每次打印都记入日志（何人、何证、何用途）。
打印时选择“实际大小”（100%），不要缩放，否则二维码和套打位置会偏。

在有印制流水码的空白证书上套打，先用 issue print 分配流水码，再用 print job 按流水码顺序打印；
第一次套打之前用 calibrate 校准。

The certificates of a session, or one certificate, as PDF; each print is logged.
Print at 100 %, never scaled. On numbered blanks: issue print gives them their codes,
and print job prints in the order of these.`,
		Example: `  bajigong print session s-… -o 证书.pdf
  bajigong print certificate S000032058300253000001 --purpose spoiled -o 一张.pdf
  bajigong print job pj-… --blank blank-sample --offset 0.5,-1 -o 套打.pdf
  bajigong print calibrate --blank blank-sample -o 校准.pdf
  bajigong print fonts`,
	}
	one, all, job := printOne(w, &server), printSession(w, &server), printJob(w, &server)
	for _, sub := range []*cobra.Command{one, all, job} {
		server.add(sub.Flags(), w)
	}
	return group(cmd, all, job, one, printCalibrate(w), printFonts(w))
}

func printSession(w world, server *serverFlags) *cobra.Command {
	var f printFlags
	cmd := &cobra.Command{
		Use:   "session SESSION",
		Short: "打印一个批次的证书 (print the certificates of a session)",
		Long: `session 把一个认定批次的有效证书打印成 PDF，每 200 张一个文件：-o 证书.pdf 依次写成
证书.pdf、证书-2.pdf、证书-3.pdf。已撤销、注销、暂停的证书不打印。

Every 200 certificates are a file: x.pdf, x-2.pdf and so on. What is not valid any
more is left out.`,
		Example: `  bajigong print session s-… -o 证书.pdf
  bajigong print session s-… --blank blank-sample --offset 0.5,-1 -o 套打.pdf`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return fetchParts(cmd, w, c, sessionPath(args[0], "certificates.pdf"), q, f.output)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func printJob(w world, server *serverFlags) *cobra.Command {
	var f printFlags
	cmd := &cobra.Command{
		Use:   "job JOB",
		Short: "按流水码顺序打印一次分配的证书 (print what issue print gave blanks to)",
		Long: `job 打印 issue print 一次分配的证书，按印制流水码顺序排列，空白证书照此顺序装入打印机即可。
每 200 张一个文件。流水码已作废、已有新打印或证书已撤销、注销、暂停的，不打印。

It prints what one run of issue print gave blanks to, in the order of the codes, as
the sheets lie in the tray; 200 a file. Spoiled and overtaken prints are left out.`,
		Example: `  bajigong print job pj-… --blank blank-sample --offset 0.5,-1 -o 套打.pdf`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return fetchParts(cmd, w, c, "/api/v1/print-jobs/"+url.PathEscape(args[0])+"/certificates.pdf", q, f.output)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// fetchParts writes a PDF that the server makes in parts, each as a file.
func fetchParts(cmd *cobra.Command, w world, c *client, path string, q url.Values, file string) error {
	for part := 1; ; part++ {
		q.Set("part", strconv.Itoa(part))
		more, err := fetchPDF(cmd, w, c, path, q, partName(file, part), part == 1)
		if err != nil || !more {
			return err
		}
	}
}

// partName is the file of a part: x.pdf, x-2.pdf, …
func partName(path string, part int) string {
	if part == 1 {
		return path
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + strconv.Itoa(part) + ext
}

func printOne(w world, server *serverFlags) *cobra.Command {
	var f printFlags
	cmd := &cobra.Command{
		Use:   "certificate NUMBER",
		Short: "打印一份证书 (print one certificate)",
		Long: `certificate 打印一份证书的当前版本。补发、更正后的证书请用 --purpose reissue，
废证重打用 --purpose spoiled。

It prints the current version of one certificate.`,
		Example: `  bajigong print certificate S000032058300253000001 -o 证书.pdf`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			n, err := standards.ParseNumber(args[0])
			if err != nil {
				return err
			}
			if n.Personal() {
				return fail.New(fail.Invalid, "no_qr", "certificates with this kind of number are not printed by this register").In("此类编号的证书不由本系统制证")
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			_, err = fetchPDF(cmd, w, c, "/api/v1/certificates/"+url.PathEscape(n.Text)+"/certificate.pdf", q, f.output, true)
			return err
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// warnings of the server by their code.
var printWarnings = map[string]string{
	"font":          "字体不是仿宋；人社鉴发〔2021〕1号要求仿宋小四，请在服务器配置 fonts 中指定仿宋字体 (the font is not 仿宋)",
	"sample-text":   "证书正文为样例，请在 rules/faces 中填写规定的文字 (the text is a sample)",
	"sample-layout": "套打版式为样例，请在 rules/blanks 中填写本机构空白证书的尺寸 (the layout is a sample)",
}

// fetchPDF writes one PDF. What the server warns of is the same for every part of a
// whole, and said with the first.
func fetchPDF(cmd *cobra.Command, w world, c *client, path string, q url.Values, file string, warn bool) (more bool, err error) {
	got, err := c.send(cmd.Context(), ask{method: http.MethodGet, path: path, query: q, accept: "application/pdf, application/problem+json", wait: 2 * time.Minute})
	if err != nil {
		return false, err
	}
	if err := c.refusal(got); err != nil {
		return false, err
	}
	if got.kind != "application/pdf" || !bytes.HasPrefix(got.body, []byte("%PDF-")) {
		return false, c.strange(got, nil)
	}
	// Names and identity numbers are in it: for the one who prints alone.
	if err := writeFile(file, got.body, 0o600); err != nil {
		return false, err
	}
	say(w.stderr, "已写入 %s（%d KB） written\n", file, (len(got.body)+1023)>>10)
	if n := got.header.Get("Paper-Skipped"); n != "" && n != "0" {
		say(w.stderr, "另有 %s 份不再有效（已撤销、注销、暂停）或流水码已作废，未打印 (left out)\n", n)
	}
	for _, code := range strings.Split(got.header.Get("Paper-Warning"), ", ") {
		if text := printWarnings[code]; text != "" && warn {
			say(w.stderr, "注意：%s\n", text)
		}
	}
	return strings.Contains(got.header.Get("Link"), `rel="next"`), nil
}

func printCalibrate(w world) *cobra.Command {
	var f printFlags
	var data dataFlags
	var fonts []string
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "打印套打校准页 (a page that shows where the printer prints)",
		Long: `calibrate 生成一页校准页：边缘有毫米标尺，每个字段位置有框和十字。先用普通纸打印，与空白证书叠放
对光比较；整体偏差填入 --offset，个别字段的偏差改版式文件（数据目录 rules/blanks/*.yaml）。

It needs no server: the layout comes from the data directory or from the product.`,
		Example: `  bajigong print calibrate -o 校准.pdf
  bajigong print calibrate --blank my-blank --offset 0.5,-1 -o 校准.pdf`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if f.output == "" {
				return usageError{errors.New("请用 -o 指定输出文件 (name the file to write with -o)")}
			}
			shift, err := parseOffset(f.offset)
			if err != nil {
				return err
			}
			rules, err := loadRules(data.rules())
			if err != nil {
				return err
			}
			var blank *paper.Blank
			var ids []string
			for _, b := range rules.Blanks.All() {
				ids = append(ids, b.ID)
				if b.ID == f.blank {
					blank = &b
				}
			}
			if blank == nil {
				return fail.New(fail.NotFound, "no_blank", "there is no layout %s; there are %s, and your own in rules/blanks", f.blank, strings.Join(slices.Compact(ids), ", ")).
					In("没有版式 %s；现有 %s，自有版式放在数据目录 rules/blanks", f.blank, strings.Join(slices.Compact(ids), "、"))
			}
			chain, warnings, err := openFonts(fonts)
			if err != nil {
				return err
			}
			_ = warnings // the page is not a certificate
			var out bytes.Buffer
			if err := paper.Calibration(&out, chain, *blank, shift); err != nil {
				return err
			}
			if err := writeFile(f.output, out.Bytes(), 0o644); err != nil {
				return err
			}
			say(w.stderr, "已写入 %s；请按 100%% 打印 (written; print it at 100 %%)\n", f.output)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "输出的 PDF 文件 (PDF file to write)")
	flags.StringVar(&f.blank, "blank", "blank-sample", "套打版式编号 (id of the layout)")
	flags.StringVar(&f.offset, "offset", "", "整体偏移 X,Y 毫米，右、下为正 (offset in mm, right and down)")
	flags.StringSliceVar(&fonts, "font", nil, "字体文件 .ttf，可多次；不填则自动查找 (font files; found when absent)")
	data.add(flags, w)
	return cmd
}

func printFonts(w world) *cobra.Command {
	var fonts []string
	var text string
	cmd := &cobra.Command{
		Use:   "fonts",
		Short: "查看可用于打印的字体 (the fonts there are to print with)",
		Long: `fonts 列出打印时按次序使用的字体，并检查 --text 中的字是否都有。字体在服务器配置 config.json 的
fonts 中指定（TrueType，.ttf）；不指定则在本机查找，仿宋优先。

The chain of fonts in its order, and whether it has every character of --text.`,
		Example: `  bajigong print fonts --text 𬭎𠮷
  bajigong print fonts --font simfang.ttf --font 全宋体.ttf`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			chain, warnings, err := openFonts(fonts)
			if err != nil {
				return err
			}
			for i, name := range chain.Names() {
				say(w.stdout, "%d  %s\n", i+1, name)
			}
			for _, t := range warnings {
				say(w.stderr, "注意：%s\n%s\n", t.ZH, t.EN)
			}
			missing := chain.Missing(text)
			if len(missing) == 0 {
				return nil
			}
			var all []string
			for _, r := range missing {
				all = append(all, fmt.Sprintf("%U %c", r, r))
			}
			return fail.New(fail.Invalid, "glyph_missing", "the fonts have no %s", strings.Join(all, ", ")).In("字体中没有字符 %s；请追加含有该字的 TrueType 字体", strings.Join(all, "，"))
		},
	}
	cmd.Flags().StringSliceVar(&fonts, "font", nil, "字体文件 .ttf，可多次；不填则自动查找 (font files; found when absent)")
	cmd.Flags().StringVar(&text, "text", "", "要检查的文字，例如姓名 (characters to look for)")
	return cmd
}
