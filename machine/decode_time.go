package machine

import "time"

// seconds is the part of a time that is always there; what may follow it is a
// fraction of up to nine digits.
const seconds = len("2006-01-02T15:04:05")

// utc reads YYYY-MM-DDTHH:MM:SS[.f]Z, the form of every time that a gate
// writes, and only times that exist: a payload holds three of them, and the
// time package takes as long for each as for the rest of it. ok is false for
// everything else, also for what the time package would accept.
func utc(text string) (t time.Time, ok bool) {
	last := len(text) - 1
	if last < seconds || last > seconds+len(".123456789") || text[last] != 'Z' {
		return t, false
	}
	if text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return t, false
	}
	ok = true
	number := func(from, to int) (n int) {
		for i := from; i < to; i++ {
			digit := text[i] - '0'
			ok = ok && digit <= 9
			n = n*10 + int(digit)
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, sec := number(11, 13), number(14, 16), number(17, 19)
	nano := 0
	if last > seconds {
		if text[seconds] != '.' || last == seconds+1 {
			return t, false
		}
		nano = number(seconds+1, last)
		for i := last; i < seconds+len(".123456789"); i++ {
			nano *= 10
		}
	}
	// No month is shorter than 28 days; the rest is the time package's to know.
	if !ok || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || sec > 59 {
		return t, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC)
	return t, t.Day() == day
}
