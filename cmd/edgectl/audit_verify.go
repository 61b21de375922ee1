package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/transparency"
)

func auditVerify(e *env) *cobra.Command {
	var opt audit.VerifyOptions
	var keys []string
	var policy string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "judge a bundle offline; exit 1 when something is wrong",
		Long: `verify judges a bundle (or an exported .jsonl, or a state root, of which less can
be said): the chain of hashes, the Merkle root, the checkpoint's signature,
every manifest's, the continuity of keys, each epoch's evidence made again.

--since compares with what you kept from before: a checkpoint, an older bundle
or an export. The verdict is one of

  intact        nothing is wrong, and nothing was added
  extended      records were added, none was changed
  salvaged      it continues a damaged journal, and says what was lost
  truncated     records that were seen before, or the first ones, are gone
  rewritten     other records are in the place of those seen before
  inconsistent  the records hold, something else does not

--key is the node's checkpoint key as you hold it, the oldest one: rotations in
the records are followed. If it was replaced, nothing in the records vouches for
the new one: name both, oldest first. The last one, or one that rotations lead
to from it, must have signed FILE; those before it may have signed what --since
names. Without --key the key that came with the bundle is used, which
proves nothing about who signed.

--witness and --policy say who must have seen the history: a witness that signed
the checkpoint which --since names, or the one in FILE. edgectl ship keeps what
witnesses sign. The report says who saw it, when by the witness's clock, and up to
which record.

Exit status: 0 for the first three, 1 for the others, 2 if FILE cannot be read or
compared, which is no verdict: what --since names is torn or damaged itself, a
newer release wrote a record, a copy changed the file.`,
		Example: `  edgectl audit verify audit.tar.zst --since january.checkpoint --key journal-sign.pub
  edgectl audit verify audit.tar.zst --since january.checkpoint --key old.pub --key new.pub
  edgectl audit verify audit.tar.zst --since kept.checkpoint --policy policy.txt
  edgectl audit verify audit.tar.zst --since january.tar.zst --json | jq .first_difference`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, file := range keys {
				key, err := heldKey(file)
				if err != nil {
					return err
				}
				opt.Key += key + "\n"
			}
			if policy != "" {
				text, err := durable.ReadHostFile(policy, maxPolicy)
				if err != nil {
					return fail("name a file with a C2SP tlog-policy", "read the policy: %w", err)
				}
				opt.Policy = text
			}
			path, err := e.fetch(args[0])
			if err == nil {
				opt.Since, err = e.fetch(opt.Since)
			}
			if err != nil {
				return err
			}
			e.warnLogSkipped(path)
			opt.LogSkipped = e.logSkipped
			opt.Progress = e.progress.at
			rep, err := audit.Verify(cmd.Context(), path, opt)
			if err != nil {
				return err
			}
			if e.json {
				err = writeJSON(e.stdout, rep)
			} else {
				err = printAudit(e.stdout, rep)
			}
			if !rep.OK {
				return errWrong // also if the report could not be written
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Since, "since", "", "a checkpoint, an older bundle or an export that you kept")
	f.StringArrayVar(&keys, "key", nil, "the checkpoint key as you hold it; again for each that replaced it")
	f.StringArrayVar(&opt.Witnesses, "witness", nil, "the key of a witness that must have signed; again for each")
	f.StringVar(&policy, "policy", "", "a C2SP tlog-policy that a checkpoint must satisfy: which witnesses, and how many of them")
	e.jsonFlag(cmd)
	return cmd
}

// maxPolicy is the largest policy that is read, in bytes.
const maxPolicy = 64 << 10

// heldKey reads the key that the auditor holds. A private half is refused by
// its name: no auditor should have it.
func heldKey(path string) (string, error) {
	const next = "name the node's journal-sign.pub as you hold it"
	data, err := durable.ReadHostFile(path, transparency.MaxKey)
	if err != nil {
		return "", fail(next, "read the key: %w", err)
	}
	text := strings.Trim(string(data), " \t\r\n")
	if strings.HasPrefix(text, "\ufeff") {
		return "", fail("copy the key again, as bytes", "%s begins with a byte-order mark: a program saved it as text", path)
	}
	if text == "" { // it would be taken for none: the one in the bundle
		return "", fail(next, "%s is empty", path)
	}
	if strings.HasPrefix(text, "PRIVATE+KEY+") {
		return "", fail(next+", and keep the private key on the node alone", "%s holds the private key", path)
	}
	if _, err := transparency.NewVerifier(text); err != nil {
		return "", fail(next, "read the key in %s: %w", path, err)
	}
	return text, nil
}

func printAudit(w io.Writer, r audit.Report) error {
	var b strings.Builder
	for _, f := range r.Findings {
		place := "bundle"
		if f.Seq > 0 {
			place = fmt.Sprintf("record %d", f.Seq)
		}
		fmt.Fprintf(&b, "%s: %s: %s: %s\n", f.Severity, place, f.Code, display.Clean(f.Detail))
	}
	verdict := string(r.Verdict)
	if !r.OK {
		verdict = strings.ToUpper(verdict)
	}
	fmt.Fprintf(&b, "journal %s: %s, %s\n", cmp.Or(r.Journal, "(id unknown)"), verdict, records(r.Events))
	if r.Since != nil {
		fmt.Fprintf(&b, "seen before: %s of journal %s\n", records(r.Since.Events), cmp.Or(r.Since.Journal, "(id unknown)"))
	}
	for _, w := range r.Witnesses {
		fmt.Fprintf(&b, "seen by %s: %s of journal %s, %s by its clock\n", display.Clean(w.Witness), records(w.Events), w.Journal, w.Time.Format(display.TimeForm))
	}
	if d := r.First; d != nil {
		fmt.Fprintf(&b, "first difference: record %d of journal %s, was %s, is %s\n", d.Seq, cmp.Or(d.Journal, "(id unknown)"), cmp.Or(d.Was, "not known"), cmp.Or(d.Is, "none"))
	}
	if r.Head.Seq > 0 {
		fmt.Fprintf(&b, "head %d %s\n", r.Head.Seq, r.Head.Hash)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
