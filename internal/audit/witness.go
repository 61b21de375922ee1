package audit

import (
	"slices"
	"strings"
	"time"

	"filippo.io/torchwood"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/transparency"
)

// Codes of the findings about witnesses.
const (
	CodeWitness = "witness_absent" // a witness that was named has signed no checkpoint
	CodePolicy  = "policy"         // no checkpoint satisfies the policy
)

// Witnessed is a checkpoint that a witness has signed.
type Witnessed struct {
	Witness string    `json:"witness"`
	Journal string    `json:"journal"`
	Events  uint64    `json:"events"` // records that it has seen
	Time    time.Time `json:"time"`   // of the signature, by the witness's clock
}

// witnesses are those whose signatures are looked for.
type witnesses struct {
	keys      []*torchwood.CosignatureVerifier
	policy    torchwood.Policy // nil if there is none
	satisfied bool
}

// newWitnesses reads the keys of witnesses, and a policy in the form of C2SP
// tlog-policy; nil for none.
func newWitnesses(keys []string, policy []byte) (w witnesses, err error) {
	for _, key := range keys {
		v, err := torchwood.NewCosignatureVerifier(strings.TrimSpace(key))
		if err != nil {
			return w, errs.Advise("pass it as NAME+HASH+KEY, of the type for cosignatures", "the key of a witness %q: %w", key, err)
		}
		w.keys = append(w.keys, v)
	}
	if policy != nil {
		if w.policy, err = torchwood.ParsePolicy(policy); err != nil {
			return w, errs.Advise("write it as a C2SP tlog-policy: a log, witnesses, groups and a quorum", "the policy: %w", err)
		}
	}
	return w, nil
}

// witnessed notes who has signed a checkpoint. Whether the history agrees with the
// checkpoint is judged elsewhere.
func (a *auditor) witnessed(text []byte, c transparency.Checkpoint) {
	for _, v := range a.witnesses.keys {
		if signed, ok := transparency.Cosigned(text, v); ok {
			a.report.Witnesses = append(a.report.Witnesses, Witnessed{v.Name(), c.Journal, c.Size, signed.Time})
		}
	}
	if p := a.witnesses.policy; p != nil {
		if _, _, err := torchwood.VerifyCheckpoint(text, p); err == nil {
			a.witnesses.satisfied = true
		}
	}
}

// unwitnessed reports the witnesses that were named and have signed nothing, and a
// policy that is not satisfied.
func (a *auditor) unwitnessed() {
	for _, v := range a.witnesses.keys {
		if !slices.ContainsFunc(a.report.Witnesses, func(w Witnessed) bool { return w.Witness == v.Name() }) {
			a.bad(CodeWitness, 0, "%s has signed no checkpoint that was given; --since takes one that edgectl ship has kept", v.Name())
		}
	}
	if a.witnesses.policy != nil && !a.witnesses.satisfied {
		a.bad(CodePolicy, 0, "no checkpoint that was given satisfies the policy; --since takes one that edgectl ship has kept")
	}
}
