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

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
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
	// Fonts are TrueType files (.ttf) to print with, the first that has a
	// character draws it; they are looked for on the machine when there are none.
	Fonts []string `json:"fonts,omitempty"`
	// Seals are PNG images of seals with a transparent ground, by institution id.
	Seals map[string]string `json:"seals,omitempty"`
	// WebhookNetworks are networks besides the public internet in which the
	// endpoints of payers may be, such as 10.20.0.0/16 of a government network.
	WebhookNetworks []netip.Prefix `json:"webhook_networks,omitempty"`
	// Backup is when and where servers make backups of the store.
	Backup backupConfig `json:"backup,omitzero"`
	// Witnesses cosign the checkpoints of the audit log: {"key": "name+hash+base64",
	// "url": "https://witness.example.org/prefix"} each, at most 16.
	Witnesses []registry.Witness `json:"witnesses,omitempty"`
	// WitnessNetworks are networks besides the public internet in which witnesses
	// may be.
	WitnessNetworks []netip.Prefix `json:"witness_networks,omitempty"`
}

// footer is what government sites show at the end of a page.
type footer struct {
	Sponsor       string `json:"sponsor,omitempty"` // 主办单位
	SponsorEN     string `json:"sponsor_en,omitempty"`
	ICP           string `json:"icp,omitempty"`            // ICP备案号
	Police        string `json:"police,omitempty"`         // 公网安备号
	SiteCode      string `json:"site_code,omitempty"`      // 政府网站标识码
	Phone         string `json:"phone,omitempty"`          // 12333 when empty
	NationalQuery string `json:"national_query,omitempty"` // the national look-up when empty
	Report        string `json:"report,omitempty"`         // where forgeries are reported: https:, mailto: or tel:
}

// dataFlags are the flags of every command that works on a store of this machine.
type dataFlags struct {
	dir        string
	store      string
	passphrase string // file
	keyFile    string
}

func (f *dataFlags) add(flags *pflag.FlagSet, w world) {
	f.addDir(flags, w)
	f.addOpener(flags, w)
	f.addStore(flags, w)
}

// addStore adds the store alone.
func (f *dataFlags) addStore(flags *pflag.FlagSet, w world) {
	flags.StringVar(&f.store, "store", w.env("BAJIGONG_STORE"), "bbolt 文件路径或 postgres://… (default DATA/store.db; also BAJIGONG_STORE)")
}

// addDir adds the directory alone, for what needs neither keys nor store.
func (f *dataFlags) addDir(flags *pflag.FlagSet, w world) {
	dir := w.env("BAJIGONG_DATA")
	if dir == "" {
		dir = "bajigong-data"
	}
	flags.StringVar(&f.dir, "data", dir, "数据目录：config.json、keys/、rules/、store.db (data directory; also BAJIGONG_DATA)")
}

// addOpener adds what opens an encrypted key ring.
func (f *dataFlags) addOpener(flags *pflag.FlagSet, w world) {
	flags.StringVar(&f.passphrase, "ring-passphrase-file", w.env("BAJIGONG_RING_PASSPHRASE_FILE"), "密钥库口令所在文件，- 为标准输入 (passphrase of an encrypted key ring; also BAJIGONG_RING_PASSPHRASE_FILE)")
	flags.StringVar(&f.keyFile, "ring-key-file", w.env("BAJIGONG_RING_KEY_FILE"), "打开密钥库的密钥文件 (key file of an encrypted key ring; also BAJIGONG_RING_KEY_FILE)")
}

// opener is what the flags say opens the key ring.
func (f *dataFlags) opener(w world) (credentials.Opener, error) {
	return readOpener(w, f.passphrase, f.keyFile)
}

func readOpener(w world, passphrase, keyFile string) (credentials.Opener, error) {
	switch {
	case passphrase != "" && keyFile != "":
		return credentials.Opener{}, usageError{fmt.Errorf("口令文件与密钥文件只能用一种 (a passphrase or a key file, not both)")}
	case passphrase != "":
		b, err := readSecret(w, passphrase)
		if err != nil {
			return credentials.Opener{}, err
		}
		return credentials.WithPassphrase(string(b))
	case keyFile != "":
		b, err := readSecret(w, keyFile)
		if err != nil {
			return credentials.Opener{}, err
		}
		return credentials.WithKeyFile(b)
	}
	return credentials.Opener{}, nil
}

// readSecret reads a file that only its owner may read, or the standard input.
func readSecret(w world, name string) ([]byte, error) {
	if name != "-" {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			return nil, fail.New(fail.Forbidden, "secret_open_to_others", "%s can be read by others than its owner; run: chmod 600 %s", name, name).
				In("%s 可被其他用户读取；请执行 chmod 600 %s", name, name)
		}
	}
	return readInput(w, name, 4096)
}

func (f *dataFlags) openKeys(w world) (*credentials.KeyRing, error) {
	with, err := f.opener(w)
	if err != nil {
		return nil, err
	}
	return credentials.OpenKeyRing(f.keys(), with)
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
