package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

var at = time.Date(2025, 6, 3, 4, 43, 14, 0, time.UTC)

func report(findings ...checks.Finding) checks.Report {
	return checks.Report{Environment: "staging", Region: "us-east-1", Timestamp: at, Summary: checks.Aggregate(findings), Services: findings}
}

func finding(status checks.Status, service string) checks.Finding {
	f := checks.Finding{Service: service, Component: "queue", Status: status, Reason: "R", Message: "3 > 2 & <@channel>"}
	if status != checks.Healthy {
		f.Hint = &checks.Hint{Cause: "c", Solution: "s", Command: "deployer logs"}
	}
	return f
}

func TestShouldSend(t *testing.T) {
	healthy, warning := report(finding(checks.Healthy, "a")), report(finding(checks.Warning, "a"))
	for name, test := range map[string]struct {
		report        checks.Report
		previous      checks.Status
		send, changed bool
	}{
		"healthy, and was healthy":     {healthy, checks.Healthy, false, false},
		"healthy, previous unknown":    {healthy, "", false, false},
		"healthy again":                {healthy, checks.Error, true, true},
		"a warning for the first time": {warning, checks.Healthy, true, true},
		"a warning, previous unknown":  {warning, "", true, false},
		"still a warning":              {warning, checks.Warning, true, false},
		"nothing was checked":          {report(), checks.Healthy, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMessage(test.report, test.previous, "")
			require.Equal(t, test.send, m.ShouldSend())
			require.Equal(t, test.changed, m.Changed)
		})
	}
}

func TestTextForSlack(t *testing.T) {
	m := NewMessage(report(finding(checks.Healthy, "a"), finding(checks.Warning, "b"), finding(checks.Error, "c")), checks.Healthy, "")
	require.Equal(t, "❌ *staging* is *error* (it was healthy): 1 error, 1 warning, 1 healthy of 3\n"+
		"• ❌ *c*: 3 &gt; 2 &amp; &lt;@channel&gt;\n    s: `deployer logs`\n"+
		"• ⚠️ *b*: 3 &gt; 2 &amp; &lt;@channel&gt;\n    s: `deployer logs`", m.Text)

	var many []checks.Finding
	for i := range 100 {
		many = append(many, finding(checks.Error, fmt.Sprint("queue ", i)))
	}
	m = NewMessage(report(many...), "", "")
	require.Len(t, m.Findings, 100)
	require.True(t, strings.HasSuffix(m.Text, "\n… and 90 more"), m.Text)
	require.Contains(t, NewMessage(report(), "", "no credentials").Text, "It could not be checked: no credentials")
}

func TestPost(t *testing.T) {
	var got Message
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.NoError(t, json.NewDecoder(r.Body).Decode(&got))
	}))
	defer server.Close()
	w, err := ParseWebhook(server.URL + "/services/SECRET?token=SECRET")
	require.NoError(t, err)
	sent := NewMessage(report(finding(checks.Warning, "b")), checks.Healthy, "")
	require.NoError(t, w.Post(t.Context(), sent))
	require.Equal(t, sent, got)
}

// No error contains a secret part of the URL, whatever of it the server repeats.
func TestPostRedactsTheURL(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "PATH", r.URL.Path))
		}
	}
	raw := func(response string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.WriteString(connection, response)
			}
			if err == nil {
				err = connection.Close()
			}
			if err != nil {
				panic(err)
			}
		}
	}
	const invalid = "/…: no valid response of the server or of a proxy"
	hanging := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a closed connection only after reading the body
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"refused, with a reason":        {answer(403, "invalid_token"), "/…: the server answered 403 Forbidden: invalid_token"},
		"refused, with a line":          {answer(404, "no_service\n"), "/…: the server answered 404 Not Found: no_service"},
		"refused, with the URL":         {answer(404, "nothing at PATH"), "/…: the server answered 404 Not Found"},
		"refused, with a part of it":    {answer(403, "unknown key SECRET"), "/…: the server answered 403 Forbidden"},
		"refused, with a reason and it": {answer(403, "invalid_token SECRET"), "/…: the server answered 403 Forbidden"},
		"refused, with its query":       {answer(403, "token=SECRET"), "/…: the server answered 403 Forbidden"},
		"refused, with a page":          {answer(500, "<html>PATH"), "/…: the server answered 500 Internal Server Error"},
		"refused, in the status":        {raw("HTTP/1.1 403 SECRET\r\nContent-Length: 0\r\n\r\n"), "/…: the server answered 403 Forbidden"},
		"an unknown status":             {raw("HTTP/1.1 499 SECRET\r\nContent-Length: 0\r\n\r\n"), "/…: the server answered 499"},
		"no HTTP":                       {raw("unknown key SECRET\r\n\r\n"), invalid},
		"a header that is none":         {raw("HTTP/1.1 200 OK\r\nSECRET\r\n\r\n"), invalid},
		"redirected":                    {answer(307, ""), "/…: the server answered 307 Temporary Redirect"},
		"the connection breaks":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "/…: EOF"},
		"a timeout":                     {hanging, "/…: no response in time"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			w, err := ParseWebhook(server.URL + "/services/SECRET?token=SECRET")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err = w.Post(ctx, Message{})
			require.Error(t, err)
			require.True(t, strings.HasSuffix(err.Error(), test.want), err)
			require.NotContains(t, err.Error(), "SECRET")
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", w, w, w, w), "SECRET")
		})
	}
}

func TestParseWebhookRefuses(t *testing.T) {
	for _, address := range []string{"", "SECRET", "ftp://a/SECRET", "https:///SECRET", "https://a b/SECRET", "://SECRET", "http://[::1/SECRET"} {
		_, err := ParseWebhook(address)
		require.EqualError(t, err, "the webhook is not a URL of http or https", address)
	}
}

func TestStatusStore(t *testing.T) {
	store := StatusStore{blob.Dir(t.TempDir())}
	last, err := store.Last(t.Context(), "staging")
	require.NoError(t, err)
	require.Empty(t, last)
	require.NoError(t, store.Save(t.Context(), "staging", checks.Error, at))
	require.NoError(t, store.Save(t.Context(), "staging", checks.Warning, at))
	last, err = store.Last(t.Context(), "staging")
	require.NoError(t, err)
	require.Equal(t, checks.Warning, last)
	last, err = store.Last(t.Context(), "dev")
	require.NoError(t, err)
	require.Empty(t, last, "each environment has its own")
}

func TestUnreadableStatus(t *testing.T) {
	files := blob.Dir(t.TempDir())
	require.NoError(t, files.Put(t.Context(), "status/staging.json", []byte(`{"status`)))
	_, err := StatusStore{files}.Last(t.Context(), "staging")
	require.ErrorContains(t, err, "read the last status of staging")
	below := StatusStore{blob.Dir(files.Location("status/staging.json"))}
	require.ErrorContains(t, below.Save(t.Context(), "dev", checks.Error, at), "save the status of dev")
}
