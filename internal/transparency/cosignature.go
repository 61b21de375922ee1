package transparency

import (
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// Cosignature is the signature of a witness over a checkpoint (C2SP
// cosignature/v1).
type Cosignature struct {
	Line string    // of the signed note, with its line feed
	Time time.Time // by the witness's clock
}

// Cosigned returns the first signature of a witness in a signed note. ok is false if
// the witness has not signed it.
func Cosigned(signed []byte, witness *torchwood.CosignatureVerifier) (c Cosignature, ok bool) {
	n, err := note.Open(signed, note.VerifierList(witness))
	if err != nil || len(n.Sigs) == 0 {
		return Cosignature{}, false
	}
	sig := n.Sigs[0]
	at, err := torchwood.CosignatureTimestamp(sig)
	if err != nil {
		return Cosignature{}, false
	}
	return Cosignature{"\u2014 " + sig.Name + " " + sig.Base64 + "\n", time.Unix(at, 0).UTC()}, true
}
