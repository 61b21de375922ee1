package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

// entry returns the n-th event of a test.
func entry(n int) Entry {
	id := uuid.MustParse("01890000-0000-7000-8000-000000000000")
	id[15], id[14], id[13], id[12] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return Entry{
		ID: id, Type: "Tested", Time: time.Date(2026, 3, 4, 10, 0, 0, n%1e9, time.UTC),
		BootID: "b7a3ab5e-0f3d-4b5c-9d56-0f1f6d6ab3a1", UptimeMS: int64(1000 + n),
		Run: "01890000-0000-7000-8000-00000000000a", Node: "node-1", Epoch: uint64(n / 100),
		Data: fmt.Appendf(nil, `{"v":1,"n":%d,"role":"match","composite_hash":"%s"}`, n, HashOf([]byte{byte(n)})),
	}
}

// must ends the test at an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		noErr(t, err)
		return v
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
