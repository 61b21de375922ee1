package explain

// An epoch can hold a million failures. Each list of a report has only its first
// and its newest entries. An entry of the middle is counted in an entry that is
// alike, or else as omitted.
const (
	few           = 16
	fewOperations = 512 // twice this is more than a manifest can have
)

// keep adds the newest entry to a list of at most 2*half entries. If the list is
// full, keep removes the middle entry, and calls gone with it and with the
// entries before it.
func keep[T any](list []T, newest T, half int, gone func(one T, before []T)) []T {
	if len(list) == 2*half {
		gone(list[half], list[:half])
		list = append(list[:half], list[half+1:]...)
	}
	return append(list, newest)
}

// keepFailures adds failures to the epoch.
func (e *Epoch) keepFailures(f *Failures) {
	e.Failures = keep(e.Failures, f, few, func(one *Failures, before []*Failures) {
		for _, b := range before {
			if b.alike(&one.Failure) {
				b.Count, b.Last = b.Count+one.Count, one.Last
				return
			}
		}
		e.FailuresOmitted += one.Count
	})
}

// keepEvent adds an event to the epoch.
func (e *Epoch) keepEvent(ev *Event) {
	e.Events = keep(e.Events, ev, few, func(one *Event, before []*Event) {
		for _, b := range before {
			if b.alike(one) {
				b.Count, b.Last = b.Count+one.Count, one.Last
				return
			}
		}
		e.EventsOmitted += one.Count
	})
}

// keepUpdate adds an update to the epoch.
func (e *Epoch) keepUpdate(r *Reconstruction) {
	e.Updates = keep(e.Updates, r, few, func(*Reconstruction, []*Reconstruction) { e.UpdatesOmitted++ })
}

// keepAttempt adds an attempt to the reconstruction.
func (r *Reconstruction) keepAttempt(a *Attempt) {
	r.Attempts = keep(r.Attempts, a, few, func(one *Attempt, before []*Attempt) {
		for _, b := range before {
			if b.alike(one) {
				b.add(one)
				return
			}
		}
		r.AttemptsOmitted += one.Boots
	})
}

// add adds the boots of c, which failed like those of a.
func (a *Attempt) add(c *Attempt) {
	a.Boots += c.Boots
	a.Last, a.LastAttempt = c.Last, c.LastAttempt
	a.UptimeMS += c.UptimeMS
}
