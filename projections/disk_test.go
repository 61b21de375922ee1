package projections_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// disk returns a durable disk with these files. A name that ends in "/" is a
// directory, a value that begins with "->" a symbolic link, "|" a FIFO.
func disk(t *testing.T, files map[string]string) *memfs.FS {
	t.Helper()
	m := memfs.New()
	for _, dir := range []string{"bootstrap", "epoch"} {
		must(t, durable.MkdirAll(m, dir, 0o750))
	}
	// In order, because writing a file removes another one with its temporary name.
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			must(t, durable.MkdirAll(m, dir, 0o750))
			continue
		}
		must(t, durable.MkdirAll(m, path.Dir(name), 0o750))
		switch target, link := strings.CutPrefix(data, "->"); {
		case link:
			must(t, m.PlantSymlink(name, target))
		case data == "|":
			must(t, m.PlantFIFO(name))
		default:
			must(t, durable.WriteFile(m, name, []byte(data), 0o640))
		}
	}
	m.SyncAll()
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish does what a boot does with the projections. A boot continues if an orphan
// cannot be removed.
func publish(fsys durable.FS, s machine.State, now int64) error {
	files, err := projections.Read(fsys)
	if err != nil {
		return err
	}
	left := append(projections.CleanOrphans(fsys), durable.RemoveTemporary(fsys, projections.FingerprintPath))
	return errors.Join(append(left, projections.Publish(fsys, s, files, now))...)
}

// mutations returns the number of operations of f that change the disk.
func mutations(m *memfs.FS, f func() error) (int, error) {
	n := 0
	m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			n++
		}
		return nil
	})
	defer m.SetHook(nil)
	return n, f()
}

func contents(t *testing.T, m *memfs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{projections.FingerprintPath, projections.CurrentPath, projections.PreviousPath} {
		data, _, err := durable.ReadFile(m, name, 1<<20)
		if err == nil {
			files[name] = string(data)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return files
}

// projected returns the three files of s.
func projected(t *testing.T, s machine.State) map[string]string {
	files := map[string]string{}
	if s.Baseline != nil {
		files[projections.FingerprintPath] = string(fingerprintOf(t, s))
	}
	if s.Current != nil {
		files[projections.CurrentPath] = string(evidenceOf(t, s.Current))
	}
	if s.Previous != nil {
		files[projections.PreviousPath] = string(evidenceOf(t, s.Previous))
	}
	return files
}

func TestReadWhatIsNoFile(t *testing.T) {
	big := strings.Repeat("x", projections.FingerprintLimit+1)
	for name, files := range map[string]map[string]string{
		"symbolic link":                     {projections.FingerprintPath: "->/etc/passwd"},
		"FIFO":                              {projections.FingerprintPath: "|"},
		"directory":                         {projections.FingerprintPath + "/": ""},
		"too large":                         {projections.FingerprintPath: big},
		"file in place of a directory":      {"epoch/current": "x"},
		"link in place of a directory":      {"epoch/current": "->/etc"},
		"FIFO in place of evidence":         {projections.CurrentPath: "|"},
		"directory in place of evidence":    {projections.CurrentPath + "/deep/": ""},
		"evidence a link":                   {projections.CurrentPath: "->x"},
		"previous a FIFO":                   {"epoch/previous": "|"},
		"something among the evidence":      {"epoch/current/notes": "kept", projections.CurrentPath: "|"},
		"directory with files, in previous": {projections.PreviousPath + "/a/b": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 1)
			s := h.state()
			m := disk(t, files)
			found, err := projections.Read(m)
			must(t, err)
			again, err := projections.Read(m)
			must(t, err)
			irregular := 0
			for i, f := range []projections.Found{found.Fingerprint, found.Current, found.Previous} {
				if f.Exists {
					irregular++
					if f.Readable() {
						t.Errorf("%s counts as readable", f.Path)
					}
					if f.BLAKE3 == "" || f.BLAKE3 != []projections.Found{again.Fingerprint, again.Current, again.Previous}[i].BLAKE3 {
						t.Errorf("%s: not recognised a second time", f.Path)
					}
				}
			}
			if irregular != 1 {
				t.Fatalf("%d things found, want 1: %+v", irregular, found)
			}
			if found.Fingerprint.Exists {
				v, err := projections.JudgeFingerprint(found.Fingerprint, s, h.lookup)
				if err != nil || v.Cause != machine.CauseTampered {
					t.Errorf("verdict %+v, %v", v, err)
				}
				if projections.Classify(found) != projections.ClassUnparseable {
					t.Error("classified as a first run or legacy")
				}
			} else {
				for p, f := range map[string]projections.Found{projections.CurrentPath: found.Current, projections.PreviousPath: found.Previous} {
					if v, err := projections.JudgeEvidence(p, f, s); f.Exists && (err != nil || v.Reason != "edited") {
						t.Errorf("verdict %+v, %v", v, err)
					}
				}
			}
			must(t, projections.Publish(m, s, found, 1))
			if got := contents(t, m); !maps.Equal(got, projected(t, s)) {
				t.Errorf("published %v", got)
			}
			if _, kept := files["epoch/current/notes"]; kept {
				if _, err := m.Lstat("epoch/current/notes"); err != nil {
					t.Error("a repair removed a file that is not its own")
				}
			}
			if n, err := mutations(m, func() error { return publish(m, s, 2) }); n != 0 || err != nil {
				t.Errorf("a second publication did %d mutations, %v", n, err)
			}
		})
	}
}

func TestPublishLeavesAloneWhatAgrees(t *testing.T) {
	h := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 1)
	s := h.state()
	newer := func(data []byte) string {
		return string(resign(t, data, func(d, _ doc) { d["newer"] = 1 }))
	}
	m := disk(t, map[string]string{
		projections.FingerprintPath: newer(fingerprintOf(t, s)),
		projections.CurrentPath:     newer(evidenceOf(t, s.Current)),
		projections.PreviousPath:    newer(evidenceOf(t, s.Previous)),
		"epoch/notes.txt":           "kept", "epoch/epoch_5/x": "kept", "bootstrap/config.yaml": "kept",
	})
	before := m.Dump()
	if files, err := projections.Read(m); err != nil || !files.Current.Readable() {
		t.Errorf("read %+v, %v", files.Current, err)
	}
	n, err := mutations(m, func() error { return publish(m, s, 1) })
	if err != nil || n != 0 || !maps.Equal(before, m.Dump()) {
		t.Errorf("%d mutations, %v", n, err)
	}
}

func TestPublishWaitsForTheReconstruction(t *testing.T) {
	h := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 1).detect(3, machine.CauseTampered)
	adopted := newHistory(t, journalID)
	adopted.add(machine.LegacyStateAdopted{V: 1, BootEpoch: 4, CompositeHash: legacyHash, File: legacyFile("4")})
	for name, s := range map[string]machine.State{"open": h.state(), "adopted": adopted.state(), "nothing": {}} {
		m := disk(t, map[string]string{projections.FingerprintPath: "tampered", projections.CurrentPath: "edited"})
		must(t, publish(m, s, 1))
		got := contents(t, m)
		if got[projections.FingerprintPath] != "tampered" {
			t.Errorf("%s: the fingerprint file was replaced before the reconstruction", name)
		}
		if s.Current == nil && got[projections.CurrentPath] != "edited" {
			t.Errorf("%s: evidence was touched before the first epoch", name)
		}
		if s.Current != nil && got[projections.CurrentPath] != projected(t, s)[projections.CurrentPath] {
			t.Errorf("%s: evidence was not repaired", name)
		}
	}
}

func TestPublishEvidenceAnswersNoFingerprint(t *testing.T) {
	s := newHistory(t, journalID).initial().epoch(1, 0).state()
	m := disk(t, map[string]string{projections.FingerprintPath: "tampered", "epoch/previous/": ""})
	files, err := projections.Read(m)
	must(t, err)
	must(t, projections.PublishEvidence(m, s, files, 1))
	got := contents(t, m)
	if got[projections.FingerprintPath] != "tampered" || got[projections.CurrentPath] != projected(t, s)[projections.CurrentPath] {
		t.Errorf("published %v", got)
	}
	if _, err := m.Lstat("epoch/previous"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("previous/ before the second epoch: %v", err)
	}
}

func TestPublishMakesFoldersThatAreGone(t *testing.T) {
	s := newHistory(t, journalID).initial().epoch(1, 0).state()
	m := memfs.New()
	must(t, publish(m, s, 1))
	if got := contents(t, m); !maps.Equal(got, projected(t, s)) {
		t.Errorf("published %v", got)
	}
}

func TestPublishRefusesLinkedFolders(t *testing.T) {
	s := newHistory(t, journalID).initial().epoch(1, 0).state()
	for _, dir := range []string{"epoch", "bootstrap"} {
		m := memfs.New()
		must(t, m.PlantSymlink(dir, "elsewhere"))
		if err := publish(m, s, 1); !errors.Is(err, durable.ErrSymlink) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestCleanOrphans: only directories whose name and content a publication makes are
// removed.
func TestCleanOrphans(t *testing.T) {
	kept := map[string]string{
		"epoch/kept": "x", "bootstrap/config.yaml": "x", "epoch/current/evidence.json": "x",
		"bootstrap/site.tmp": "a source", "bootstrap/site.yaml.tmp": "x", "bootstrap/os_fingerprint.json.tmp": "half",
		"epoch/notes.tmp": "x", "epoch/epoch_.tmp/evidence.json": "x", "epoch/epoch_07.tmp/evidence.json": "x",
		"epoch/epoch_+7.tmp/evidence.json": "x", "epoch/epoch_7.tmp.tmp/evidence.json": "x", "epoch/epoch_99999999999999999999.tmp/evidence.json": "x",
		"epoch/xepoch_7.tmp/evidence.json": "x", "epoch/epoch_8.tmp": "a file",
		"epoch/epoch_9.tmp/evidence.json": "x", "epoch/epoch_9.tmp/notes": "mine", "epoch/epoch_10.tmp/evidence.json/deep": "mine",
	}
	files := maps.Clone(kept)
	maps.Copy(files, map[string]string{"epoch/epoch_12.tmp/evidence.json": "half", "epoch/epoch_13.tmp/": "", "epoch/epoch_-14.tmp/": ""})
	m := disk(t, files)
	want := disk(t, kept).Dump()
	left := projections.CleanOrphans(m)
	if len(left) != 2 || !strings.Contains(fmt.Sprint(left), "it holds notes") || !strings.Contains(fmt.Sprint(left), "epoch_10.tmp") {
		t.Errorf("reported as left: %v", left)
	}
	if got := m.Dump(); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if left := projections.CleanOrphans(memfs.New()); left != nil { // no epoch/ at all
		t.Error(left)
	}
	n := 0
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpReadDir || op.Kind == memfs.OpRemove || op.Kind == memfs.OpSyncDir {
			n++
			return syscall.EIO
		}
		return nil
	})
	if left := projections.CleanOrphans(m); len(left) == 0 || n == 0 {
		t.Errorf("%d failures, reported %v", n, left)
	}
}

// Every I/O error is returned, and the next publication converges.
func TestEveryIOErrorIsReturned(t *testing.T) {
	for _, sc := range scenarios(t) {
		want := sc.outcome(t)
		for at := 1; ; at++ {
			m := disk(t, sc.files)
			op := 0
			var failed memfs.Op
			m.SetHook(func(o memfs.Op) error {
				if op++; op == at {
					failed = o
					return syscall.EIO
				}
				return nil
			})
			err := publish(m, sc.s, 1)
			m.SetHook(nil)
			if op < at {
				break
			}
			// Closing a file that was only read cannot lose anything.
			if !errors.Is(err, syscall.EIO) && failed.Kind != memfs.OpClose {
				t.Errorf("%s: %s of %s failed, publication returned %v", sc.name, failed.Kind, failed.Name, err)
			}
			must(t, publish(m, sc.s, 2))
			if !maps.Equal(want, m.Dump()) {
				t.Errorf("%s: after an error at %s of %s: %v", sc.name, failed.Kind, failed.Name, m.Dump())
			}
		}
	}
}

// The same on a real disk.
func TestPublishOnLinux(t *testing.T) {
	root, err := durable.OpenRoot(t.TempDir())
	must(t, err)
	defer func() { must(t, root.Close()) }()
	h := newHistory(t, journalID).initial()
	for i := range 4 {
		must(t, publish(root, h.state(), int64(i)))
		files, err := projections.Read(root)
		must(t, err)
		for p, f := range map[string]projections.Found{
			projections.FingerprintPath: files.Fingerprint, projections.CurrentPath: files.Current, projections.PreviousPath: files.Previous,
		} {
			if want := projected(t, h.state())[p]; !bytes.Equal(f.Data, []byte(want)) {
				t.Errorf("epoch %d: %s holds %s", i, p, f.Data)
			}
		}
		h.epoch(i+1, i)
	}
}
