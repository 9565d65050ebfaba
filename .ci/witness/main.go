// Command bajigong-witness is a witness after C2SP tlog-witness for the tests: it
// knows one log and keeps what it saw in memory. What it checks and signs with
// are the libraries of the transparency-dev project, none of which the register
// uses: formats for checkpoints and cosignatures, merkle for consistency. It is
// a module of its own so that the register does not depend on them.
//
//	bajigong-witness NAME LOG-VKEY
//
// It prints its address and its key, one a line, and serves until its standard
// input ends.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bajigong-witness NAME LOG-VKEY")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type witness struct {
	log    note.Verifier
	signer note.Signer

	mu   sync.Mutex
	last log.Checkpoint // cosigned; size 0 before
}

func serve(name, logKey string) error {
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	signer, err := f_note.NewSignerForCosignatureV1(skey)
	if err != nil {
		return err
	}
	if vkey, err = f_note.VKeyToCosignatureV1(vkey); err != nil {
		return err
	}
	w := &witness{signer: signer}
	if w.log, err = note.NewVerifier(logKey); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n%s\n", ln.Addr(), vkey)
	http.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(ln, nil)
}

func (w *witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	old, hashes, raw, err := parse(http.MaxBytesReader(rw, r.Body, 16<<10))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if origin, _, _ := strings.Cut(string(raw), "\n"); origin != w.log.Name() {
		http.Error(rw, "unknown log", http.StatusNotFound)
		return
	}
	next, _, n, err := log.ParseCheckpoint(raw, w.log.Name(), w.log)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case old > next.Size:
		http.Error(rw, "old size is larger", http.StatusBadRequest)
		return
	case old != w.last.Size || old == next.Size && old > 0 && !bytes.Equal(next.Hash, w.last.Hash):
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", w.last.Size)
		return
	case old == 0 && len(hashes) > 0:
		http.Error(rw, "a proof from nothing", http.StatusUnprocessableEntity)
		return
	}
	if old > 0 {
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, next.Size, hashes, w.last.Hash, next.Hash); err != nil {
			http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	sig, err := w.signer.Sign([]byte(n.Text))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	w.last = *next
	h := w.signer.KeyHash()
	sig = append([]byte{byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}, sig...)
	fmt.Fprintf(rw, "— %s %s\n", w.signer.Name(), base64.StdEncoding.EncodeToString(sig))
}

func parse(body io.Reader) (old uint64, hashes [][]byte, checkpoint []byte, err error) {
	b := bufio.NewReader(body)
	line, err := b.ReadString('\n')
	if err != nil {
		return 0, nil, nil, err
	}
	size, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "old ")
	if old, err = strconv.ParseUint(size, 10, 64); err != nil || !ok || strconv.FormatUint(old, 10) != size {
		return 0, nil, nil, fmt.Errorf("no old size: %q", line)
	}
	for {
		if line, err = b.ReadString('\n'); err != nil {
			return 0, nil, nil, err
		}
		if line == "\n" {
			break
		}
		hash, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil || len(hash) != rfc6962.DefaultHasher.Size() || len(hashes) == 63 {
			return 0, nil, nil, fmt.Errorf("no hash: %q", line)
		}
		hashes = append(hashes, hash)
	}
	checkpoint, err = io.ReadAll(b)
	return old, hashes, checkpoint, err
}
