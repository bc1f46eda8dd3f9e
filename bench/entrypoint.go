package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"
)

// secretLatency is how long each call to the secret store takes.
const secretLatency = 50 * time.Millisecond

// entrypointStart measures what entrypoint adds to the start of an application, without the calls that it waits for:
// both secrets are fetched concurrently, so their latency counts once.
func (f fixture) entrypointStart() error {
	store := httptest.NewServer(http.HandlerFunc(answerSecret))
	defer store.Close()
	application, err := f.emptyProgram()
	if err != nil {
		return err
	}
	secrets := []string{
		"AWS_ENDPOINT_URL=" + store.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"CONFIG_SECRET_ID=config", "DATABASE_SECRET_ARN=database", "DATABASE_HOST=db", "DATABASE_PORT=5432", "DATABASE_NAME=balancer",
	}
	info, err := os.Stat(f.entrypoint)
	if err != nil {
		return fmt.Errorf("stat the entrypoint: %w", err)
	}
	header := fmt.Sprintf("entrypoint (%.1f MiB)\tmedian\toverhead\tCPU time\t", float64(info.Size())/(1<<20))
	return table(header, func(row func(string, ...any)) error {
		base, cpu, err := median(nil, application)
		if err != nil {
			return err
		}
		row("the application alone\t%.1f ms\t\t%.1f ms", milliseconds(base), milliseconds(cpu))
		for _, start := range []struct {
			what  string
			env   []string
			calls time.Duration
		}{{"without a secret", nil, 0}, {fmt.Sprintf("two secrets, %s a call", secretLatency), secrets, secretLatency}} {
			took, cpu, err := median(start.env, f.entrypoint, "--", application)
			if err != nil {
				return err
			}
			row("%s\t%.1f ms\t%.1f ms\t%.1f ms", start.what, milliseconds(took), milliseconds(took-base-start.calls), milliseconds(cpu))
		}
		return nil
	})
}

// answerSecret serves every secret as both a configuration and a database secret.
func answerSecret(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-time.After(secretLatency)
	_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": `{"username":"u","password":"p"}`})
}
