package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"bajigong/internal/fail"
)

// config is config.json in the data directory: what init was told. The struct is
// its documentation.
type config struct {
	// Origin is the address in every QR code. It cannot change: codes are on paper.
	Origin string `json:"origin"`
	// Region is the GB/T 2260 code of the authority that runs the register.
	Region string `json:"region"`
	// OperatorZH and OperatorEN are who runs it, as pages name it.
	OperatorZH string `json:"operator_zh"`
	OperatorEN string `json:"operator_en"`
	// LogOrigin is the name of the audit log after a new one was started
	// (audit new-origin); the host of Origin with /log when empty.
	LogOrigin string `json:"log_origin,omitempty"`
	// Footer is what government sites must show; empty members are left out.
	Footer footer `json:"footer,omitzero"`
	// TrustedProxies are the networks of the reverse proxies in front, such as
	// 127.0.0.1/32: only their X-Forwarded-For is believed when requests are
	// counted by address.
	TrustedProxies []netip.Prefix `json:"trusted_proxies,omitempty"`
	// Metrics serves /metrics; keep that path inside one's own network.
	Metrics bool `json:"metrics,omitempty"`
}

// footer is what government sites show at the end of a page.
type footer struct {
	Sponsor       string `json:"sponsor,omitempty"` // 主办单位
	SponsorEN     string `json:"sponsor_en,omitempty"`
	ICP           string `json:"icp,omitempty"`            // ICP备案号
	Police        string `json:"police,omitempty"`         // 公网安备号
	Phone         string `json:"phone,omitempty"`          // 12333 when empty
	NationalQuery string `json:"national_query,omitempty"` // the national look-up when empty
	Report        string `json:"report,omitempty"`         // where forgeries are reported: https:, mailto: or tel:
}

// dataFlags are the flags of every command that works on a store of this machine.
type dataFlags struct {
	dir   string
	store string
}

func (f *dataFlags) add(flags *pflag.FlagSet, w world) {
	dir := w.env("BAJIGONG_DATA")
	if dir == "" {
		dir = "bajigong-data"
	}
	flags.StringVar(&f.dir, "data", dir, "数据目录：config.json、keys/、rules/、store.db (data directory; also BAJIGONG_DATA)")
	flags.StringVar(&f.store, "store", w.env("BAJIGONG_STORE"), "bbolt 文件路径或 postgres://… (default DATA/store.db; also BAJIGONG_STORE)")
}

func (f *dataFlags) keys() string   { return filepath.Join(f.dir, "keys") }
func (f *dataFlags) config() string { return filepath.Join(f.dir, "config.json") }

// rules is the folder of the operator's own rule files, see registry.Rules.With.
func (f *dataFlags) rules() string { return filepath.Join(f.dir, "rules") }

func (f *dataFlags) storePath() string {
	if f.store != "" {
		return f.store
	}
	return filepath.Join(f.dir, "store.db")
}

func loadConfig(path string) (config, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, fail.New(fail.NotFound, "no_data", "there is no register in %s; make one with `bajigong init`, or name another with --data", filepath.Dir(path)).
			In("%s 中没有登记系统；请先运行 bajigong init，或用 --data 指定目录", filepath.Dir(path))
	}
	if err != nil {
		return config{}, err
	}
	var c config
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return config{}, fail.New(fail.Invalid, "config", "%s: %v", path, err).In("配置文件 %s 有误：%v", path, err)
	}
	return c, nil
}

// saveConfig replaces the configuration. A crash leaves the old one or the new
// one whole.
func saveConfig(path string, c config) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
