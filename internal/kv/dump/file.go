package dump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"bajigong/internal/fail"
)

// maxWindow bounds what a file can make a reader keep in memory to unpack it;
// our own files ask for 8 MB.
const maxWindow = 32 << 20

const ageStart = "age-encryption.org/"

// Recipients are who can open an encrypted dump.
type Recipients []age.Recipient

// ParseRecipients reads public keys of age, such as age1…, one a line; empty
// lines and lines that begin with # are left out. Errors: Invalid
// dump_recipient.
func ParseRecipients(text string) (Recipients, error) {
	out, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil {
		return nil, fail.New(fail.Invalid, "dump_recipient", "this is no public key of age (age1…): %v", err).In("不是 age 公钥（age1…）：%v", err)
	}
	return out, nil
}

// Identities are the secret keys that open an encrypted dump.
type Identities []age.Identity

// ParseIdentities reads secret keys of age, AGE-SECRET-KEY-1…, as age-keygen
// writes them. Errors: Invalid dump_identity.
func ParseIdentities(text string) (Identities, error) {
	out, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		// The cause could repeat a part of the file.
		return nil, fail.New(fail.Invalid, "dump_identity", "the file has no secret key of age (AGE-SECRET-KEY-1…)").In("文件中没有 age 私钥（AGE-SECRET-KEY-1…）")
	}
	return out, nil
}

// Create packs a content on its way to out: compressed, and encrypted when there
// are recipients. Close ends the file and leaves out open.
func Create(out io.Writer, to Recipients) (io.WriteCloser, error) {
	p := &packer{buffer: bufio.NewWriterSize(out, 256<<10)}
	var below io.Writer = p.buffer
	if len(to) > 0 {
		sealed, err := age.Encrypt(below, to...)
		if err != nil {
			return nil, fmt.Errorf("encrypt dump: %w", err)
		}
		below, p.sealed = sealed, sealed
	}
	var err error
	if p.enc, err = zstd.NewWriter(below, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(2)); err != nil {
		return nil, fmt.Errorf("compress dump: %w", err)
	}
	p.in = bufio.NewWriterSize(p.enc, 256<<10)
	return p, nil
}

type packer struct {
	in     *bufio.Writer
	enc    *zstd.Encoder
	sealed io.WriteCloser
	buffer *bufio.Writer
}

func (p *packer) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *packer) Close() error {
	err := errors.Join(p.in.Flush(), p.enc.Close())
	if p.sealed != nil {
		err = errors.Join(err, p.sealed.Close())
	}
	return errors.Join(err, p.buffer.Flush())
}

// Open unpacks a file. Errors: Forbidden dump_encrypted when it is encrypted and
// none of the identities opens it; Invalid dump_unknown, dump_damaged. What is
// wrong further on, reading meets.
func Open(in io.Reader, with Identities) (content io.Reader, closeFn func(), err error) {
	start := bufio.NewReaderSize(in, 256<<10)
	var below io.Reader = start
	if head, _ := start.Peek(len(ageStart)); string(head) == ageStart {
		if below, err = decrypt(start, with); err != nil {
			return nil, nil, err
		}
	}
	dec, err := zstd.NewReader(below, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, nil, fmt.Errorf("unpack dump: %w", err)
	}
	return unpacker{dec}, dec.Close, nil
}

func decrypt(in io.Reader, with Identities) (io.Reader, error) {
	locked := fail.New(fail.Forbidden, "dump_encrypted", "the dump is encrypted; name the file with the secret key of age by --identity").
		In("备份文件已加密；请用 --identity 指定 age 私钥文件")
	if len(with) == 0 {
		return nil, locked
	}
	out, err := age.Decrypt(in, with...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fail.New(fail.Forbidden, "dump_wrong_identity", "the dump is encrypted to other keys than those in the --identity file").
			In("备份文件不是加密给 --identity 文件中的密钥的")
	}
	if err != nil {
		return nil, damaged("encryption", err)
	}
	return out, nil
}

// unpacker says that a file which does not begin as a packed one is no dump.
type unpacker struct{ dec *zstd.Decoder }

func (u unpacker) Read(b []byte) (int, error) {
	n, err := u.dec.Read(b)
	if errors.Is(err, zstd.ErrMagicMismatch) {
		err = fmt.Errorf("%w: %w", errContent, err)
	}
	return n, err
}
