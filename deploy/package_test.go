package deploy

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dist returns the folder of the packages that make package has built, and the one of
// the gate.
func dist(t *testing.T) (dir, deb string) { return built(t, "edged") }

// built returns the folder of the packages that make package has built, and one of them.
func built(t *testing.T, name string) (dir, deb string) {
	t.Helper()
	dir = os.Getenv("EDGED_DIST")
	if dir == "" {
		t.Skip("EDGED_DIST is not set: make package sets it")
	}
	debs, err := filepath.Glob(filepath.Join(dir, name+"_*_"+must(t, "dpkg", "--print-architecture")+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("%s has %d packages for this machine: %v", dir, len(debs), err)
	}
	return dir, debs[0]
}

// must returns what a command prints, without the end of its last line.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// TestPackageFiles: what is in the package, and what is not.
func TestPackageFiles(t *testing.T) {
	_, deb := dist(t)
	want := []string{
		"-rwxr-xr-x usr/bin/edged", "-rwxr-xr-x usr/bin/edgectl", "-rwxr-xr-x usr/libexec/edged/write-checkpoint",
		"-rw-r--r-- usr/lib/systemd/system-preset/80-edged.preset", "-rw-r--r-- usr/lib/systemd/system/" + goodBoot,
		"-rw-r--r-- usr/share/bash-completion/completions/edged", "-rw-r--r-- usr/share/zsh/vendor-completions/_edgectl",
		"-rw-r--r-- usr/share/fish/vendor_completions.d/edged.fish",
		"-rw-r--r-- usr/share/man/man8/edged-precheck.8.gz", "-rw-r--r-- usr/share/man/man1/edgectl-journal-log.1.gz",
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "SECURITY.md", "copyright", "deploy/README.md", "docs/operations.md", "docs/commissioning.md",
		"docs/schemas/record.schema.json", "examples/config.yaml", "sbom.cdx.json", "third-party-licenses.txt.gz"} {
		want = append(want, "-rw-r--r-- usr/share/doc/edged/"+name)
	}
	units, err := filepath.Glob("systemd/edged*")
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	for _, u := range units {
		want = append(want, "-rw-r--r-- usr/lib/systemd/system/"+filepath.Base(u))
	}
	have := map[string]bool{}
	for line := range strings.Lines(must(t, "dpkg-deb", "-c", deb)) {
		f := strings.Fields(line) // mode owner size date time name
		if len(f) < 6 || f[1] != "root/root" {
			t.Errorf("%s", line)
			continue
		}
		name := strings.TrimPrefix(f[5], "./")
		if strings.HasSuffix(name, ".go") || name != "" && !strings.HasPrefix(name, "usr/") {
			t.Errorf("%s has no place in it", name)
		}
		have[f[0]+" "+name] = true
	}
	for _, w := range want {
		if !have[w] {
			t.Errorf("%s is missing", w)
		}
	}
}

// unpacked returns a folder with the package's files.
func unpacked(t *testing.T) string {
	t.Helper()
	_, deb := dist(t)
	root := t.TempDir()
	must(t, "dpkg-deb", "-x", deb, root)
	return root
}

// TestPackageDocuments: every link of an installed page, and every page that a
// unit names, leads to something installed.
func TestPackageDocuments(t *testing.T) {
	root := unpacked(t)
	doc := filepath.Join(root, "usr/share/doc/edged")
	link := regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	links := 0
	err := filepath.WalkDir(doc, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".md" {
			return err
		}
		data, err := os.ReadFile(name)
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if m[1] == "" || strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		return err
	})
	if err != nil || links < 30 {
		t.Errorf("%d links, %v", links, err)
	}
	units, err := filepath.Glob("systemd/edged*.[st]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		named := readUnit(t, filepath.Base(u))["Unit"]["Documentation"]
		if len(named) == 0 {
			t.Errorf("%s names no page", u)
		}
		for _, where := range strings.Fields(strings.Join(named, " ")) {
			file, anchor, _ := strings.Cut(strings.TrimPrefix(where, "file://"), "#")
			if page, ok := strings.CutPrefix(where, "man:"); ok {
				name, section, _ := strings.Cut(strings.TrimSuffix(page, ")"), "(")
				file = "/usr/share/man/man" + section + "/" + name + "." + section + ".gz"
			}
			data, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Errorf("%s names %s: %v", u, where, err)
			}
			if heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(anchor, "-", "[ -]") + `$`); anchor != "" && !heading.Match(data) {
				t.Errorf("%s names %s, which has no such heading", u, where)
			}
		}
	}
}

// TestPackageComponents: the list names exactly what go version -m finds in the
// binaries, and there is a license of each.
func TestPackageComponents(t *testing.T) {
	root := unpacked(t)
	data, err := os.ReadFile(filepath.Join(root, "usr/share/doc/edged/sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version, PURL string
			Properties          []struct{ Value string }
		}
	}
	if err := json.Unmarshal(data, &bom); err != nil || bom.BOMFormat != "CycloneDX" {
		t.Fatalf("%q, %v", bom.BOMFormat, err)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		for _, p := range c.Properties {
			if c.Name != "std" {
				listed[p.Value+" "+c.Name+" "+c.Version] = true
			}
		}
	}
	licenses := must(t, "zcat", filepath.Join(root, "usr/share/doc/edged/third-party-licenses.txt.gz"))
	linked := 0
	for _, name := range []string{"edged", "edgectl"} {
		var modules [][]string
		for line := range strings.Lines(must(t, "go", "version", "-m", filepath.Join(root, "usr/bin", name))) {
			switch f := strings.Fields(line); {
			case len(f) > 2 && f[0] == "dep":
				modules = append(modules, f[1:3])
			case len(f) > 2 && f[0] == "=>": // in the place of the one before
				modules[len(modules)-1] = f[1:3]
			}
		}
		for _, m := range modules {
			linked++
			if !listed[name+" "+m[0]+" "+m[1]] {
				t.Errorf("%s %s of %s is not in the list", m[0], m[1], name)
			}
			if !strings.Contains(licenses, "\n==== "+m[0]+" "+m[1]+": ") && !strings.HasPrefix(licenses, "==== "+m[0]+" ") {
				t.Errorf("there is no license of %s %s", m[0], m[1])
			}
		}
	}
	if linked != len(listed) || linked < 20 {
		t.Errorf("%d modules are linked, %d are listed", linked, len(listed))
	}
}

func TestPackageLintian(t *testing.T) {
	_, gate := dist(t)
	_, hub := built(t, "edgehub")
	lintian, err := exec.LookPath("lintian")
	if err != nil {
		t.Skip("lintian is not installed")
	}
	cmd := exec.Command(lintian, "--fail-on", "error", gate, hub)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestPackageReproducible: another copy of the sources, elsewhere, gives the same
// packages, byte for byte.
func TestPackageReproducible(t *testing.T) {
	_, deb := dist(t)
	copied := t.TempDir()
	for name := range strings.SplitSeq(must(t, "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard"), "\n") {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			continue // removed, and not yet committed
		}
		info, err := os.Stat(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(copied, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, data, info.Mode()&0o755); err != nil {
			t.Fatal(err)
		}
	}
	version := must(t, filepath.Join("..", "bin", "edged"), "version") // as it was built
	lines := strings.Split(version, "\n")
	must(t, "make", "-C", copied, "build", "VERSION="+strings.Fields(lines[0])[1], "COMMIT="+strings.Fields(lines[1])[1], "COMMIT_TIME="+os.Getenv("COMMIT_TIME"))
	must(t, "bash", filepath.Join(copied, "deploy/package.sh"))
	_, hub := built(t, "edgehub")
	for _, deb := range []string{deb, hub} {
		again, err := os.ReadFile(filepath.Join(copied, "dist", filepath.Base(deb)))
		if err != nil {
			t.Fatal(err)
		}
		first, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Errorf("%s differs from a second build", path.Base(deb))
		}
	}
}

// TestPackageInstall: make install lays out the same files, apart from what only
// a Debian package must have, and the preset enables the units in that image.
func TestPackageInstall(t *testing.T) {
	root := unpacked(t)
	image := t.TempDir()
	must(t, "make", "-C", "..", "install", "DESTDIR="+image)
	files := func(root string) map[string]string {
		found := map[string]string{}
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			rel := strings.TrimPrefix(name, root+"/")
			if path.Base(rel) == "sbom.cdx.json" {
				data = nil // it names the package's version
			}
			found[rel] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	packaged, installed := files(root), files(image)
	for _, name := range []string{"usr/share/doc/edged/copyright", "usr/share/doc/edged/changelog.gz", "usr/share/lintian/overrides/edged"} {
		delete(packaged, name)
	}
	for name, content := range packaged {
		if have, ok := installed[name]; !ok || have != content {
			t.Errorf("%s: installed: %t, as in the package: %t", name, ok, have == content)
		}
	}
	if len(installed) != len(packaged) {
		t.Errorf("%d files are installed, the package has %d", len(installed), len(packaged))
	}
	if _, err := exec.LookPath("systemctl"); err != nil {
		t.Skip("systemctl is not installed: the preset was not tried")
	}
	must(t, "systemctl", "--root="+image, "preset", "edged-precheck.service", "edged.service", "edged-scrub.timer")
	for _, link := range []string{"multi-user.target.wants/edged-precheck.service", "multi-user.target.wants/edged.service", "timers.target.wants/edged-scrub.timer"} {
		if _, err := os.Lstat(filepath.Join(image, "etc/systemd/system", link)); err != nil {
			t.Errorf("the preset does not enable it: %v", err)
		}
	}
}

// TestPackageLife installs the package in a throw-away root, uses it, upgrades it,
// removes it, installs it again and purges it. An upgrade keeps what the operator
// has enabled, disabled and masked. A removal leaves no link to a unit that is
// gone, before the purge. None of them changes a state root.
func TestPackageLife(t *testing.T) {
	_, deb := dist(t)
	newer := t.TempDir()
	cmd := exec.Command("bash", "package.sh", newer)
	cmd.Env = append(os.Environ(), "VERSION=v999.0.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(newer, "edged_*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("%q, %v", debs, err)
	}
	life := exec.Command("unshare", "--mount", "--pid", "--fork", "bash", "packagelife.sh", deb, debs[0])
	out, err := life.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 77 {
		t.Skipf("%s", out) // the script says what this machine lacks
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if want := []string{"installed", "used", "upgraded", "removed", "installed again", "purged"}; !slices.Equal(strings.Split(strings.TrimSpace(string(out)), "\n"), want) {
		t.Errorf("%s, want %q", out, want)
	}
}
