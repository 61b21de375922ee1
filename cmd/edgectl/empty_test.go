package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/autonomyops/edged/internal/history/historytest"
)

// An empty value never means "not given", for any flag or argument of any
// command: `--since "$UNSET"` would judge less than was asked for.
func TestEmptyValues(t *testing.T) {
	h := newHistory(t)
	before := historytest.Tree(t, h.Dir)
	environ := map[string]string{"EDGE_STATE_ROOT": h.Dir}
	flags := 0
	refused := func(what string, args ...string) {
		t.Helper()
		if code, out, errs := call(environ, args...); code != 2 || out != "" || !strings.Contains(errs, what) {
			t.Errorf("%q: exit %d, %s%s", args, code, out, errs)
		}
	}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		var given []string // as many arguments as it takes
		for cmd.ValidateArgs(given) != nil {
			given = append(given, append(cmd.ValidArgs, "x")[0])
		}
		look := func(f *pflag.Flag) {
			if f.Value.Type() != "bool" && !f.Hidden {
				flags++
				refused("--"+f.Name, append(append(path, given...), "--"+f.Name+"=")...)
			}
		}
		cmd.LocalFlags().VisitAll(look)
		cmd.InheritedFlags().VisitAll(look)
		if len(given) > 0 && cmd.ValidArgs == nil {
			given[0] = ""
			refused("argument 1 is empty", append(path, given...)...)
		}
		for _, c := range cmd.Commands() {
			if c.Name() != "help" {
				visit(c)
			}
		}
	}
	visit(root(&env{}))
	if flags < 100 {
		t.Errorf("looked at %d flags", flags)
	}
	historytest.SameTree(t, h.Dir, before)
}
