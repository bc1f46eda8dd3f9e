package discovery

// Lock is a lock of the engine's on a stack.
type Lock struct {
	Host string
	PID  int
}

// Stale reports whether nobody is left who could release the lock. Whoever asks holds the environment's own lock. Of another
// machine's processes nothing can be seen: such a lock is stale where the environment's lock had expired.
func (l Lock) Stale(host string, alive func(pid int) bool, expired bool) bool {
	if l.Host == host {
		return !alive(l.PID)
	}
	return expired
}
