package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// rebuild holds what this run knows of the reconstruction it performs.
type rebuild struct {
	announced bool
	startedMS int64 // uptime
	manifest  *manifest.Manifest
	planned   []operation.Planned
}

// verifyManifest reads the manifest once, verifies the signature over exactly
// those bytes, parses the same bytes, and validates every operation before the
// first is applied.
func (r *run) verifyManifest(first bool) (machine.Payload, *Failure) {
	if !first {
		if f := r.start(); f != nil {
			return nil, f
		}
	}
	files, m, err := r.admit()
	if err != nil {
		f := manifestFailure(err)
		if first && isNotExist(err) && r.cfg.Gate.ManifestKeyBLAKE3 != "" {
			f.Next = "gate.manifest_key_blake3 pins a key, so that a first run needs a manifest that it signed: deploy manifest, signature and key. " +
				"If this node has booted before, find out who removed them"
		}
		return nil, f
	}
	event := machine.ManifestVerified{
		V: 1, Manifest: files.Manifest, Signature: files.Signature, Key: files.Key,
		ManifestHash: digest.Of(files.Manifest), KeyBLAKE3: digest.Of(files.Key), Serial: m.Serial, Operations: len(m.Operations),
	}
	if first {
		return event, r.judgeFirstRuntime(m)
	}
	r.rebuild.manifest = m
	if r.rebuild.planned, err = operation.Plan(r.fs, r.rootPath, m); err != nil {
		return nil, operationFailure(err)
	}
	if err := r.fits(event); err != nil {
		return nil, operationFailure(err)
	}
	if open := r.history.state.Open; open.Manifest != nil && open.Manifest.Hash != event.ManifestHash {
		r.sweep(open.Manifest.Seq)
	}
	r.seen.Manifest = &machine.Plan{Operations: len(r.rebuild.planned), InPlace: map[int]bool{}}
	return event, r.resume(event.ManifestHash)
}

// admit reads the manifest once and returns it if history, config and time admit
// it.
func (r *run) admit() (*manifest.Files, *manifest.Manifest, error) {
	files, err := r.candidate, error(nil)
	if files == nil {
		files, err = manifest.Read(r.fs)
	}
	if err != nil {
		return nil, nil, err
	}
	s := r.history.state
	if err := manifest.AdmitKey(digest.Of(files.Key), r.cfg.Gate.ManifestKeyBLAKE3, s.Keys.Accepted()...); err != nil {
		return nil, nil, err
	}
	m, err := files.Verify()
	if err != nil {
		return nil, nil, err
	}
	return files, m, m.Admit(manifest.Policy{Strict: r.cfg.Assurance.Strict(), SerialFloor: s.Serial, Now: r.clock.used})
}

// start logs that a reconstruction begins, or continues after a boot that did
// not end.
func (r *run) start() *Failure {
	resumed := !r.rebuild.announced
	if resumed {
		s := r.history.state
		changed := []string{}
		if s.Baseline != nil && s.Baseline.CompositeHash != s.Open.Target {
			changed = s.Baseline.Changed(r.seen.Live)
		}
		r.announceUpdate(changed)
	}
	r.log.Info("edge.os.reconstruction_started", slog.Bool("resumed", resumed))
	var err error
	if r.rebuild.startedMS, err = r.host.UptimeMS(); err != nil {
		return &Failure{Exit: ExitReconstruction, Stage: "manifest", Message: "precheck: uptime unreadable", Err: err, Next: "check the kernel log"}
	}
	return nil
}

// resume finds the operations that an interrupted or failed attempt applied
// under the same manifest and that are still in place: they are not repeated.
func (r *run) resume(manifestHash string) *Failure {
	open := r.history.state.Open
	if open == nil || open.Manifest == nil || open.Manifest.Hash != manifestHash {
		return nil
	}
	for _, op := range open.Applied {
		ok, err := operation.InPlace(r.fs, op.Dst, op.BLAKE3, op.Mode, op.Bytes)
		if err != nil {
			return operationFailure(err)
		}
		r.seen.Manifest.InPlace[op.Index] = ok
	}
	return nil
}

// sweep removes the files that an interrupted operation of a replaced manifest
// may have left beside its destinations: nothing else would ever remove them.
// One that cannot be removed decides nothing.
func (r *run) sweep(verified uint64) {
	if r.plan != nil {
		return
	}
	e, err := r.lookup(verified)
	if err != nil {
		return
	}
	if v, ok := e.Payload.(machine.ManifestVerified); ok {
		if m, err := manifest.Parse(v.Manifest); err == nil {
			for _, err := range operation.Sweep(r.fs, r.rootPath, m) {
				r.notCleaned(err)
			}
		}
	}
}

// fits checks that the epoch's record and evidence are not larger than a
// record, before anything is applied.
func (r *run) fits(m machine.ManifestVerified) error {
	hash := strings.Repeat("0", 64)
	rec := machine.EpochRecord{Rotated: r.rotation(hash, hash)}
	for i, p := range r.rebuild.planned {
		rec.Operations = append(rec.Operations, machine.OpApplied{
			V: 1, Index: i, Op: p.Op, Src: p.Src, Dst: p.Dst, Bytes: 1 << 52, BLAKE3: hash, Mode: "0000",
		})
	}
	rec.Rotated.ManifestHash, rec.Rotated.ManifestSerial = m.ManifestHash, m.Serial
	evidence, err := projections.Evidence(rec)
	if err != nil {
		return err
	}
	if len(evidence) > record.MaxLen {
		return fmt.Errorf("the epoch's evidence would take %d bytes, the limit is %d: use fewer operations or shorter paths", len(evidence), record.MaxLen)
	}
	return nil
}

func (r *run) applyOperation(index int) (machine.Payload, *Failure) {
	p := r.rebuild.planned[index]
	apply := operation.Apply
	if r.plan != nil {
		apply = operation.Rehearse
	}
	res, err := apply(r.fs, p)
	if err != nil {
		return nil, operationFailure(err)
	}
	if res.Leftover != nil {
		r.notCleaned(res.Leftover)
	}
	r.seen.Manifest.InPlace[index] = true
	return machine.OpApplied{
		V: 1, Index: index, Op: p.Op, Src: p.Src, Dst: p.Dst, Bytes: res.Bytes, BLAKE3: res.BLAKE3,
		Mode: res.Mode, HashPinned: res.HashPinned, AlreadyInPlace: res.AlreadyInPlace,
	}, nil
}

// rotate returns the event whose append commits the reconstruction.
func (r *run) rotate() (machine.Payload, *Failure) {
	name, err := operation.Binary(r.rootPath, r.rebuild.manifest)
	if err != nil {
		return nil, epochFailure(err)
	}
	binary, err := r.hashIfThere(name)
	if err != nil {
		return nil, epochFailure(err)
	}
	config, err := r.hashIfThere(stateroot.NodeConfig)
	if err != nil {
		return nil, epochFailure(err)
	}
	now, err := r.host.UptimeMS()
	if err != nil {
		return nil, epochFailure(err)
	}
	e := r.rotation(binary, config)
	e.DurationMS = max(0, now-r.rebuild.startedMS)
	return e, nil
}

// rotation fills in what is known of the next epoch before its hashes are.
func (r *run) rotation(binary, config string) machine.EpochRotated {
	s := r.history.state
	e := machine.EpochRotated{
		V: 1, BootEpoch: s.Epoch + 1, BinaryHash: binary, ConfigHash: config,
		RotatedAt: r.host.Now().UTC(), ReplacedFileBLAKE3: r.files.Fingerprint.BLAKE3,
	}
	if c := s.Run.Captured; c != nil {
		e.OSFingerprint = machine.OSFingerprint{
			CompositeHash: c.CompositeHash, OSRelease: c.OSRelease, UnameRelease: c.Inputs.UnameRelease,
			BootEpoch: e.BootEpoch, CapturedAt: c.CapturedAt,
		}
		e.Inputs, e.OSReleaseTruncated = c.Inputs, c.Truncated
	}
	if s.Open != nil && s.Open.Manifest != nil {
		e.ManifestHash, e.ManifestSerial = s.Open.Manifest.Hash, s.Open.Manifest.Serial
	}
	return e
}

// hashIfThere returns the BLAKE3 of a file below the state root, "" if it does
// not exist.
func (r *run) hashIfThere(name string) (string, error) {
	hash, _, err := operation.HashFile(r.fs, name)
	if isNotExist(err) {
		return "", nil
	}
	return hash, err
}

func manifestFailure(err error) *Failure {
	f := &Failure{Exit: ExitReconstruction, Stage: "manifest", Message: "precheck: manifest rejected",
		Path: pathOf(err, stateroot.Manifest), Err: err, Next: nextOf(err, "deploy a manifest, signature and verify key that belong together; `edgectl manifest verify` checks them")}
	var me *manifest.Error
	if errors.As(err, &me) {
		f.Message, f.Path = me.Message(), me.Path
	}
	return f
}

func operationFailure(err error) *Failure {
	f := &Failure{Exit: ExitReconstruction, Stage: "operation", Message: "precheck: operation rejected",
		Path: pathOf(err, stateroot.Manifest), Err: err, Next: nextOf(err, "correct and sign the manifest, or put the source in place; the next boot tries again")}
	var oe *operation.Error
	if errors.As(err, &oe) {
		f.Message, f.Path = oe.Message(), stateroot.Manifest
		if oe.Field == "" || durable.CheckName(oe.Path) == nil {
			f.Path = oe.Path // not the manifest's text, which may name any place
		}
	}
	return f
}

func epochFailure(err error) *Failure {
	return &Failure{Exit: ExitReconstruction, Stage: "epoch", Message: "precheck: epoch cannot be completed",
		Path: pathOf(err, stateroot.Binaries), Err: err, Next: nextOf(err, "check the path, the disk and the kernel log; the next boot tries again")}
}
