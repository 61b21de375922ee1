// Package bucket keeps the objects of a hub: named byte strings, as an object store
// has them, with compare-and-set. What a call has written is durable when it returns.
//
//	open.go      chooses the store of a location
//	name.go      the names of objects
//	folder.go    a folder of this host
//	list.go      its list
//	namelock.go  its locks
//	s3.go        a bucket of an S3 store
//	s3config.go  where it is and who may write there, from the environment
//	s3error.go   what its errors mean
//	probe.go     the proof that it compares before it sets
package bucket

import (
	"context"
	"errors"
	"iter"
)

// ErrChanged: the object is not the one that was read.
var ErrChanged = errors.New("the object was changed by somebody else")

// ErrUnsuitable: the store does not keep what a hub relies on.
var ErrUnsuitable = errors.New("the store is not suitable for a hub")

// Version identifies the content of an object. It is opaque; "" is that of an object
// which does not exist.
type Version string

// Item is an object in a list.
type Item struct {
	Name string
	// Stamp changes when the object is replaced: who has the object under this stamp
	// need not read it again. It is not a Version.
	Stamp string
}

// Store holds objects. Names are relative slash-separated paths in lower case. Its
// methods are called from several goroutines and processes. Errors name the object.
type Store interface {
	// Get returns an object and its version. The error is [fs.ErrNotExist] if there
	// is none.
	Get(ctx context.Context, name string) ([]byte, Version, error)
	// Put creates or replaces an object whose content follows from its name or from
	// other objects.
	Put(ctx context.Context, name string, data []byte) error
	// Swap replaces the object that has version old, or creates it if old is "". Of
	// several calls with one version, one succeeds; the others return [ErrChanged]. After
	// any other error it is not known whether the object was replaced.
	Swap(ctx context.Context, name string, data []byte, old Version) error
	// Delete removes an object. It is no error if there is none.
	Delete(ctx context.Context, name string) error
	// List yields the objects whose names begin with a prefix that ends in a slash, in
	// alphabetical order. The list of an object store that was killed may lack objects that
	// it was replacing, and name some that it was creating and does not have (MinIO of
	// 2026-02-12 does): what must not be missed is read by its name.
	List(ctx context.Context, prefix string) iter.Seq2[Item, error]
	// String returns the location as it is given to --store.
	String() string
}
