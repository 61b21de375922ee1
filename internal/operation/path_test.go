package operation

import (
	"errors"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

const testRoot = "/persist/edge"

func TestBeneath(t *testing.T) {
	tests := []struct{ root, folder, in, want string }{ // want "" is a refusal
		{testRoot, ".", "bin/app", "bin/app"},
		{testRoot, ".", "./bin//./app", "bin/app"},
		{testRoot, ".", "bin/x/../app", "bin/app"},
		{testRoot, ".", "bin/app with space", "bin/app with space"},
		{testRoot, ".", "ünïcode", "ünïcode"},
		{testRoot, ".", "-rf", "-rf"},
		{testRoot, ".", "...", "..."},
		{testRoot, ".", "..x/y..", "..x/y.."},
		{testRoot, ".", "/persist/edge/bin/app", "bin/app"},
		{testRoot, ".", "//persist/./edge///bin/app", "bin/app"},
		{testRoot + "/", ".", "/persist/edge/bin/app", "bin/app"},
		{"/persist//./x/../edge/", ".", "/persist/edge/bin/app", "bin/app"},
		{"/a b/é", ".", "/a b/é/bin/app", "bin/app"},
		{"/", ".", "/bin/app", "bin/app"},
		{testRoot, "runtime/binaries", "app", "runtime/binaries/app"},
		{testRoot, "runtime/binaries", "runtime/binaries/app", "runtime/binaries/runtime/binaries/app"},
		{testRoot, "runtime/binaries", "/persist/edge/runtime/binaries/d/app", "runtime/binaries/d/app"},
		{testRoot, "runtime/binaries", "/persist/edge/runtime//binaries/./app", "runtime/binaries/app"},

		{testRoot, ".", "", ""},
		{testRoot, ".", ".", ""},
		{testRoot, ".", "..", ""},
		{testRoot, ".", "/", ""},
		{testRoot, ".", "x/..", ""},
		{testRoot, ".", "x/.", ""},
		{testRoot, ".", "x/", ""},
		{testRoot, ".", "../x", ""},
		{testRoot, ".", "../edge/x", ""},
		{testRoot, ".", "a/../../x", ""},
		{testRoot, ".", "a/../../edge/x", ""},
		{testRoot, ".", testRoot, ""},
		{testRoot, ".", testRoot + "/", ""},
		{testRoot, ".", "/persist", ""},
		{testRoot, ".", "/persist/edge2/x", ""},
		{testRoot, ".", "/persist/Edge/x", ""},
		{testRoot, ".", "/etc/passwd", ""},
		{testRoot, ".", "/persist/edge/../x", ""},
		{testRoot, ".", "/persist/edge/../edge/x", ""},
		{testRoot, ".", "/persist/x/../edge/x", ""},
		{testRoot, ".", "/../persist/edge/x", ""},
		{"", ".", "/x", ""},
		{"persist", ".", "/persist/x", ""},
		{"", ".", "x", "x"},
		{testRoot, "runtime/binaries", "../x", ""},
		{testRoot, "runtime/binaries", "../binaries/x", ""},
		{testRoot, "runtime/binaries", "/persist/edge/runtime/binaries", ""},
		{testRoot, "runtime/binaries", "/persist/edge/runtime/binaries/../x", ""},
		{testRoot, "runtime/binaries", "/persist/edge/runtime/binaries2/x", ""},
		{testRoot, "runtime/binaries", "/persist/edge/bootstrap/x", ""},
		{testRoot, "runtime/binaries", "/persist/edge/runtime/x/../binaries/x", ""},
		{testRoot, ".", strings.Repeat("a", 255), strings.Repeat("a", 255)},
		{testRoot, ".", strings.Repeat("a", 256), ""},
		{testRoot, ".", strings.Repeat("a/", 2047) + "a", strings.Repeat("a/", 2047) + "a"},
		{testRoot, ".", strings.Repeat("a/", 2048) + "a", ""},
		{testRoot, "runtime/binaries", strings.Repeat("a/", 2047) + "a", ""},
		{testRoot, ".", "a\xffb", ""},
	}
	for _, tt := range tests {
		got, err := beneath(tt.root, tt.folder, tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, ErrPath) {
			t.Errorf("beneath(%q, %q, %.60q) = %.60q, %v; want %.60q", tt.root, tt.folder, tt.in, got, err, tt.want)
		}
	}
}

func TestForbiddenCharacters(t *testing.T) {
	for _, r := range ";|$&><(){}[]*?!~#\\\"'`\n\r\t\x00\x01\x1b\x7f\u0080\u0085\u009f" {
		for _, p := range []string{string(r), "a" + string(r), string(r) + "a", "a/" + string(r) + "/b", testRoot + "/" + string(r) + "x"} {
			m := &manifest.Manifest{BinaryPath: p, Operations: []manifest.Operation{
				{Op: manifest.CopyBinary, Src: p, Dst: "dst"},
				{Op: manifest.InstallConfig, Src: "src", Dst: p},
			}}
			_, problems := validate(testRoot, m)
			var fields []string
			for _, e := range problems {
				fields = append(fields, e.Field)
				if !errors.Is(e, ErrPath) || strings.ContainsAny(e.Error(), "\n\r\t\x00\x1b") {
					t.Errorf("%q: %q", p, e)
				}
			}
			if strings.Join(fields, " ") != "binary_path src dst" {
				t.Errorf("%q: refused were %q", p, fields)
			}
		}
	}
	for _, r := range "+,-.:=@^_% aZ09é" {
		if _, err := beneath(testRoot, ".", "a"+string(r)+"b"); err != nil {
			t.Errorf("%q: %v", r, err)
		}
	}
}

func TestDestination(t *testing.T) {
	for _, dst := range []string{
		"bin/app", "app", "runtime/app", "runtime/manifest.json.sig2", "runtime/manifest", "bootstrap2/x", "edges", "epochs/x",
		"bin/journal", "bin/bootstrap", "jour", "bin/.edged-op.tmp2", "identity.d/x", "runtime/binaries2/x",
	} {
		if got, err := destination(testRoot, manifest.Operation{Dst: dst}); got != dst || err != nil {
			t.Errorf("%s: %q, %v", dst, got, err)
		}
	}
	for _, dst := range []string{
		"bootstrap", "bootstrap/x", "identity", "identity/manifest-verify.pub", "epoch/current/evidence.json", "epoch", "edge", "edge/relay/relay.db",
		"runtime", "runtime/binaries", "runtime/binaries/edged", "runtime/manifest.json", "runtime/manifest.json/x", "runtime/manifest.json.sig",
		"journal", "journal/x", "journal.new/x", "journal.quarantine-1", "journald.conf", "journals/x/y",
		"x/../bootstrap/y", "./runtime//manifest.json", testRoot + "/identity/x", testRoot + "/journal.x",
		"Bootstrap/x", "EPOCH", "Runtime/Binaries/x", "runtime/MANIFEST.JSON", "JOURNAL/x", "bootſtrap/x", // a directory may fold case
		".edged-op.tmp", "bin/.edged-op.tmp", "bin/.edged-op.tmp/x", "bin/.EDGED-op.tmp",
		strings.Repeat("a/", 2042) + "b", // it fits, but the temporary file beside it does not
	} {
		if got, err := destination(testRoot, manifest.Operation{Dst: dst}); !errors.Is(err, ErrPath) {
			t.Errorf("%.60s: %.60q, %v", dst, got, err)
		}
	}
}

// TestNoDestinationIsASource: no operation writes a file that an operation reads, in any
// order.
func TestNoDestinationIsASource(t *testing.T) {
	for op, folder := range sources {
		for _, dst := range []string{folder + "/a", testRoot + "/" + folder + "/a", folder, path.Dir(folder)} {
			if _, err := destination(testRoot, manifest.Operation{Op: op, Dst: dst}); err == nil && dst != "." {
				t.Errorf("%s may be written", dst)
			}
		}
	}
}

func TestDisjoint(t *testing.T) {
	plan := func(dsts ...string) []*Error {
		m := &manifest.Manifest{}
		for _, dst := range dsts {
			m.Operations = append(m.Operations, manifest.Operation{Op: manifest.CopyBinary, Src: "a", Dst: dst})
		}
		_, problems := validate(testRoot, m)
		return problems
	}
	for _, ok := range [][]string{{"a", "b"}, {"a", "ab"}, {"d/a", "d/b"}, {"d/a", "d.x"}, {"A", "a"}} {
		if problems := plan(ok...); len(problems) != 0 {
			t.Errorf("%v: %v", ok, problems)
		}
	}
	for _, bad := range [][]string{
		{"a", "a"}, {"a", "./a"}, {"a", "x/../a"}, {"a", testRoot + "/a"}, {"a//b", "a/b"},
		{"a", "a/b"}, {"a/b", "a"}, {"a/b/c", "a"}, {"a", "a/b/c"},
	} {
		problems := plan(bad...)
		if len(problems) != 1 || problems[0].Index != 1 || problems[0].Field != "dst" || !strings.Contains(problems[0].Error(), "operation 0's") {
			t.Errorf("%v: %v", bad, problems)
		}
	}
}

// TestValidateReportsEverything: one run reports every operation's problems.
func TestValidateReportsEverything(t *testing.T) {
	m := &manifest.Manifest{BinaryPath: "../x", Operations: []manifest.Operation{
		{Op: "exec", Src: "a", Dst: "b"},
		{Op: manifest.CopyBinary, Src: "../a", Dst: "/etc/b", Mode: "4755"},
		{Op: manifest.CopyBinary, Src: "a", Dst: "c"},
		{Op: manifest.CopyBinary, Src: "a", Dst: "c"},
	}}
	var reported []string
	_, problems := validate(testRoot, m)
	for _, e := range problems {
		reported = append(reported, e.Error())
	}
	want := []string{
		`binary_path "../x": path not allowed: its .. leads outside runtime/binaries/`,
		`operation 0 (exec): src "a": path not allowed: there is no operation "exec"`,
		`operation 1 (copy_binary): src "../a": path not allowed: its .. leads outside runtime/binaries/`,
		`operation 1 (copy_binary): mode "4755": "4755" has setuid, setgid or sticky, or bits beyond: only permissions are allowed`,
		`operation 1 (copy_binary): dst "/etc/b": path not allowed: it lies outside the state root /persist/edge`,
		`operation 3 (copy_binary): dst "c": path not allowed: it repeats or nests in operation 2's c`,
	}
	if strings.Join(reported, "\n") != strings.Join(want, "\n") {
		t.Errorf("reported were\n%s\nwant\n%s", strings.Join(reported, "\n"), strings.Join(want, "\n"))
	}
}

func TestBinary(t *testing.T) {
	for in, want := range map[string]string{
		"": stateroot.DefaultBinary, "edged": stateroot.DefaultBinary, "./v2/edged": "runtime/binaries/v2/edged",
		testRoot + "/runtime/binaries/x": "runtime/binaries/x",
	} {
		if got, err := Binary(testRoot, &manifest.Manifest{BinaryPath: in}); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := Binary(testRoot, &manifest.Manifest{BinaryPath: "../manifest.json"}); !errors.Is(err, ErrPath) {
		t.Error(err)
	}
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"a", "../a", "/persist/edge/a", "a/../..", "/persist/edge/../edge/a", "a\x00", "\xff", "JOURNAL", "bootſtrap/x", ".edged-op.tmp"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		for _, folder := range []string{".", stateroot.Binaries, stateroot.Bootstrap} {
			rel, err := beneath(testRoot, folder, p)
			if err != nil {
				if !errors.Is(err, ErrPath) || rel != "" {
					t.Fatal(rel, err)
				}
				continue
			}
			if path.Clean(rel) != rel || path.IsAbs(rel) || rel == "." || strings.HasPrefix(rel, "..") && (len(rel) == 2 || rel[2] == '/') ||
				len(rel) > maxPath || !utf8.ValidString(rel) || strings.ContainsAny(rel, metacharacters+"\n\x00") ||
				folder != "." && !strings.HasPrefix(rel, folder+"/") {
				t.Fatalf("%q in %s is %q", p, folder, rel)
			}
			if again, err := beneath(testRoot, folder, testRoot+"/"+rel); err == nil && again != rel {
				t.Fatalf("%q, absolute, is %q", rel, again)
			}
		}
		if rel, err := destination(testRoot, manifest.Operation{Dst: p}); err == nil {
			for _, k := range reserved {
				if within(strings.ToLower(rel), k) {
					t.Fatalf("%q is %q, which is reserved", p, rel)
				}
			}
			if strings.HasPrefix(strings.ToLower(rel), "journal") {
				t.Fatalf("%q is the journal's", p)
			}
		}
	})
}
