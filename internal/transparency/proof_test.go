package transparency_test

import (
	"encoding/json"
	"errors"
	"reflect"
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
			again, err := transparency.ReadInclusion(p.Text())
			if err != nil || !reflect.DeepEqual(again, p) || again.Tree != c.Head() {
				t.Errorf("%d of %d reads back as %+v, %v", seq, n, again, err)
			}
			if err := again.Check(l.records[seq-1]); err != nil {
				t.Errorf("%d of %d: %v", seq, n, err)
			}
			if err := again.Check([]byte("another")); !errors.Is(err, transparency.ErrProof) {
				t.Errorf("another record is proven: %v", err)
			}
		}
	}
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
	p, err := l.tree(t, 100).Inclusion(51, signed)
	check(t, err)
	text := string(p.Text())
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":         {"", transparency.ErrProof},
		"version":       {strings.Replace(text, "@v1\n", "@v2\n", 1), transparency.ErrProof},
		"no index":      {strings.Replace(text, "index", "at", 1), transparency.ErrProof},
		"index 050":     {strings.Replace(text, "index ", "index 0", 1), transparency.ErrProof},
		"no hash":       {strings.Replace(text, "\n\n", "\nzzz\n\n", 1), transparency.ErrProof},
		"in a hash":     {strings.Replace(text, p.Proof[0].String(), p.Proof[0].String()[:9]+"\r"+p.Proof[0].String()[9:], 1), transparency.ErrProof},
		"cut short":     {text[:len(text)/2], transparency.ErrProof},
		"many hashes":   {strings.Replace(text, "\n\n", strings.Repeat("\n"+p.Proof[0].String(), 129)+"\n\n", 1), transparency.ErrProof},
		"no checkpoint": {strings.SplitAfter(text, "\n\n")[0] + "x", transparency.ErrCheckpoint},
		"long":          {text + strings.Repeat(" ", 2*transparency.MaxCheckpoint), transparency.ErrProof},
	} {
		if _, err := transparency.ReadInclusion([]byte(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	extra, err := transparency.ReadInclusion([]byte(strings.Replace(text, "index", "extra AAAA\nindex", 1)))
	if err != nil || !reflect.DeepEqual(extra, p) {
		t.Errorf("with extra data: %+v, %v", extra, err)
	}
}

func TestConsistency(t *testing.T) {
	l, key := newLog(9000), signer(t, "n")
	tree := l.tree(t, 9000)
	_, signed := l.checkpoint(t, 9000, key)
	for _, old := range []int{1, 2, 255, 256, 300, 8192, 8193, 9000} {
		c, _ := l.checkpoint(t, old, key)
		p, err := tree.Consistency(c, signed)
		check(t, err)
		again, err := transparency.ReadConsistency(p.Text())
		if err != nil || !reflect.DeepEqual(again, p) || again.Check() != nil || again.Old != c.Head() {
			t.Errorf("%d reads back as %+v, %v, %v", old, again, err, again.Check())
		}
		data, err := json.Marshal(p)
		check(t, err)
		var parsed transparency.Consistency
		if err := json.Unmarshal(data, &parsed); err != nil || !reflect.DeepEqual(parsed, p) {
			t.Errorf("%d: %s, %v", old, data, err)
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
	text := string(p.Text())
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":          {"", transparency.ErrProof},
		"title":          {strings.Replace(text, "@v1", "@v2", 1), transparency.ErrProof},
		"origin":         {strings.Replace(text, "edged/"+old.Journal, "edged/x", 1), transparency.ErrProof},
		"old tree":       {strings.Replace(text, "old 300 ", "old 0300 ", 1), transparency.ErrProof},
		"no old root":    {strings.Replace(text, p.Old.Root.String(), "x", 1), transparency.ErrProof},
		"another size":   {strings.Replace(text, "new 600 ", "new 601 ", 1), transparency.ErrProof},
		"a hash":         {strings.Replace(text, p.Proof[0].String(), "x", 1), transparency.ErrProof},
		"no checkpoint":  {strings.SplitAfter(text, "\n\n")[0], transparency.ErrCheckpoint},
		"too many":       {strings.Replace(text, "\n\n", strings.Repeat("\n"+p.Old.Root.String(), 129)+"\n\n", 1), transparency.ErrProof},
		"nothing inside": {"edged/consistency-proof@v1\n\n" + string(signed), transparency.ErrProof},
	} {
		if _, err := transparency.ReadConsistency([]byte(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
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
