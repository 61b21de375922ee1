// Package e2e runs the real binaries on a real kernel: another os-release
// bind-mounted over this machine's, another kernel release, real filesystems
// on loop devices, a disk that is really full, processes that are really
// killed. Its tests need root, Debian's tools and EDGED_E2E=1 (make e2e).
package e2e
