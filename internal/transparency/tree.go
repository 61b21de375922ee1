package transparency

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Source is a history to commit to. Its methods are called from several
// goroutines; the bytes that an iteration gives are valid until its next step.
type Source interface {
	ID() string
	First() uint64
	Tip() record.Tip
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// Progress hears how many records are done, and of how many. It is called from
// one goroutine at a time. It may be nil.
type Progress func(done, total uint64)

// Origin is the first line of a checkpoint of the journal with this id.
func Origin(journalID string) string { return "edged/" + journalID }

// part is how many records one goroutine hashes at a time: 1 << partLevel.
const (
	partLevel = 13
	part      = 1 << partLevel
)

// Tree is the Merkle tree of the first records of a journal. It holds the
// hashes of its complete parts, 32 bytes for 8,192 records; those beneath are
// computed from the records again where a proof needs them.
type Tree struct {
	ctx   context.Context
	src   Source
	size  uint64
	parts []tlog.Hash
	root  tlog.Hash
}

// Root is the Merkle tree hash of the first size records, computed on all
// cores in constant memory. Errors are those of [Build].
func Root(ctx context.Context, src Source, size uint64, progress Progress) (tlog.Hash, error) {
	t, err := Build(ctx, src, size, progress)
	if err != nil {
		return tlog.Hash{}, err
	}
	return t.root, nil
}

// Build hashes the first size records on all cores. Errors are the source's,
// the context's, or [ErrSize] where there are not that many. The context also
// ends what is asked of the tree later.
func Build(ctx context.Context, src Source, size uint64, progress Progress) (*Tree, error) {
	if tip := src.Tip().Seq; size == 0 || size > tip || src.First() != 1 {
		return nil, fmt.Errorf("%w: a tree of %d records is asked for, here are those from %d to %d", ErrSize, size, src.First(), tip)
	}
	t := &Tree{ctx: ctx, src: src, size: size, parts: make([]tlog.Hash, size/part)}
	if err := t.hashParts(progress); err != nil {
		return nil, err
	}
	var err error
	if t.root, err = tlog.TreeHash(int64(size), t); err != nil {
		return nil, err
	}
	if progress != nil {
		progress(size, size)
	}
	return t, nil
}

// Checkpoint is what the tree commits to.
func (t *Tree) Checkpoint() Checkpoint {
	return Checkpoint{Journal: t.src.ID(), Size: t.size, Root: t.root}
}

// hashParts fills in the hashes of the complete parts, side by side.
func (t *Tree) hashParts(progress Progress) error {
	next := make(chan int)
	ctx, stop := context.WithCancelCause(t.ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex // of done, and so that progress hears one at a time
	done := uint64(0)
	for range min(runtime.GOMAXPROCS(0), len(t.parts)) {
		wg.Go(func() {
			for i := range next {
				h, err := t.leaves(uint64(i)*part, part)
				if err != nil {
					stop(err)
					return
				}
				t.parts[i] = h
				mu.Lock()
				if done += part; progress != nil {
					progress(done, t.size)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range t.parts {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// ReadHashes implements tlog.HashReader: hashes of complete subtrees.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		begin, count := uint64(n)<<level, uint64(1)<<level
		if begin+count > t.size {
			return nil, fmt.Errorf("%w: leaves %d to %d", ErrSize, begin, begin+count)
		}
		var err error
		if level < partLevel {
			hashes[i], err = t.leaves(begin, count)
		} else {
			hashes[i] = subtree(t.parts[begin/part : (begin+count)/part])
		}
		if err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// leaves is the hash over count leaves from leaf begin, counted from 0; count
// is a power of two.
func (t *Tree) leaves(begin, count uint64) (tlog.Hash, error) {
	if err := t.ctx.Err(); err != nil {
		return tlog.Hash{}, err
	}
	var stack stack
	for raw, err := range t.src.RawRecords(begin+1, begin+count) {
		if err != nil {
			return tlog.Hash{}, err
		}
		stack.push(tlog.RecordHash(raw.Raw))
	}
	if stack.count != count {
		return tlog.Hash{}, fmt.Errorf("%w: of records %d to %d there are %d", ErrSize, begin+1, begin+count, stack.count)
	}
	return stack.hashes[0], nil
}

// stack holds the complete subtrees of the leaves so far, of falling size: one
// for each bit of their count.
type stack struct {
	hashes []tlog.Hash
	count  uint64
}

func (s *stack) push(h tlog.Hash) {
	s.count++
	for range bits.TrailingZeros64(s.count) {
		h = tlog.NodeHash(s.hashes[len(s.hashes)-1], h)
		s.hashes = s.hashes[:len(s.hashes)-1]
	}
	s.hashes = append(s.hashes, h)
}

// root is the hash over all that was pushed, which must be something.
func (s *stack) root() tlog.Hash {
	h := s.hashes[len(s.hashes)-1]
	for i := len(s.hashes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(s.hashes[i], h)
	}
	return h
}

// subtree is the hash over hashes of equal subtrees, of which there must be
// some. Their number need not be a power of two: the tree of RFC 6962 splits
// at powers of two, which the equal ones never straddle.
func subtree(hashes []tlog.Hash) tlog.Hash {
	var s stack
	for _, h := range hashes {
		s.push(h)
	}
	return s.root()
}
