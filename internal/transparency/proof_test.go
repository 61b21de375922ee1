package transparency_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/transparency"
)

func TestInclusion(t *testing.T) {
	l, key := newLog(20000), signer(t, "n")
	for _, n := range []int{1, 2, 257, 8192, 8200, 20000} {
		tree := l.tree(t, n)
		c, signed := l.checkpoint(t, n, key)
		_, read := l.hashes(t, n)
		for _, seq := range []int{1, 2, n/2 + 1, n} {
			if seq > n {
				continue
			}
			p, err := tree.Inclusion(uint64(seq), signed)
			check(t, err)
			want, err := tlog.ProveRecord(int64(n), int64(seq-1), read)
			check(t, err)
			if len(p.Proof) != len(want) {
				t.Errorf("%d of %d: %d hashes, tlog has %d", seq, n, len(p.Proof), len(want))
			}
			for i, h := range p.Proof {
				if tlog.Hash(h) != want[i] {
					t.Errorf("%d of %d: hash %d is %s, tlog's is %s", seq, n, i, h, want[i])
				}
			}
			if p.Journal != l.ID() || p.Seq != uint64(seq) || p.Index != uint64(seq-1) || p.Tree != c.Head() || p.Checkpoint != string(signed) {
				t.Errorf("%d of %d: %+v", seq, n, p)
			}
			text := fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex %d\n%s\n%s", seq-1, oneALine(want), signed)
			if string(p.Text()) != text {
				t.Errorf("%d of %d: %q, want %q", seq, n, p.Text(), text)
			}
			if err := tlog.CheckRecord(want, int64(n), c.Root, int64(seq-1), tlog.RecordHash(l.records[seq-1])); err != nil {
				t.Errorf("%d of %d: %v", seq, n, err)
			}
		}
	}
}

// oneALine writes hashes in base64, one a line.
func oneALine(hashes []tlog.Hash) string {
	var b strings.Builder
	for _, h := range hashes {
		fmt.Fprintln(&b, h)
	}
	return b.String()
}

func TestInclusionRefuses(t *testing.T) {
	l, key := newLog(100), signer(t, "n")
	_, signed := l.checkpoint(t, 100, key)
	for _, seq := range []uint64{0, 101} {
		if _, err := l.tree(t, 100).Inclusion(seq, signed); !errors.Is(err, transparency.ErrSize) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	rewritten := newLog(100)
	rewritten.records[50] = []byte("{}")
	if _, err := rewritten.tree(t, 100).Inclusion(51, signed); !errors.Is(err, transparency.ErrOther) {
		t.Errorf("a checkpoint over other records: %v", err)
	}
	if _, err := l.tree(t, 100).Inclusion(51, []byte("x")); !errors.Is(err, transparency.ErrCheckpoint) {
		t.Errorf("no checkpoint: %v", err)
	}
}

func TestConsistency(t *testing.T) {
	l, key := newLog(9000), signer(t, "n")
	tree := l.tree(t, 9000)
	now, signed := l.checkpoint(t, 9000, key)
	_, read := l.hashes(t, 9000)
	for _, old := range []int{1, 2, 255, 256, 300, 8192, 8193, 9000} {
		c, _ := l.checkpoint(t, old, key)
		p, err := tree.Consistency(c, signed)
		check(t, err)
		want, err := tlog.ProveTree(9000, int64(old), read)
		check(t, err)
		if p.Journal != l.ID() || p.Old != c.Head() || p.New != now.Head() || p.Checkpoint != string(signed) || p.Check() != nil {
			t.Errorf("%d: %+v, %v", old, p, p.Check())
		}
		text := fmt.Sprintf("edged/consistency-proof@v1\nedged/%s\nold %d %s\nnew 9000 %s\n%s\n%s", l.ID(), old, c.Root, now.Root, oneALine(want), signed)
		if string(p.Text()) != text {
			t.Errorf("%d: %q, want %q", old, p.Text(), text)
		}
		data, err := json.Marshal(p)
		check(t, err)
		var parsed struct {
			Journal  string
			Old, New struct {
				Size uint64
				Root string
			}
			Proof      []string
			Checkpoint string
		}
		check(t, json.Unmarshal(data, &parsed))
		if parsed.Journal != l.ID() || parsed.Old.Size != c.Size || parsed.New.Size != 9000 || parsed.Old.Root != c.Root.String() || parsed.New.Root != now.Root.String() ||
			parsed.Checkpoint != string(signed) || parsed.Proof == nil || len(parsed.Proof) != len(want) ||
			len(want) > 0 && strings.Join(parsed.Proof, "\n")+"\n" != oneALine(want) {
			t.Errorf("%d: %s", old, data)
		}
		p.Old.Root[0] ^= 1
		if err := p.Check(); !errors.Is(err, transparency.ErrProof) {
			t.Errorf("%d: another old root is proven: %v", old, err)
		}
	}
	for _, at := range []int{0, 37, 254, 299} {
		c, _ := l.checkpoint(t, 300, key)
		rewritten := newLog(9000)
		rewritten.records[at] = append(rewritten.records[at], ' ')
		_, resigned := rewritten.checkpoint(t, 9000, key)
		if _, err := rewritten.tree(t, 9000).Consistency(c, resigned); !errors.Is(err, transparency.ErrOther) {
			t.Errorf("record %d rewritten, and signed again: %v", at+1, err)
		}
	}
}

func TestConsistencyRefuses(t *testing.T) {
	l, key := newLog(600), signer(t, "n")
	old, oldSigned := l.checkpoint(t, 300, key)
	now, signed := l.checkpoint(t, 600, key)
	if _, err := l.tree(t, 300).Consistency(now, oldSigned); !errors.Is(err, transparency.ErrSize) {
		t.Errorf("cut short: %v", err)
	}
	if _, err := l.tree(t, 600).Consistency(old, oldSigned); !errors.Is(err, transparency.ErrOther) {
		t.Errorf("a newer checkpoint that is the older one: %v", err)
	}
	other := old
	other.Journal = "another"
	if _, err := l.tree(t, 600).Consistency(other, signed); !errors.Is(err, transparency.ErrOther) {
		t.Errorf("of another journal: %v", err)
	}
	p, err := l.tree(t, 600).Consistency(old, signed)
	check(t, err)
	p.Proof[0][0] ^= 1
	if err := p.Check(); !errors.Is(err, transparency.ErrProof) {
		t.Errorf("another hash: %v", err)
	}
	same := transparency.Consistency{Old: old.Head(), New: old.Head()}
	if err := same.Check(); err != nil {
		t.Errorf("a tree and itself: %v", err)
	}
	same.New.Root[0] ^= 1
	if err := same.Check(); !errors.Is(err, transparency.ErrProof) {
		t.Errorf("two roots of one size: %v", err)
	}
}
