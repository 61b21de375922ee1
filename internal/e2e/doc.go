// Package e2e runs the real binaries on a real kernel: with another os-release bind-mounted over
// this machine's, another kernel release, real filesystems on loop devices, a full disk, and killed
// processes. Its tests need root, Debian's tools and EDGED_E2E=1 (make e2e).
package e2e
