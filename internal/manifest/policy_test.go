package manifest

import (
	"errors"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/stateroot"
)

func ptr[T any](v T) *T { return &v }

func TestAdmit(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	pinned := []Operation{{Op: CopyBinary, Src: "a", Dst: "b", BLAKE3: hash64}}
	half := []Operation{pinned[0], {Op: InstallConfig, Src: "a", Dst: "c"}}
	tests := []struct {
		name string
		m    Manifest
		p    Policy
		code Code // "" where it is admitted
	}{
		{"nothing asked", Manifest{}, Policy{Now: now}, ""},
		{"strict", Manifest{Serial: ptr[int64](0), Operations: pinned}, Policy{Strict: true}, ""},
		{"strict, no operations", Manifest{Serial: ptr[int64](0)}, Policy{Strict: true}, ""},
		{"strict, no serial", Manifest{Operations: pinned}, Policy{Strict: true}, CodeStrict},
		{"strict, one without blake3", Manifest{Serial: ptr[int64](1), Operations: half}, Policy{Strict: true}, CodeStrict},
		{"baseline, one without blake3", Manifest{Operations: half}, Policy{}, ""},

		{"first serial", Manifest{Serial: ptr[int64](5)}, Policy{}, ""},
		{"same serial", Manifest{Serial: ptr[int64](5)}, Policy{SerialFloor: ptr[int64](5)}, ""},
		{"higher", Manifest{Serial: ptr[int64](6)}, Policy{SerialFloor: ptr[int64](5)}, ""},
		{"lower", Manifest{Serial: ptr[int64](4)}, Policy{SerialFloor: ptr[int64](5)}, CodeRollback},
		{"missing", Manifest{}, Policy{SerialFloor: ptr[int64](5)}, CodeRollback},
		{"missing, floor 0", Manifest{}, Policy{SerialFloor: ptr[int64](0)}, CodeRollback},
		{"lower, allowed", Manifest{Serial: ptr[int64](4), AllowRollbackFrom: ptr[int64](5)}, Policy{SerialFloor: ptr[int64](5)}, ""},
		{"missing, allowed", Manifest{AllowRollbackFrom: ptr[int64](5)}, Policy{SerialFloor: ptr[int64](5)}, ""},
		{"allowed from below", Manifest{Serial: ptr[int64](3), AllowRollbackFrom: ptr[int64](4)}, Policy{SerialFloor: ptr[int64](5)}, CodeRollback},
		{"allowed from above", Manifest{Serial: ptr[int64](3), AllowRollbackFrom: ptr[int64](6)}, Policy{SerialFloor: ptr[int64](5)}, CodeRollback},
		{"strict, allowed, no serial", Manifest{AllowRollbackFrom: ptr[int64](5)}, Policy{Strict: true, SerialFloor: ptr[int64](5)}, CodeStrict},

		{"valid", Manifest{NotAfter: ptr(now.Add(time.Second))}, Policy{Now: now}, ""},
		{"valid to the instant", Manifest{NotAfter: ptr(now)}, Policy{Now: now}, ""},
		{"expired", Manifest{NotAfter: ptr(now.Add(-1))}, Policy{Now: now}, CodeExpired},
		{"expired in another zone", Manifest{NotAfter: ptr(now.Add(-time.Minute).In(time.FixedZone("", 7200)))}, Policy{Now: now}, CodeExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.m.Admit(tt.p)
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, tt.code, stateroot.Manifest)
		})
	}
}

func TestAdmitKey(t *testing.T) {
	tests := []struct {
		name, key, pin string
		accepted       []string
		code           Code
	}{
		{"the first key", "a", "", nil, ""},
		{"known", "a", "", []string{"a"}, ""},
		{"rotated to", "b", "", []string{"a", "b"}, ""},
		{"unknown", "c", "", []string{"a", "b"}, CodeKeyUnknown},
		{"pinned", "a", "a", []string{"a"}, ""},
		{"not the pinned", "a", "b", []string{"a"}, CodeKeyPinned},
		{"pinned, unknown", "a", "a", []string{"b"}, CodeKeyUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := AdmitKey(tt.key, tt.pin, tt.accepted...)
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, tt.code, stateroot.ManifestVerifyKey)
		})
	}
}

func TestNextStepNeverEmpty(t *testing.T) {
	for _, c := range []Code{CodeUnreadable, CodeSigUnreadable, CodeKeyUnreadable, "unheard of"} {
		if e := (&Error{c, "p", errors.New("x")}); e.NextStep() == "" || e.Message() != "precheck: "+string(c) {
			t.Error(c)
		}
	}
}
