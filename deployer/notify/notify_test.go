package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
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

func TestMessageIsDue(t *testing.T) {
	well, bad := report(finding(checks.Healthy, "a")), report(finding(checks.Warning, "a"))
	for name, test := range map[string]struct {
		report       checks.Report
		previous     checks.Status
		due, changed bool
	}{
		"all is well, and always was":    {well, checks.Healthy, false, false},
		"all is well, for all one knows": {well, "", false, false},
		"all is well again":              {well, checks.Error, true, true},
		"bad for the first time":         {bad, checks.Healthy, true, true},
		"bad, for all one knows":         {bad, "", true, false},
		"still bad":                      {bad, checks.Warning, true, false},
		"nothing was judged":             {report(), checks.Healthy, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMessage(test.report, test.previous, "")
			require.Equal(t, test.due, m.ShouldSend())
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
	require.Contains(t, NewMessage(report(), "", "no credentials").Text, "It could not be judged: no credentials")
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

// Whatever goes wrong, the part of the URL that is a password is not in what is said about it.
func TestTheURLIsASecret(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "PATH", r.URL.Path))
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees the other side go only when it has read all
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"refused, with a reason":         {answer(403, "invalid_token"), "/…: the answer was 403 Forbidden: invalid_token"},
		"refused, with the URL":          {answer(404, "nothing at PATH"), "the answer was 404 Not Found"},
		"refused, with a page":           {answer(500, "<html>PATH"), "the answer was 500 Internal Server Error"},
		"redirected":                     {answer(307, ""), "the answer was 307 Temporary Redirect"},
		"the connection breaks":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "/…: EOF"},
		"no answer in the time there is": {silent, "there was no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			w, err := ParseWebhook(server.URL + "/services/SECRET?token=SECRET")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err = w.Post(ctx, Message{})
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "SECRET")
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", w, w, w, w), "SECRET")
		})
	}
}

func TestParseWebhookRefuses(t *testing.T) {
	for _, address := range []string{"", "SECRET", "ftp://a/SECRET", "https:///SECRET", "https://a b/SECRET", "://SECRET", "http://[::1/SECRET"} {
		_, err := ParseWebhook(address)
		require.EqualError(t, err, "the webhook is no URL of http or https", address)
	}
}

// statusStores are the places where the last status is kept.
func statusStores(t *testing.T) map[string]StatusStore {
	objects := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch body, known := objects[r.URL.Path]; {
		case r.Method == http.MethodPut:
			objects[r.URL.Path], _ = io.ReadAll(r.Body)
		case !known:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		default:
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	return map[string]StatusStore{"a directory": Dir(filepath.Join(t.TempDir(), "status")), "a bucket": Bucket{Client: client, Name: "state"}}
}

func TestMemory(t *testing.T) {
	for name, memory := range statusStores(t) {
		t.Run(name, func(t *testing.T) {
			last, err := memory.Last(t.Context(), "staging")
			require.NoError(t, err)
			require.Empty(t, last)
			require.NoError(t, memory.Save(t.Context(), "staging", checks.Error, at))
			require.NoError(t, memory.Save(t.Context(), "staging", checks.Warning, at))
			last, err = memory.Last(t.Context(), "staging")
			require.NoError(t, err)
			require.Equal(t, checks.Warning, last)
			last, err = memory.Last(t.Context(), "dev")
			require.NoError(t, err)
			require.Empty(t, last, "each environment has its own")
		})
	}
}

func TestMemoryThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "staging.json"), []byte(`{"status`), 0o600))
	_, err := Dir(dir).Last(t.Context(), "staging")
	require.ErrorContains(t, err, "read the last status of staging")
	require.ErrorContains(t, Dir(filepath.Join(dir, "staging.json")).Save(t.Context(), "dev", checks.Error, at), "keep the status of dev")
}
