package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// Commands that ask the server one thing and print what it answers.

// shown sends a request and prints the answer: as JSON, or by print.
func shown[T any](cmd *cobra.Command, w world, server *serverFlags, a ask, in any, asJSON bool, print func(world, T)) (out T, err error) {
	c, err := server.client(w, true)
	if err != nil {
		return out, err
	}
	if _, err := c.call(cmd.Context(), a, in, &out); err != nil {
		return out, err
	}
	if asJSON {
		return out, printJSON(w.stdout, out)
	}
	print(w, out)
	return out, nil
}

// setAll sets what is not empty.
func setAll(query url.Values, values map[string]string) {
	for name, value := range values {
		if value != "" {
			query.Set(name, value)
		}
	}
}

// listed reads a list to its end and prints it: as JSON, or as a table, or that it
// is empty.
func listed[T any](cmd *cobra.Command, w world, c *client, path string, query url.Values, asJSON bool, head []string, row func(T) []string) error {
	all, rows := []T{}, [][]string{head}
	err := pages(cmd.Context(), c, path, query, func(page []T) error {
		for _, v := range page {
			all, rows = append(all, v), append(rows, row(v))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(w.stdout, all)
	case len(all) == 0:
		fmt.Fprintln(w.stdout, "没有 (none)")
		return nil
	}
	table(w.stdout, rows)
	return nil
}

// opinion is what the second person says.
type opinion struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"`
}

// secondPerson makes the command by which another account approves or rejects what
// waits at path, and prints what it stands at then. of are the words before the
// command's own, what names the argument, and why is an example of a reason to reject.
func secondPerson[T any](w world, server *serverFlags, of, what, example, why, long string, approve bool, path func(id, step string) string, print func(world, T)) *cobra.Command {
	in := opinion{Approve: approve}
	var asJSON bool
	do, short := "approve", "复核同意 (approve, as the second person)"
	if !approve {
		do, short = "reject", "不同意，或由提出人撤回 (reject; its proposer withdraws it)"
	}
	cmd := &cobra.Command{
		Use: do + " " + what, Short: short, Long: do + " " + long, Example: "  bajigong " + of + " " + do + " " + example, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := shown(cmd, w, server, ask{method: http.MethodPost, path: path(args[0], "/decision")}, in, asJSON, print)
			return err
		},
	}
	if !approve {
		cmd.Example += " --reason " + why
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "理由，不同意时必填，不得含个人信息 (reason; needed to reject)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}
