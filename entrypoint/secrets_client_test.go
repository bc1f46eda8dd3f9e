package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/rogpeppe/go-internal/testscript"
)

// fakeSecretsManager speaks the protocol of Secrets Manager. Its response depends on the name of the secret.
type fakeSecretsManager struct {
	*httptest.Server
	mu sync.Mutex
	// asked counts the calls for each secret.
	asked map[string]int
	// texts are secrets in addition to responses.
	texts map[string]string
	// hanging receives a value for each call that is not answered.
	hanging chan struct{}
}

func newFakeSecretsManager(t testing.TB) *fakeSecretsManager {
	v := &fakeSecretsManager{asked: map[string]int{}, texts: map[string]string{}, hanging: make(chan struct{}, 16)}
	v.Server = httptest.NewUnstartedServer(v)
	// Connections are closed on purpose.
	v.Config.ErrorLog = log.New(io.Discard, "", 0)
	v.Start()
	t.Cleanup(v.Close)
	return v
}

func (s *fakeSecretsManager) environment() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
}

// responses are the secrets' texts, and AWS's errors for those that it does not return.
var responses = map[string]struct {
	status      int
	kind, value string
}{
	"config":          {200, "", `{"TOKEN":"hunter2 $x","NODE_ENV":"staging","SET":"from the secret","EMPTY":"","SENTRY_DSN":"changeme"}`},
	"with-url":        {200, "", `{"DATABASE_URL":"postgresql://u:hunter2@db.example.com/other"}`},
	"odd":             {200, "", `{"NUMBER":12345678901234567890,"FLAG":true,"NOTHING":null}`},
	"database":        {200, "", `{"username":"balancer","password":"hunter2:/?#@ "}`},
	"no-password":     {200, "", `{"username":"hunter2"}`},
	"list":            {200, "", `["hunter2"]`},
	"nested":          {200, "", `{"A":{"b":"hunter2"},"B-C":"hunter2","D":"1","D":"hunter2"}`},
	"full":            {200, "", `{"BIG":"` + strings.Repeat("x", 65536-len(`{"BIG":""}`)) + `"}`},
	"nowhere":         {400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
	"absent":          {400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
	"unwritten":       {400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"},
	"doomed":          {400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."},
	"denied":          {400, "AccessDeniedException", "User: arn:aws:sts::1:assumed-role/hunter2/x is not authorized to perform: secretsmanager:GetSecretValue on resource: denied"},
	"key-denied":      {400, "AccessDeniedException", "Access to KMS is not allowed"},
	"undecrypted":     {400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text"},
	"expired":         {400, "ExpiredTokenException", "The security token included in the request is expired"},
	"invalid":         {400, "InvalidParameterException", "Invalid name. Must be a valid name\ncontaining hunter2"},
	"managed":         {400, "InvalidRequestException", "You can't use hunter2 like that."},
	"elsewhere":       {200, "", `{"TOKEN":"hunter2"}`},
	"unheard-of":      {400, "Hunter2Exception", "hunter2"},
	"unheard-of-5xx":  {503, "Hunter2Exception", "hunter2"},
	"throttled":       {400, "ThrottlingException", "Rate exceeded"},
	"broken":          {500, "InternalServiceError", "An error occurred on the server side."},
	"throttled-twice": {200, "", `{"TOKEN":"hunter2"}`},
}

// rawResponses are responses that no HTTP server would send; the connection is closed after them.
var rawResponses = map[string]string{
	"raw-object":     `{"SecretString":"hunter2"}`,
	"raw-header":     "HTTP/1.1 200 OK\r\nhunter2 is no header\r\n\r\n",
	"raw-length":     "HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n",
	"raw-status":     "HTTP/1.1 hunter2 OK\r\n\r\n",
	"raw-encoding":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n",
	"raw-chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n",
	"raw-redirect":   "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://hunter2.invalid/\r\nContent-Length: 0\r\n\r\n",
	"raw-location":   "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://hunter2:x:y/%zz\r\nContent-Length: 0\r\n\r\n",
	"raw-truncated":  "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"SecretString\":\"hunter2",
	"raw-more":       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{\"SecretString\":\"hunter2\"}",
	"raw-type":       "HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"SecretString\":[\"hunter2\"]}",
	"raw-code":       "HTTP/1.1 400 Bad Request\r\nContent-Length: 41\r\n\r\n{\"__type\":\"hunter2\",\"Message\":\"hunter2!\"}",
	"raw-code-there": "HTTP/1.1 400 Bad Request\r\nX-Amzn-ErrorType: hunter2\r\nContent-Length: 2\r\n\r\n{}",
	"raw-nothing":    "",
}

// hijacked sends raw bytes and closes the connection.
func hijacked(w http.ResponseWriter, raw string) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(connection, raw)
	_ = connection.Close()
}

func (s *fakeSecretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/role-refused":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"code":"hunter2","message":"hunter2"}`)
		return
	case "/role-raw":
		hijacked(w, "hunter2")
		return
	case "/role":
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":"TASKROLE","SecretAccessKey":"s","Token":"t","Expiration":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
		return
	}
	var in struct {
		SecretID string `json:"SecretId"`
	}
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	in.SecretID = s.secretName(r, in.SecretID)
	s.mu.Lock()
	s.asked[in.SecretID]++
	tries := s.asked[in.SecretID]
	text, written := s.texts[in.SecretID]
	s.mu.Unlock()
	answer := responses[in.SecretID]
	raw, isRaw := rawResponses[in.SecretID]
	switch {
	case isRaw:
		hijacked(w, raw)
		return
	case written:
		answer.status, answer.value = 200, text
	case in.SecretID == "hangs":
		s.hanging <- struct{}{}
		<-r.Context().Done()
		return
	case in.SecretID == "hung-up":
		panic(http.ErrAbortHandler)
	case in.SecretID == "web-page":
		http.Error(w, "<html>hunter2</html>", http.StatusBadGateway)
		return
	case in.SecretID == "garbled":
		_, _ = fmt.Fprint(w, `{"SecretString": hunter2`)
		return
	case in.SecretID == "empty-answer":
		_, _ = fmt.Fprint(w, `{}`)
		return
	case in.SecretID == "binary":
		_, _ = fmt.Fprint(w, `{"SecretBinary": "aHVudGVyMg=="}`)
		return
	case in.SecretID == "role" && strings.Contains(r.Header.Get("Authorization"), "Credential=TASKROLE/"):
		answer.status, answer.value = 200, `{"TOKEN":"hunter2"}`
	case in.SecretID == "throttled-twice" && tries%3 != 0:
		answer = responses["throttled"]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(answer.status)
	if answer.status == http.StatusOK {
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": answer.value})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": answer.kind, "Message": answer.value})
}

// secretName returns the name in a secret's ARN if the request is signed for the ARN's region; other IDs are names.
func (s *fakeSecretsManager) secretName(r *http.Request, id string) string {
	parsed, err := arn.Parse(id)
	if err != nil {
		return id
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/"+parsed.Region+"/secretsmanager/") {
		return "absent"
	}
	name := strings.TrimPrefix(parsed.Resource, "secret:")
	return name[:strings.LastIndex(name, "-")]
}

// put writes a secret.
func (s *fakeSecretsManager) put(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[id] = text
}

// calls compares the number of requests for a secret since the last check: calls NUMBER SECRET.
func (s *fakeSecretsManager) calls(ts *testscript.TestScript, _ bool, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := fmt.Sprint(s.asked[args[1]]); got != args[0] {
		ts.Fatalf("%s was asked for %s times", args[1], got)
	}
	s.asked[args[1]] = 0
}
