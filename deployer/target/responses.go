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

// secretTimeout limits the read of the configuration secret before log lines are read.
const secretTimeout = 10 * time.Second

// Responses makes the answers of AWS harmless before anything else reads them: what containers and other users wrote is text. In log
// lines, reasons and messages it hides the values of every secret that was read. It reads the configuration secret by itself before the
// first log line.
type Responses struct {
	redactor sanitize.Redactor
	// client and secret are what load reads; client is nil where there is no environment.
	client *secretsmanager.Client
	secret string

	mu     sync.Mutex
	loaded bool
	err    error
}

// SanitizeResponses returns cfg with the Responses of an environment; env is nil for the shared stack.
func SanitizeResponses(cfg aws.Config, env *environment.Environment) (aws.Config, *Responses) {
	r := &Responses{}
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
		_ = r.load(ctx)
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

// load reads the configuration secret, once. The error is why its values are not hidden.
func (r *Responses) load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded || r.client == nil {
		return r.err
	}
	bounded, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	_, err := r.client.GetSecretValue(bounded, &secretsmanager.GetSecretValueInput{SecretId: &r.secret})
	if ctx.Err() == nil {
		r.loaded, r.err = true, err
	}
	return err
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
