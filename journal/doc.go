// Package journal keeps a node's history: an append-only sequence of records,
// chained by hash, on Pebble. It knows records and nothing of what they mean.
package journal
