package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonVerifier: a verifier of at most 100 lines in another language,
// written from docs/formats.md alone, accepts what is right and refuses every
// alteration of it.
func TestPythonVerifier(t *testing.T) {
	script, err := filepath.Abs("../../docs/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > 100 {
		t.Errorf("docs/verify.py has %d lines, the limit is 100", n)
	}
	n := newNode(t, "python3", "b3sum", "openssl", "tar", "zstd")
	n.history()
	n.sh("edgectl journal export --out good.jsonl && edgectl audit bundle --out b.tar.zst && tar --zstd -xf b.tar.zst && cp audit/checkpoint . && cp state/identity/journal-sign.pub key.pub")
	n.env = append(n.env, "VERIFY=python3 "+script)
	for command, says := range map[string]string{
		"$VERIFY good.jsonl":                    "ok: 14 records of journal ",
		"$VERIFY good.jsonl checkpoint":         "its signature was not verified",
		"$VERIFY good.jsonl checkpoint key.pub": "records are those of the checkpoint, signed by ",
		"edgectl journal export --from-seq 5 --out later.jsonl && $VERIFY later.jsonl": "ok: 10 records of journal ",
	} {
		if out := n.sh(command); !strings.Contains(out, says) {
			t.Errorf("%s: want %q:\n%s", command, says, out)
		}
	}
	good, err := os.ReadFile(filepath.Join(n.dir, "good.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, altered := range alterations(good) {
		if bytes.Equal(altered, good) {
			t.Errorf("%s: nothing was altered", name)
			continue
		}
		if err := os.WriteFile(filepath.Join(n.dir, "bad.jsonl"), altered, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, errs, exit := n.run("$VERIFY bad.jsonl checkpoint key.pub"); exit != 1 || !strings.Contains(errs, "WRONG: ") {
			t.Errorf("%s: exit %d\n%s%s", name, exit, out, errs)
		}
	}
	for _, time := range []string{
		"2026-13-01T00:00:00.000000000Z", "2026-00-01T00:00:00.000000000Z", "2026-02-29T00:00:00.000000000Z", "1900-02-29T00:00:00.000000000Z",
		"2026-01-01T24:00:00.000000000Z", "2026-01-01T00:60:00.000000000Z", "2026-01-01T99:99:99.000000000Z", "2026-01-01T00:00:60.000000000Z", "202٦-01-01T00:00:00.000000000Z",
	} {
		if out, errs, exit := n.run(`sed '$s/"time":"[^"]*"/"time":"` + time + `"/' good.jsonl >bad.jsonl; $VERIFY bad.jsonl`); exit != 1 || !strings.Contains(errs, "WRONG: line 14: ") {
			t.Errorf("time %s: exit %d\n%s%s", time, exit, out, errs)
		}
	}
	n.sh(`sed '$s/"time":"[^"]*"/"time":"0000-02-29T23:59:59.000000000Z"/' good.jsonl >bad.jsonl; $VERIFY bad.jsonl`)
	if _, errs, exit := n.run("$VERIFY absent.jsonl"); exit != 2 || !strings.Contains(errs, "CANNOT: ") || !strings.Contains(errs, "absent.jsonl") {
		t.Errorf("an absent file: exit %d\n%s", exit, errs)
	}
	for _, alter := range []string{
		"2s/.*/13/", "2s/.*/15/", "2s/.*/014/", "2s/.*/0/", "3s/^./_/", "1s/edged/other/", "1s/.$/_/", "3a more", "5s/ [^ ]*$/ AAAA/", "5s/.$/A/", "4d", "5d",
	} {
		if out, _, exit := n.run("sed '" + alter + "' checkpoint >bad && cmp -s bad checkpoint && echo same; $VERIFY good.jsonl bad key.pub"); exit != 1 || strings.Contains(out, "same") {
			t.Errorf("a checkpoint altered by %s: exit %d, %s", alter, exit, out)
		}
	}
	n.sh("edgectl init other --node other >/dev/null")
	if _, errs, exit := n.run("$VERIFY good.jsonl checkpoint other/identity/journal-sign.pub"); exit != 1 || !strings.Contains(errs, "not signed by this key") {
		t.Errorf("another key: exit %d, %s", exit, errs)
	}
}

// alterations are one of each kind that there is, the newest record included.
func alterations(good []byte) map[string][]byte {
	lines := bytes.SplitAfter(bytes.TrimSuffix(good, []byte("\n")), []byte("\n"))
	all := map[string][]byte{}
	edit := func(name string, at int, change func(line []byte) []byte) {
		copied := make([][]byte, len(lines))
		for i := range lines {
			copied[i] = bytes.Clone(lines[i])
		}
		copied[at] = change(copied[at])
		all[fmt.Sprintf("%s, line %d", name, at+1)] = append(bytes.Join(copied, nil), '\n')
	}
	swap := func(old, new string) func([]byte) []byte {
		return func(line []byte) []byte { return bytes.Replace(line, []byte(old), []byte(new), 1) }
	}
	last := len(lines) - 1
	for _, at := range []int{6, last} {
		edit("uptime raised", at, swap(`"uptime_ms":`, `"uptime_ms":1`))
		edit("crit as a number", at, swap(`"crit":true`, `"crit":1`))
		edit("a space", at, swap(`"crit":`, `"crit": `))
		edit("a member twice", at, swap(`"crit":`, `"crit":false,"crit":`))
		edit("a member more", at, swap(`"crit":`, `"crot":1,"crit":`))
		edit("a member less", at, swap(`"crit":true,`, ``))
		edit("another order", at, swap(`"v":1}`, `"a":1}`))
		edit("a fraction", at, swap(`"v":1}`, `"v":1.0}`))
		edit("another version", at, swap(`"v":1}`, `"v":2}`))
		edit("an escape", at, swap(`"node":"`, `"node":"\u0061`))
		edit("half a surrogate", at, swap(`"node":"`, `"node":"\ud800`))
		edit("a time zone", at, swap(`Z","type"`, `+00:00","type"`))
		edit("another id", at, swap(`"id":"0`, `"id":"1`))
		edit("another kind of id", at, func(line []byte) []byte {
			i := bytes.Index(line, []byte(`"id":"`)) + 6 + 14
			line[i] = '4'
			return line
		})
		edit("another type", at, swap(`"type":"`, `"type":"X`))
		edit("not UTF-8", at, swap(`"node":"`, "\"node\":\"\xff"))
		edit("cut short", at, func(line []byte) []byte { return line[:len(line)/2] })
		edit("another journal", at, func(line []byte) []byte {
			i := bytes.Index(line, []byte(`"journal":"`)) + 11
			line[i] ^= 1
			return line
		})
		edit("another prev", at, func(line []byte) []byte {
			i := bytes.Index(line, []byte(`"prev":"`)) + 8
			line[i] ^= 1
			return line
		})
		edit("gone", at, func([]byte) []byte { return nil })
		edit("twice", at, func(line []byte) []byte {
			return append(append(bytes.TrimSuffix(line, []byte("\n")), '\n'), line...)
		})
	}
	all["two exchanged"] = append(bytes.Join([][]byte{lines[1], lines[0], bytes.Join(lines[2:], nil)}, nil), '\n')
	all["no newline at the end"] = good[:len(good)-1]
	all["a line of nothing"] = append(bytes.Clone(good), '\n')
	all["nothing"] = nil
	return all
}
