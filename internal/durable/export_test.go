package durable

// ForceWalk makes r resolve names one component at a time, as on a kernel
// without openat2.
func ForceWalk(r *Root) { r.walk.Store(true) }

// Walks reports whether r has given up openat2.
func Walks(r *Root) bool { return r.walk.Load() }
