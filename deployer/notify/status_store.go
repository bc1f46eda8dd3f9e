package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

// StatusStore stores the last status of each environment, as status/STACK.json beside the records of deployments.
type StatusStore struct{ Files blob.Store }

type statusRecord struct {
	Status    checks.Status `json:"status"`
	Timestamp time.Time     `json:"timestamp"`
}

func key(stack string) string { return "status/" + stack + ".json" }

// Last returns the status of the last run, "" if there was none.
func (s StatusStore) Last(ctx context.Context, stack string) (checks.Status, error) {
	body, err := s.Files.Get(ctx, key(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var last statusRecord
	if err == nil {
		err = json.Unmarshal(body, &last)
	}
	if err != nil {
		return "", fmt.Errorf("read the last status of %s: %w", stack, err)
	}
	return last.Status, nil
}

// Save replaces the last status.
func (s StatusStore) Save(ctx context.Context, stack string, status checks.Status, at time.Time) error {
	body, err := json.Marshal(statusRecord{Status: status, Timestamp: at.UTC()})
	if err == nil {
		err = s.Files.Put(ctx, key(stack), body)
	}
	if err != nil {
		return fmt.Errorf("save the status of %s: %w", stack, err)
	}
	return nil
}
