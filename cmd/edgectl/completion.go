package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "print the completion script of a shell",
		Example: `  edgectl completion bash > /etc/bash_completion.d/edgectl
  source <(edgectl completion zsh)`,
		Args:                  cobra.ExactArgs(1),
		ValidArgs:             []string{"bash", "zsh", "fish"},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(e.stdout, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(e.stdout)
			case "fish":
				return cmd.Root().GenFishCompletion(e.stdout, true)
			}
			return fail("one of bash, zsh, fish", "%s", fmt.Sprintf("no completion for %q", args[0]))
		},
	}
}
