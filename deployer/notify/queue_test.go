package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve starts a webhook and returns it.
func serve(t *testing.T, handler http.HandlerFunc) Webhook {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w, err := ParseWebhook(server.URL + "/services/SECRET")
	require.NoError(t, err)
	return w
}

func TestQueuePostsInOrder(t *testing.T) {
	var got []string
	q := NewQueue(serve(t, func(_ http.ResponseWriter, r *http.Request) {
		var m DeploymentMessage
		_ = json.NewDecoder(r.Body).Decode(&m)
		got = append(got, m.Text)
	}))
	for _, text := range []string{"a", "b", "c"} {
		q.Add(DeploymentMessage{Text: text})
	}
	require.Empty(t, q.Close(t.Context(), silent(t)))
	require.Equal(t, []string{"a", "b", "c"}, got)
}

// A webhook that hangs neither delays what is notified, nor its end for longer than the caller allows. Its URL is in no error.
func TestQueueOfAHangingWebhook(t *testing.T) {
	reached := make(chan struct{}, queueLength)
	q := NewQueue(serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a closed connection only after reading the body
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	q.Add(DeploymentMessage{Text: "a"})
	<-reached
	for range queueLength + 2 {
		q.Add(DeploymentMessage{Text: "b"}) // returns although none is taken
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	reasons := q.Close(over, silent(t))
	require.Less(t, time.Since(start), postTimeout/2)
	require.Len(t, reasons, 2)
	require.EqualError(t, reasons[0], "notify "+q.webhook.String()+": no response in time")
	require.EqualError(t, reasons[1], fmt.Sprintf("notify %s: %d more messages were not sent, because those before took too long",
		q.webhook, queueLength+2), "those without room, and those behind the one that hangs")
	require.NotContains(t, errors.Join(reasons...).Error(), "SECRET")
}

// silent fails the test where Close reports that it waits.
func silent(t *testing.T) func(string) {
	return func(what string) { t.Errorf("it waits for %s", what) }
}

// A wait that takes time is reported, with what is waited for.
func TestQueueReportsThatItWaits(t *testing.T) {
	release := make(chan struct{})
	q := NewQueue(serve(t, func(http.ResponseWriter, *http.Request) { <-release }))
	q.Add(DeploymentMessage{Text: "a"})
	q.Add(DeploymentMessage{Text: "b"})
	waited := ""
	require.Empty(t, q.Close(t.Context(), func(what string) {
		waited = what
		close(release)
	}))
	require.Equal(t, "2 messages to "+q.webhook.String(), waited)
}

// The same reason is reported once, with the number of messages.
func TestQueueReportsFailures(t *testing.T) {
	q := NewQueue(serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	q.Add(DeploymentMessage{Text: "a"})
	q.Add(DeploymentMessage{Text: "b"})
	reasons := q.Close(t.Context(), silent(t))
	require.Len(t, reasons, 1)
	require.EqualError(t, reasons[0], "notify "+q.webhook.String()+": the server answered 404 Not Found (2 messages)")
}
