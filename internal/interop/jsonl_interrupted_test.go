package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var formats = []string{"jsonl", "csv", "parquet", "journald"}

// A limit on the size of files ends the process in the middle of a write, as
// a kill would, at a place that is always the same.
func TestExportKilled(t *testing.T) {
	n := livedNode(t)
	for _, f := range formats {
		out, said, exit := n.Run(`ulimit -f 4; edgectl journal export --format ` + f + ` --out h.` + f)
		if exit == 0 {
			t.Errorf("%s: not interrupted: %s%s", f, out, said)
		}
		if _, err := os.Stat(filepath.Join(n.Dir, "h."+f)); err == nil {
			t.Errorf("%s: a part is under the final name", f)
		}
		n.Sh(`edgectl journal export --format ` + f + ` --out h.` + f + `; edgectl journal export --format ` + f + ` --out - | cmp - h.` + f)
	}
}

// An export whose output is closed ends by SIGPIPE, and prints nothing.
func TestExportBrokenPipe(t *testing.T) {
	n := newNode(t)
	history, err := filepath.Abs("../../fixtures/twoyears/depot-07.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		out, said, exit := n.Run(`set +e; edgectl journal export --journal ` + history + ` --format ` + f + ` --out - | head -c 4 | wc -c; echo ${PIPESTATUS[*]}`)
		if exit != 0 || strings.Join(strings.Fields(out), " ") != "4 141 0 0" || said != "" {
			t.Errorf("%s: exit %d, %q, %q", f, exit, out, said)
		}
	}
}

func TestExportFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small filesystem")
	}
	n := newNode(t, "unshare", "mount")
	history, err := filepath.Abs("../../fixtures/twoyears/depot-07.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	const small = `mkdir -p small; unshare -m sh -ec 'mount -t tmpfs -o size=48k none small; %s'`
	if _, said, exit := n.Run(fmt.Sprintf(small, "true")); exit != 0 {
		t.Skipf("nothing can be mounted here: %s", said)
	}
	for _, f := range formats {
		_, said, exit := n.Run(fmt.Sprintf(small, `edgectl journal export --journal `+history+` --format `+f+` --out small/x || { [ $? = 2 ]; [ -z "$(ls -A small)" ]; exit 3; }`))
		if exit != 3 || !strings.Contains(said, "no space left") || !strings.Contains(said, "next: ") {
			t.Errorf("%s: exit %d, %s", f, exit, said)
		}
	}
	if _, said, exit := n.Run(`edgectl journal export --format jsonl --journal ` + history + ` --out /dev/full`); exit != 2 || !strings.Contains(said, "no space left") {
		t.Errorf("/dev/full: exit %d, %s", exit, said)
	}
}

// Where a record cannot be read there is no file, in any format.
func TestExportDamaged(t *testing.T) {
	n := livedNode(t)
	n.Sh(`edgectl journal export --out h.jsonl; sed '5s/"crit":/"crit": /' h.jsonl > bad.jsonl`)
	for _, f := range formats[1:] {
		_, said, exit := n.Run(`edgectl journal export --journal bad.jsonl --format ` + f + ` --out h.` + f)
		if exit != 1 || !strings.Contains(said, "record 5") {
			t.Errorf("%s: exit %d, %s", f, exit, said)
		}
		if left := n.Sh(`ls -A | grep "h\.` + f + `" || true`); left != "" {
			t.Errorf("%s left %s", f, left)
		}
	}
}
