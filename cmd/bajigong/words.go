package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/text/width"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// columns is how many columns of a terminal a text takes: Chinese characters
// take two.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

func padded(s string, to int) string {
	return s + strings.Repeat(" ", max(to-columns(s), 0))
}

// printable takes out what could steer a terminal: texts come from files and from
// servers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// say writes to out what comes from elsewhere: every text among args is made
// printable.
func say(out io.Writer, format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = printable(text)
		}
	}
	fmt.Fprintf(out, format, args...)
}

// facts writes labels and values below each other; what has no value is left out.
func facts(out io.Writer, pairs ...[2]string) {
	widest := 0
	for _, p := range pairs {
		if p[1] != "" {
			widest = max(widest, columns(p[0]))
		}
	}
	for _, p := range pairs {
		if p[1] != "" {
			fmt.Fprintf(out, "  %s  %s\n", padded(p[0], widest), printable(p[1]))
		}
	}
}

// table writes rows in columns, the first row as a header.
func table(out io.Writer, rows [][]string) {
	var widest []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widest) {
				widest = append(widest, 0)
			}
			widest[i] = max(widest[i], columns(cell))
		}
	}
	for _, row := range rows {
		var s strings.Builder
		for i, cell := range row {
			s.WriteString(padded(printable(cell), widest[i]+2))
		}
		fmt.Fprintln(out, strings.TrimRight(s.String(), " "))
	}
}

// stamp is a time as people here read it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(standards.Zone).Format("2006-01-02 15:04:05")
}

// ago says how old something is, in both languages.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return fmt.Sprintf("%s 之后 (in the future)", (-d).Round(time.Second))
	case d < time.Minute:
		return fmt.Sprintf("%d 秒前 (%d s old)", int(d.Seconds()), int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d 分钟前 (%d min old)", int(d.Minutes()), int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d 小时前 (%d h old)", int(d.Hours()), int(d.Hours()))
	}
	return fmt.Sprintf("%d 天前 (%d days old)", int(d.Hours()/24), int(d.Hours()/24))
}

func printJSON(out io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(b, '\n'))
	return err
}

// fieldLine says what is wrong in one place of the input.
func fieldLine(f fail.Field) string {
	where := f.Name
	if f.Row > 0 {
		where = strings.TrimSpace(fmt.Sprintf("第 %d 行 %s", f.Row, f.Name))
	}
	return printable(fmt.Sprintf("%s：%s — %s", where, f.ZH, f.EN))
}

// group makes a command that only has subcommands: alone it shows its help, and
// a word that names none of them is a mistake on the command line.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	var names []string
	for _, c := range subs {
		names = append(names, c.Name())
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("%s 没有子命令 %q，可用的有 (no such command; there are): %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// required marks flags without which a command is not complete; leaving one out
// is a mistake on the command line.
func required(cmd *cobra.Command, names ...string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var missing []string
		for _, name := range names {
			if !cmd.Flags().Changed(name) {
				missing = append(missing, "--"+name)
			}
		}
		if len(missing) > 0 {
			return usageError{fmt.Errorf("缺少 %s (missing)\n用法 usage: %s", strings.Join(missing, " "), cmd.UseLine())}
		}
		return nil
	}
}
