package notify

import (
	"context"
	"encoding/json"
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
	require.NoError(t, q.Close(t.Context()))
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
	err := q.Close(over)
	require.Less(t, time.Since(start), postTimeout/2)
	require.ErrorContains(t, err, "no response in time")
	require.ErrorContains(t, err, "2 messages were not sent")
	require.NotContains(t, err.Error(), "SECRET")
}

// The same reason is reported once.
func TestQueueReportsFailures(t *testing.T) {
	q := NewQueue(serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	q.Add(DeploymentMessage{Text: "a"})
	q.Add(DeploymentMessage{Text: "b"})
	err := q.Close(t.Context())
	require.EqualError(t, err, "notify "+q.webhook.String()+": the server answered 404 Not Found")
}
