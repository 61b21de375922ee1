package main

import (
	"cmp"
	"fmt"
	"strings"

	"filippo.io/torchwood"
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/hub"
)

func verifyCommand(e *env) *cobra.Command {
	var keys, journals []string
	var deep bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "verify what the store holds, without the hub",
		Long: `verify reads every record in the store: the hash of each object, the chain of each
journal, the root of every checkpoint that the hub has signed, and the signatures of the
nodes. With --key it also verifies the hub's own signatures. --deep also replays each
journal, as edgectl journal verify --deep does.

Exit status: 0 all is as it was signed, 1 it is not, 2 it could not be verified.`,
		Example: `  edgehub verify --store /srv/edgehub --key hub.example.org+1a2b3c4d+BGk... --deep
  edgehub verify --store s3://fleet/edgehub --journal 5c0e7c1f-8a4e-4b39-9d5c-6a1f2e3d4c5b --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var verifiers []*torchwood.CosignatureVerifier
			for _, text := range keys {
				v, err := torchwood.NewCosignatureVerifier(strings.TrimSpace(text))
				if err != nil {
					return fail("pass the public key that edgehub key printed", "--key: %w", err)
				}
				verifiers = append(verifiers, v)
			}
			store, err := e.read(cmd.Context())
			if err != nil {
				return err
			}
			if len(journals) == 0 {
				if journals, err = hub.Journals(cmd.Context(), store); err != nil {
					return err
				}
			}
			result := struct {
				OK       bool          `json:"ok"`
				Records  uint64        `json:"records"`
				Journals []hub.Checked `json:"journals"`
			}{true, 0, []hub.Checked{}}
			var failed error
			for _, id := range journals {
				c, err := hub.Check(cmd.Context(), store, id, verifiers, deep)
				if err != nil && cmd.Context().Err() != nil {
					return err
				}
				if err != nil {
					// The others are verified, too.
					fmt.Fprintf(e.stderr, "edgehub: journal %s: %s\n", id, display.Clean(err.Error()))
					failed = cmp.Or(failed, err)
					continue
				}
				result.OK = result.OK && c.OK
				result.Records += c.Records
				result.Journals = append(result.Journals, c)
			}
			if e.json {
				err = e.print(result)
			} else {
				err = e.printChecked(result.Journals, result.Records, len(verifiers) > 0)
			}
			switch {
			case err != nil:
				return err
			case failed != nil:
				return fmt.Errorf("not every journal could be verified: %w", unknown(failed))
			case !result.OK:
				return errWrong
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "the hub's public key; repeat it for a retired one")
	cmd.Flags().StringArrayVar(&journals, "journal", nil, "verify only this journal; may be repeated")
	cmd.Flags().BoolVar(&deep, "deep", false, "also replay each journal")
	e.jsonFlag(cmd)
	return cmd
}

func (e *env) printChecked(all []hub.Checked, records uint64, signed bool) error {
	var b strings.Builder
	bad := 0
	for _, c := range all {
		if !c.OK {
			bad++
		}
		for _, f := range c.Findings {
			place := ""
			if c.Node != "" { // the head could be read
				place = " of " + display.Clean(c.Node)
			}
			if f.Seq > 0 {
				place += fmt.Sprintf(", record %d", f.Seq)
			}
			fmt.Fprintf(&b, "%s: journal %s%s: %s: %s\n", f.Severity, c.Journal, place, f.Code, display.Clean(f.Detail))
		}
	}
	fmt.Fprintf(&b, "%s, %s: ", display.Count(len(all), "journal"), display.Count(int(records), "record")) //nolint:gosec // below 2^63
	switch {
	case bad > 0:
		fmt.Fprintf(&b, "%d NOT AS SIGNED\n", bad)
	case signed:
		b.WriteString("all as the hub and the nodes signed them\n")
	default:
		b.WriteString("all as the nodes signed them; pass --key to verify the hub's signatures\n")
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}
