// Package interop has independent software, none of it ours, judge what
// edgectl writes: the tests here run the built binary and hand its output to
// other people's readers and verifiers, and a hub's store is tested in
// other people's object store. It is a module of its own so that
// their dependencies stay out of the product's. Run with make interop.
package interop
