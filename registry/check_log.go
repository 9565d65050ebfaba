package registry

import (
	"fmt"
	"time"

	"bajigong/registry/auditlog"
)

// cosignedWithin is how old the newest checkpoint that witnesses cosigned may be
// without being worth a word: they are asked every minute.
const cosignedWithin = 24 * time.Hour

// remark notes what is no broken invariant and an operator should know.
func (c *check) remark(en, zh string) {
	c.report.Notes = append(c.report.Notes, CheckNote{EN: en, ZH: zh})
}

// checkpoints holds the log against what was said of it to others: the checkpoint
// that this process's machine keeps outside the store, and the one in it that
// witnesses cosigned. A log that was written anew, all of it in agreement with itself,
// is found out by these alone.
func (c *check) checkpoints(saved auditlog.Published) error {
	head, err := auditlog.ReadHead(c.rd)
	if err != nil {
		return nil // the check of the log says so
	}
	if saved.Note != nil && saved.Origin == head.Origin {
		if saved.Size > head.Size {
			c.remark(fmt.Sprintf("the log has %d entries, and a checkpoint of %d was published: this store is older than that, and a server on it will not sign until a new origin is started", head.Size, saved.Size),
				fmt.Sprintf("审计日志有 %d 条，而已发布的检查点为 %d 条：本存储较旧，在其上运行的服务不会签名，须先启用新的来源名", head.Size, saved.Size))
		} else if root, err := auditlog.Root(c.rd, saved.Size); err != nil || root != saved.Root {
			c.problem("the log at size %d is not the one whose checkpoint was published", saved.Size)
		}
	}
	return c.witnesses(head)
}

// witnesses tells how far they have come. That they are silent breaks nothing.
func (c *check) witnesses(head auditlog.Head) error {
	seen, err := auditlog.ReadCosigned(c.rd, c.r.publisher.Own())
	if err != nil {
		c.problem("the checkpoint that witnesses cosigned cannot be read")
		return nil
	}
	if seen.Count > 0 {
		switch root, err := auditlog.Root(c.rd, min(seen.Size, head.Size)); {
		case seen.Size > head.Size:
			c.problem("the log ends at %d, and witnesses cosigned it at %d", head.Size, seen.Size)
		case err != nil || root != seen.Root:
			c.problem("the log at size %d is not the one that witnesses cosigned", seen.Size)
		}
	}
	keys := c.r.witnesses
	if len(keys) == 0 {
		return nil
	}
	now, err := c.r.db.Now(c.rd)
	if err != nil {
		return err
	}
	if seen.Count == 0 {
		c.remark(fmt.Sprintf("none of the %d witnesses has cosigned the log", len(keys)), fmt.Sprintf("%d 个见证方均未签署过审计日志", len(keys)))
		return nil
	}
	if now.Sub(seen.At) > cosignedWithin && seen.Size < head.Size {
		c.remark(fmt.Sprintf("witnesses cosigned the log last on %s, at size %d; it has %d entries", seen.At.Format(time.RFC3339), seen.Size, head.Size),
			fmt.Sprintf("见证方最近一次签署是在 %s（%d 条），现有 %d 条", seen.At.Format(time.RFC3339), seen.Size, head.Size))
	}
	found, err := auditlog.VerifyCosignatures(seen.Note, keys, 0)
	if err != nil {
		c.problem("a cosignature of the stored checkpoint of size %d does not hold", seen.Size)
		return nil
	}
	for _, k := range keys {
		if containsWitness(found, k) {
			continue
		}
		size, err := auditlog.WitnessSize(c.rd, head.Origin, k)
		if err != nil {
			c.problem("how far the witness %s has cosigned cannot be read", k.Name())
			continue
		}
		c.remark(fmt.Sprintf("the witness %s has not cosigned the newest checkpoint that has cosignatures (size %d); its last was at %d", k.Name(), seen.Size, size),
			fmt.Sprintf("见证方 %s 未签署最新的见证检查点（%d 条）；其最近一次为 %d 条", k.Name(), seen.Size, size))
	}
	return nil
}

func containsWitness(found []auditlog.Cosignature, k auditlog.WitnessKey) bool {
	for _, c := range found {
		if c.Witness.String() == k.String() {
			return true
		}
	}
	return false
}

// savedCheckpoint is read before the snapshot is taken: a log in order is then never
// smaller than it. One that is not there or cannot be read is for the server to refuse.
func (r *Registry) savedCheckpoint() auditlog.Published {
	p, err := r.publisher.Saved()
	if err != nil {
		return auditlog.Published{}
	}
	return p
}
