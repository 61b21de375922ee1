package transparency_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/transparency"
)

func TestKeys(t *testing.T) {
	key := signer(t, "n")
	again, err := transparency.NewSigner(" " + key.Secret() + "\n")
	if err != nil || again.Verifier().String() != key.Verifier().String() || key.Verifier().Name() != "n" || len(key.Verifier().Key()) != 32 {
		t.Errorf("%v, %s", err, again.Verifier())
	}
	for _, bad := range []string{"", "x", "n+00000000+AAAA", key.Secret()} {
		if _, err := transparency.NewVerifier(bad); !errors.Is(err, transparency.ErrKey) || strings.Contains(fmt.Sprint(err), key.Secret()) {
			t.Errorf("verifier %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", key.Verifier().String(), "PRIVATE+KEY+n+00000000+AAAA"} {
		if _, err := transparency.NewSigner(bad); !errors.Is(err, transparency.ErrKey) {
			t.Errorf("signer %q: %v", bad, err)
		}
	}
	if _, err := transparency.GenerateSigner("a name with spaces"); err == nil {
		t.Error("a name that a note cannot have")
	}
}
