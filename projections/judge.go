package projections

import "github.com/autonomyops/edged/machine"

// Judge holds every file of f against s, in the order fingerprint, current
// evidence, previous evidence. It is for those who look: a boot asks about one
// file after the other, for what it finds in one decides about the next.
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
