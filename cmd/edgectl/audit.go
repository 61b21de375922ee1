package main

import "github.com/spf13/cobra"

func auditCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "bundle a history for an auditor, and judge one",
		Long: `An auditor trusts nothing but arithmetic. bundle puts everything there is to
check into one file; verify judges such a file, offline, against what the
auditor kept from before. Both only read the evidence.`,
		Example: `  edgectl audit bundle --out audit.tar.zst --state-root /persist/edge
  edgectl audit verify audit.tar.zst --since january.checkpoint --key journal-sign.pub`,
	}
	cmd.AddCommand(auditBundle(e), auditVerify(e))
	return cmd
}
