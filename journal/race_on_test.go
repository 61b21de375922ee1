//go:build race

package journal

// raceDetector makes the matrices take longer strides, because the race detector
// makes everything several times slower.
const raceDetector = true
