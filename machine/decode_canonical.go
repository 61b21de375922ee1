package machine

// decodeCanonical decodes the kinds that a history is made of, as this version
// writes them: a boot folds its newest records and an investigation a million,
// and encoding/json takes seven microseconds for each. ok is false where the
// cursor gave up. The order of the members is that of their names.
func decodeCanonical(kind Kind, data []byte) (p Payload, ok bool) {
	c := &cursor{all: string(data)}
	switch kind {
	case KindFingerprintCaptured:
		p = c.fingerprintCaptured()
	case KindUpdateDetected:
		p = c.updateDetected()
	case KindManifestVerified:
		p = c.manifestVerified()
	case KindOpApplied:
		p = c.opApplied()
	case KindEpochRotated:
		p = c.epochRotated()
	case KindPrecheckFailed:
		p = c.precheckFailed()
	case KindProjectionRepaired:
		p = c.projectionRepaired()
	default:
		return nil, false
	}
	return p, c.ended()
}

// version reads the data version, the last member of every payload.
func (c *cursor) version() int {
	if !c.member("v") {
		c.lost = true
		return 0
	}
	v := c.int()
	c.lost = c.lost || v != dataVersion
	return int(v)
}

func (c *cursor) fingerprintCaptured() (p FingerprintCaptured) {
	c.object(func() {
		if c.member("captured_at") {
			p.CapturedAt = optional(c, c.time)
		}
		if c.member("clock") {
			p.Clock = c.clock()
		}
		if c.member("composite_hash") {
			p.CompositeHash = c.text()
		}
		if c.member("filesystem") {
			p.Filesystem = c.text()
		}
		if c.member("inputs") {
			p.Inputs = c.inputs()
		}
		if c.member("mount_check") {
			p.MountCheck = c.text()
		}
		if c.member("os_release") {
			p.OSRelease = optional(c, c.text)
		}
		if c.member("os_release_truncated") {
			p.OSReleaseTruncated = c.bool()
		}
		if c.member("role") {
			p.Role = Role(c.text())
		}
		if c.member("software") {
			p.Software = c.text()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) clock() (k Clock) {
	c.object(func() {
		if c.member("floor") {
			k.Floor = c.time()
		}
		if c.member("used") {
			k.Used = c.time()
		}
		if c.member("wall") {
			k.Wall = c.time()
		}
	})
	return k
}

func (c *cursor) inputs() (i Inputs) {
	c.object(func() {
		if c.member("etc_os_release") {
			i.EtcOSRelease = c.text()
		}
		if c.member("uname_release") {
			i.UnameRelease = c.text()
		}
		if c.member("usr_lib_os_release") {
			i.UsrLibOSRelease = c.text()
		}
	})
	return i
}

func (c *cursor) updateDetected() (p UpdateDetected) {
	c.object(func() {
		if c.member("attempt") {
			p.Attempt = int(c.int())
		}
		if c.member("cause") {
			p.Cause = Cause(c.text())
		}
		if c.member("causes") {
			p.Causes = list[Cause](c)
		}
		if c.member("changed") {
			p.Changed = list[string](c)
		}
		if c.member("current_hash") {
			p.CurrentHash = c.text()
		}
		if c.member("epoch_floor") {
			p.EpochFloor = c.uint()
		}
		if c.member("found_file_blake3") {
			p.FoundFileBLAKE3 = c.text()
		}
		if c.member("found_file_epoch") {
			p.FoundFileEpoch = optional(c, c.uint)
		}
		if c.member("previous_hash") {
			p.PreviousHash = c.text()
		}
		if c.member("supersedes") {
			p.Supersedes = c.uint()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) manifestVerified() (p ManifestVerified) {
	c.object(func() {
		if c.member("key") {
			p.Key = c.base64()
		}
		if c.member("key_blake3") {
			p.KeyBLAKE3 = c.text()
		}
		if c.member("manifest") {
			p.Manifest = c.base64()
		}
		if c.member("manifest_hash") {
			p.ManifestHash = c.text()
		}
		if c.member("operations") {
			p.Operations = int(c.int())
		}
		if c.member("serial") {
			p.Serial = optional(c, c.int)
		}
		if c.member("signature") {
			p.Signature = c.base64()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) opApplied() (p OpApplied) {
	c.object(func() {
		if c.member("already_in_place") {
			p.AlreadyInPlace = c.bool()
		}
		if c.member("blake3") {
			p.BLAKE3 = c.text()
		}
		if c.member("bytes") {
			p.Bytes = c.int()
		}
		if c.member("dst") {
			p.Dst = c.text()
		}
		if c.member("hash_pinned") {
			p.HashPinned = c.bool()
		}
		if c.member("index") {
			p.Index = int(c.int())
		}
		if c.member("mode") {
			p.Mode = c.text()
		}
		if c.member("op") {
			p.Op = c.text()
		}
		if c.member("src") {
			p.Src = c.text()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) epochRotated() (p EpochRotated) {
	c.object(func() {
		if c.member("binary_hash") {
			p.BinaryHash = c.text()
		}
		if c.member("boot_epoch") {
			p.BootEpoch = c.uint()
		}
		if c.member("config_hash") {
			p.ConfigHash = c.text()
		}
		if c.member("duration_ms") {
			p.DurationMS = c.int()
		}
		if c.member("inputs") {
			p.Inputs = c.inputs()
		}
		if c.member("manifest_hash") {
			p.ManifestHash = c.text()
		}
		if c.member("manifest_serial") {
			p.ManifestSerial = optional(c, c.int)
		}
		if c.member("os_fingerprint") {
			p.OSFingerprint = c.osFingerprint()
		}
		if c.member("os_release_truncated") {
			p.OSReleaseTruncated = c.bool()
		}
		if c.member("replaced_file_blake3") {
			p.ReplacedFileBLAKE3 = c.text()
		}
		if c.member("rotated_at") {
			p.RotatedAt = c.time()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) osFingerprint() (f OSFingerprint) {
	c.object(func() {
		if c.member("boot_epoch") {
			f.BootEpoch = c.uint()
		}
		if c.member("captured_at") {
			f.CapturedAt = c.time()
		}
		if c.member("composite_hash") {
			f.CompositeHash = c.text()
		}
		if c.member("os_release") {
			f.OSRelease = c.text()
		}
		if c.member("uname_release") {
			f.UnameRelease = c.text()
		}
	})
	return f
}

func (c *cursor) precheckFailed() (p PrecheckFailed) {
	c.object(func() {
		if c.member("attempt") {
			p.Attempt = int(c.int())
		}
		if c.member("exit_code") {
			p.ExitCode = int(c.int())
		}
		if c.member("path") {
			p.Path = c.text()
		}
		if c.member("reason") {
			p.Reason = c.text()
		}
		if c.member("stage") {
			p.Stage = c.text()
		}
		p.V = c.version()
	})
	return p
}

func (c *cursor) projectionRepaired() (p ProjectionRepaired) {
	c.object(func() {
		if c.member("found_blake3") {
			p.FoundBLAKE3 = c.text()
		}
		if c.member("path") {
			p.Path = c.text()
		}
		if c.member("reason") {
			p.Reason = c.text()
		}
		p.V = c.version()
	})
	return p
}
