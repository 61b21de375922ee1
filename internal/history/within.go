package history

import (
	"os"
	"path/filepath"
)

// Within reports whether path is the evidence or would be inside it, where
// nothing may be written. A directory can have several names, so it compares the
// directories themselves, from path upwards. It returns false if evidence is ""
// or does not exist.
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
