// Package archtest holds the import rules of this module as tests.
//
// It has no code of its own. Each rule has its reason, which a broken rule
// prints, with the chain of imports that leads to the package.
//
//	arrows_test.go   what may import what
//	sources_test.go  what a source file may contain, and how long it may be
//	modules_test.go  the pinned list of modules linked into edged
package archtest
