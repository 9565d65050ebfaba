package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
)

// world is what a command may touch of the machine. The clock and randomness
// enter the program here and nowhere else.
type world struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string
	now    func() time.Time
	rand   io.Reader
}

func system() world {
	return world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv, now: time.Now, rand: rand.Reader}
}

// Exit codes, for scripts. A certificate that is not valid and a claim that is
// refused are answers, with codes of their own.
const (
	exitOK        = 0
	exitNo        = 1 // answered, and the answer is no: not valid, refused, problems found
	exitUsage     = 2 // the command line is wrong
	exitInvalid   = 3 // the input is wrong
	exitDenied    = 4 // no key, or not allowed
	exitNotFound  = 5
	exitConflict  = 6
	exitTemporary = 7 // try again: the store or server is busy or away
	exitInternal  = 8
)

// exitCodes has every kind of error; a test holds it.
var exitCodes = map[fail.Kind]int{
	fail.Invalid: exitInvalid, fail.TooLarge: exitInvalid,
	fail.Unauthorized: exitDenied, fail.Forbidden: exitDenied,
	fail.NotFound: exitNotFound, fail.Conflict: exitConflict,
	fail.RateLimited: exitTemporary, fail.Unavailable: exitTemporary,
	fail.Internal: exitInternal,
}

// errNo is how a command says that its answer is no. What there is to say has
// been printed.
var errNo = errors.New("the answer is no")

// usageError marks a mistake on the command line.
type usageError struct{ error }

func run(ctx context.Context, args []string, w world) int {
	root := newRoot(w)
	root.SetArgs(args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNo):
		return exitNo
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"):
		fmt.Fprintf(w.stderr, "bajigong: %v\n", err)
		return exitUsage
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(w.stderr, "bajigong: 已中断；已保存的部分可以继续 (interrupted; what was saved can be continued)")
		return exitTemporary
	}
	printError(w.stderr, err)
	return exitCodes[fail.KindOf(err)]
}

// printError says what went wrong in both languages, each field on a line.
func printError(out io.Writer, err error) {
	e := fail.Of(err)
	if e.ZH != "" {
		fmt.Fprintf(out, "错误：%s\n", e.ZH)
	}
	fmt.Fprintf(out, "error: %s (%s)\n", e.Text, e.Code)
	for i, f := range e.Fields {
		if i == 50 {
			fmt.Fprintf(out, "  … 另有 %d 处 (%d more)\n", len(e.Fields)-i, len(e.Fields)-i)
			break
		}
		where := f.Name
		if f.Row > 0 {
			where = fmt.Sprintf("第 %d 行 %s", f.Row, f.Name)
		}
		fmt.Fprintf(out, "  %s：%s — %s\n", where, f.ZH, f.EN)
	}
	if e.Kind == fail.Internal {
		// On the command line the reader is the operator: the cause helps.
		fmt.Fprintf(out, "cause: %v\n", err)
	}
}

func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:   "bajigong",
		Short: "职业技能证书登记系统 — the register of skill certificates",
		Long: `bajigong 是职业技能等级证书（新八级工）的登记、查验与补贴防重系统。
bajigong is the register of China's skill certificates: institutions issue,
anybody verifies, subsidy offices never pay twice.

  bajigong demo                 show everything, on invented people
  bajigong init --origin https://zs.example.gov.cn --region 320000 --code js
  bajigong serve                serve what init made
  bajigong verify CODE          check a certificate, with or without a server`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(commands(w)...)
	return root
}

// version is what this program was built from: the version of its module, which has the
// time and the commit where there is no release, and that of Go.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

// exactly wraps cobra's count of arguments as a usage error.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}
