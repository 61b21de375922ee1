//go:build !race

package memfs

// RaceDetector reports whether the race detector is compiled in. It makes
// everything several times slower, so sweeps over operations take longer strides.
const RaceDetector = false
