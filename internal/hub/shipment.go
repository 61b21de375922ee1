package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/transparency"
)

// Limits of a shipment.
const (
	MaxShipmentBytes   = 8 << 20 // of records
	MaxShipmentRecords = 8192
	maxRotations       = 64
	maxProof           = 128     // hashes
	maxOther           = 1 << 20 // bytes of everything but the records
	// Of these the hub keeps many, some of them in memory. Bytes; honest ones are far shorter.
	maxSigned = 1 << 10 // a checkpoint with the node's signature
	maxKey    = 4 << 10 // a key, or the note of its rotation
)

// Shipment is what a node sends in one request.
type Shipment struct {
	Old        uint64      // the records that the node believes the hub to hold
	Proof      []tlog.Hash // that the checkpoint extends them
	Signed     []byte      // the checkpoint, signed by the node
	Checkpoint transparency.Checkpoint
	Cosigned   []byte   // the newest checkpoint that the hub signed; nil if there is none
	Key        string   // the node's checkpoint key
	Rotations  [][]byte // signed notes that lead to it
	Records    []byte   // those after Old, one a line
}

// Refusal is the answer to a request that is not accepted.
type Refusal struct {
	Status int    // of HTTP
	Text   string // one line, for the operator of the node
	// Size is the number of records that the hub holds, for http.StatusConflict.
	Size uint64
}

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

func refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "malformed: "+format, args...)
}

// ReadShipment reads a request of add-records: multipart/form-data with these parts,
// in any order.
//
//	checkpoint  a request of add-checkpoint: https://c2sp.org/tlog-witness
//	cosigned    the newest checkpoint that the hub signed, if there is one
//	key         the node's checkpoint key
//	rotation    a signed note that rotates the key; any number of them, oldest first
//	records     the records, one a line
//
// The error is a [*Refusal], or that of r.
func ReadShipment(r *multipart.Reader) (*Shipment, error) {
	s, seen := &Shipment{}, map[string]bool{}
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unread(err)
		}
		name := part.FormName()
		if seen[name] && name != "rotation" {
			return nil, malformed("two parts %.40q", name)
		}
		seen[name] = true
		limit := int64(transparency.MaxCheckpoint)
		switch name {
		case "records":
			limit = MaxShipmentBytes
		case "key", "rotation":
			limit = maxKey
		}
		data, err := io.ReadAll(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return nil, unread(err)
		case int64(len(data)) > limit:
			return nil, refuse(http.StatusRequestEntityTooLarge, "part %.40q has more than %d bytes", name, limit)
		}
		if err := s.part(name, data); err != nil {
			return nil, err
		}
	}
	if s.Signed == nil || s.Key == "" {
		return nil, malformed("a part checkpoint and a part key are needed")
	}
	return s, nil
}

// unread is the error for a request that could not be read to its end.
func unread(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refuse(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", large.Limit)
	}
	return malformed("%v", err)
}

func (s *Shipment) part(name string, data []byte) (err error) {
	switch name {
	case "checkpoint":
		return s.addCheckpoint(data)
	case "cosigned":
		s.Cosigned = data
	case "key":
		s.Key = string(data)
	case "rotation":
		if s.Rotations = append(s.Rotations, data); len(s.Rotations) > maxRotations {
			return malformed("more than %d rotations", maxRotations)
		}
	case "records":
		if len(data) > 0 && data[len(data)-1] != '\n' {
			return malformed("the last record does not end in a line feed")
		}
		if bytes.Count(data, []byte("\n")) > MaxShipmentRecords {
			return refuse(http.StatusRequestEntityTooLarge, "more than %d records", MaxShipmentRecords)
		}
		s.Records = data
	default:
		return malformed("there is no part %.40q", name)
	}
	return nil
}

// addCheckpoint reads a request of add-checkpoint: the old size, the proof, an empty line
// and the checkpoint.
func (s *Shipment) addCheckpoint(data []byte) error {
	head, signed, ok := bytes.Cut(data, []byte("\n\n"))
	rows := strings.Split(string(head), "\n")
	number, ok2 := strings.CutPrefix(rows[0], "old ")
	old, err := strconv.ParseUint(number, 10, 63)
	if !ok || !ok2 || err != nil || strconv.FormatUint(old, 10) != number || len(rows) > 1+maxProof {
		return malformed("part checkpoint is no request of add-checkpoint")
	}
	if len(signed) > maxSigned {
		return malformed("the checkpoint has more than %d bytes: send it with the node's signature alone", maxSigned)
	}
	s.Old = old
	for _, row := range rows[1:] {
		var h transparency.HashText
		if h.UnmarshalText([]byte(row)) != nil {
			return malformed("a line of the proof is no hash")
		}
		s.Proof = append(s.Proof, tlog.Hash(h))
	}
	if s.Checkpoint, err = transparency.Read(signed); err != nil {
		return malformed("%v", err)
	}
	if !isJournalID(s.Checkpoint.Journal) {
		return malformed("%.80q is no id of a journal", s.Checkpoint.Journal)
	}
	s.Signed = signed
	return nil
}

// lines yields the records, without their line feeds.
func (s *Shipment) lines() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(s.Records) {
			if !yield(line[: len(line)-1 : len(line)-1]) {
				return
			}
		}
	}
}

// fromFirst reports whether the shipment has the node's records from the first one on: a node
// that was refused sends them, so that the first one that differs is known.
func (s *Shipment) fromFirst() bool { return s.Old == 0 && len(s.Records) > 0 }

// signer checks that the node's key in force has signed the checkpoint, or one to which the
// rotations lead from there. known is the key in force; nil if the hub does not know the
// journal, and the key that the node names is then taken. It returns what is to be added to
// Head.Keys.
func (s *Shipment) signer(known *transparency.Verifier) (added []string, err error) {
	id := s.Checkpoint.Journal
	var at transparency.Verifier
	if known != nil {
		at = *known
	} else {
		if at, err = transparency.NewVerifier(s.Key); err != nil {
			return nil, malformed("%v", err)
		}
		added = []string{at.String()}
	}
	signed := func() bool {
		_, _, err := transparency.Open(s.Signed, at)
		return err == nil
	}
	for _, text := range s.Rotations {
		if signed() {
			return added, nil
		}
		r, err := transparency.OpenRotation(id, text)
		if err != nil {
			return nil, malformed("%v", err)
		}
		if slices.Equal(r.Old.Key(), at.Key()) { // otherwise it is an older one
			at, added = r.New, append(added, string(text))
		}
	}
	if signed() {
		return added, nil
	}
	return nil, refuse(http.StatusForbidden, "the checkpoint is not signed by the key of journal %s, and no rotation leads from there to the key that signed it; if the key was replaced, the hub's operator accepts the new one: edgehub accept-key", id)
}
