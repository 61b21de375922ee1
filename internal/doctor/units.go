package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/stateroot"
)

const (
	gateUnit   = "edged-precheck.service"
	daemonUnit = "edged.service"
)

// unitDirs are the directories in which systemd searches a unit, in this order.
var unitDirs = []string{"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

// unit is a unit of systemd, read from its files: the running systemd may not be the
// one that boots the node.
type unit struct {
	path      string // "" if it is not installed
	masked    bool
	enabled   bool     // another unit wants or requires it
	command   []string // of ExecStart=
	directory bool     // RuntimeDirectory= is set
}

func readUnit(system, name string) (u unit) {
	var texts []string
	for _, dir := range unitDirs {
		dir = filepath.Join(system, dir)
		for _, pattern := range []string{"*.wants", "*.requires"} {
			links, _ := filepath.Glob(filepath.Join(dir, pattern, name))
			u.enabled = u.enabled || len(links) > 0
		}
		if u.path == "" {
			path := filepath.Join(dir, name)
			target, _ := os.Readlink(path)
			if data, err := os.ReadFile(path); target == "/dev/null" || err == nil {
				u.path, u.masked, texts = path, target == "/dev/null" || len(data) == 0, append(texts, string(data))
			}
		}
	}
	for _, dir := range unitDirs {
		extra, _ := filepath.Glob(filepath.Join(system, dir, name+".d", "*.conf"))
		for _, path := range extra {
			data, _ := os.ReadFile(path) // a file that cannot be read is ignored
			texts = append(texts, string(data))
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(strings.Join(texts, "\n"), "\\\n", " ")) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "ExecStart":
			u.command = strings.Fields(value)
		case "RuntimeDirectory":
			u.directory = value != ""
		}
	}
	return u
}

// has reports whether the unit's command has a flag.
func (u unit) has(flag string) bool { return slices.Contains(u.command, flag) }

// readyFile returns the path of --ready-file. It is "" if there is none, or if
// systemd creates its directory at each start and it does not exist now.
func (u unit) readyFile() (path string) {
	for i, word := range u.command {
		if value, ok := strings.CutPrefix(word, "--ready-file="); ok {
			path = value
		} else if word == "--ready-file" && i+1 < len(u.command) {
			path = u.command[i+1]
		}
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil && u.directory {
		return ""
	}
	return path
}

// judgesUnits reports whether the units are to be checked: systemd boots this
// system, and the node is not a demonstration.
func (e *examination) judgesUnits() bool {
	_, err := os.Stat(filepath.Join(e.opt.System, "run/systemd/system"))
	return err == nil && !e.opt.Elsewhere && e.opt.Config != "" && !stateroot.SkipMountCheck(e.opt.Host.Getenv)
}

// units returns the findings about the unit of the gate.
func (e *examination) units() []Finding {
	f := Finding{Severity: Error, Ends: EndsBoot, Path: e.unit.path}
	switch {
	case e.unit.path == "":
		f.Code, f.What, f.Next, f.Command = CodeUnitMissing, gateUnit+" is not installed", "install the package: edged.service does not start without the gate", "apt-get install edged"
	case e.unit.masked:
		f.Code, f.What, f.Next, f.Command = CodeUnitMasked, gateUnit+" is masked", "unmask it: edged.service does not start without the gate", "systemctl unmask "+gateUnit
	case !e.unit.enabled && readUnit(e.opt.System, daemonUnit).enabled:
		f.Severity, f.Ends = Warning, ""
		f.Code, f.What, f.Next, f.Command = CodeUnitDisabled, gateUnit+" is not enabled; "+daemonUnit+" still starts it", "enable it", "systemctl enable "+gateUnit
	case !e.unit.enabled:
		f.Code, f.What, f.Next, f.Command = CodeUnitDisabled, "neither "+gateUnit+" nor "+daemonUnit+" is enabled", "enable them", "systemctl enable "+gateUnit+" "+daemonUnit
	default:
		return nil
	}
	return []Finding{f}
}
