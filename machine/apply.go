package machine

import "slices"

// apply changes s by e's payload and returns the table's trigger. It checks what
// the table cannot express (counts, hashes, epochs); the table checks the order.
func (s *State) apply(e Event) (trigger, error) {
	switch p := e.Payload.(type) {
	case FingerprintCaptured:
		return s.applyCaptured(e, p)
	case LegacyStateAdopted:
		return s.applyAdopted(e, p)
	case UpdateDetected:
		return s.applyDetected(e, p)
	case ManifestVerified:
		return s.applyVerified(e, p)
	case OpApplied:
		return s.applyOp(e, p)
	case EpochRotated:
		return s.applyRotated(e, p)
	case UpdateAbandoned:
		return s.applyAbandoned(e, p)
	case PrecheckFailed:
		s.Run.Failed = p.ExitCode
		s.LastFail = &Failure{Seq: e.Seq, Time: e.Time, Failed: p}
		// Only a failure of the reconstruction itself is an attempt; a bad
		// certificate says nothing about the update.
		if s.Open != nil && p.ExitCode == exitReconstruction {
			return trAttemptFailed, s.sameEpoch(e)
		}
	case JournalSalvaged:
		if e.Seq != 1 {
			return "", refuse(*s, e, "it may only be the first record")
		}
		s.Salvage = &Salvage{Predecessor: p.Predecessor, Ancestors: p.Ancestors, Size: p.Size, LastHash: p.LastHash, HeadSeq: p.HeadSeq, Lost: p.Lost}
		s.Epoch, s.Serial, s.Clock.Floor = p.Epoch, p.Serial, p.TimeFloor
		s.Keys.Manifest, s.Keys.Checkpoint = p.ManifestKey, p.CheckpointKey
		return trSalvage, s.sameEpoch(e)
	case ProjectionRepaired:
		s.Run.Repaired = append(s.Run.Repaired, p.Path) // the fold's own: see NewFold
	case DrillRequested:
		s.Drill = &Drill{Seq: e.Seq, By: p.By, Reason: p.Reason}
	case DrillCancelled:
		s.Drill = nil
	case KeyRotated:
		if err := s.followKey(e, p.Purpose, p.NewKey); err != nil {
			return "", err
		}
	case KeyReplaced:
		s.Keys.Replaced++
		if err := s.followKey(e, p.Purpose, p.NewKey); err != nil {
			return "", err
		}
	case ClockReset:
		s.Clock.Floor = p.New
	case NodeRenamed:
		if p.Old != s.Node || p.New == "" {
			return "", refuse(*s, e, "it renames node %q to %q, but the history is of node %q", p.Old, p.New, s.Node)
		}
		s.Node = p.New
	case SnapshotTaken, HeadRebuilt, CertificateRotated, Unknown:
	default:
		return "", refuse(*s, e, "payload %T is not of the sealed set", p)
	}
	return trRecorded, s.sameEpoch(e)
}

// exitReconstruction is the exit code of a failed reconstruction.
const exitReconstruction = 5

// sameEpoch checks that e carries the epoch in force. An event that sets the epoch sets it first.
func (s *State) sameEpoch(e Event) error {
	if e.Epoch != s.Epoch {
		return refuse(*s, e, "it says epoch %d, but epoch %d is in force", e.Epoch, s.Epoch)
	}
	return nil
}

// mayEnd reports whether the run may have ended. While a drill, or a drift found
// at an adoption, waits for its reconstruction, a run that stops was cut short and
// raises no floor.
func (s *State) mayEnd() bool {
	return s.Drill == nil && (s.Adopted == nil || !s.Adopted.RuntimeDrift)
}

func (s *State) followKey(e Event, purpose, key string) error {
	switch purpose {
	case PurposeManifest:
		if len(s.Keys.Successors) >= MaxSuccessors {
			return refuse(*s, e, "%d changes of the manifest key since the last completed epoch, more than a gate accepts", MaxSuccessors)
		}
		s.Keys.Successors = append(s.Keys.Successors, key) // the fold's own: see NewFold
	case PurposeCheckpoint:
		s.Keys.Checkpoint = key
	}
	return nil
}

func (s *State) applyCaptured(e Event, p FingerprintCaptured) (trigger, error) {
	c := &Captured{Seq: e.Seq, Role: p.Role, CompositeHash: p.CompositeHash, Inputs: p.Inputs, Truncated: p.OSReleaseTruncated}
	if p.OSRelease != nil {
		c.OSRelease = *p.OSRelease
	}
	if p.CapturedAt != nil {
		c.CapturedAt = *p.CapturedAt
	}
	s.Run.Captured = c
	switch p.Role {
	case RoleInitial:
		s.Baseline, _ = BaselineOf(e)
		s.Run.Ended = s.mayEnd()
		return trCaptureInitial, s.sameEpoch(e)
	case RoleMatch:
		if s.Baseline == nil || s.Baseline.CompositeHash != p.CompositeHash {
			return "", refuse(*s, e, "the baseline is another fingerprint")
		}
		// A match takes the text from the baseline it matches.
		c.OSRelease, c.Truncated, c.CapturedAt = s.Baseline.OSRelease, s.Baseline.OSReleaseTruncated, e.Time
		s.Run.Ended = s.Phase == PhaseSettled && s.mayEnd()
		return trCaptureMatch, s.sameEpoch(e)
	case RoleDiffers:
		if s.Baseline != nil && s.Baseline.CompositeHash == p.CompositeHash {
			return "", refuse(*s, e, "it equals the baseline")
		}
		return trCaptureDiffers, s.sameEpoch(e)
	}
	return "", refuse(*s, e, "role %q is not known", p.Role)
}

func (s *State) applyAdopted(e Event, p LegacyStateAdopted) (trigger, error) {
	s.Baseline, _ = BaselineOf(e)
	s.Adopted = &Adopted{Seq: e.Seq, File: p.File, Evidence: p.Evidence, RuntimeDrift: p.RuntimeDrift}
	s.Epoch = p.BootEpoch
	if p.BootEpoch == 0 {
		return trAdoptFresh, s.sameEpoch(e)
	}
	return trAdopt, s.sameEpoch(e)
}

func (s *State) applyDetected(e Event, p UpdateDetected) (trigger, error) {
	if len(p.Causes) > maxCauses {
		return "", refuse(*s, e, "it has %d causes, more than the %d that a gate writes", len(p.Causes), maxCauses)
	}
	if s.Run.Captured == nil || s.Run.Captured.CompositeHash != p.CurrentHash {
		return "", refuse(*s, e, "its run captured no such fingerprint")
	}
	next := &Reconstruction{
		First: e.Seq, Seq: e.Seq, Cause: p.Cause, Causes: p.Causes,
		Previous: p.PreviousHash, Target: p.CurrentHash, Attempt: p.Attempt,
	}
	tr, attempt := trDetect, 1
	if open := s.Open; open != nil {
		tr, attempt = trRetry, open.Attempt+1
		next.First, next.Manifest, next.Applied, next.EverApplied = open.First, open.Manifest, open.Applied, open.EverApplied
		for _, c := range open.Causes {
			if !slices.Contains(p.Causes, c) {
				return "", refuse(*s, e, "it drops the cause %s of the update it continues", c)
			}
		}
		if p.Supersedes != 0 && p.Supersedes != open.Seq {
			return "", refuse(*s, e, "it supersedes %d, but %d is open", p.Supersedes, open.Seq)
		}
	} else if s.Phase == PhaseNew && p.EpochFloor > s.Epoch {
		s.Epoch = p.EpochFloor
	}
	if p.Attempt != attempt || len(p.Causes) == 0 || !slices.Contains(p.Causes, p.Cause) {
		return "", refuse(*s, e, "it is attempt %d with cause %q of %v, but attempt %d was due", p.Attempt, p.Cause, p.Causes, attempt)
	}
	s.Open, s.Run.Opened, s.Run.Ended = next, true, false
	return tr, s.sameEpoch(e)
}

func (s *State) applyVerified(e Event, p ManifestVerified) (trigger, error) {
	if p.Operations > MaxOperations {
		return "", refuse(*s, e, "its manifest has %d operations, more than the %d that a gate accepts", p.Operations, MaxOperations)
	}
	s.Run.Verified = true
	if s.Open == nil {
		return trVerifyFirst, s.sameEpoch(e)
	}
	open := *s.Open
	if open.Manifest == nil || open.Manifest.Hash != p.ManifestHash {
		open.Applied = nil // another manifest starts at operation 0
	}
	open.Manifest = &VerifiedManifest{Seq: e.Seq, Hash: p.ManifestHash, Key: p.KeyBLAKE3, Serial: p.Serial, Operations: p.Operations}
	s.Open = &open
	return trVerify, s.sameEpoch(e)
}

func (s *State) applyOp(e Event, p OpApplied) (trigger, error) {
	if s.Open == nil || s.Open.Manifest == nil || p.Index < 0 || p.Index >= s.Open.Manifest.Operations {
		return "", refuse(*s, e, "no verified manifest has an operation %d", p.Index)
	}
	open := *s.Open
	i, done := slices.BinarySearchFunc(open.Applied, p.Index, func(o OpApplied, index int) int { return o.Index - index })
	applied := slices.Clone(open.Applied)
	if done { // applied before an interruption, removed or changed since, applied again
		applied[i] = p
	} else {
		applied = slices.Insert(applied, i, p)
	}
	open.Applied, open.EverApplied = applied, true
	s.Open = &open
	return trApply, s.sameEpoch(e)
}

func (s *State) applyRotated(e Event, p EpochRotated) (trigger, error) {
	open := s.Open
	switch {
	case open == nil || open.Manifest == nil:
		return "", refuse(*s, e, "no verified reconstruction is open")
	case !s.Run.Verified:
		return "", refuse(*s, e, "its run verified no manifest")
	case open.Manifest.Hash != p.ManifestHash:
		return "", refuse(*s, e, "the verified manifest is %s", open.Manifest.Hash)
	case len(open.Applied) != open.Manifest.Operations:
		return "", refuse(*s, e, "%d of %d operations are applied", len(open.Applied), open.Manifest.Operations)
	case p.OSFingerprint.CompositeHash != open.Target:
		return "", refuse(*s, e, "the open update is to %s", open.Target)
	case p.BootEpoch != s.Epoch+1 || p.OSFingerprint.BootEpoch != p.BootEpoch:
		return "", refuse(*s, e, "it rotates to epoch %d, but epoch %d is in force", p.BootEpoch, s.Epoch)
	}
	s.Epoch = p.BootEpoch
	s.Baseline, _ = BaselineOf(e)
	s.Previous = s.Current
	s.Current = &EpochRecord{Meta: e.Meta, Rotated: p, Operations: open.Applied, Manifest: *open.Manifest}
	if p.ManifestSerial != nil {
		s.Serial = p.ManifestSerial
	}
	s.completeUnder(open.Manifest.Key)
	s.Open, s.Drill, s.Adopted = nil, nil, nil
	s.Run.Ended, s.Run.Closed = true, true
	return trRotate, s.sameEpoch(e)
}

// completeUnder records the key of a completed epoch. The keys before it in the
// chain of successions are no longer accepted.
func (s *State) completeUnder(key string) {
	if i := slices.Index(s.Keys.Successors, key); i >= 0 {
		s.Keys.Successors = slices.Clone(s.Keys.Successors[i+1:])
	}
	s.Keys.Manifest = key
}

func (s *State) applyAbandoned(e Event, p UpdateAbandoned) (trigger, error) {
	if s.Open == nil || s.Open.EverApplied || !slices.Equal(s.Open.Causes, []Cause{CauseOSChanged}) || p.UpdateSeq != s.Open.Seq {
		return "", refuse(*s, e, "only an open update that applied nothing and has %s as its one cause is abandoned", CauseOSChanged)
	}
	if c := s.Run.Captured; c == nil || c.Role != RoleMatch {
		return "", refuse(*s, e, "its run did not find the baseline")
	}
	s.Open = nil
	s.Run.Ended = s.mayEnd()
	return trAbandon, s.sameEpoch(e)
}
