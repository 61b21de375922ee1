//go:build race

package journal

// raceDetector makes everything several times slower: the matrices take
// longer strides under it.
const raceDetector = true
