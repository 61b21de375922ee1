package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func rootIs(dir string) func(n *node) {
	return func(n *node) { n.env["EDGE_STATE_ROOT"] = dir }
}

func badRoots() []badInput {
	enforced := func(n *node) { delete(n.env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK") }
	cases := []badInput{
		{name: "root is a file", reason: "not a directory", breaks: func(n *node) { n.remove(""); n.writeFile(n.root, nil) }, path: "/state"},
		{name: "root is a FIFO", reason: "not a directory", breaks: func(n *node) { n.plant("fifo", n.root) }, path: "/state"},
		{name: "root is a symlink", reason: "symbolic link", path: "/state", breaks: func(n *node) {
			n.check(os.Rename(n.root, n.file("elsewhere")))
			n.check(os.Symlink(n.file("elsewhere"), n.root))
		}},
		{name: "root relative in the environment", reason: "not absolute", breaks: rootIs("state"), path: "state"},
		{name: "root relative in the config", reason: "not absolute", path: "var/edge", breaks: func(n *node) {
			n.setConfig(`root: "`+n.root+`"`, "root: var/edge")
		}},
		{name: "root missing", reason: "does not exist", breaks: func(n *node) { n.remove("") }, path: "/state"},
		{name: "root world-writable", reason: "writable for everybody", breaks: func(n *node) { n.check(os.Chmod(n.root, 0o777)) }, path: "/state"},
		{name: "root not writable", reason: "not writable", path: "/state", rootOK: "root may write everywhere",
			breaks: func(n *node) {
				n.check(os.Chmod(n.root, 0o555))
				n.t.Cleanup(func() { n.check(os.Chmod(n.root, 0o750)) })
			}},
		{name: "skip asked for with another word than 1", reason: "", path: "/proc", breaks: func(n *node) {
			n.env["EDGE_STATE_ROOT_SKIP_MOUNT_CHECK"] = "true"
			n.env["EDGE_STATE_ROOT"] = "/proc"
		}},
		{name: "root is a part of /", reason: "part of the root filesystem", path: "/", breaks: func(n *node) {
			enforced(n)
			n.env["EDGE_STATE_ROOT"] = "/"
			n.gateKeys("extra_filesystems: [overlay, overlayfs, tmpfs, ramfs, rootfs, 9p, virtiofs, fuse]")
		}},
	}
	for _, dir := range []string{"identity", "runtime", "runtime/binaries", "bootstrap", "journal", "epoch"} {
		cases = append(cases, badInput{name: dir + " world-writable", reason: "the mode of " + dir + " is 0777", path: "/state", breaks: func(n *node) {
			n.mkdir(n.path(dir))
			n.check(os.Chmod(n.path(dir), os.ModeSticky|0o777))
		}})
	}
	for _, dir := range []string{"edge", "edge/relay", "runtime", "epoch", "bootstrap"} {
		path := "/state/" + dir
		if dir == "bootstrap" {
			path += "/journal_head" // the first thing that is looked for in it
		}
		cases = append(cases, badInput{name: dir + " is a file", reason: "not a directory", path: path, breaks: func(n *node) { n.plant("10gb", n.path(dir)) }})
	}
	for i := range cases {
		cases[i].exit = ExitStateRoot
	}
	return cases
}

// TestBadInput_ReadOnlyMount shows as root what mode 0555 shows to others.
func TestBadInput_ReadOnlyMount(t *testing.T) {
	n := newNode(t)
	n.stand("settled")
	if err := syscall.Mount(n.root, n.root, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("bind mounts are not permitted: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(n.root, 0); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("", n.root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("read-only bind mounts are not permitted: ", err)
	}
	before := tree(t, n.dir)
	badInput{exit: ExitStateRoot, reason: "mounted read-only here: a sandbox, or a bind mount", path: "/state"}.judge(n)
	sameTree(t, "a boot on a read-only mount", before, tree(t, n.dir))
}

func pemFile(name, text string) func(n *node) {
	return func(n *node) { n.writeFile(n.file(name), []byte(text)) }
}

func badCertificates() []badInput {
	remove := func(name string) func(n *node) { return func(n *node) { n.check(os.Remove(n.file(name))) } }
	rotate := func(o *Options) { o.RotateCerts = true }
	window := func(n *node) { n.authority(n.now.Add(-day), n.now.Add(3*day), n.now.Add(900*day)) }
	cases := []badInput{
		{name: "certificate missing", reason: "no such file", path: "/node.crt", breaks: remove("node.crt")},
		{name: "key missing", reason: "no such file", path: "/node.key", breaks: remove("node.key")},
		{name: "CA missing", reason: "no such file", path: "/ca.crt", breaks: remove("ca.crt")},
		{name: "certificate empty", reason: "it is empty", path: "/node.crt", breaks: pemFile("node.crt", "")},
		{name: "certificate garbage", reason: "no PEM block", path: "/node.crt", breaks: pemFile("node.crt", "garbage")},
		{name: "certificate garbage in PEM", reason: "cannot be parsed", path: "/node.crt", breaks: func(n *node) { n.pem("node.crt", "CERTIFICATE", []byte("garbage")) }},
		{name: "certificate DER", reason: "DER", path: "/node.crt", breaks: func(n *node) { n.writeFile(n.file("node.crt"), n.leaf().Raw) }},
		{name: "certificate holds a key", reason: "no certificate", path: "/node.crt", breaks: func(n *node) {
			n.writeFile(n.file("node.crt"), n.must(os.ReadFile(n.file("node.key"))))
		}},
		{name: "certificate expired", reason: "has expired", path: "/node.crt", breaks: func(n *node) { n.certificate(-day) }},
		{name: "certificate ends within 7 days", reason: "expires too soon", path: "/node.crt", breaks: func(n *node) { n.certificate(6 * day) }},
		{name: "key of another certificate", reason: "does not belong", path: "/node.key", breaks: func(n *node) {
			crt := n.must(os.ReadFile(n.file("node.crt")))
			n.certificate(90 * day)
			n.writeFile(n.file("node.crt"), crt)
		}},
		{name: "key garbage", reason: "no private key", path: "/node.key", breaks: pemFile("node.key", "garbage")},
		{name: "key garbage in PEM", reason: "cannot be parsed", path: "/node.key", breaks: func(n *node) { n.pem("node.key", "PRIVATE KEY", []byte("garbage")) }},
		{name: "key encrypted", reason: "passphrase", path: "/node.key", breaks: func(n *node) { n.pem("node.key", "ENCRYPTED PRIVATE KEY", []byte("x")) }},
		{name: "key of an unknown type", reason: "not supported", path: "/node.key", breaks: func(n *node) { n.pem("node.key", "DSA PRIVATE KEY", []byte("x")) }},
		{name: "CA garbage", reason: "no PEM block", path: "/ca.crt", breaks: pemFile("ca.crt", "garbage")},
		{name: "rotation without a CA key", reason: "no CA key", opt: rotate, path: "/node.crt"},
		{name: "rotation, CA key missing", reason: "no such file", path: "/ca.key", opt: rotate, breaks: func(n *node) { n.caKey() }},
		{name: "rotation, CA key of another CA", reason: "CA key does not belong", path: "/ca.key", breaks: func(n *node) {
			window(n)
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			n.check(err)
			n.pem("ca.key", "PRIVATE KEY", n.must(x509.MarshalPKCS8PrivateKey(key)))
			n.caKey()
		}},
		{name: "rotation, the CA ends first", reason: "not valid for long enough", path: "/ca.crt", breaks: func(n *node) {
			n.authority(n.now.Add(-day), n.now.Add(3*day), n.now.Add(4*day))
			n.caKey()
		}},
		{name: "rotation for too many days", reason: "out of range", path: "/node.crt", breaks: func(n *node) { window(n); n.caKey() },
			opt: func(o *Options) { o.RotateCerts, o.RotationValidDays = true, 40_000 }},
	}
	for _, name := range []string{"node.crt", "node.key", "ca.crt"} {
		for _, kind := range []string{"fifo", "folder", "10gb"} {
			reason := map[string]string{"fifo": "not a regular file", "folder": "not a regular file", "10gb": "larger than"}[kind]
			cases = append(cases, badInput{name: name + " is a " + kind, reason: reason, path: "/" + name,
				breaks: func(n *node) { n.plant(kind, n.file(name)) }})
		}
	}
	for i := range cases {
		cases[i].exit = ExitCertificate
	}
	return cases
}

func badFingerprints() []badInput {
	cases := []badInput{
		{name: "os-release missing", reason: "no such file", path: "/os-release", breaks: func(n *node) { n.check(os.Remove(n.osRelease())) }},
		{name: "os-release is a FIFO", reason: "not a regular file", path: "/os-release", breaks: func(n *node) { n.plant("fifo", n.osRelease()) }},
		{name: "os-release is a folder", reason: "regular file", path: "/os-release", breaks: func(n *node) { n.plant("folder", n.osRelease()) }},
		{name: "os-release has 10 GB", reason: "larger than", path: "/os-release", breaks: func(n *node) { n.plant("10gb", n.osRelease()) }},
		{name: "uname fails", reason: "uname refused", breaks: func(n *node) {
			n.edit = func(h *Host) {
				quick(h)
				h.OS.Uname = func() (string, error) { return "", errors.New("uname refused") }
			}
		}},
	}
	for i := range cases {
		cases[i].exit = ExitReconstruction
	}
	return cases
}

func times(s string, n int) string { return strings.Repeat(s, n) }
