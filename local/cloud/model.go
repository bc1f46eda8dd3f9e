package cloud

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// model is the account as one call finds it. What is computed from it depends on nothing else: neither a clock nor
// chance has a say, so that every process that looks sees the same.
type model struct {
	*State
	now    time.Time
	faults faultSet
	// speed is how many simulated seconds pass in a real one.
	speed int
}

// at is the same account at another time.
func (m model) at(t time.Time) model {
	m.now = t
	return m
}

// in is the time when d, as AWS would take it, has passed.
func (m model) in(d time.Duration) time.Time { return m.after(m.now, d) }

// after is the time when d, as AWS would take it, has passed since t.
func (m model) after(t time.Time, d time.Duration) time.Time {
	return t.Add(d / time.Duration(max(m.speed, 1)))
}

// finishPending ends the making of what AWS has made meanwhile, whether or not somebody still waits for it.
func (m model) finishPending() {
	for _, r := range m.Resources {
		if r.Pending && !m.after(r.Created, resourceTypes[r.Type].creationDelay).After(m.now) {
			r.Pending = false
		}
	}
}

// reached reports whether a mark was set and has passed.
func (m model) reached(t time.Time) bool { return !t.IsZero() && !t.After(m.now) }

// arn is the name of something in the account and its region.
func (m model) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, m.Region, m.ID, resource)
}

// derive makes an identifier of 32 hexadecimal digits from what is identified. The same parts give the same one in
// this account, and others in another.
func (s *State) derive(parts ...any) string {
	sum := s.sum(parts...)
	return hex.EncodeToString(sum[:16])
}

// number is derive for the identifiers that AWS writes as decimal numbers.
func (s *State) number(parts ...any) string {
	sum := s.sum(parts...)
	return fmt.Sprintf("%019d", binary.BigEndian.Uint64(sum[:8])>>1)
}

// uuid is derive in the form of a UUID.
func (s *State) uuid(parts ...any) string {
	h := s.derive(parts...)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (s *State) sum(parts ...any) [sha256.Size]byte {
	words := []string{s.ID, s.Region, s.Salt}
	for _, part := range parts {
		if t, ok := part.(time.Time); ok {
			part = t.UnixNano()
		}
		words = append(words, fmt.Sprint(part))
	}
	return sha256.Sum256([]byte(strings.Join(words, "\x00")))
}

// arnName is what follows the last slash: the name at the end of an ARN.
func arnName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// modify sets a property behind the stack's back.
func (r *Resource) modify(property string, value any) {
	r.Outputs[property] = value
	if _, set := r.Inputs[property]; set {
		r.Inputs[property] = value
	}
}
