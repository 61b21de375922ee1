//go:build !race

package journal

// everyPoint is how dense crash points are taken.
const everyPoint = 1
