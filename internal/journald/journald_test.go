package journald

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	for attribute, want := range map[string]string{
		"path": "EDGE_PATH", "boot_epoch": "EDGE_BOOT_EPOCH", "g.k-2": "EDGE_G_K_2", "ü=\n": "EDGE____", strings.Repeat("x", 99): "EDGE_" + strings.Repeat("X", 59),
	} {
		if got := Name(attribute); got != want {
			t.Errorf("%s: %s, want %s", attribute, got, want)
		}
	}
}

func TestAppendField(t *testing.T) {
	got := string(AppendField(AppendField(nil, "A", "b=c"), "D", "two\nlines"))
	if want := "A=b=c\nD\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMessageID(t *testing.T) {
	for text, want := range map[string]string{
		"PrecheckFailed":          "9107c90acde05f849783bbad91a9e103",
		"edge.os.update_detected": "",
	} {
		got := MessageID(text)
		if len(got) != 32 || got[12] != '5' || want != "" && got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestUnitOf(t *testing.T) {
	for cgroups, want := range map[string]string{
		"": "", "0::/\n": "", "0::/init.scope\n": "",
		"0::/system.slice/edged-precheck.service\n":                      "edged-precheck.service",
		"0::/system.slice/system-edged.slice/edged@1.service/sub\n":      "edged@1.service",
		"0::/user.slice/user-0.slice/session-1.scope\n":                  "",
		"1:name=systemd:/\n0::/a.service\n":                              "a.service",
		"12:cpu:/system.slice/x\n1:name=systemd:/system.slice/a.service": "a.service",
	} {
		if got := unitOf(cgroups); got != want {
			t.Errorf("%q: %q, want %q", cgroups, got, want)
		}
	}
}

// TestSend: an entry arrives as one datagram; an entry that nobody receives is an
// error at once.
func TestSend(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	if err := Send(socket, []byte("A=b\n")); err == nil {
		t.Error("sent to a socket that is not there")
	}
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := Send(socket, []byte("A=b\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := listener.Read(buf); err != nil || string(buf[:n]) != "A=b\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	sent := 0
	for ; sent < 1<<20 && err == nil; sent++ { // nobody reads
		err = Send(socket, []byte("A=b\n"))
	}
	if err == nil {
		t.Errorf("%d entries are kept for a journal that does not read them", sent)
	}
	if err := Send(socket, make([]byte, 16<<20)); err == nil {
		t.Error("an entry of 16 MiB is sent")
	}
}
