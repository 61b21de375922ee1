package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Stream is an exported history, one record per line.
type Stream struct {
	mu       sync.Mutex
	r        *bufio.Reader
	next     int
	ended    bool
	findings []Finding
}

// NewStream reads records from r, one per line; each line ends in a newline.
func NewStream(r io.Reader) *Stream {
	// A line that does not fit into the buffer is longer than any record.
	return &Stream{r: bufio.NewReaderSize(r, record.MaxLen+2)}
}

func (s *Stream) expects() string { return "" }

// fill reads lines under a lock. Examining them, which takes longer, does not need it.
func (s *Stream) fill(seg *segment, _ *VerifyOptions) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	seg.reset(s.next)
	s.next++
	for !seg.full() {
		line, err := s.r.ReadSlice('\n')
		if err == nil {
			seg.put(0, line[:len(line)-1])
			continue
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			seg.put(0, line) // reported as oversized
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = s.r.ReadSlice('\n')
			}
			if err == nil {
				continue
			}
		} else if len(line) > 0 {
			s.lastLine(seg, bytes.Clone(line))
		}
		s.ended = true
		if !errors.Is(err, io.EOF) {
			s.findings = append(s.findings, FindingOf(errs.Of("read the exported records", "", err)))
		}
		break
	}
	return true
}

// lastLine takes the last line, which has no newline: a whole record or a torn one.
func (s *Stream) lastLine(seg *segment, line []byte) {
	if _, err := record.Decode(line); err != nil && !errors.Is(err, errs.ErrNewer) {
		s.findings = append(s.findings, Finding{SeverityError, CodeTornTail, 0, "the last line is cut short"})
		return
	}
	seg.put(0, line)
}

func (s *Stream) conclude(r *Report) {
	for _, f := range s.findings {
		if f.Seq == 0 {
			f.Seq = r.Head.Seq + 1
		}
		r.add(f)
	}
}
