package lock

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The search executes the functions of protocol.go in every order: each call of S3 is one step, a request may act at any time
// after it was sent, also after its sender has given it up, its response may be lost, and every process may stop between two
// steps for any time. Locks expire at any time as well: no clock is trusted.

// sessions are the times that a deployer holds the lock: each of two deployers once.
const sessions = 2

// limits bound a search.
type limits struct {
	engines, writes int
	// absent begins without a state.
	absent bool
}

// protocol has the functions that a mutation replaces.
type protocol struct {
	newFence  func(holder string) exchange
	newWrite  func(base view, holder string) exchange
	afterRead func(e exchange, found object) exchange
	condition func(v view) (header, value string)
	// rewritten is the ETag of a fence's write, given the one before and a new one.
	rewritten func(before, fresh string) string
	crashed   func(me Holder, previous *Holder, repaired, lost bool) *Holder
}

var actual = protocol{
	newFence: newFence, newWrite: newWrite, afterRead: exchange.afterRead, condition: view.condition,
	rewritten: func(_, fresh string) string { return fresh }, crashed: crashedHolder,
}

// session is a deployer that holds or held the lock, with its endpoint and its engine.
type session struct {
	stage               stage
	order               int8
	ex                  exchange
	active, waiting     bool
	view                view
	fenced              bool
	copied              uint16 // what the fence has read
	engine              engineState
	memory              uint16 // the updates that the engine's state has
	runs, writes, tries int8
	// killed is set when the lock was lost, and the engine killed, until another deployer takes the lock over: it repairs.
	killed bool
}

type stage int8

const (
	waitingForLock stage = iota
	holding
	ended
)

type engineState int8

const (
	noEngine engineState = iota
	reading
	working
)

// flight is a write on its way to S3.
type flight struct {
	session       int8
	fence, answer bool
	header, value string
	content       uint16
}

// world is a state of the model. Updates are bits of content, so that a state that lost one lacks a bit.
type world struct {
	lock     int8 // the session that holds it; -1 if it is free
	expired  bool // the lock is marked as a crashed one's
	orders   int8
	etag     string
	owner    string
	content  uint16
	fencedBy int8 // the latest holder whose fence is complete
	all      [sessions]session
	flights  [2]flight
	flying   int8
}

func id(s int) string { return string(rune('a' + s)) }

// step is a transition, or a violation.
type step struct {
	world
	wrong string
}

// steps returns what can happen next.
func (p protocol) steps(w world, l limits) (next []step) {
	add := func(change func(*world)) {
		n := w
		change(&n)
		next = append(next, step{world: n})
	}
	for i := range sessions {
		s := w.all[i]
		switch s.stage {
		case waitingForLock:
			if w.lock < 0 || stateOf(Holder{}, DefaultLeaseDuration, DefaultLeaseDuration) == StateExpired {
				wrong := ""
				if w.lock < 0 && w.all[1-i].killed {
					wrong = "a deployer does not know that an engine was killed"
				}
				n := w
				n.orders++
				n.lock, n.expired, n.all[i].stage, n.all[i].order, n.all[1-i].killed = int8(i), false, holding, n.orders, false
				next = append(next, step{n, wrong})
			}
			continue
		case ended:
			continue
		case holding:
		}
		if w.lock == int8(i) && i == 0 {
			add(func(n *world) { n.expired = true }) // lock release --force
		}
		add(func(n *world) { p.lose(n, i) }) // no heartbeat has reached the bucket, or the keeper was killed
		if s.active {
			next = append(next, p.exchangeSteps(w, i)...)
			continue
		}
		if s.engine != noEngine { // it is killed; an exchange continues without it
			add(func(n *world) { n.all[i].engine = noEngine })
		}
		switch s.engine {
		case noEngine:
			if int(s.runs) < l.engines {
				add(func(n *world) {
					n.all[i].engine, n.all[i].runs, n.all[i].writes, n.all[i].tries = reading, s.runs+1, 0, 0
				})
			}
			add(func(n *world) { // the deployer releases the lock
				n.all[i] = session{stage: ended, order: s.order}
				if n.lock == int8(i) && !n.expired {
					n.lock = -1
				}
			})
		case reading:
			add(func(n *world) {
				me := &n.all[i]
				switch {
				case !s.fenced:
					me.ex, me.active = p.newFence(id(i)), true
				case w.etag != s.view.etag:
					p.lose(n, i)
				default:
					me.memory, me.engine = w.content, working
				}
			})
		case working:
			if int(s.writes) < l.writes {
				add(func(n *world) {
					me := &n.all[i]
					me.memory |= 1 << (int(s.writes) + l.writes*(int(s.runs)-1+l.engines*i))
					me.writes, me.tries = s.writes+1, 1
					me.ex, me.active = p.newWrite(s.view, id(i)), true
				})
			}
			if s.tries > 0 && s.tries < 2 && !s.fenced { // it repeats a write of unknown outcome
				add(func(n *world) {
					n.all[i].ex, n.all[i].active, n.all[i].tries = p.newWrite(s.view, id(i)), true, s.tries+1
				})
			}
		}
	}
	for f := range int(w.flying) {
		next = append(next, p.land(w, f)...)
	}
	return next
}

// exchangeSteps returns the next steps of a session's exchange.
func (p protocol) exchangeSteps(w world, i int) []step {
	me := &w.all[i]
	found := object{w.etag, w.owner}
	switch me.ex.phase {
	case readObject:
		me.ex, me.copied = p.afterRead(me.ex, found), w.content
	case readLock:
		var holder *Holder
		if w.lock >= 0 {
			holder = &Holder{ID: id(int(w.lock))}
			if w.expired {
				holder.Heartbeat = now
				holder.Expires = now
			}
		}
		me.ex = me.ex.afterLock(checkOwner("staging", holder, id(i)))
	case write:
		if me.waiting { // it gives up: the request may still act
			for f := range int(w.flying) {
				if w.flights[f].session == int8(i) {
					w.flights[f].answer = false
				}
			}
			w.giveUp(i)
			break
		}
		if int(w.flying) == len(w.flights) {
			return nil
		}
		sent := flight{session: int8(i), fence: me.ex.fence, answer: true, content: me.memory}
		if me.ex.fence {
			sent.content = me.copied
		}
		sent.header, sent.value = p.condition(me.ex.base)
		w.flights[w.flying] = sent
		w.flying++
		me.waiting = true
	case examine:
		me.ex = me.ex.afterExamine(found)
	}
	p.settle(&w, i)
	return []step{{world: w}}
}

// lose ends a session that has lost the lock: the engine is killed, and its own lock is left as the code decides.
func (p protocol) lose(w *world, i int) {
	me := &w.all[i]
	*me = session{stage: ended, order: me.order, killed: w.lock == int8(i) && me.engine != noEngine}
	if w.lock != int8(i) || w.expired {
		return
	}
	if p.crashed(Holder{ID: id(i)}, nil, false, true) == nil {
		w.lock = -1
		return
	}
	w.expired = true
}

// settle ends a session's exchange where it has ended.
func (p protocol) settle(w *world, i int) {
	me := &w.all[i]
	if !me.active {
		return
	}
	switch me.ex.phase {
	case done:
		if me.ex.fence {
			w.fencedBy = max(w.fencedBy, me.order)
		}
		me.view, me.fenced, me.active, me.ex, me.copied = me.ex.base, true, false, exchange{}, 0
	case failed:
		me.fenced, me.active, me.ex, me.copied = false, false, exchange{}, 0
	case lost:
		p.lose(w, i)
	}
}

// giveUp ends a session's exchange while its write is on its way.
func (w *world) giveUp(i int) {
	me := &w.all[i]
	if !me.ex.fence {
		me.fenced = false
	}
	me.waiting, me.active, me.ex, me.copied = false, false, exchange{}, 0
}

// land returns what can happen when a write reaches S3: its response arrives, or is lost.
func (p protocol) land(w world, f int) []step {
	sent := w.flights[f]
	w.flying--
	w.flights[f], w.flights[w.flying] = w.flights[w.flying], flight{}
	me := &w.all[sent.session]
	status, wrong := http.StatusOK, ""
	if sent.header == "If-Match" && sent.value != w.etag || sent.header == "If-None-Match" && w.etag != "" {
		status = http.StatusPreconditionFailed
	} else {
		existed := w.etag != ""
		switch {
		case w.content&^sent.content != 0:
			wrong = fmt.Sprintf("an update was lost: %b replaced %b", sent.content, w.content)
		case existed && me.order < w.fencedBy:
			wrong = "a write of a former holder was accepted"
		}
		fresh := "new"
		if sent.fence {
			fresh = p.rewritten(w.etag, fresh)
		}
		w.etag, w.owner, w.content = fresh, id(int(sent.session)), sent.content
	}
	if !sent.answer || me.stage == ended {
		return []step{{w, wrong}}
	}
	answered, dropped := w, w
	a := &answered.all[sent.session]
	a.ex, a.waiting = a.ex.afterWrite(status, w.etag), false
	p.settle(&answered, int(sent.session))
	dropped.giveUp(int(sent.session))
	return []step{{answered, wrong}, {dropped, wrong}}
}

// rename numbers the ETags in the order of their places, and sorts the flights: only which are equal matters.
func (w *world) rename() {
	if w.flying == 2 && w.flights[1].before(w.flights[0]) {
		w.flights[0], w.flights[1] = w.flights[1], w.flights[0]
	}
	var names [2 + 2*sessions + 2]string
	n := 0
	rename := func(etag *string) {
		if *etag == "" || *etag == "*" {
			return
		}
		for i := range n {
			if names[i] == *etag {
				*etag = digits[i]
				return
			}
		}
		names[n], *etag = *etag, digits[n]
		n++
	}
	rename(&w.etag)
	for i := range w.all {
		rename(&w.all[i].view.etag)
		rename(&w.all[i].ex.base.etag)
	}
	for i := range w.flights {
		rename(&w.flights[i].value)
	}
}

var digits = [...]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

func (f flight) before(g flight) bool {
	if f.session != g.session {
		return f.session < g.session
	}
	return f.content < g.content || f.content == g.content && (f.fence && !g.fence || f.fence == g.fence && f.answer && !g.answer)
}

// search visits every state, and returns the first violation with the number of states and transitions.
func (p protocol) search(l limits) (wrong string, states, transitions int) {
	start := world{lock: -1, etag: "0"}
	if l.absent {
		start.etag = ""
	}
	seen, queue := map[world]bool{start: true}, []world{start}
	for len(queue) > 0 {
		w := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, n := range p.steps(w, l) {
			transitions++
			if n.wrong != "" {
				return n.wrong, len(seen), transitions
			}
			n.rename()
			if !seen[n.world] {
				seen[n.world] = true
				queue = append(queue, n.world)
			}
		}
	}
	return "", len(seen), transitions
}

// No order of steps loses an update, or accepts a write of a former holder after the next one's fence. (The write that creates
// an empty stack has no version that a fence could change: there, nothing can be lost.)
func TestEveryInterleaving(t *testing.T) {
	searches := map[string]limits{
		"two deployers":                 {engines: 1, writes: 1},
		"two deployers without a state": {engines: 1, writes: 1, absent: true},
	}
	if os.Getenv("CHAOS") != "" {
		searches["two writes each"] = limits{engines: 1, writes: 2}
		searches["two engines each"] = limits{engines: 2, writes: 1}
	}
	for name, l := range searches {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			wrong, states, transitions := actual.search(l)
			t.Logf("%d states, %d transitions in %s", states, transitions, time.Since(began).Round(time.Millisecond))
			require.Empty(t, wrong)
		})
	}
}

// The search finds what each part of the protocol prevents.
func TestTheSearchFindsMutations(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*protocol)
		want   string
	}{
		"writes without a condition": {func(p *protocol) {
			p.condition = func(view) (string, string) { return "", "" }
		}, ""},
		"a fence that leaves the ETag": {func(p *protocol) {
			p.rewritten = func(before, _ string) string { return before }
		}, "a write of a former holder was accepted"},
		"a fence that reads the lock first": {func(p *protocol) {
			p.newFence = func(holder string) exchange {
				return exchange{phase: readLock, then: readObject, fence: true, base: view{"0"}, holder: holder}
			}
			p.afterRead = func(e exchange, found object) exchange {
				e.base, e.phase = view{found.etag}, write
				return e
			}
		}, ""},
		"a fence that does not read the lock": {func(p *protocol) {
			p.afterRead = func(e exchange, found object) exchange {
				e.base, e.phase = view{found.etag}, write
				return e
			}
		}, "a write of a former holder was accepted"},
		"a lost lock that is released": {func(p *protocol) {
			p.crashed = func(Holder, *Holder, bool, bool) *Holder { return nil }
		}, "a deployer does not know that an engine was killed"},
		"a creation that does not read the lock again": {func(p *protocol) {
			p.newWrite = func(base view, holder string) exchange {
				e := newWrite(base, holder)
				e.create = false
				return e
			}
		}, "a write of a former holder was accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			mutant := actual
			test.mutate(&mutant)
			absent := strings.HasPrefix(name, "a creation")
			wrong, states, _ := mutant.search(limits{engines: 1, writes: 1, absent: absent})
			require.NotEmpty(t, wrong)
			require.Contains(t, wrong, test.want)
			t.Logf("%s, after %d states", wrong, states)
		})
	}
}
