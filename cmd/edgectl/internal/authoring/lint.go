package authoring

import (
	"errors"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
)

// Lint lists every problem of a manifest: of its text, and, where fsys is not
// nil, of its operations on the state root at root.
func Lint(fsys durable.FS, root string, data []byte) []manifest.Problem {
	problems := manifest.Lint(data)
	if len(problems) > 0 || fsys == nil {
		return problems // without a sound text there are no operations to look at
	}
	m, err := manifest.Parse(data)
	if err != nil {
		return []manifest.Problem{{Reason: err.Error()}}
	}
	return onDisk(fsys, root, m)
}

// onDisk plans the operations one more at a time: planning stops at the first
// problem, and one operation's problem must not hide another's.
func onDisk(fsys durable.FS, root string, m *manifest.Manifest) (problems []manifest.Problem) {
	trial := *m
	trial.Operations = nil
	if _, err := operation.Plan(fsys, root, &trial); err != nil {
		problems = append(problems, manifest.Problem{Where: at("", err), Reason: reason(err)})
		trial.BinaryPath = ""
		if _, err := operation.Plan(fsys, root, &trial); err != nil {
			return problems // of the state root itself: each operation would meet it again
		}
	}
	for i, op := range m.Operations {
		where := fmt.Sprintf("/operations/%d", i)
		sound := trial.Operations
		trial.Operations = append(sound[:len(sound):len(sound)], op)
		planned, err := operation.Plan(fsys, root, &trial)
		if err != nil {
			trial.Operations = sound
			problems = append(problems, manifest.Problem{Where: at(where, err), Reason: reason(err)})
			continue
		}
		p := planned[len(planned)-1]
		if p.BLAKE3 == "" {
			continue
		}
		switch sum, _, err := operation.HashFile(fsys, p.Src); {
		case err != nil:
			problems = append(problems, manifest.Problem{Where: where + "/src", Reason: err.Error()})
		case sum != p.BLAKE3:
			problems = append(problems, manifest.Problem{Where: where + "/blake3",
				Reason: fmt.Sprintf("%s is %s, the manifest pins %s", p.Src, sum, p.BLAKE3)})
		}
	}
	return problems
}

func at(where string, err error) string {
	var oe *operation.Error
	if errors.As(err, &oe) && oe.Field != "" && oe.Field != operation.FieldConfig {
		return where + "/" + oe.Field
	}
	return where
}

// reason is what was refused and why, without the place, which has a member of its own.
func reason(err error) string {
	var oe *operation.Error
	if errors.As(err, &oe) {
		return fmt.Sprintf("%q: %v", oe.Path, oe.Err)
	}
	return err.Error()
}
