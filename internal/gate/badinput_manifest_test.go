package gate

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	keyPath = "identity/manifest-verify.pub"
	sigPath = "runtime/manifest.json.sig"
	manPath = "runtime/manifest.json"
)

func badKeys() []badInput {
	bytesOf := func(name string, size int) func(n *node) {
		return func(n *node) { n.write(name, make([]byte, size)) }
	}
	cases := []badInput{
		{name: "key missing", path: keyPath, reason: "verify key missing", breaks: func(n *node) { n.remove(keyPath) }},
		{name: "key of 31 bytes", path: keyPath, reason: "31 bytes", breaks: bytesOf(keyPath, 31)},
		{name: "key of 33 bytes", path: keyPath, reason: "key has wrong size", breaks: bytesOf(keyPath, 33)},
		{name: "key empty", path: keyPath, reason: "0 bytes", breaks: bytesOf(keyPath, 0)},
		{name: "key world-writable", path: keyPath, reason: "world-writable", breaks: func(n *node) { n.check(os.Chmod(n.path(keyPath), 0o666)) }},
		{name: "another key", path: sigPath, reason: "signature verification failed", breaks: func(n *node) {
			pub, _, err := ed25519.GenerateKey(rand.Reader)
			n.check(err)
			n.write(keyPath, pub)
		}},
		{name: "signature missing", path: sigPath, reason: "signature missing", breaks: func(n *node) { n.remove(sigPath) }},
		{name: "signature of 63 bytes", path: sigPath, reason: "63 bytes", breaks: bytesOf(sigPath, 63)},
		{name: "signature of 65 bytes", path: sigPath, reason: "signature has wrong size", breaks: bytesOf(sigPath, 65)},
		{name: "signature of zeros", path: sigPath, reason: "signature verification failed", breaks: bytesOf(sigPath, 64)},
		{name: "signature by another key", path: sigPath, reason: "signature verification failed", breaks: func(n *node) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			n.check(err)
			n.write(sigPath, ed25519.Sign(key, []byte(oneOp)))
		}},
		{name: "signature over other bytes of the same meaning", path: sigPath, reason: "signature verification failed", breaks: func(n *node) {
			n.write(manPath, []byte(oneOp+"\n"))
		}},
		{name: "identity is a symlink", path: keyPath, reason: "symbolic link", breaks: func(n *node) {
			n.check(os.Rename(n.path("identity"), n.path("elsewhere")))
			n.check(os.Symlink("elsewhere", n.path("identity")))
		}},
		{name: "runtime is a symlink out of the root", path: manPath, reason: "symbolic link", breaks: func(n *node) {
			n.check(os.Rename(n.path("runtime"), n.file("elsewhere")))
			n.check(os.Symlink(n.file("elsewhere"), n.path("runtime")))
		}},
	}
	reasons := map[string]string{"fifo": "not a regular file", "folder": "not a regular file", "symlink": "symbolic link", "10gb": ""}
	for _, name := range []string{keyPath, sigPath, manPath} {
		for _, kind := range plantKinds() {
			cases = append(cases, badInput{name: name + " is a " + kind, path: name, reason: reasons[kind],
				breaks: func(n *node) { n.plant(kind, n.path(name)) }})
		}
	}
	for i := range cases {
		cases[i].exit = ExitReconstruction
	}
	return cases
}

// signed puts a manifest in place whose signature holds.
func signed(manifest string) func(n *node) { return func(n *node) { n.deploy(manifest) } }

func badManifests() []badInput {
	ops := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"op":"copy_binary","src":"app","dst":"bin/a%d"}`, i)
		}
		return `{"version":"1","operations":[` + strings.Join(list, ",") + `]}`
	}
	op := func(members string) string { return `{"version":"1","operations":[{` + members + `}]}` }
	with := func(member string) string { return `{"version":"1",` + member + `,"operations":[]}` }
	cases := []badInput{
		{name: "manifest missing", reason: "manifest missing", breaks: func(n *node) { n.remove(manPath) }},
		{name: "manifest empty", reason: "malformed", breaks: signed("")},
		{name: "manifest is no JSON", reason: "at byte 0", breaks: signed("version: 1")},
		{name: "manifest is null", reason: "null", breaks: signed("null")},
		{name: "manifest is a list", reason: "array", breaks: signed("[]")},
		{name: "manifest is a string", reason: "string", breaks: signed(`"x"`)},
		{name: "duplicate members", reason: "/version", breaks: signed(`{"version":"1","version":"1","operations":[]}`)},
		{name: "duplicate members of an operation", reason: "/operations/0/dst", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","dst":"bin/x"`))},
		{name: "duplicate members by escape", reason: "/version", breaks: signed(`{"version":"1","\u0076ersion":"1","operations":[]}`)},
		{name: "unknown member", reason: "unknown member", breaks: signed(with(`"frob":1`))},
		{name: "member in other case", reason: "unknown member", breaks: signed(with(`"Serial":1`))},
		{name: "unknown member of an operation", reason: "/operations/0/owner", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","owner":"root"`))},
		{name: "trailing bytes", reason: "at byte 53", breaks: signed(emptyManifest + "x")},
		{name: "a second document", reason: "at byte 54", breaks: signed(emptyManifest + emptyManifest)},
		{name: "cut short", reason: "EOF", breaks: signed(emptyManifest[:30])},
		{name: "deep nesting", reason: "malformed", breaks: signed(with(`"x":` + times("[", 12_000) + times("]", 12_000)))},
		{name: "invalid UTF-8", reason: "UTF-8", breaks: signed(`{"version":"1","binary_path":"` + "\xff" + `","operations":[]}`)},
		{name: "byte order mark", reason: "at byte 0", breaks: signed("\xef\xbb\xbf" + emptyManifest)},
		{name: "33 KiB", reason: "too large", breaks: signed(emptyManifest + times(" ", 33<<10-len(emptyManifest)))},
		{name: "129 operations", reason: "129 operations", breaks: signed(ops(129))},
		{name: "version missing", reason: "/version: missing", breaks: signed(`{"operations":[]}`)},
		{name: "version 2", reason: "version that this binary reads", breaks: signed(`{"version":"2","operations":[]}`)},
		{name: "version a number", reason: "/version: ", breaks: signed(`{"version":1,"operations":[]}`)},
		{name: "operations missing", reason: "/operations: missing", breaks: signed(`{"version":"1"}`)},
		{name: "operations an object", reason: "/operations: ", breaks: signed(`{"version":"1","operations":{}}`)},
		{name: "an operation a string", reason: "/operations/0", breaks: signed(`{"version":"1","operations":["rm"]}`)},
		{name: "unknown operation", reason: "is not an operation", breaks: signed(op(`"op":"exec","src":"app","dst":"bin/app"`))},
		{name: "shell operation", reason: "is not an operation", breaks: signed(op(`"op":"sh -c reboot","src":"app","dst":"bin/app"`))},
		{name: "src missing", reason: "/operations/0/src", breaks: signed(op(`"op":"copy_binary","dst":"bin/app"`))},
		{name: "dst empty", reason: "/operations/0/dst", breaks: signed(op(`"op":"copy_binary","src":"app","dst":""`))},
		{name: "blake3 short", reason: "64 lower-case hex", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","blake3":"abc"`))},
		{name: "blake3 upper-case", reason: "64 lower-case hex", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","blake3":"` + times("A", 64) + `"`))},
		{name: "mode a number", reason: "/operations/0/mode", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","mode":755`))},
		{name: "mode not octal", reason: "octal mode", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","mode":"0789"`))},
		{name: "serial negative", reason: "/serial", breaks: signed(with(`"serial":-1`))},
		{name: "serial a fraction", reason: "1.5", breaks: signed(with(`"serial":1.5`))},
		{name: "serial a string", reason: "whole number", breaks: signed(with(`"serial":"1"`))},
		{name: "serial beyond 2^53", reason: "whole number", breaks: signed(with(`"serial":9007199254740993`))},
		{name: "not_after no time", reason: "RFC 3339", breaks: signed(with(`"not_after":"tomorrow"`))},
		{name: "not_after over", reason: "manifest expired", breaks: signed(with(`"not_after":"2020-01-01T00:00:00Z"`))},
	}
	for _, mode := range []string{"4755", "2755", "1755", "07777"} {
		cases = append(cases, badInput{name: "mode " + mode, reason: "/operations/0/mode", breaks: signed(op(`"op":"copy_binary","src":"app","dst":"bin/app","mode":"` + mode + `"`))})
	}
	for i := range cases {
		cases[i].exit = ExitReconstruction
		cases[i].path = manPath
	}
	return cases
}

// capNetBind is the attribute of a file with CAP_NET_BIND_SERVICE, as setcap(8)
// writes it.
var capNetBind = []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// forbidden are the characters that no path of a manifest may hold, as JSON
// writes them.
var forbidden = []string{";", "|", "$", "&", ">", "<", "(", ")", "{", "}", "[", "]", "*", "?", "!", "~", "#", `\\`, `\"`, "'", "`", `\n`, `\r`, `\t`, `\u0000`, `\u001b`, `\u007f`, `\u0085`}

func badOperations() []badInput {
	op := func(kind, src, dst string) string {
		return `{"version":"1","operations":[{"op":"` + kind + `","src":"` + src + `","dst":"` + dst + `"}]}`
	}
	copying := func(src, dst string) func(n *node) { return signed(op("copy_binary", src, dst)) }
	two := func(a, b string) string {
		return `{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"` + a + `"},{"op":"copy_binary","src":"app","dst":"` + b + `"}]}`
	}
	var cases []badInput
	add := func(name, reason string, breaks func(n *node)) {
		cases = append(cases, badInput{name: name, reason: reason, breaks: breaks, exit: ExitReconstruction})
	}
	for _, c := range forbidden {
		add(fmt.Sprintf("%s in src %x", "character", c), "it holds", copying("a"+c+"pp", "bin/app"))
		add(fmt.Sprintf("%s in dst %x", "character", c), "it holds", copying("app", "bin/a"+c+"pp"))
	}
	for _, src := range []string{"../manifest.json", "../../identity/manifest-verify.pub", "x/../../y", "..", "/etc/passwd", "/"} {
		add("src "+src, "path not allowed", copying(src, "bin/app"))
	}
	add("config from runtime/binaries", "path not allowed", signed(op("install_config", "../runtime/binaries/app", "etc/x")))
	for _, dst := range []string{"../x", "a/../../x", "..", ".", "/tmp/x", "/etc/passwd", "bootstrap/x", "bootstrap", "identity/x", "epoch/current/evidence.json",
		"edge/segments/0001.seg", "runtime/binaries/app", "runtime/binaries", "runtime", manPath, sigPath, "journal", "journal/x", "journal.new", "journalism", "a/../journal/x", "bin/"} {
		add("dst "+dst, "path not allowed", copying("app", dst))
	}
	add("binary_path escapes", "path not allowed", signed(`{"version":"1","binary_path":"../../identity/manifest-verify.pub","operations":[]}`))
	add("binary_path absolute", "path not allowed", signed(`{"version":"1","binary_path":"/bin/sh","operations":[]}`))
	add("dst too long", "limit is 255", copying("app", "bin/"+times("x", 256)))
	add("dst repeated", "repeats or nests", signed(two("bin/a", "bin/a")))
	add("dst repeated under another spelling", "repeats or nests", signed(two("bin/a", "bin/./b/../a")))
	add("dst nested", "repeats or nests", signed(two("bin/a", "bin/a/b")))
	add("dst nested the other way", "repeats or nests", signed(two("bin/a/b", "bin/a")))
	add("source missing", "source not usable", copying("absent", "bin/app"))
	for kind, reason := range map[string]string{"fifo": "not a regular file", "folder": "not a regular file", "symlink": "symbolic link"} {
		add("source is a "+kind, reason, func(n *node) { n.plant(kind, n.path("runtime/binaries/app")) })
		add("dst is a "+kind, map[string]string{"folder": "it is a directory"}[kind], func(n *node) { n.plant(kind, n.path("bin/app")) })
	}
	add("source is a device", "source not usable", func(n *node) {
		n.remove("runtime/binaries/app")
		if err := syscall.Mknod(n.path("runtime/binaries/app"), syscall.S_IFCHR|0o600, 1<<8|5); err != nil {
			n.t.Skip("devices cannot be made: ", err)
		}
	})
	add("source is hard-linked", "2 links", func(n *node) { n.check(os.Link(n.path("runtime/binaries/app"), n.file("another name"))) })
	add("a folder of the source is a symlink", "symbolic link", func(n *node) {
		n.check(os.Symlink(".", n.path("runtime/binaries/sub")))
		n.deploy(op("copy_binary", "sub/app", "bin/app"))
	})
	add("a folder of dst is a symlink", "symbolic link", func(n *node) { n.check(os.Symlink(n.dir, n.path("bin"))) })
	add("a folder of dst is a file", "not a directory", func(n *node) { n.write("bin", nil) })
	add("content is not the pinned one", "hash mismatch", signed(strings.Replace(oneOp, `"dst"`, `"blake3":"`+zeroHash+`","dst"`, 1)))
	add("evidence would not fit a record", "evidence would take", func(n *node) {
		n.writeFile(n.osRelease(), []byte(times("x", 15<<10)))
		list := make([]string, 128)
		for i := range list {
			list[i] = fmt.Sprintf(`{"op":"copy_binary","src":"app","dst":"%s/%d"}`, times("x", 200), i)
		}
		n.deploy(`{"version":"1","operations":[` + strings.Join(list, ",") + `]}`)
	})
	add("binary is a FIFO", "not a regular file", func(n *node) { n.plant("fifo", n.path("runtime/binaries/edged")); n.deploy(emptyManifest) })
	for what, name := range map[string]string{"source": "runtime/binaries/app", "binary": "runtime/binaries/edged", "config": "bootstrap/config.yaml"} {
		add(what+" is longer than its filesystem", "bytes long, but its whole filesystem has", func(n *node) {
			n.edit = nil // the quick disk does not say how large it is
			n.endless(n.path(name))
		})
	}
	add("source has file capabilities", "has file capabilities", func(n *node) {
		n.edit = nil
		err := unix.Setxattr(n.path("runtime/binaries/app"), "security.capability", capNetBind, 0)
		if err != nil {
			n.t.Skip("file capabilities cannot be set: ", err)
		}
	})
	add("the second of two operations", "path not allowed", signed(two("bin/app", "identity/x")))
	return cases
}
