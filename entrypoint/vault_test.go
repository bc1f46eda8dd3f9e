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

	"github.com/rogpeppe/go-internal/testscript"
)

// fakeVault speaks the protocol of Secrets Manager. The name of a secret says how it answers.
type fakeVault struct {
	*httptest.Server
	mu sync.Mutex
	// asked counts the calls for each secret.
	asked map[string]int
	// texts are secrets beside those of answers.
	texts map[string]string
	// hanging hears of each call that is not answered.
	hanging chan struct{}
}

func newFakeVault(t testing.TB) *fakeVault {
	v := &fakeVault{asked: map[string]int{}, texts: map[string]string{}, hanging: make(chan struct{}, 16)}
	v.Server = httptest.NewUnstartedServer(v)
	// A connection that is hung up on purpose is no news.
	v.Config.ErrorLog = log.New(io.Discard, "", 0)
	v.Start()
	t.Cleanup(v.Close)
	return v
}

func (v *fakeVault) environment() []string {
	return []string{"AWS_ENDPOINT_URL=" + v.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
}

// answers are the texts of secrets, and what AWS says of those that it does not hand out.
var answers = map[string]struct {
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
	"unwritten":       {400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"},
	"doomed":          {400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."},
	"denied":          {400, "AccessDeniedException", "User: arn:aws:sts::1:assumed-role/task/x is not authorized to perform: secretsmanager:GetSecretValue on resource: denied"},
	"key-denied":      {400, "AccessDeniedException", "Access to KMS is not allowed"},
	"undecrypted":     {400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text"},
	"expired":         {400, "ExpiredTokenException", "The security token included in the request is expired"},
	"invalid":         {400, "InvalidParameterException", "Invalid name. Must be a valid name\ncontaining alphanumeric characters"},
	"throttled":       {400, "ThrottlingException", "Rate exceeded"},
	"broken":          {500, "InternalServiceError", "An error occurred on the server side."},
	"throttled-twice": {200, "", `{"TOKEN":"hunter2"}`},
}

func (v *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/role" {
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
	v.mu.Lock()
	v.asked[in.SecretID]++
	tries := v.asked[in.SecretID]
	text, written := v.texts[in.SecretID]
	v.mu.Unlock()
	answer := answers[in.SecretID]
	switch {
	case written:
		answer.status, answer.value = 200, text
	case in.SecretID == "hangs":
		v.hanging <- struct{}{}
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
	case in.SecretID == "binary":
		_, _ = fmt.Fprint(w, `{"SecretBinary": "aHVudGVyMg=="}`)
		return
	case in.SecretID == "role" && strings.Contains(r.Header.Get("Authorization"), "Credential=TASKROLE/"):
		answer.status, answer.value = 200, `{"TOKEN":"hunter2"}`
	case in.SecretID == "throttled-twice" && tries%3 != 0:
		answer = answers["throttled"]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(answer.status)
	if answer.status == http.StatusOK {
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": answer.value})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": answer.kind, "Message": answer.value})
}

// put writes a secret.
func (v *fakeVault) put(id, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.texts[id] = text
}

// calls holds how often a secret was asked for since the last time against a number: calls NUMBER SECRET.
func (v *fakeVault) calls(ts *testscript.TestScript, _ bool, args []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if got := fmt.Sprint(v.asked[args[1]]); got != args[0] {
		ts.Fatalf("%s was asked for %s times", args[1], got)
	}
	v.asked[args[1]] = 0
}
