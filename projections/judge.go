package projections

import "github.com/autonomyops/edged/machine"

// Judge compares every file of f with s, in the order fingerprint, current
// evidence, previous evidence. It is for readers. A boot judges the files one by
// one, because one verdict may decide whether the next file is judged.
func (f Files) Judge(s machine.State, lookup Lookup) ([]Verdict, error) {
	fingerprint, err := JudgeFingerprint(f.Fingerprint, s, lookup)
	if err != nil {
		return nil, err
	}
	verdicts := []Verdict{fingerprint}
	for _, found := range []Found{f.Current, f.Previous} {
		v, err := JudgeEvidence(found.Path, found, s)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}
