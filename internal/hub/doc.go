// Package hub holds the journals of a fleet of nodes: it verifies what the nodes send,
// keeps it, signs what it has kept, and says which nodes may be trusted.
//
//	key.go       the hub's key, and its signature
//	head.go      what the hub holds of a journal: the names and forms of its objects
//	journal.go   reading the records of a journal
//	shipment.go  what a node sends
//	accept.go    the checks before a signature, and the commit point
//	conflict.go  what contradicts: a history written again, an older copy, a lost store
//	view.go      what the records mean: state, newest boot, flags
//	index.go     all heads and views, in memory
//	states.go    from there to the states of the nodes
//	fleet.go     the states, as they are shown
//	serve.go     HTTP
//	metrics.go   Prometheus
//
// # Life of a shipment
//
//  1. The records, proof and checkpoint are read, within limits.
//  2. The head of the journal is read, and the shipment is checked against it.
//  3. The records are written to an object whose name is the hash of its content.
//  4. The head is replaced, if it is still the one that was read. This is the commit
//     point: before it the shipment has no effect, and after it each record is kept.
//  5. The files that follow from the head are written: checkpoint and key. If the hub
//     ends before, the next shipment writes them.
//  6. The signature leaves the hub.
//
// If somebody else has replaced the head, it begins again at 2. An object that no head
// names is no harm: nothing reads it.
//
// # Assumptions
//
// The store keeps what it acknowledged, and compare-and-set is atomic (package bucket
// proves the latter at each start). The key is not kept in the store: otherwise an
// attacker of the store could sign. The clock is right within five minutes.
package hub
