package history

import (
	"os"
	"path/filepath"
)

// Within reports whether path is the evidence, or would lie in it: nothing may
// be written there. Names may lie, so the directories themselves are compared,
// from path upwards. Nothing lies in evidence that is "" or not there.
func Within(path, evidence string) (bool, error) {
	if evidence == "" {
		return false, nil
	}
	forbidden, err := os.Stat(evidence)
	if err != nil {
		return false, nil
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	if link, err := filepath.EvalSymlinks(at); err == nil {
		at = link
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(at)); err == nil {
		at = filepath.Join(dir, filepath.Base(at))
	}
	for {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, forbidden) {
			return true, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return false, nil
		}
		at = up
	}
}
