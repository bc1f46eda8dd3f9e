package target

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// secretTimeout limits the read of the configuration secret before log lines are read, secretPause is the time between a failed
// read and the next one.
const (
	secretTimeout = 10 * time.Second
	secretPause   = 30 * time.Second
)

// Responses makes the answers of AWS harmless before anything else reads them: what containers and other users wrote is text. In log
// lines, reasons and messages it hides the values of every secret that was read. It reads the configuration secret by itself before the
// first log line, and again before later ones where that failed.
type Responses struct {
	redactor sanitize.Redactor
	// client and secret are what load reads; client is nil where there is no environment.
	client *secretsmanager.Client
	secret string

	mu     sync.Mutex
	loaded bool
	// err is why the newest failed read failed, at the time failed.
	err    error
	failed time.Time
	now    func() time.Time
}

// SanitizeResponses returns cfg with the Responses of an environment; env is nil for the shared stack.
func SanitizeResponses(cfg aws.Config, env *environment.Environment) (aws.Config, *Responses) {
	r := &Responses{now: time.Now}
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("SanitizeResponse", r.handle), middleware.Before)
	})
	if env != nil {
		r.client, r.secret = secretsmanager.NewFromConfig(cfg), env.SecretName()
	}
	return cfg, r
}

// SecretUnread returns why log lines were read without the configuration secret, whose values then could not be hidden in them; nil where it
// was read, or no log was.
func (r *Responses) SecretUnread() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Responses) handle(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error) {
	if operation := middleware.GetOperationName(ctx); operation == "GetLogEvents" || operation == "FilterLogEvents" {
		r.load(ctx)
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if secret, ok := out.Result.(*secretsmanager.GetSecretValueOutput); ok {
		r.redactor.Add(secretValues(aws.ToString(secret.SecretString))...)
	}
	// A secret's value is used as it is; of a manifest each byte counts, for its hash is the image's digest.
	sanitize.ValueFunc(out.Result, r.clean, "SecretString", "ImageManifest")
	if refused := smithy.APIError(nil); errors.As(err, &refused) {
		sanitize.ValueFunc(refused, r.clean)
	}
	return out, metadata, err
}

// clean returns the harmless form of a string in a field of an answer.
func (r *Responses) clean(field, s string) string {
	switch field {
	case "Message", "Reason", "StoppedReason", "StatusReason", "RolloutStateReason":
		// Without its control sequences, a line may have a value that was not whole before.
		return r.redactor.Redact(sanitize.Text(r.redactor.Redact(s)))
	}
	return sanitize.Text(s)
}

// load reads the configuration secret, once. A failed read is repeated, at the earliest after secretPause: logs --follow reads
// lines for hours.
func (r *Responses) load(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded || r.client == nil || r.err != nil && r.now().Sub(r.failed) < secretPause {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	_, err := r.client.GetSecretValue(bounded, &secretsmanager.GetSecretValueInput{SecretId: &r.secret})
	switch {
	case err == nil:
		r.loaded = true
	case ctx.Err() == nil:
		r.err, r.failed = err, r.now()
	}
}

// secretValues returns the sensitive values of a secret: those of a JSON object, but for the names of users and what is known to be
// public; of another text the whole.
func secretValues(text string) []string {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return []string{text}
	}
	var values []string
	for name, value := range object {
		if s, ok := value.(string); ok && name != "username" && configuration.IsSensitive(name, s, environment.ProgramVariables()) {
			values = append(values, s)
		}
	}
	return values
}
