//go:build race

package gate

// raceDetector makes everything several times slower: the matrices take
// longer strides under it.
const raceDetector = true
