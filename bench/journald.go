package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// journaldEntries is the length of the journal on which journald is measured, so long that its start does
// not matter.
const journaldEntries = 100_000

// journald makes a journal file for journalctl, if systemd-journal-remote is installed to make one. missing
// names a tool that is not installed.
func (b *bench) journald() (file, missing string, err error) {
	if _, err := exec.LookPath("journalctl"); err != nil {
		return "", "journalctl is not installed", nil
	}
	remote := "systemd-journal-remote"
	if _, err := exec.LookPath(remote); err != nil {
		for _, dir := range []string{"/usr/lib/systemd", "/lib/systemd"} {
			if _, err := os.Stat(filepath.Join(dir, remote)); err == nil {
				remote = filepath.Join(dir, remote)
			}
		}
		if !filepath.IsAbs(remote) {
			return "", "systemd-journal-remote, which makes a journal for journalctl, is not installed", nil
		}
	}
	stream := filepath.Join(b.dir, "journald.export")
	if err := writeJournalExport(stream, b.journaldEntries()); err != nil {
		return "", "", err
	}
	file = filepath.Join(b.dir, "bench.journal")
	cmd := exec.Command(remote, "--output="+file, stream)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("make a journal for journalctl: %s: %w: %s", remote, err, out)
	}
	return file, "", os.Remove(stream)
}

// journaldEntries returns the number of entries: fewer if the product's journal is shorter.
func (b *bench) journaldEntries() int { return min(journaldEntries, b.records) }

// writeJournalExport writes entries in the Journal Export Format, each with a message as long as a record of
// the product.
func writeJournalExport(path string, entries int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	start := time.Now().Add(-time.Hour).UnixMicro()
	for i := range entries {
		fmt.Fprintf(w, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032x\nPRIORITY=6\nSYSLOG_IDENTIFIER=edged\nMESSAGE=%08d %0300d\n\n",
			start+int64(i), 1_000_000+i, 1, i, i)
	}
	return errors.Join(w.Flush(), f.Close())
}
