package gate

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"syscall"
)

// lastPass is the ready file of an earlier boot.
var lastPass = []byte(`{"boot_id":"5ad6f1a0-6c8e-4a86-9d38-0a1f6fbc3f10","run":"01980000-0000-7000-8000-000000000000","seq":7}` + "\n")

func readyRow() situation {
	return situation{"--ready-file and gate.metrics_file", []scene{
		{"written on exit 0", false, func(s *stage) {
			s.settled(oneOp)
			s.gateKeys("metrics_file: " + s.file("edged.prom"))
			ready := s.file("passed")
			s.happens(ExitOK, "FingerprintCaptured:match", func(o *Options) { o.ReadyFile = ready })
			var got struct {
				BootID string `json:"boot_id"`
				Run    string `json:"run"`
				Seq    uint64 `json:"seq"`
			}
			s.check(json.Unmarshal(s.must(os.ReadFile(ready)), &got))
			state, _ := s.history()
			if got.Seq != state.Seq || got.Run != state.Run.ID || got.BootID != state.Run.BootID {
				s.t.Errorf("%+v, the journal says %d %s", got, state.Seq, state.Run.ID)
			}
			if text := string(s.must(os.ReadFile(s.file("edged.prom")))); !strings.Contains(text, "boot_epoch") {
				s.t.Errorf("metrics:\n%s", text)
			}
		}},
		{"its folder is a link, its name has 253 bytes", false, func(s *stage) {
			s.settled(oneOp)
			s.mkdir(s.file("run/edged"))
			s.check(os.Symlink("run/edged", s.file("linked")))
			name := strings.Repeat("n", 253)
			s.happens(ExitOK, "FingerprintCaptured:match", func(o *Options) { o.ReadyFile = s.file("linked/" + name) })
			s.must(os.ReadFile(s.file("run/edged/" + name)))
			s.certificate(day)
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate", func(o *Options) { o.ReadyFile = s.file("linked/" + name) })
			if left, err := os.ReadDir(s.file("run/edged")); err != nil || len(left) != 0 {
				s.t.Errorf("a failed boot left %v, %v", left, err)
			}
		}},
		{"withdrawn before anything can fail", true, func(s *stage) {
			s.settled(oneOp)
			s.gateKeys("metrics_file: " + s.file("edged.prom"))
			ready := s.file("passed")
			s.writeFile(ready, lastPass)
			s.certificate(day)
			s.happens(ExitCertificate, "PrecheckFailed:3:certificate", func(o *Options) { o.ReadyFile = ready })
			if _, err := os.Stat(ready); err == nil {
				s.t.Error("a failed boot left the last boot's pass")
			}
			if text := string(s.must(os.ReadFile(s.file("edged.prom")))); !strings.Contains(text, "exit_code 3") {
				s.t.Errorf("metrics:\n%s", text)
			}
			s.writeFile(ready, lastPass)
			config := s.config
			s.config = s.file("absent")
			s.boot(ExitConfig, func(o *Options) { o.ReadyFile = ready })
			if _, err := os.Stat(ready); err == nil {
				s.t.Error("a boot without a config left the last boot's pass")
			}
			s.config = config
		}},
		{"another file has its name", true, func(s *stage) {
			s.settled(oneOp)
			ready := s.file("passed")
			for _, text := range []string{"", "{}\n", "mission data", strings.TrimSpace(string(lastPass)), strings.Replace(string(lastPass), "{", `{"x":1,`, 1)} {
				s.writeFile(ready, []byte(text))
				s.happens(ExitStateRoot, "", func(o *Options) { o.ReadyFile = ready })
				s.logged("level=ERROR", "precheck: ready file cannot be removed", "path="+ready)
				if got := string(s.must(os.ReadFile(ready))); got != text {
					s.t.Errorf("%q became %q", text, got)
				}
			}
			s.check(os.Remove(ready))
			s.writeFile(s.file("elsewhere"), lastPass)
			for name, stand := range map[string]func() error{
				"a link":   func() error { return os.Symlink("elsewhere", ready) },
				"a folder": func() error { return os.Mkdir(ready, 0o755) },
				"a FIFO":   func() error { return syscall.Mkfifo(ready, 0o600) },
			} {
				s.check(stand())
				s.boot(ExitStateRoot, func(o *Options) { o.ReadyFile = ready })
				if _, err := os.Lstat(ready); err != nil {
					s.t.Errorf("%s was removed", name)
				}
				s.check(os.Remove(ready))
			}
			s.must(os.ReadFile(s.file("elsewhere")))
		}},
		{"other files beside it stay", true, func(s *stage) {
			s.settled(oneOp)
			s.writeFile(s.file("passed.tmp/mission"), []byte("data"))
			s.writeFile(s.file("edged.prom.tmp/mission"), []byte("data"))
			s.gateKeys("metrics_file: " + s.file("edged.prom"))
			s.happens(ExitOK, "FingerprintCaptured:match", func(o *Options) { o.ReadyFile = s.file("passed") })
			s.must(os.ReadFile(s.file("passed.tmp/mission")))
			s.must(os.ReadFile(s.file("edged.prom.tmp/mission")))
		}},
		{"one file for both", true, func(s *stage) {
			s.settled(oneOp)
			s.mkdir(s.file("run"))
			s.check(os.Symlink("run", s.file("linked")))
			s.gateKeys("metrics_file: " + s.file("run/passed"))
			s.certificate(day)
			for _, ready := range []string{s.file("run/passed"), s.file("run/../run/passed"), s.file("linked/passed")} {
				s.happens(ExitConfig, "", func(o *Options) { o.ReadyFile = ready })
				s.logged("level=ERROR", "precheck: ready file is the metrics file", "path="+ready)
				if _, err := os.Stat(s.file("run/passed")); err == nil {
					s.t.Error("a failed boot wrote the ready file")
				}
			}
		}},
		{"metrics replace nothing else", true, func(s *stage) {
			s.settled(oneOp)
			s.gateKeys("metrics_file: " + s.file("node.key"))
			key := s.must(os.ReadFile(s.file("node.key")))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN", "metrics file cannot be written", "another file has this name")
			if !bytes.Equal(key, s.must(os.ReadFile(s.file("node.key")))) {
				s.t.Error("the metrics replaced a key")
			}
		}},
		{"metrics that cannot be written stop nothing", true, func(s *stage) {
			s.settled(oneOp)
			s.gateKeys("metrics_file: " + s.file("no/such/folder/edged.prom"))
			s.happens(ExitOK, "FingerprintCaptured:match")
			s.logged("level=WARN", "metrics file cannot be written")
		}},
		{"a ready file that cannot be written is a failure", true, func(s *stage) {
			s.settled(oneOp)
			s.happens(ExitStateRoot, "PrecheckFailed:2:ready_file", func(o *Options) { o.ReadyFile = s.file("no/such/folder/passed") })
			s.logged("level=ERROR", "precheck: ready file cannot be written")
			s.happens(ExitOK, "FingerprintCaptured:match")
		}},
	}}
}
