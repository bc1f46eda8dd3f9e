package engine

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// The engine's messages about a run with targets.
var (
	missingDependency  = regexp.MustCompile(`^Resource '[^']+' depends on '([^']+)' which was`)
	untargetedDeletion = regexp.MustCompile(`^Resource '[^']+' will be destroyed but was not specified`)
)

// MissingTargets returns the URNs of resources that the targets need, that the stack does not have yet, and that are no
// targets. It changes nothing.
func (h *Handle) MissingTargets(ctx context.Context, u Update) ([]string, error) {
	_, err := h.Preview(ctx, u, nil)
	failed := (*FailedError)(nil)
	if !errors.As(err, &failed) {
		return nil, err
	}
	var missing []string
	for _, r := range failed.Resources {
		for message := range strings.SplitSeq(r.Message, "\n") {
			match := missingDependency.FindStringSubmatch(message)
			switch {
			case match != nil && !slices.Contains(missing, match[1]):
				missing = append(missing, match[1])
			case match == nil && !untargetedDeletion.MatchString(message) && !strings.HasPrefix(message, "Either include resource in --target list"):
				return nil, err
			}
		}
	}
	return missing, nil
}
