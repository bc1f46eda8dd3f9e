package discovery

// Lock is the engine's own lock on a stack: the process that took it.
type Lock struct {
	Host string
	PID  int
}

// Stale reports whether the process that took the lock is gone. The caller holds the environment's lock. The processes of another
// host cannot be seen: their lock is stale if the environment's lock had expired.
func (l Lock) Stale(host string, alive func(pid int) bool, expired bool) bool {
	if l.Host == host {
		return !alive(l.PID)
	}
	return expired
}
