package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// verifyFlags say with what a certificate is checked: a server, or files.
type verifyFlags struct {
	server    serverFlags
	bundle    string
	pin       string
	jwks      []string
	directory string
	statuses  []string
	asJSON    bool
}

func (f *verifyFlags) offline() bool { return f.bundle != "" || len(f.jwks) > 0 }

func verifyCommand(w world) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify IMAGE|FILE|TEXT|-",
		Short: "查验证书，联网或离线 (check a certificate, with or without a server)",
		Long: `verify 查验一份证书。IMAGE 为二维码的 PNG 或 JPEG 图片；TEXT 为二维码的完整内容、其中
的数字或令牌；FILE 为下载的电子凭证 (W3C VC, vc+jwt) 或含以上内容的文件；“-” 从标准输入
读取（内容含姓名，不想留在命令历史中时用它）。

  联网  --server：由登记系统答复现在是否有效
  离线  --bundle（先用 verify fetch 保存的目录或文件），或 --jwks 加 --directory、--status。
        离线只能证明当时如此发证；是否仍然有效，只能说到状态清单那一刻。
        没有状态清单时结论为“签名有效，未查状态”，退出码仍为 0。

Online the register answers. Offline, with saved keys, it proves that the
certificate was issued so; whether it is still good is known as of the status list.
Without one the sentence says "status not checked", with exit code 0.

Exit codes: 0 nothing speaks against it; 1 not valid; 3 nothing readable.`,
		Example: `  bajigong verify 证书.png --server https://zs.example.gov.cn
  bajigong verify fetch --server https://zs.example.gov.cn -o trust
  bajigong verify 证书.jpg --bundle trust
  bajigong verify 证书.jpg --bundle js.bundle --pin sha256:5f0c…
  zbarimg -q --raw 证书.png | bajigong verify - --jwks qr.json --jwks directory.json --directory directory.jws`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.offline() && cmd.Flags().Changed("server") {
				return usageError{errors.New("联网与离线只能选一种 (use --server, or files, not both)")}
			}
			if !f.offline() && (f.directory != "" || len(f.statuses) > 0) {
				return usageError{errors.New("离线查验还需要 --jwks 公钥文件 (--directory and --status need --jwks)")}
			}
			if f.pin != "" && f.bundle == "" {
				return usageError{errors.New("--pin 与 --bundle 合用 (--pin goes with --bundle)")}
			}
			text, err := scannedText(w, args[0])
			if err != nil {
				return err
			}
			if f.offline() {
				return verifyOffline(w, f, text)
			}
			if f.server.url == "" {
				return usageError{errors.New("用什么查验？联网用 --server，离线用 --bundle 或 --jwks (with what? --server, --bundle or --jwks)")}
			}
			return verifyOnline(cmd.Context(), w, f, text)
		},
	}
	flags := cmd.Flags()
	f.server.addURL(flags, w)
	flags.StringVar(&f.bundle, "bundle", "", "verify fetch 保存的目录或文件 (folder or file saved by verify fetch)")
	flags.StringVar(&f.pin, "pin", "", "公钥指纹，--bundle 中的公钥须与之相符 (fingerprint that the keys of the bundle must have)")
	flags.StringArrayVar(&f.jwks, "jwks", nil, "公钥文件，可多次；含 qr（电子凭证为 vc），核对目录和状态清单还需 directory、status (JWK sets)")
	flags.StringVar(&f.directory, "directory", "", "目录文件 directory.jws (signed directory)")
	flags.StringArrayVar(&f.statuses, "status", nil, "状态清单文件，可多次 (status lists)")
	flags.BoolVar(&f.asJSON, "json", false, "输出 JSON (print JSON)")
	cmd.AddCommand(verifyFetch(w))
	return cmd
}

var imageMagic = [][]byte{[]byte("\x89PNG\r\n\x1a\n"), []byte("\xff\xd8\xff")}

func isImage(b []byte) bool {
	for _, magic := range imageMagic {
		if bytes.HasPrefix(b, magic) {
			return true
		}
	}
	return false
}

// scannedText is what a QR code says, from a picture, a file, stdin, or the
// command line itself.
func scannedText(w world, arg string) (string, error) {
	var b []byte
	var err error
	switch info, missing := os.Stat(arg); {
	case arg == "-", missing == nil && !info.IsDir():
		if b, err = readInput(w, arg, credentials.MaxImageBytes); err != nil {
			return "", err
		}
	case looksLikeImage(arg):
		return "", fail.New(fail.NotFound, "no_file", "there is no file %s", arg).In("没有文件 %s", arg)
	default:
		return strings.TrimSpace(arg), nil
	}
	if isImage(b) || looksLikeImage(arg) {
		return credentials.DecodeImage(bytes.NewReader(b))
	}
	if len(b) > credentials.MaxScanned {
		return "", fail.New(fail.Invalid, "bad_image", "this is neither a PNG or JPEG image nor the text of a QR code nor a credential").In("这既不是 PNG 或 JPEG 图片，也不是二维码的内容或电子凭证")
	}
	return strings.TrimSpace(string(b)), nil
}

// looksLikeImage reports whether an argument names a picture, there or not.
func looksLikeImage(arg string) bool {
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".png", ".jpg", ".jpeg":
		return !strings.Contains(arg, "#")
	}
	return false
}

func verifyOnline(ctx context.Context, w world, f verifyFlags, text string) error {
	c, err := f.server.client(w, false)
	if err != nil {
		return err
	}
	c.key = "" // the public asks
	if _, err := credentials.ParseAny(text); err != nil {
		return err // what is none of ours is sent nowhere
	}
	var v credentials.Verdict
	if _, err := c.call(ctx, ask{method: http.MethodPost, path: "/api/v1/verify"}, map[string]string{"token": text}, &v); err != nil {
		return err
	}
	return printVerdict(w, v, trustAges{}, f.asJSON)
}

func verifyOffline(w world, f verifyFlags, text string) error {
	needed := jws.QR
	if scanned, err := credentials.ParseAny(text); err != nil {
		return err
	} else if scanned.Credential != "" {
		needed = jws.VC
	}
	t, err := f.trust(w, needed)
	if err != nil {
		return err
	}
	v, err := credentials.VerifyOffline(text, t.Trust, w.now())
	if err != nil {
		return err
	}
	t.ages.parts = t.agesFor(w, text)
	return printVerdict(w, v, t.ages, f.asJSON)
}

// trustAges says how old the files are that a verdict rests on.
type trustAges struct {
	directory string
	parts     [][2]string // of a bundle
	missing   []string    // what would have made the answer better
}

// trusted is what an offline check rests on.
type trusted struct {
	credentials.Trust
	ages   trustAges
	bundle []credentials.PartAge
}

// trust reads the files. Keys for what is to be checked, a code or a credential,
// suffice; directory and status lists are taken only with a good signature.
func (f *verifyFlags) trust(w world, needed jws.Purpose) (trusted, error) {
	var out trusted
	keys, err := f.bundled(w, &out)
	if err != nil {
		return trusted{}, err
	}
	if keys, err = readKeys(keys, f.jwks); err != nil {
		return trusted{}, err
	}
	out.Keys = keys
	if len(keys.Keys(needed)) == 0 && needed == jws.VC {
		return out, fail.New(fail.Invalid, "no_vc_keys", "there are no keys for credentials (/keys/vc.json); update an older bundle with verify fetch").In("没有电子凭证公钥（/keys/vc.json）；较早保存的离线资料请用 verify fetch 更新")
	}
	if len(keys.Keys(needed)) == 0 {
		return out, fail.New(fail.Invalid, "no_qr_keys", "none of the --jwks files has keys for QR codes (/keys/qr.json)").In("公钥文件中没有二维码公钥（/keys/qr.json）")
	}
	if f.directory != "" {
		b, err := readFile(f.directory, credentials.MaxDirectory)
		if err != nil {
			return out, err
		}
		d, err := credentials.OpenDirectory(strings.TrimSpace(string(b)), keys)
		if err != nil {
			return out, untrusted(f.directory, "directory", err)
		}
		out.Directory = &d
	}
	if out.Directory != nil {
		out.ages.directory = ago(w.now().Sub(out.Directory.IssuedAt))
	} else {
		out.ages.missing = append(out.ages.missing, "--directory（机构和职业名称 names）")
	}
	for _, file := range f.statuses {
		b, err := readFile(file, credentials.MaxStatusList)
		if err != nil {
			return out, err
		}
		list, err := credentials.OpenStatusList(strings.TrimSpace(string(b)), keys, w.now())
		if err != nil {
			return out, untrusted(file, "status", err)
		}
		out.StatusLists = append(out.StatusLists, list)
	}
	if len(out.StatusLists) == 0 {
		out.ages.missing = append(out.ages.missing, "--status（是否仍然有效 whether it is still good）")
	}
	return out, nil
}

// bundled opens the bundle, if there is one, and returns its keys.
func (f *verifyFlags) bundled(w world, out *trusted) (jws.KeySet, error) {
	if f.bundle == "" {
		return jws.KeySet{}, nil
	}
	b, err := loadBundle(f.bundle)
	if err != nil {
		return jws.KeySet{}, err
	}
	opened, err := b.Open(w.now())
	if err != nil {
		return jws.KeySet{}, err
	}
	if f.pin != "" {
		if err := credentials.CheckPin(opened.Fingerprint, f.pin); err != nil {
			return jws.KeySet{}, err
		}
	}
	if _, err := bundleLog(b); err != nil {
		return jws.KeySet{}, err
	}
	out.Trust, out.bundle = opened.Trust, opened.Ages
	return opened.Trust.Keys, nil
}

// agesFor are the ages of the parts that a verdict on text rests on: of the many
// status lists only those of the token's place.
func (t trusted) agesFor(w world, text string) [][2]string {
	list := -1
	if scanned, err := credentials.ParseAny(text); err == nil {
		if claims, _, err := credentials.OpenToken(scanned.Token, t.Keys, time.Time{}); err == nil || errors.Is(err, jws.ErrDistrusted) {
			list, _ = claims.StatusPlace()
		}
	}
	var used []credentials.PartAge
	for _, a := range t.bundle {
		_, path, isList := strings.Cut(a.Name, "status-")
		_, number, err := credentials.ParseStatusListName(strings.TrimSuffix(path, ".jwt"))
		if !isList || err == nil && number == list {
			used = append(used, a)
		}
	}
	return agePairs(w, used)
}

// untrusted says which file is not to be trusted and, when its key is missing,
// which one would be needed.
func untrusted(file, purpose string, err error) error {
	e := fail.Of(err)
	if errors.Is(err, jws.ErrUnknownKey) {
		return fail.New(fail.Invalid, "unknown_key", "%s is signed with a key that no --jwks file has; add /keys/%s.json", file, purpose).
			In("%s 的签名密钥不在公钥文件中；请加上 /keys/%s.json", file, purpose)
	}
	return fail.New(fail.Invalid, e.Code, "%s: %s", file, e.Text).In("%s：%s", file, e.ZH).Because(err)
}

// readKeys joins JWK sets with the keys at hand. One key may stand in several
// files if it is the same in all of them; it is distrusted if one says so.
func readKeys(given jws.KeySet, files []string) (jws.KeySet, error) {
	seen := map[string]jws.Key{}
	for _, k := range given.Keys() {
		seen[k.ID] = k
	}
	for _, file := range files {
		b, err := readFile(file, jws.MaxJWKS)
		if err != nil {
			return jws.KeySet{}, err
		}
		set, err := jws.ParseJWKS(b, jws.Purposes()...)
		if err != nil {
			return jws.KeySet{}, untrusted(file, "qr", err)
		}
		for _, k := range set.Keys() {
			before, have := seen[k.ID]
			if have && !sameKey(before, k) {
				return jws.KeySet{}, fail.New(fail.Invalid, "key_differs", "%s: key %s is another one in another file", file, k.ID).In("%s：密钥 %s 与其他文件中的不同", file, k.ID)
			}
			if !have || k.State == jws.Distrusted {
				seen[k.ID] = k
			}
		}
	}
	return jws.NewKeySet(slices.Collect(maps.Values(seen))...)
}

// sameKey reports whether two keys are one. That one of them is distrusted is
// news of the same key, not another one.
func sameKey(a, b jws.Key) bool {
	return a.ID == b.ID && a.Purpose == b.Purpose && a.Public.Equal(b.Public)
}

var bandMarks = map[credentials.Band]string{
	credentials.Good: "✓", credentials.Bad: "✕", credentials.Caution: "‖", credentials.Unproven: "?",
}

// printVerdict prints what was found; errNo when the certificate is not valid.
func printVerdict(w world, v credentials.Verdict, ages trustAges, asJSON bool) error {
	var err error
	if asJSON {
		var b json.RawMessage
		if b, err = json.Marshal(v); err == nil {
			err = printJSON(w.stdout, b)
		}
	} else {
		printVerdictText(w, v, ages)
	}
	if err == nil && !v.Valid {
		return errNo
	}
	return err
}

func printVerdictText(w world, v credentials.Verdict, ages trustAges) {
	strong, plain := "", ""
	if isTerminal(w.stdout, w.env) {
		strong, plain = "\x1b[1m", "\x1b[0m"
	}
	say(w.stdout, "%s%s %s%s\n  %s\n\n", strong, bandMarks[v.Band()], v.Sentence(credentials.ZH), plain, v.Sentence(credentials.EN))
	say(w.stdout, "  %s\n  %s\n", v.Next(credentials.ZH), v.Next(credentials.EN))
	for _, r := range v.Reasons[min(1, len(v.Reasons)):] {
		say(w.stdout, "  另 also：%s — %s\n", credentials.Sentence(r, credentials.ZH, credentials.Args{}), credentials.Sentence(r, credentials.EN, credentials.Args{}))
	}
	say(w.stdout, "  %s\n  %s\n\n", v.Basis(credentials.ZH), v.Basis(credentials.EN))
	var pairs [][2]string
	if c := v.Certificate; c != nil {
		pairs = append(pairs,
			[2]string{"姓名 name", c.Name},
			[2]string{"证件号码 document", c.Document},
			[2]string{"职业 occupation", strings.TrimSpace(c.Occupation + "  " + c.OccupationCode)},
			[2]string{"工种 trade", c.Trade},
			[2]string{"等级 level", c.LevelZH + "  " + c.LevelEN},
			[2]string{"证书编号 number", c.NumberGrouped},
			[2]string{"发证日期 issued", c.Issued},
		)
		if c.Origin == "imported" {
			pairs = append(pairs, [2]string{"来源 origin", "本系统启用前颁发，据历史数据补录；发证资格不作认定 (issued before this register, from earlier records: entitlement is not asserted)"})
		} else if c.Origin != "" {
			pairs = append(pairs, [2]string{"来源 origin", "在别处颁发、在此登记；发证资格不作认定 (issued elsewhere and registered here: entitlement is not asserted)"})
		}
	}
	if i := v.Institution; i != nil {
		name := i.Name
		if i.NameNow != "" && i.NameNow != i.Name {
			name += "（现名 now " + i.NameNow + "）"
		}
		pairs = append(pairs, [2]string{"评价机构 institution", name}, [2]string{"", v.Standing(credentials.ZH)}, [2]string{"", v.Standing(credentials.EN)})
	}
	pairs = append(pairs, [2]string{"签名密钥 key", v.KeyID}, [2]string{"目录 directory", ages.directory})
	if v.LogIndex != nil {
		pairs = append(pairs, [2]string{"日志 log entry", fmt.Sprint(*v.LogIndex)})
	}
	pairs = append(pairs, [2]string{"回执 receipt", v.Receipt})
	if v.Valid {
		pairs = append(pairs, [2]string{"未提供 not given", strings.Join(ages.missing, "；")})
	}
	facts(w.stdout, append(pairs, ages.parts...)...)
}
