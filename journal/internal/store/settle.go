package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// ladderStep is the distance, in records, of the snapshots that are kept: of each
// ladderStep records the newest snapshot is kept.
const ladderStep = 8192

// Settle moves records, which follow base, into the store in dir, together with
// snap if it is not nil. Records that are already there are written again and
// must be equal. When it returns nil everything is durable in tables.
//
// Before anything is opened for writing, a read-only open must find base. Pebble
// may read a database as shorter than it is, for instance because a bit of its
// manifest is flipped; opened for writing it would delete the tables that it
// misses.
//
// A failure leaves the disk as a crash at the failed operation would have left
// it, without the files that the attempt made: those are removed if the manifest
// in force is still the one from before; otherwise the next Settle removes them.
func Settle(fsys durable.FS, dir string, base record.Tip, records [][]byte, snap *Snapshot) error {
	drop, err := admit(fsys, dir, base, records, snap)
	if err != nil {
		return err
	}
	before, err := List(fsys, dir)
	if err != nil {
		return err
	}
	f := newFiles(fsys, dir, false)
	err = f.fault.run("settle the journal's records", dir, func() error {
		return f.settle(dir, base.Seq+1, records, snap, drop)
	})
	if err != nil {
		f.cleanUp(dir, before)
	}
	return err
}

// admit checks that the store holds base, and that the records after it that it
// already holds equal those to be written. It returns the snapshots to drop.
func admit(fsys durable.FS, dir string, base record.Tip, records [][]byte, snap *Snapshot) (drop []uint64, err error) {
	s, err := Open(fsys, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Holds(base); err != nil {
		return nil, err
	}
	for i, raw := range records {
		seq := base.Seq + 1 + uint64(i)
		if seq > s.last {
			break
		}
		have, err := s.Record(seq)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(have, raw) {
			return nil, errs.Corrupt(dir, seq, nil, "settle the journal's records: the tail and the tables hold different records")
		}
	}
	if snap == nil {
		return nil, nil
	}
	seqs, err := s.Snapshots()
	if err != nil {
		return nil, err
	}
	return dropped(seqs, snap.Seq), nil
}

// Holds checks that the record base is here, with its hash. Every store holds the
// zero base.
func (s *Store) Holds(base record.Tip) error {
	if base.Seq == 0 {
		return nil
	}
	raw, err := s.Record(base.Seq)
	if errors.Is(err, errs.ErrNotFound) {
		return errs.Corrupt(s.dir, base.Seq, nil, "check what has settled: the newest settled record is %d, but the tail says %d", s.last, base.Seq)
	}
	if hash := record.HashOf(raw); err == nil && hash != base.Hash {
		err = errs.Corrupt(s.dir, base.Seq, nil, "check what has settled: the hash of the record is %s, but the tail says %s", hash, base.Hash)
	}
	return err
}

// dropped returns those of the ascending seqs whose snapshots are not kept beside
// the newer ones and the one at seq, the newest.
func dropped(seqs []uint64, seq uint64) (drop []uint64) {
	for i, s := range seqs {
		if next := append(seqs[i+1:len(seqs):len(seqs)], seq)[0]; s != seq && next/ladderStep == s/ladderStep {
			drop = append(drop, s)
		}
	}
	return drop
}

func (fl *files) settle(dir string, first uint64, records [][]byte, snap *Snapshot, drop []uint64) (err error) {
	o := options(fl)
	o.ErrorIfNotExists = true
	db, err := pebble.Open(dir, o)
	if err != nil {
		return openError(dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b := db.NewBatch()
	for i, raw := range records {
		err = errors.Join(err, b.Set(recordKey(first+uint64(i)), raw, nil))
	}
	if snap != nil {
		err = errors.Join(err, b.Set(snapshotKey(snap.Seq), snap.Data, nil))
	}
	for _, s := range drop {
		err = errors.Join(err, b.Delete(snapshotKey(s), nil))
	}
	if err == nil {
		err = b.Commit(pebble.NoSync) // the flush makes it durable
	}
	if err == nil {
		err = db.Flush()
	}
	if err != nil || fl.fault.happened() || db.Metrics().Levels[0].TablesCount < maxL0 {
		return err
	}
	levels, err := db.SSTables()
	if err != nil {
		return err
	}
	from := recordKey(first)
	for _, t := range levels[0] {
		if bytes.Compare(t.Smallest.UserKey, from) < 0 {
			from = t.Smallest.UserKey
		}
	}
	return db.Compact(context.Background(), from, endOfKeys(), false)
}

// cleanUp removes the files that a failed attempt left. Nothing refers to them
// if the manifest in force is still the one from before.
func (fl *files) cleanUp(dir string, before []File) {
	after, err := List(fl.disk, dir)
	if err != nil || current(after) != current(before) {
		return
	}
	for _, file := range after {
		if !slices.ContainsFunc(before, func(b File) bool { return b.Name == file.Name }) {
			// A file that remains is removed by the next Settle that succeeds.
			_ = fl.disk.Remove(path.Join(dir, file.Name))
		}
	}
}

// current returns the name of the marker that names the manifest in force.
func current(files []File) string {
	name := ""
	for _, f := range files {
		if isCurrent(f.Name) {
			name = f.Name // in order of name: the highest iteration is the last
		}
	}
	return name
}

// VerifyTables compares the checksum of every block of every table. Reading all
// records does not read all blocks: a table that a compaction replaced is kept
// for a while, and damage in it costs no record. bad is called for each damaged
// table; counts reports whether records are read from it.
func (s *Store) VerifyTables(ctx context.Context, bad func(err error, counts bool)) error {
	tables, err := s.Tables()
	if err != nil {
		return err
	}
	names, err := s.files.List(s.dir)
	if err != nil {
		return classify("list the journal", s.dir, err)
	}
	for _, n := range names {
		if !isTable(n) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("verify the journal's tables: %w", err)
		}
		counts := slices.Contains(tables, n)
		if err := s.files.verifyTable(path.Join(s.dir, n)); err != nil && (counts || !errors.Is(err, fs.ErrNotExist)) {
			bad(err, counts)
		}
	}
	return nil
}

// verifyTable reads every block of a table; Pebble compares the checksums.
func (fl *files) verifyTable(path string) (err error) {
	defer recovered("verify a table of the journal", path, &err)
	t, err := fl.openTable(path)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.r.ValidateBlockChecksums(); err != nil {
		return classify("verify a table of the journal", path, err)
	}
	return nil
}
