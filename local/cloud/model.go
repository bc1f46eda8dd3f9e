package cloud

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// model is the account at one instant. Results depend on nothing else, neither on a clock nor on randomness, so that
// every process computes the same.
type model struct {
	*State
	// home is the account in its own region, also where State is what it has in another one.
	home   *State
	now    time.Time
	faults faultSet
	// speed is how many simulated seconds pass in a real one.
	speed int
	// locked reports whether a deployment holds the lock of a stack; nil means that none does.
	locked func(stack string) bool
}

func (m model) at(t time.Time) model {
	m.now = t
	return m
}

// in returns the time at which d, as AWS would take it, will have passed.
func (m model) in(d time.Duration) time.Time { return m.after(m.now, d) }

// after returns the time at which d, as AWS would take it, has passed since t.
func (m model) after(t time.Time, d time.Duration) time.Time { return t.Add(m.scaled(d)) }

// scaled returns how long something takes that takes d in AWS.
func (m model) scaled(d time.Duration) time.Duration { return d / time.Duration(max(m.speed, 1)) }

// finishPending marks the resources whose creation has completed, whether or not a process still waits for it.
func (m model) finishPending() {
	for _, r := range m.Resources {
		if r.Pending && !m.after(r.Created, resourceTypes[r.Type].creationDelay).After(m.now) {
			r.Pending = false
		}
	}
}

func (m model) reached(t time.Time) bool { return !t.IsZero() && !t.After(m.now) }

// arn returns the ARN of a resource in the account and its region.
func (s *State) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, s.Region, s.ID, resource)
}

// derive returns an identifier of 32 hexadecimal digits. The same parts give the same identifier in this account, and
// another one in another account.
func (s *State) derive(parts ...any) string {
	sum := s.sum(parts...)
	return hex.EncodeToString(sum[:16])
}

// number derives an identifier that is a decimal number.
func (s *State) number(parts ...any) string {
	sum := s.sum(parts...)
	return fmt.Sprintf("%019d", binary.BigEndian.Uint64(sum[:8])>>1)
}

// uuid derives an identifier in the form of a UUID.
func (s *State) uuid(parts ...any) string {
	h := s.derive(parts...)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (s *State) sum(parts ...any) [sha256.Size]byte {
	text := []byte(s.ID + "\x00" + s.Region + "\x00" + s.Salt)
	for _, part := range parts {
		if t, ok := part.(time.Time); ok {
			part = t.UnixNano()
		}
		text = fmt.Append(append(text, 0), part)
	}
	return sha256.Sum256(text)
}

// modify sets a property outside the stack.
func (r *Resource) modify(property string, value any) {
	r.Outputs[property] = value
	if _, set := r.Inputs[property]; set {
		r.Inputs[property] = value
	}
}
