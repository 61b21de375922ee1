//go:build race

package journal

// everyPoint is how dense crash points are taken. The race detector is ten
// times slower and looks for something else: any of them will do.
const everyPoint = 5
