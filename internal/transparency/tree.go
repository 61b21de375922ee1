package transparency

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Source is a history to commit to. Its methods are called from several
// goroutines. Bytes that an iteration yields are valid until its next step.
type Source interface {
	ID() string
	First() uint64
	Tip() record.Tip
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// Progress is called with the number of records that are done, and their total.
// Calls do not overlap. It may be nil.
type Progress func(done, total uint64)

// Origin returns the first line of a checkpoint of the journal with this id.
func Origin(journalID string) string { return "edged/" + journalID }

// chunk is the number of records that a goroutine hashes at a time.
const (
	chunkLevel = 13
	chunk      = 1 << chunkLevel
)

// Tree is the Merkle tree of the first records of a journal. It holds the hash of
// each complete chunk, 32 bytes for 8,192 records. A proof computes the hashes
// below from the records again.
type Tree struct {
	ctx    context.Context
	src    Source
	size   uint64
	chunks []tlog.Hash
	root   tlog.Hash
}

// Root returns the Merkle tree hash of the first size records. Errors are those of
// [Build].
func Root(ctx context.Context, src Source, size uint64, progress Progress) (tlog.Hash, error) {
	t, err := Build(ctx, src, size, progress)
	if err != nil {
		return tlog.Hash{}, err
	}
	return t.root, nil
}

// Build hashes the first size records on all cores. Errors are those of the source
// and of ctx, and [ErrSize] if there are not that many records. ctx also ends later
// calls of the tree's methods.
func Build(ctx context.Context, src Source, size uint64, progress Progress) (*Tree, error) {
	if tip := src.Tip().Seq; size == 0 || size > tip || src.First() != 1 {
		return nil, fmt.Errorf("%w: a tree is to have %d records, but here are records %d to %d", ErrSize, size, src.First(), tip)
	}
	t := &Tree{ctx: ctx, src: src, size: size, chunks: make([]tlog.Hash, size/chunk)}
	if err := t.hashChunks(progress); err != nil {
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

// Checkpoint returns the checkpoint of the tree.
func (t *Tree) Checkpoint() Checkpoint {
	return Checkpoint{Journal: t.src.ID(), Size: t.size, Root: t.root}
}

// Source returns the history that the tree is of.
func (t *Tree) Source() Source { return t.src }

// hashChunks computes the hashes of the complete chunks, in parallel.
func (t *Tree) hashChunks(progress Progress) error {
	next := make(chan int)
	ctx, stop := context.WithCancelCause(t.ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done and calls of progress
	done := uint64(0)
	for range min(runtime.GOMAXPROCS(0), len(t.chunks)) {
		wg.Go(func() {
			for i := range next {
				h, err := t.leaves(uint64(i)*chunk, chunk)
				if err != nil {
					stop(err)
					return
				}
				t.chunks[i] = h
				mu.Lock()
				if done += chunk; progress != nil {
					progress(done, t.size)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range t.chunks {
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
		if level < chunkLevel {
			hashes[i], err = t.leaves(begin, count)
		} else {
			hashes[i] = subtree(t.chunks[begin/chunk : (begin+count)/chunk])
		}
		if err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// leaves returns the hash over count leaves from leaf begin on, counted from 0.
// count is a power of two.
func (t *Tree) leaves(begin, count uint64) (tlog.Hash, error) {
	if err := t.ctx.Err(); err != nil {
		return tlog.Hash{}, err
	}
	var edge Edge
	for raw, err := range t.src.RawRecords(begin+1, begin+count) {
		if err != nil {
			return tlog.Hash{}, err
		}
		edge.Push(tlog.RecordHash(raw.Raw))
	}
	if edge.Count != count {
		return tlog.Hash{}, fmt.Errorf("%w: of records %d to %d there are only %d", ErrSize, begin+1, begin+count, edge.Count)
	}
	return edge.Hashes[0], nil
}
