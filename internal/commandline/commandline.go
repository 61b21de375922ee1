// Package commandline adds to the commands of the binaries: --version, a help
// command that refuses unknown commands, completion scripts, and messages in plain
// words that name the nearest command or flag.
package commandline

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/buildinfo"
	"github.com/autonomyops/edged/internal/errs"
)

// Prepare adds all this to root. It must be called after root's commands were added.
func Prepare(root *cobra.Command) {
	root.AddCommand(version(root.Name()), completion(root.Name()))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(help())
	prepare(root)
	// Not cobra's own --version: its template links text/template, and with it
	// every exported method of the binary.
	asked := root.Flags().Bool("version", false, "print version, commit, Go version, os/arch")
	runE := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked {
			return printVersion(cmd)
		}
		return runE(cmd, args)
	}
}

func prepare(cmd *cobra.Command) {
	if judge := cmd.Args; cmd.HasSubCommands() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(cmd, args[0])
			}
			return nil
		}
	} else if judge != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if judge(cmd, args) != nil {
				return miscounted(cmd, args)
			}
			return nil
		}
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return errs.Advise(commandsOf(cmd), "%s needs a command", cmd.CommandPath())
		}
	}
	for _, c := range cmd.Commands() {
		prepare(c)
	}
}

// help returns the help command. It prints the help of the command that its
// arguments name, and returns an error if there is none.
func help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]...",
		Short: "describe a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			found, unmatched, err := cmd.Root().Find(args)
			if err != nil || len(unmatched) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range found.Commands() {
				if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), typed) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found, unmatched, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return err
			case len(unmatched) > 0:
				return unknown(found, unmatched[0])
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

func version(name string) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "print version, commit, Go version, os/arch",
		Example: fmt.Sprintf("  %s version", name),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return printVersion(cmd) },
	}
}

func printVersion(cmd *cobra.Command) error {
	_, err := io.WriteString(cmd.OutOrStdout(), buildinfo.String(cmd.Root().Name()))
	return err
}

// completion returns the command that prints the completion script of a shell.
func completion(name string) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:                   "completion bash|zsh|fish",
		Short:                 "print the completion script of a shell",
		Example:               fmt.Sprintf("  %s completion bash >/etc/bash_completion.d/%[1]s\n  source <(%[1]s completion zsh)", name),
		Args:                  cobra.ExactArgs(1),
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root, out := cmd.Root(), cmd.OutOrStdout(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return errs.Advise("name one of "+strings.Join(shells, ", "), "there is no completion for %q", args[0])
		},
	}
}

// CompleteFlag completes the values of the flag name of cmd from words.
func CompleteFlag(cmd *cobra.Command, name string, words ...string) {
	Complete(cmd, name, func(string) ([]string, bool) { return words, true })
}

// Complete completes the values of the flag name of cmd. values returns candidates
// for the text typed so far, and whether each is a whole value; those that do not
// begin with the text are ignored. Complete panics if cmd has no such flag.
func Complete(cmd *cobra.Command, name string, values func(typed string) (words []string, whole bool)) {
	if err := cmd.RegisterFlagCompletionFunc(name, Completer(values)); err != nil {
		panic(err)
	}
}

// Completer returns the completion function for values; see [Complete].
func Completer(values func(typed string) (words []string, whole bool)) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		words, whole := values(typed)
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, typed) })
		directive := cobra.ShellCompDirectiveNoFileComp
		if !whole {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words, directive
	}
}
