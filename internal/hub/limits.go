package hub

import (
	"net/http"
	"sync"
	"time"
)

// requestBytes is what a request counts at least: each costs the hub a few files, whatever
// is in it.
const requestBytes = 64 << 10

// Limits bound what one node may send.
type Limits struct {
	Bytes    int64 // a day; a request counts as 64 KiB at least
	Journals int   // new ones a day
	// Upload is the time for the body of one request: 8 MiB over a slow line. The answer
	// has to follow within answerTime.
	Upload time.Duration
}

// DefaultLimits is far beyond what an honest node needs.
func DefaultLimits() Limits { return Limits{Bytes: 256 << 20, Journals: 8, Upload: 4 * time.Minute} }

// quota counts what each node has sent today. After a restart it begins again.
type quota struct {
	limits Limits

	mu    sync.Mutex
	day   time.Time
	nodes map[string]*used
}

type used struct {
	bytes    int64
	journals int
	busy     bool // a request of it is in progress
}

func newQuota(l Limits) *quota { return &quota{limits: l, nodes: map[string]*used{}} }

// begin admits a request of a node: one at a time, if one is set. done must be called at
// its end. The error is a [*Refusal].
func (q *quota) begin(node string, one bool, bytes int64, now time.Time) (done func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if today := now.Truncate(24 * time.Hour); !today.Equal(q.day) {
		for name, u := range q.nodes {
			if u.bytes, u.journals = 0, 0; !u.busy {
				delete(q.nodes, name)
			}
		}
		q.day = today
	}
	bytes = max(bytes, requestBytes)
	u := q.nodes[node]
	if u == nil {
		u = &used{}
		q.nodes[node] = u
	}
	switch {
	case u.busy && one:
		return nil, refuse(http.StatusTooManyRequests, "another request of this node is in progress")
	case u.bytes+bytes > q.limits.Bytes:
		return nil, refuse(http.StatusTooManyRequests, "this node has sent %d bytes today (a request counts as %d at least), and at most %d are possible", u.bytes, requestBytes, q.limits.Bytes)
	}
	u.busy = true
	u.bytes += bytes
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		u.busy = false
	}, nil
}

// mayBegin returns nil if a node may begin a journal. The error is a [*Refusal].
func (q *quota) mayBegin(node string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.nodes[node]
	if u == nil { // the day has just changed
		return nil
	}
	if u.journals >= q.limits.Journals {
		return refuse(http.StatusTooManyRequests, "this node has begun %d journals today, and at most %d are possible", u.journals, q.limits.Journals)
	}
	return nil
}

// began counts a journal that was accepted.
func (q *quota) began(node string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.nodes[node]; u != nil {
		u.journals++
	}
}
