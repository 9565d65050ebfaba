package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

func importCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "历史数据：导入以前备案的机构、以前颁发的证书、以前发放的补贴 (take over the past)",
		Long: `import 把本系统启用前的机构备案、证书和补贴发放台账导入登记系统，按此顺序：

  1. institutions  以前备案的机构，一行一个备案职业（工种）
  2. certificates  以前颁发的证书，即上报全国联网查询的 11 列
  3. payments      以前发放的补贴，一行一笔

每一行都有去向：导入、已存在、冲突、不符；已在系统中的数据绝不覆盖。导入的证书标明
来源“imported”，不认定发证时的资格。先用 --dry-run 看结果，改好后再导入；中断后重新
执行同一命令即可继续，重复执行不会重复导入。

It takes institutions, certificates and payments of the time before this register. Every row
of a file ends in one bucket: imported, already there, collision or refused; what is
in the register is never overwritten. Entitlement is not asserted. An interrupted
import goes on when the same command is run again.`,
		Example: `  bajigong import institutions 机构.csv --dry-run
  bajigong import institutions 机构.csv
  bajigong import certificates 证书.csv --report 报告.json
  bajigong import payments 台账.xlsx --payer 人社局 --region 320583 --fund skill_uplift`,
	}
	return group(cmd, importInstitutions(w), importCertificates(w), importPayments(w))
}

func importInstitutions(w world) *cobra.Command {
	cmd := importFile(w, registry.PastInstitutions, (*registry.Registry).ImportInstitutions)
	cmd.Short = "导入以前备案的机构 (institutions filed before)"
	cmd.Long = `institutions 读取 CSV（UTF-8 或 GB18030），表头：
机构名称,统一社会信用代码,行政区划,机构类别,评价机构代码,省级代码,机构序列码,备案机关,备案文号,备案开始日期,备案截止日期,职业名称[,职业编码],工种,等级

一行一个备案职业或工种；同一机构、同一编码、同一有效期的各行合为一项备案，其中一行
有误则整项不导入。等级可写“五级、四级、三级”或“五级至三级”。已到期的备案也可导入；
记录时间是现在，不认定以前的资格。机构已在册的，只补新的备案；名称不同会列出，不更改。

The rows of one filing are taken together or not at all. Filings that have expired
are taken too; they count as recorded now.

退出码 0：无冲突、无不符；1：有冲突或不符的行，其余已导入 (exit code 1: some rows
collided or were refused, all others were imported).`
	cmd.Example = `  bajigong import institutions 机构.csv --dry-run --data /srv/bajigong
  bajigong import institutions 机构.csv --report 报告.json --data /srv/bajigong`
	return cmd
}

func importCertificates(w world) *cobra.Command {
	cmd := importFile(w, registry.PastCertificates, (*registry.Registry).ImportCertificates)
	cmd.Short = "导入以前颁发的证书 (certificates issued before)"
	cmd.Long = `certificates 读取 CSV（UTF-8 或 GB18030，行数不限），表头：
姓名,证件类型,证件号码,所在单位,职业名称,工种名称,职业技能等级,证书编号,发证日期,评价机构,发证机构[,职业编码][,取得方式]

职业按名称查找；旧名称请加“职业编码”列写明现行编码。没有“取得方式”列则视为不清楚。
同一编号内容相同为已存在，内容不同为冲突；同一人、同一职业、同一等级、同一日期另有
编号的，导入并提示。按编码前段归入已备案的机构，不认定资格。

The file may have any number of rows; it is taken in pages, and the same command
goes on where an earlier one stopped. A row with the number of a certificate that is
there is compared with it and never overwrites it.

退出码 0：无冲突、无不符；1：有冲突或不符的行，其余已导入 (exit code 1: some rows
collided or were refused, all others were imported).`
	cmd.Example = `  bajigong import certificates 证书.csv --dry-run --data /srv/bajigong
  bajigong import certificates 证书.csv --report 报告.json --data /srv/bajigong`
	return cmd
}

func importPayments(w world) *cobra.Command {
	var ledger registry.PaymentLedger
	var fund string
	cmd := importFile(w, registry.PastPayments, func(r *registry.Registry, ctx context.Context, by registry.Actor, in registry.PastFile) (registry.PastReport, error) {
		ledger.PastFile, ledger.Fund = in, ""
		if fund != "" {
			var err error
			if ledger.Fund, err = policy.ParseFund(fund); err != nil {
				return registry.PastReport{}, err
			}
		}
		return r.ImportPayments(ctx, by, ledger)
	})
	cmd.Short = "导入以前发放的补贴 (payments made before)"
	cmd.Long = `payments 读取补贴发放台账（XLSX，或 UTF-8、GB18030 的 CSV，行数不限），表头：
姓名,证件类型,证件号码,发放日期,发放金额[,证书编号][,职业名称][,职业编码][,工种名称][,等级]
[,发证日期][,资金类别][,补贴经办机构][,行政区划][,支付流水号]

一行一笔，自2017年起。系统中有该证书的，职业和等级取自证书；没有的，请填写职业和等级。
各行相同的经办机构、区划、资金类别可用 --payer、--region、--fund 给出。导入的发放记录即
为“已确认发放”，从此计入重复和次数核对；与当时政策不符的形成“重复发放线索”，由两人
核查处理，不会自动追回。

Each row is one payment and becomes a confirmed claim that counts from then on. What a
policy of its time stood against becomes a collision for review.

退出码 0：无冲突、无不符；1：有冲突或不符的行，其余已导入 (exit code 1: some rows
collided or were refused, all others were imported).`
	cmd.Example = `  bajigong import payments 台账.xlsx --payer 人社局 --region 320583 --fund skill_uplift --dry-run --data /srv/bajigong
  bajigong import payments 台账.xlsx --payer 人社局 --region 320583 --fund skill_uplift --report 报告.json --data /srv/bajigong`
	cmd.Flags().StringVar(&ledger.Payer, "payer", "", "补贴经办机构在本地区内的简称，与账号一致 (short name of the payer, as its account has it)")
	cmd.Flags().StringVar(&ledger.Region, "region", "", "补贴经办机构的行政区划代码；不填则为本系统的 (region of the payer)")
	cmd.Flags().StringVar(&fund, "fund", "", "资金类别代码或名称，例如 skill_uplift (kind of fund)")
	return cmd
}

type importer func(*registry.Registry, context.Context, registry.Actor, registry.PastFile) (registry.PastReport, error)

func importFile(w world, kind registry.PastKind, run importer) *cobra.Command {
	var data dataFlags
	var dry bool
	var path string
	cmd := &cobra.Command{
		Use:  string(kind) + " FILE.csv",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return fail.New(fail.NotFound, "no_file", "there is no file %s", args[0]).In("没有文件 %s", args[0])
			}
			if err != nil {
				return err
			}
			defer file.Close()
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			out, err := newImportReport(w, path)
			if err != nil {
				return err
			}
			p := newProgress(w, "导入 importing")
			report, err := run(reg.Registry, cmd.Context(), registry.Operator(), registry.PastFile{File: file, DryRun: dry, Finding: out.finding, Progress: p.show})
			p.end()
			if report.Kind != "" {
				err = errors.Join(err, out.end(report))
			} else {
				out.drop()
			}
			if err != nil {
				return err
			}
			return printPast(w, report)
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "只检查，不保存 (judge every row and store nothing)")
	cmd.Flags().StringVar(&path, "report", "", "报告写入此 JSON 文件；不填则逐行列在标准输出 (write the report to this file; otherwise findings are lines on stdout)")
	return cmd
}

// printPast says what became of the file, and that the answer is no when some of
// it was not taken.
func printPast(w world, r registry.PastReport) error {
	what := "已导入 imported"
	if r.DryRun {
		what = "试导入，未保存 (dry run, nothing stored)"
	}
	facts(w.stderr, [2]string{"结果 result", what}, [2]string{"文件 sha256", r.SHA256}, [2]string{"行数 rows", fmt.Sprint(r.Rows)},
		[2]string{"导入 imported", fmt.Sprint(r.Imported)}, [2]string{"已存在 already there", fmt.Sprint(r.AlreadyThere)},
		[2]string{"冲突 collisions", fmt.Sprint(r.Collisions)}, [2]string{"不符 refused", fmt.Sprint(r.Refused)},
		[2]string{"其中待核对 flagged", fmt.Sprint(r.Flagged)})
	if !r.Balanced() {
		return fail.New(fail.Internal, "import_unbalanced", "%d rows ended in a bucket, the file has %d", r.Counts.Rows(), r.Rows).
			In("各类合计 %d 行，文件 %d 行，不相符", r.Counts.Rows(), r.Rows)
	}
	if r.Collisions+r.Refused > 0 {
		return errNo
	}
	return nil
}

// importReport writes findings as they come: to a file, or as lines for people.
// A file appears under its name only when it is whole.
type importReport struct {
	w    world
	path string
	file *os.File
	out  *bufio.Writer
	n    int
}

func newImportReport(w world, path string) (*importReport, error) {
	r := &importReport{w: w, path: path}
	if path == "" {
		r.out = bufio.NewWriter(w.stdout)
		return r, nil
	}
	var err error
	if r.file, err = os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, fail.New(fail.Invalid, "report", "the report cannot be written: %v", err).In("无法写入报告：%v", err)
	}
	r.out = bufio.NewWriter(r.file)
	_, err = io.WriteString(r.out, "{\"findings\":[")
	return r, err
}

var bucketWords = map[registry.Bucket]string{registry.BucketImported: "已导入，请核对 imported", registry.BucketThere: "已存在，请核对 already there",
	registry.BucketCollision: "冲突 collision", registry.BucketRefused: "不符 refused"}

func (r *importReport) finding(f registry.Finding) error {
	if r.path == "" {
		for _, x := range f.Faults {
			x.Row = f.Row
			if _, err := fmt.Fprintf(r.out, "[%s] %s\n", bucketWords[f.Bucket], fieldLine(x)); err != nil {
				return err
			}
		}
		return nil
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if r.n++; r.n > 1 {
		r.out.WriteByte(',')
	}
	r.out.WriteByte('\n')
	_, err = r.out.Write(b)
	return err
}

func (r *importReport) end(p registry.PastReport) error {
	if r.path == "" {
		return r.out.Flush()
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	// The report's own members follow the findings in the same object.
	r.out.WriteString("\n],\n")
	r.out.Write(b[1:])
	r.out.WriteByte('\n')
	if err := errors.Join(r.out.Flush(), r.file.Sync(), r.file.Close()); err != nil {
		return fmt.Errorf("report %s: %w", r.path, err)
	}
	return os.Rename(r.path+".new", r.path)
}

// drop leaves no report of a file that was refused as a whole.
func (r *importReport) drop() {
	if r.file != nil {
		_ = r.file.Close() // nothing in it is wanted
		_ = os.Remove(r.path + ".new")
	}
}
