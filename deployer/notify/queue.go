package notify

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// queueLength declares how many messages wait at most: a deployment has three.
const queueLength = 8

// slowPost declares how long Close waits before it reports that it waits.
const slowPost = 500 * time.Millisecond

// A Queue posts messages in the background, in their order, so that a webhook neither delays nor fails what it is notified of.
type Queue struct {
	webhook  Webhook
	messages chan any
	cancel   context.CancelFunc
	// done is closed after the last message; failures and dropped are complete then.
	done     chan struct{}
	failures []postFailure
	// pending is how many messages wait or are being posted.
	pending atomic.Int32
	// dropped is how many messages were not posted, because there was no room or no time for them.
	dropped atomic.Int32
}

// A postFailure is why a number of messages could not be posted.
type postFailure struct {
	err      error
	messages int
}

// NewQueue starts a queue, which Close ends.
func NewQueue(w Webhook) *Queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{webhook: w, messages: make(chan any, queueLength), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for message := range q.messages {
			q.post(ctx, message)
			q.pending.Add(-1)
		}
	}()
	return q
}

// post posts a message, and records why it could not. Once the context has ended, it drops the message.
func (q *Queue) post(ctx context.Context, message any) {
	if ctx.Err() != nil {
		q.dropped.Add(1)
		return
	}
	err := q.webhook.Post(ctx, message)
	if err == nil {
		return
	}
	for i := range q.failures {
		if q.failures[i].err.Error() == err.Error() {
			q.failures[i].messages++
			return
		}
	}
	q.failures = append(q.failures, postFailure{err, 1})
}

// Add queues a message and returns at once. A message for which there is no room is dropped. Add and Close are called by one
// goroutine.
func (q *Queue) Add(message any) {
	q.pending.Add(1)
	select {
	case q.messages <- message:
	default:
		q.pending.Add(-1)
		q.dropped.Add(1)
	}
}

// Close waits until every message is posted, but no longer than ctx, and returns why messages were not, each reason once with the
// number of messages. If that takes time, it calls waiting with what it waits for.
func (q *Queue) Close(ctx context.Context, waiting func(what string)) []error {
	close(q.messages)
	slow := time.NewTimer(slowPost)
	defer slow.Stop()
	select {
	case <-q.done:
	case <-ctx.Done():
	case <-slow.C:
		waiting(fmt.Sprintf("%s to %s", text.Plural(int(q.pending.Load()), "message", ""), q.webhook))
		select {
		case <-q.done:
		case <-ctx.Done():
		}
	}
	q.cancel()
	<-q.done // the posts end with their context
	var reasons []error
	for _, failure := range q.failures {
		if failure.messages > 1 {
			failure.err = fmt.Errorf("%w (%d messages)", failure.err, failure.messages)
		}
		reasons = append(reasons, failure.err)
	}
	if dropped := int(q.dropped.Load()); dropped > 0 {
		lost := text.Plural(dropped, "more message was", "more messages were")
		reasons = append(reasons, fmt.Errorf("notify %s: %s not sent, because those before took too long", q.webhook, lost))
	}
	return reasons
}
