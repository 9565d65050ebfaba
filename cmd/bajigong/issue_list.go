package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/standards"
)

func issueList(w world, server *serverFlags) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list SESSION",
		Short: "列出批次的证书 (list a session's certificates)",
		Long: `list 列出一个批次已发布的证书，按成绩表的行序。--csv 另存为表格（UTF-8，可用 Excel
打开），含二维码内容，可直接用于印制。文件含个人信息，只有本人可读（0600）。

--csv writes a file for the printer, with the text of each QR code. It holds
personal data and is readable by its owner only.`,
		Example: `  bajigong issue list s-…
  bajigong issue list s-… --csv 证书.csv`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var all []registry.Issued
			err = pages(cmd.Context(), c, sessionPath(args[0], "certificates"), nil, func(page []registry.Issued) error {
				all = append(all, page...)
				return nil
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(w.stdout, all)
			case file != "":
				return writeCertificates(w, file, all)
			}
			rows := [][]string{{"行 row", "证书编号 number", "姓名 name", "证件号码 document", "等级 level", "状态 status"}}
			for _, i := range all {
				rows = append(rows, []string{fmt.Sprint(i.Row), credentials.GroupNumber(i.Number), i.Name, i.Document, i.Level.Certificate(), statusName(i.Status)})
			}
			table(w.stdout, rows)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "csv", "", "另存为 CSV 文件；扩展名为 .xlsx 则为工作簿 (write a CSV file, or a workbook when its name ends in .xlsx)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// statusNames are a certificate's statuses as officials say them.
var statusNames = map[registry.CertificateStatus]string{
	registry.CertificateValid: "有效", registry.CertificateSuspended: "核查中", registry.CertificateCancelled: "已注销", registry.CertificateVoided: "已撤销",
}

func statusName(s registry.CertificateStatus) string {
	return strings.TrimSpace(statusNames[s] + " " + string(s))
}

// writeCertificates writes a file for spreadsheets: a workbook when its name ends
// in .xlsx, CSV otherwise.
func writeCertificates(w world, file string, all []registry.Issued) error {
	t := sheet.Table{Name: "证书", Header: []string{"行", "证书编号", "姓名", "证件号码", "职业编码", "职业", "工种", "等级", "发证日期", "评价机构", "状态", "二维码内容"},
		Rows: func(yield func([]string) bool) {
			for _, i := range all {
				if !yield([]string{fmt.Sprint(i.Row), i.Number, i.Name, i.Document, i.Occupation, i.OccupationName, i.TradeName,
					i.Level.Certificate(), string(i.Issued), i.InstitutionName, string(i.Status), i.QR}) {
					return
				}
			}
		}}
	var b bytes.Buffer
	write := sheet.WriteCSV
	if strings.EqualFold(filepath.Ext(file), ".xlsx") {
		write = func(w io.Writer, t sheet.Table) error { return sheet.WriteXLSX(w, t) }
	}
	if err := write(&b, t); err != nil {
		return err
	}
	if err := writeFile(file, b.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(w.stderr, "已写入 %s：%d 份证书 (%d certificates)\n", file, len(all), len(all))
	return nil
}

func issueQR(w world, server *serverFlags) *cobra.Command {
	var file string
	var scale int
	cmd := &cobra.Command{
		Use:   "qr NUMBER",
		Short: "生成一份证书的二维码 (draw the QR code of a certificate)",
		Long: `qr 生成证书当前版本的二维码。按 -o 的扩展名输出 PNG 或 SVG；不写 -o 则在终端显示。
印制时每个模块不小于 0.4 毫米，四周留白不要裁掉。

Print it with modules of at least 0.4 mm and leave its quiet zone. Without -o it is
drawn in the terminal.`,
		Example: `  bajigong issue qr S000032058300253000001 -o 证书.svg
  bajigong issue qr 'S 0000 32 058300 25 3 000001' -o 证书.png`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := strings.ToLower(filepath.Ext(file))
			if file != "" && kind != ".png" && kind != ".svg" {
				return usageError{fmt.Errorf("-o 的扩展名应为 .png 或 .svg (the file name ends in .png or .svg)")}
			}
			n, err := standards.ParseNumber(args[0])
			if err != nil {
				return err
			}
			if n.Personal() { // it has an identity number in it, which must not get into addresses
				return fail.New(fail.Invalid, "no_qr", "certificates with this kind of number have no QR code of this register").In("此类编号的证书没有本系统的二维码")
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var i registry.Issued
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: "/api/v1/certificates/" + url.PathEscape(n.Text)}, nil, &i); err != nil {
				return err
			}
			if i.QR == "" {
				return fail.New(fail.NotFound, "no_qr", "this certificate was issued elsewhere and has no QR code of this register").In("该证书由其他系统发放，没有本系统的二维码")
			}
			return drawQR(w, i.QR, file, kind, scale)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "输出文件 .png 或 .svg (file to write)")
	cmd.Flags().IntVar(&scale, "scale", 8, "PNG 每个模块的像素 (pixels per module)")
	return cmd
}

func drawQR(w world, text, file, kind string, scale int) error {
	image, err := credentials.NewImage(text)
	if err != nil {
		return err
	}
	b := []byte(image.Terminal() + "\n")
	switch kind {
	case "":
		_, err = w.stdout.Write(b)
		return err
	case ".svg":
		b = image.SVG()
	default:
		if b, err = image.PNG(scale); err != nil {
			return err
		}
	}
	if err := writeFile(file, b, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(w.stderr, "已写入 %s（版本 %d，每边 %d 个模块） (QR version %d)\n", file, image.Version(), image.Modules(), image.Version())
	return nil
}
