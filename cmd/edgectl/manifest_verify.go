package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/cmd/edgectl/internal/authoring"
	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
)

func manifestVerify(e *env) *cobra.Command {
	var keyFile, sigFile string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "check a manifest as the gate would",
		Long: `verify checks a manifest as the gate would. Of a file alone it checks signature
and text. On a state root it also checks that the key is pinned or that a rotation
leads to it, the serial, not_after at the time floor, the assurance mode, and
every operation with its source.

Without FILE it takes the state root's manifest, signature and verify key. With
FILE the signature is FILE.sig and the key is --key, or the state root's. A wrong
key, a short signature and a path that escapes each have their own message.`,
		Example: `  edgectl manifest verify --state-root /persist/edge
  edgectl manifest verify manifest.json --key keys/manifest-verify.pub`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := e.manifestAt(args)
			if err != nil {
				return err
			}
			defer at.close()
			files, err := gather(at, args, sigFile, keyFile)
			if errors.Is(err, fs.ErrNotExist) {
				return fail(nextStep(err), "verify the manifest: %w", err)
			}
			j := judged{File: at.path}
			if err == nil {
				err = judge(&j, files, at)
			}
			var me *manifest.Error
			switch {
			case errors.As(err, &me):
				j.add(manifest.Problem{Where: me.Path, Reason: fmt.Sprintf("%s: %v; %s", me.Code, me.Err, me.NextStep())})
			case err != nil:
				return err
			}
			if at.tree != nil && files != nil {
				if err := e.judgeOnNode(cmd.Context(), &j, files); err != nil {
					return err
				}
			}
			return e.verdict(j, fmt.Sprintf("verified, signed by key %s", j.Key))
		},
	}
	f := cmd.Flags()
	f.StringVar(&keyFile, "key", "", "the public manifest key (default: the state root's)")
	f.StringVar(&sigFile, "signature", "", "the signature (default: FILE.sig)")
	e.jsonFlag(cmd)
	return cmd
}

func nextStep(err error) string {
	var me *manifest.Error
	if errors.As(err, &me) {
		return me.NextStep()
	}
	return "name the manifest, its signature and the verify key"
}

// judge verifies the signature over the bytes read, and then those bytes.
func judge(j *judged, files *manifest.Files, at *manifestFile) error {
	j.Hash, j.Key = digest.Of(files.Manifest), signing.Hash(files.Key)
	m, err := files.Verify()
	if err != nil {
		return err
	}
	j.Serial, j.Operations = m.Serial, len(m.Operations)
	j.add(authoring.Lint(at.fs(), at.root, files.Manifest)...)
	return nil
}

// judgeOnNode adds what the gate would refuse the manifest for on this node. What
// was found already is not repeated.
func (e *env) judgeOnNode(ctx context.Context, j *judged, files *manifest.Files) error {
	opt, err := e.examined()
	if err != nil {
		return err
	}
	if opt.Config == "" {
		fmt.Fprintln(e.stderr, "edgectl: no config is known: a pinned key and the assurance mode were not judged; pass --config FILE")
	}
	opt.Manifest = files
	f, err := doctor.Manifest(ctx, opt)
	if f == nil || err != nil {
		return err
	}
	var me *manifest.Error
	switch errors.As(f.Err, &me) {
	case true:
		for _, p := range j.Problems {
			if strings.HasPrefix(p.Reason, string(me.Code)) {
				return nil
			}
		}
		j.add(manifest.Problem{Where: me.Path, Reason: fmt.Sprintf("%s: %v; %s", me.Code, me.Err, me.NextStep())})
	default:
		if len(j.Problems) == 0 {
			j.add(manifest.Problem{Where: f.Path, Reason: fmt.Sprintf("%s: %s; %s", f.Short(), f.Reason(), f.Next)})
		}
	}
	return nil
}

// gather reads manifest, signature and key. Where all are the state root's,
// they are read as the gate reads them.
func gather(at *manifestFile, args []string, sigFile, keyFile string) (*manifest.Files, error) {
	if len(args) == 0 && sigFile == "" && keyFile == "" {
		return manifest.Read(at.tree)
	}
	if sigFile == "" {
		sigFile = at.path + ".sig"
	}
	key, err := publicKey(at, keyFile)
	if err != nil {
		return nil, err
	}
	data, err := at.read()
	if err != nil {
		return nil, err
	}
	sig, err := durable.ReadHostFile(sigFile, ed25519.SignatureSize)
	switch {
	case errors.Is(err, durable.ErrTooLarge):
		return nil, &manifest.Error{Code: manifest.CodeSignatureSize, Path: sigFile, Err: err}
	case err != nil:
		return nil, fail("sign the manifest, or name its signature with --signature", "read the signature: %w", err)
	case len(sig) != ed25519.SignatureSize:
		return nil, &manifest.Error{Code: manifest.CodeSignatureSize, Path: sigFile,
			Err: fmt.Errorf("%d bytes, want %d", len(sig), ed25519.SignatureSize)}
	}
	return &manifest.Files{Manifest: data, Signature: sig, Key: key}, nil
}

func publicKey(at *manifestFile, file string) (ed25519.PublicKey, error) {
	var data []byte
	var err error
	switch {
	case file != "":
		data, err = durable.ReadHostFile(file, signing.MaxKeyFile)
	case at.tree != nil:
		file = stateroot.ManifestVerifyKey
		data, _, err = durable.ReadFile(at.tree, file, signing.MaxKeyFile)
	default:
		return nil, fail("pass --key FILE, or name a state root", "verify needs a public key")
	}
	if err != nil {
		return nil, fail("pass --key FILE", "read the verify key: %w", err)
	}
	key, err := signing.ParsePublic(data)
	if err != nil {
		return nil, fail("name the public half: 32 raw bytes, or SPKI PEM", "%s: %w", file, err)
	}
	return key, nil
}
