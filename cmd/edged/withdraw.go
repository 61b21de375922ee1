package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/gate"
)

// withdrawReady removes the ready file of a precheck whose command line is bad:
// a pass of the boot before must not outlive a gate that does not even start.
func withdrawReady(root *cobra.Command, args []string) *gate.Failure {
	path := readyFile(root, args)
	if !filepath.IsAbs(path) {
		return nil // none is named, or the path is what is bad
	}
	return gate.WithdrawReady(path)
}

// readyFile finds the --ready-file of a precheck on a command line that need
// not parse; "" if there is none, or if help or a dry run is asked for. It
// reads flags as the parser does, but goes on after what the parser refuses.
func readyFile(root *cobra.Command, args []string) (path string) {
	precheck, _, err := root.Find([]string{"precheck"})
	if err != nil {
		return ""
	}
	command := "" // the first word that names one, so that a bad flag's value is none
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		long, ok := strings.CutPrefix(args[i], "--")
		if !ok {
			switch word := args[i]; {
			case word == "-h":
				return ""
			case command == "" && isCommand(root, word):
				command = word
			}
			continue
		}
		name, value, inline := strings.Cut(long, "=")
		flag := precheck.Flag(name)
		if name == "help" {
			return ""
		}
		if flag == nil {
			continue
		}
		if !inline && flag.NoOptDefVal == "" && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch name {
		case "ready-file":
			path = value
		case "dry-run":
			if off, err := strconv.ParseBool(value); err != nil || off {
				return "" // --dry-run, and what was meant to be one
			}
		}
	}
	if command != precheck.Name() {
		return ""
	}
	return path
}

// isCommand reports whether word names a command, or one of those that cobra
// adds: completion asks for the words after "precheck" and runs nothing.
func isCommand(root *cobra.Command, word string) bool {
	return slices.Contains([]string{"help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, word) ||
		slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
}
