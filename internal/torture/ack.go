package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"bajigong/registry/policy"
)

// Did is what an Ack says was done.
type Did string

// What a worker does. Ready and Finished frame its work.
const (
	Ready        Did = "ready"
	Uploaded     Did = "uploaded"     // results of Session, Rows of them
	Published    Did = "published"    // Session with Numbers
	Claimed      Did = "claimed"      // Claim on Certificate under Reference is in State
	Voided       Did = "voided"       // Certificate
	Checkpointed Did = "checkpointed" // Note
	Finished     Did = "finished"
)

// Ack is one acknowledged step, a line of JSON. Once it was written the step
// must outlive everything.
type Ack struct {
	Did         Did          `json:"did"`
	Session     string       `json:"session,omitempty"`
	Rows        int          `json:"rows,omitempty"`
	Numbers     []string     `json:"numbers,omitempty"`
	Claim       string       `json:"claim,omitempty"`
	Certificate string       `json:"certificate,omitempty"`
	Reference   string       `json:"reference,omitempty"`
	State       policy.State `json:"state,omitempty"`
	Size        uint64       `json:"size,omitempty"`
	// Answer is the X-Request-Id of the answer, of work over HTTP.
	Answer string `json:"answer,omitempty"`
}

// acker writes acknowledgements, each line in one piece.
type acker struct {
	mu  sync.Mutex
	out io.Writer
}

func (a *acker) say(ack Ack) error {
	line, err := json.Marshal(ack)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err = a.out.Write(append(line, '\n'))
	return err
}

// ParseAcks reads lines of acknowledgements. A last line without its end is
// left out: the process died while it wrote it.
func ParseAcks(text []byte) (out []Ack, err error) {
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return out, nil
		}
		var ack Ack
		if err := json.Unmarshal(line, &ack); err != nil {
			return out, fmt.Errorf("acknowledgement %d: %w", len(out)+1, err)
		}
		out, text = append(out, ack), rest
	}
}

// Count says how often each thing was done.
func Count(acks []Ack) map[Did]int {
	out := map[Did]int{}
	for _, a := range acks {
		out[a.Did]++
	}
	return out
}
