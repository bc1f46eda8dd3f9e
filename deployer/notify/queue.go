package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// queueLength is how many messages wait at most: a deployment has three.
const queueLength = 8

// A Queue posts messages in the background, in their order, so that a webhook neither delays nor fails what it is notified of.
type Queue struct {
	webhook  Webhook
	messages chan any
	cancel   context.CancelFunc
	// done is closed after the last message; failures are complete then.
	done     chan struct{}
	failures []error
	dropped  int
}

// NewQueue starts a queue, which Close ends.
func NewQueue(w Webhook) *Queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{webhook: w, messages: make(chan any, queueLength), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for message := range q.messages {
			if err := w.Post(ctx, message); err != nil {
				q.failures = append(q.failures, err)
			}
		}
	}()
	return q
}

// Add queues a message and returns at once. A message for which there is no room is dropped. Add and Close are called by one
// goroutine.
func (q *Queue) Add(message any) {
	select {
	case q.messages <- message:
	default:
		q.dropped++
	}
}

// Close waits until every message is posted, but no longer than ctx, and returns why messages were not, each reason once.
func (q *Queue) Close(ctx context.Context) error {
	close(q.messages)
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	q.cancel()
	<-q.done // the posts end with their context
	if q.dropped > 0 {
		lost := text.Plural(q.dropped, "message was", "messages were")
		q.failures = append(q.failures, fmt.Errorf("notify %s: %s not sent", q.webhook, lost))
	}
	var reasons []error
	for _, failure := range q.failures {
		if !slices.ContainsFunc(reasons, func(other error) bool { return other.Error() == failure.Error() }) {
			reasons = append(reasons, failure)
		}
	}
	return errors.Join(reasons...)
}
