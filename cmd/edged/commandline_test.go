package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/gate"
)

// outcome is what one command line led to.
type outcome struct {
	code           int
	stdout, stderr string
}

// command runs a command line in this process, with an environment of env and
// nothing else.
func command(env map[string]string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(args, func(name string) string { return env[name] }, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// TestCommandLine: whatever is wrong with a command line is exit 1, told on
// standard error, and nothing is printed on standard output.
func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		stderr     string
	}{
		{"unknown command", "explode", `edged has no command "explode"`},
		{"unknown flag", "precheck --frobnicate", "unknown flag: --frobnicate"},
		{"near a command", "prechek", "next: did you mean 'edged precheck'?"},
		{"near a flag", "precheck --ready-fiel /run/p", "next: did you mean --ready-file?"},
		{"help of nothing", "help explode", `edged has no command "explode"`},
		{"unknown flag before", "--frobnicate precheck", "unknown flag: --frobnicate"},
		{"argument", "precheck now", `edged precheck takes no arguments; it was given "now"`},
		{"argument of version", "version now", `edged version takes no arguments; it was given "now"`},
		{"flag without value", "precheck --config", "--config needs a value"},
		{"not a number", "precheck --rotation-valid-days many", `--rotation-valid-days "many" is not a whole number`},
		{"no days", "precheck --rotation-valid-days 0", "it must be at least 1"},
		{"fewer days", "precheck --rotation-valid-days -3", "it must be at least 1"},
		{"relative ready file", "precheck --ready-file passed", "the path must be absolute"},
		{"empty ready file", "precheck --ready-file=", "the path must be absolute"},
		{"empty config", "precheck --config=", "--config is empty"},
		{"empty config before", "--config= precheck", "--config is empty"},
		{"log level", "precheck --log-level loud", `"loud" is not one of debug, info, warn, error`},
		{"log level before", "--log-level loud precheck", `"loud" is not one of debug, info, warn, error`},
		{"log format", "precheck --log-format xml", `"xml" is not one of auto, logfmt, json, pretty`},
		{"completion of nothing", "completion", "needs bash|zsh|fish; it was given no argument"},
		{"completion of another shell", "completion tcsh", `there is no completion for "tcsh"`},
		{"flag of another command", "version --dry-run", "unknown flag: --dry-run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := command(nil, strings.Fields(tt.args)...)
			if got.code != gate.ExitConfig || got.stdout != "" {
				t.Errorf("exit %d, stdout %q", got.code, got.stdout)
			}
			if !strings.HasPrefix(got.stderr, "edged: ") || !strings.Contains(got.stderr, tt.stderr) ||
				!strings.Contains(got.stderr, "edged --help") {
				t.Errorf("stderr %q", got.stderr)
			}
		})
	}
}

func TestNoCommand(t *testing.T) {
	got := command(nil)
	if got.code != gate.ExitConfig || !strings.Contains(got.stdout, "precheck") {
		t.Errorf("%+v", got)
	}
}

// TestHelp: every command and flag says what it does.
func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "help", "precheck --help", "help precheck", "version --help", "completion --help"} {
		got := command(nil, strings.Fields(args)...)
		if got.code != 0 || !strings.Contains(got.stdout, "Usage:") || got.stderr != "" {
			t.Errorf("edged %s: %+v", args, got)
		}
	}
	got := command(nil, "precheck", "--help").stdout
	for _, want := range []string{
		"--config", "--log-level", "--log-format", "--dry-run", "--verify-runtime", "--rotate-certs",
		"--rotation-valid-days", "--ready-file", "EDGE_CONFIG", "MUST NOT start", "Examples:",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("precheck --help does not tell of %s", want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"--log-level", "warn", "version"}, {"version", "--config", "/nowhere"}} {
		got := command(nil, args...)
		lines := strings.Split(got.stdout, "\n")
		if got.code != 0 || got.stderr != "" || len(lines) != 4 {
			t.Fatalf("%v: %+v", args, got)
		}
		for i, prefix := range []string{"edged ", "commit ", "go1."} {
			if !strings.HasPrefix(lines[i], prefix) {
				t.Errorf("%v: line %d is %q", args, i+1, lines[i])
			}
		}
		if !strings.Contains(lines[2], " linux/") {
			t.Errorf("%v: no os/arch in %q", args, lines[2])
		}
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default -F __start_edged edged",
		"zsh":  "#compdef edged",
		"fish": "complete -c edged",
	} {
		got := command(nil, "completion", shell)
		if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: exit %d, stderr %q, %d bytes", shell, got.code, got.stderr, len(got.stdout))
		}
	}
	// What the scripts ask for at each key press.
	for args, want := range map[string]string{
		"pre": "precheck\t", "precheck --log-level w": "warn\n:", "precheck --log-format l": "logfmt\n:", "completion f": "fish\n:",
	} {
		got := command(nil, append([]string{"__complete"}, strings.Fields(args)...)...)
		if got.code != 0 || !strings.HasPrefix(got.stdout, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
