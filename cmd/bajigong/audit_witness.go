package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry/auditlog"
)

// witnessFlags say whose cosignatures a checkpoint must have.
type witnessFlags struct {
	vkeys  []string
	quorum int
	cmd    *cobra.Command
}

func (f *witnessFlags) add(cmd *cobra.Command) {
	f.cmd = cmd
	cmd.Flags().StringArrayVar(&f.vkeys, "witness", nil, "见证方公钥，或存有公钥的文件；可写多次 (public key of a witness, or a file with it)")
	cmd.Flags().IntVar(&f.quorum, "quorum", 0, "至少须有几个见证方签署；不写为全部 (how many witnesses must have cosigned; all of them by default)")
}

// keys are the witnesses' keys, each once.
func (f *witnessFlags) keys() ([]auditlog.WitnessKey, error) {
	var vkeys []string
	for _, v := range f.vkeys {
		if strings.Count(v, "+") >= 2 {
			vkeys = append(vkeys, v)
			continue
		}
		b, err := readFile(v, 64<<10)
		if err != nil {
			return nil, err
		}
		vkeys = append(vkeys, strings.Fields(string(b))...)
	}
	keys, err := auditlog.ParseWitnessKeys(vkeys...)
	if err != nil {
		return nil, err
	}
	if f.cmd.Flags().Changed("quorum") && (f.quorum < 1 || f.quorum > len(keys)) {
		return nil, usageError{fmt.Errorf("--quorum 应为 1 至见证方个数 %d (--quorum is 1 to the number of witnesses, %d)", len(keys), len(keys))}
	}
	return keys, nil
}

// needed is how many must have cosigned.
func (f *witnessFlags) needed(keys []auditlog.WitnessKey) int {
	if f.quorum > 0 {
		return f.quorum
	}
	return len(keys)
}

func printCosigned(w world, asked []auditlog.WitnessKey, got []auditlog.Cosignature) {
	if len(asked) == 0 {
		return
	}
	pairs := [][2]string{{"见证 witnesses", fmt.Sprintf("%d / %d", len(got), len(asked))}}
	for _, c := range got {
		pairs = append(pairs, [2]string{"签署 cosigned", c.Witness.Name() + "  " + stamp(c.Time)})
	}
	facts(w.stdout, pairs...)
}
