package main

import (
	"fmt"
	"time"
)

const maintainer = "edged maintainers <edged@autonomyops.example>"

// debianFiles writes what a Debian package must have.
func (s *stage) debianFiles() error {
	if s.debian == "" {
		return nil
	}
	copyright := fmt.Sprintf(`Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edged
Source: https://github.com/autonomyops/edged
Comment: The binaries have Go modules of others linked into them. Their licenses are
 in third-party-licenses.txt.gz, their list is sbom.cdx.json.

Files: *
Copyright: %d edged maintainers
License: Apache-2.0
 On Debian systems, the text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`, s.time.Year())
	changelog := fmt.Sprintf("%s (%s) stable; urgency=medium\n\n  * What has changed is in CHANGELOG.md.\n\n -- %s  %s\n",
		s.name, s.debian, maintainer, s.time.Format(time.RFC1123Z))
	overrides := "# Static, so that they run on every image whatever its C library is.\n"
	for _, name := range s.binaries() {
		overrides += fmt.Sprintf("%s: statically-linked-binary [usr/bin/%s]\n", s.name, name)
	}
	if err := s.write(s.docDir()+"/copyright", []byte(copyright), 0o644); err != nil {
		return err
	}
	if err := s.write("usr/share/lintian/overrides/"+s.name, []byte(overrides), 0o644); err != nil {
		return err
	}
	return s.writeGzip(s.docDir()+"/changelog", []byte(changelog))
}
