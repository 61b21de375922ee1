// Package archtest holds the import rules of this module as tests.
//
// It has no code of its own. The tables say which way the arrows point and
// why; a broken rule is reported with its reason and, for what is reached
// through other packages, with the chain of imports that leads there.
//
//	arrows_test.go   the table of import rules, and the test over the module
//	rule_test.go     what a rule is and how it is judged (no I/O)
//	engine_test.go   the rules' engine against made-up import graphs
//	load_test.go     the import graph, from "go list"
//	sources_test.go  what a source file may contain, and how long it may be
//	scan_test.go     how a source file is judged (no I/O); scanner_test.go tests it
//	modules_test.go  the pinned list of modules linked into edged
//
// A package that does not exist breaks no rule.
package archtest
