package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/autonomyops/edged/machine"
)

// Change is one value that differs between two points. "" means none.
type Change struct {
	What string `json:"what"`
	From string `json:"from"`
	To   string `json:"to"`
}

// FileChange is a file that was installed, replaced or is no longer installed.
type FileChange struct {
	Path string     `json:"path"` // relative to the state root
	From *Installed `json:"from"` // nil: not installed there
	To   *Installed `json:"to"`
}

// Installed is a file as an epoch's operations installed it.
type Installed struct {
	BLAKE3 string `json:"blake3"`
	Bytes  int64  `json:"bytes"`
	Mode   string `json:"mode"`
}

// Difference is the difference between two states of one node.
type Difference struct {
	Changes []Change `json:"changes"`
	// OSRelease are the lines of the os-release text that differ.
	OSRelease []Line `json:"os_release"`
	// OSReleaseTruncated: the file differs and the text of one of the states was
	// cut, so that OSRelease may lack lines.
	OSReleaseTruncated bool         `json:"os_release_truncated"`
	Files              []FileChange `json:"files"`
}

// Same reports whether nothing differs.
func (d Difference) Same() bool { return len(d.Changes)+len(d.OSRelease)+len(d.Files) == 0 }

// Compare returns the difference between two states.
func Compare(from, to machine.State) Difference {
	d := Difference{Changes: []Change{}, OSRelease: []Line{}, Files: []FileChange{}}
	a, b := values(from), values(to)
	for i := range a {
		if a[i].value != b[i].value {
			d.Changes = append(d.Changes, Change{a[i].name, a[i].value, b[i].value})
		}
	}
	d.OSRelease = append(d.OSRelease, CompareLines(osRelease(from), osRelease(to))...)
	d.OSReleaseTruncated = Truncated(from.Baseline, to.Baseline)
	d.Files = append(d.Files, compareFiles(from.Current, to.Current)...)
	return d
}

// Truncated reports whether the os-release of two baselines differs and a text
// of it was cut. nil is no baseline.
func Truncated(from, to *machine.Baseline) bool {
	return from != nil && to != nil && (from.OSReleaseTruncated || to.OSReleaseTruncated) && from.Inputs.EtcOSRelease != to.Inputs.EtcOSRelease
}

type value struct{ name, value string }

// values returns the values that are compared, in the order in which they are
// reported. The names are the same for every state.
func values(s machine.State) []value {
	var b machine.Baseline
	if s.Baseline != nil {
		b = *s.Baseline
	}
	var m machine.VerifiedManifest
	var e machine.EpochRotated
	if s.Current != nil {
		m, e = s.Current.Manifest, s.Current.Rotated
	}
	var open, target string
	if o := s.Open; o != nil {
		causes := make([]string, len(o.Causes))
		for i, c := range o.Causes {
			causes[i] = string(c)
		}
		open = fmt.Sprintf("since record %d, attempt %d, cause %s", o.First, o.Attempt, strings.Join(causes, ", "))
		target = o.Target
	}
	var drill, failure, salvaged string
	if s.Drill != nil {
		drill = fmt.Sprintf("record %d", s.Drill.Seq)
	}
	if f := s.LastFail; f != nil {
		failure = fmt.Sprintf("record %d, exit %d at %s", f.Seq, f.Failed.ExitCode, f.Failed.Stage)
	}
	if s.Salvage != nil {
		salvaged = s.Salvage.Predecessor
	}
	return []value{
		{"journal", s.Journal},
		{"node", s.Node},
		{"phase", string(s.Phase)},
		{"epoch", strconv.FormatUint(s.Epoch, 10)},
		{"composite_hash", b.CompositeHash},
		{"etc_os_release", b.Inputs.EtcOSRelease},
		{"usr_lib_os_release", b.Inputs.UsrLibOSRelease},
		{"uname_release", b.UnameRelease},
		{"manifest_hash", m.Hash},
		{"manifest_serial", serial(m.Serial)},
		{"manifest_key", m.Key},
		{"successor_keys", strings.Join(s.Keys.Successors, ", ")},
		{"checkpoint_key", s.Keys.Checkpoint},
		{"binary_hash", e.BinaryHash},
		{"config_hash", e.ConfigHash},
		{"open_update", open},
		{"open_target", target},
		{"drill", drill},
		{"last_failure", failure},
		{"salvaged_from", salvaged},
		{"time_floor", moment(s.Clock.Floor)},
	}
}

func osRelease(s machine.State) string {
	if s.Baseline == nil {
		return ""
	}
	return s.Baseline.OSRelease
}

func serial(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func compareFiles(from, to *machine.EpochRecord) []FileChange {
	a, b := installed(from), installed(to)
	var paths []string
	for p := range a {
		paths = append(paths, p)
	}
	for p := range b {
		if _, both := a[p]; !both {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var out []FileChange
	for _, p := range paths {
		was, is := a[p], b[p]
		if was == nil || is == nil || *was != *is {
			out = append(out, FileChange{p, was, is})
		}
	}
	return out
}

func installed(r *machine.EpochRecord) map[string]*Installed {
	files := map[string]*Installed{}
	if r != nil {
		for _, op := range r.Operations {
			files[op.Dst] = &Installed{op.BLAKE3, op.Bytes, op.Mode}
		}
	}
	return files
}
