package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry"
	"bajigong/standards"
)

// classificationMax is the size limit of a classification file.
const classificationMax = 16 << 20

func occupationsCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "occupations",
		Short: "职业分类：导入、列出、查看 (the classification of occupations)",
		Long: `occupations 管理国家职业分类大典中的职业。程序自带约三十个常见认定职业的工种、
等级和合格线；其余职业由 import 导入名称。

The program brings about thirty commonly examined occupations with their trades,
levels and pass marks; import adds the names of all the others.`,
	}
	return group(cmd, occupationsImport(w), occupationsList(w), occupationsShow(w))
}

func occupationsImport(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "导入职业分类 (import the classification)",
		Long: `import 读取 UTF-8 的 CSV，列为
code,name,minor_code,minor_name,middle_code,middle_name,major_code,major_name，
空格和全角字符自动规整。有一行不合格则全部不导入，并逐行列出原因（退出码 3）。
已有的职业更新名称，不删除任何职业：证书指向它们。

A file with any bad row changes nothing: every bad row is named (exit code 3).
Importing the same file again changes nothing.`,
		Example: `  bajigong occupations import occupations-2022.csv --data /srv/bajigong`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readFile(args[0], classificationMax)
			if err != nil {
				return err
			}
			list, err := standards.ReadOccupations(strings.NewReader(string(b)))
			if err != nil {
				return err
			}
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			added, changed, err := importOccupations(cmd.Context(), w, reg.Registry, list)
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "共 %d 个职业：新增 %d，更新 %d，未变 %d (%d occupations: %d added, %d changed, %d as before)\n",
				len(list), added, changed, len(list)-added-changed, len(list), added, changed, len(list)-added-changed)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}

func importOccupations(ctx context.Context, w world, reg *registry.Registry, list []standards.Occupation) (added, changed int, err error) {
	p := newProgress(w, "导入 importing")
	defer p.end()
	const step = 500
	for start := 0; start < len(list); start += step {
		part := list[start:min(start+step, len(list))]
		a, c, err := reg.ImportOccupations(ctx, registry.Operator(), part)
		added, changed = added+a, changed+c
		if err != nil {
			return added, changed, err
		}
		p.show(start+len(part), len(list))
	}
	return added, changed, nil
}

// occupationSource is where occupations are read: a server, or the store of this
// machine.
type occupationSource struct {
	server serverFlags
	data   dataFlags
}

func (s *occupationSource) add(cmd *cobra.Command, w world) {
	s.server.addURL(cmd.Flags(), w)
	s.data.add(cmd.Flags(), w)
}

// each calls fn with every page of imported occupations.
func (s *occupationSource) each(ctx context.Context, w world, fn func([]standards.Occupation) error) error {
	if s.server.url != "" {
		c, err := s.server.client(w, false)
		if err != nil {
			return err
		}
		return pages(ctx, c, "/api/v1/occupations", nil, fn)
	}
	reg, err := s.data.open(ctx, w, newLog(w.stderr))
	if err != nil {
		return err
	}
	defer reg.Close()
	for page := (registry.Page{Limit: 500}); ; {
		list, next, err := reg.Occupations(ctx, page)
		if err != nil {
			return err
		}
		if err := fn(list); err != nil {
			return err
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

// one finds an occupation by its code. What the program brings itself needs
// neither server nor store.
func (s *occupationSource) one(ctx context.Context, w world, code string) (out standards.Occupation, err error) {
	if o, ok := standards.Starter().Occupation(code); ok {
		return o, nil
	}
	if s.server.url != "" {
		c, err := s.server.client(w, false)
		if err != nil {
			return out, err
		}
		_, err = c.call(ctx, ask{method: http.MethodGet, path: "/api/v1/occupations/" + url.PathEscape(code)}, nil, &out)
		return out, err
	}
	reg, err := s.data.open(ctx, w, newLog(w.stderr))
	if err != nil {
		return out, err
	}
	defer reg.Close()
	return reg.OccupationByCode(ctx, code)
}

func occupationsList(w world) *cobra.Command {
	var from occupationSource
	var starter bool
	var word string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出职业 (list occupations)",
		Long: `list 列出已导入的职业；--starter 列出程序自带的职业；--find 按编码前缀或名称筛选。
It lists what was imported; --starter lists what the program brings itself.`,
		Example: `  bajigong occupations list --starter
  bajigong occupations list --find 电工 --server https://zs.example.gov.cn
  bajigong occupations list --find 6-31 --data /srv/bajigong`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n := 0
			show := func(list []standards.Occupation) error {
				for _, o := range list {
					if word != "" && !strings.HasPrefix(o.Code, word) && !strings.Contains(o.Name, word) {
						continue
					}
					n++
					if _, err := fmt.Fprintln(w.stdout, printable(strings.TrimSpace(fmt.Sprintf("%s  %s  %s", o.Code, o.Name, o.Levels.Chinese())))); err != nil {
						return err
					}
				}
				return nil
			}
			var err error
			if starter {
				err = show(standards.Starter().Occupations())
			} else {
				err = from.each(cmd.Context(), w, show)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stderr, "%d 个职业 (%d occupations)\n", n, n)
			if n == 0 && word == "" {
				fmt.Fprintln(w.stderr, "尚未导入；请运行 bajigong occupations import FILE.csv，或加 --starter (nothing imported yet)")
			}
			return nil
		},
	}
	from.add(cmd, w)
	cmd.Flags().BoolVar(&starter, "starter", false, "程序自带的职业 (what the program brings)")
	cmd.Flags().StringVar(&word, "find", "", "编码前缀或名称中的字 (prefix of the code, or part of the name)")
	return cmd
}

func occupationsShow(w world) *cobra.Command {
	var from occupationSource
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show CODE",
		Short: "查看一个职业 (show one occupation)",
		Long: `show 列出一个职业的工种、等级、考核项目和合格线；未经来源核实的项目标为“示例”。
Values that no source confirms are marked as a sample.`,
		Example: `  bajigong occupations show 6-31-01-03`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := standards.ParseOccupationCode(args[0])
			if err != nil {
				return err
			}
			o, err := from.one(cmd.Context(), w, code)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, o)
			}
			printOccupation(w, o)
			return nil
		},
	}
	from.add(cmd, w)
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func printOccupation(w world, o standards.Occupation) {
	sample := func(field string) string {
		if o.IsSample(field) {
			return "（示例 sample）"
		}
		return ""
	}
	levels := o.Levels.Chinese()
	if o.Levels == 0 {
		levels = "目录中没有等级；本职业暂不能安排认定 (no levels known)"
	}
	fmt.Fprintln(w.stdout, printable(o.Code+" "+o.Name))
	pairs := [][2]string{
		{"大典版本 edition", o.Edition},
		{"大类 major", strings.TrimSpace(o.MajorCode + " " + o.MajorName)},
		{"中类 middle", strings.TrimSpace(o.MiddleCode + " " + o.MiddleName)},
		{"小类 minor", strings.TrimSpace(o.MinorCode + " " + o.MinorName)},
		{"等级 levels", levels + sample("levels")},
	}
	for _, t := range o.Trades {
		pairs = append(pairs, [2]string{"工种 trade " + t.ID, t.Name + "  " + t.Levels.Chinese() + sample("trades")})
	}
	today := standards.DateOf(w.now())
	for _, level := range o.Levels.Levels() {
		std, err := standards.Starter().Standard(o.Code, "", level, today)
		if err != nil {
			continue
		}
		var parts []string
		for _, p := range std.Parts[level] {
			parts = append(parts, fmt.Sprintf("%s ≥ %g", p.Name, p.Pass))
		}
		pairs = append(pairs, [2]string{level.Certificate(), strings.Join(parts, "，")})
	}
	facts(w.stdout, pairs...)
}
