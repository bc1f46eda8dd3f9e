package cloud

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// apiFault is how some services answer under a fault. They are those that a deployment can do without: what it leads to
// is something unknown.
type apiFault struct {
	fault    string
	services []string
	code     string
	// message may hold the operation's name in the form of IAM: service:Operation.
	message    string
	errorFault smithy.ErrorFault
}

var apiFaults = []apiFault{
	{faultAccessDenied, []string{"cloudwatch", "wafv2", "budgets", "iam"}, "AccessDeniedException",
		"User: arn:aws:sts::%s:assumed-role/GitHubActions-Read-Role/local is not authorized to perform: %s because no identity-based policy allows the action",
		smithy.FaultClient},
	{faultAPIErrors, []string{"sqs", "acm"}, "InternalFailure",
		"The request processing has failed because of an unknown error, exception or failure.", smithy.FaultServer},
}

// injectedError is the error with which an operation answers under a fault, or nil.
func (a *Account) injectedError(input reflect.Type) error {
	service, operation, _ := strings.Cut(strings.TrimPrefix(input.String(), "*"), ".")
	for _, t := range apiFaults {
		if !a.faults[t.fault] || !slices.Contains(t.services, service) {
			continue
		}
		message := t.message
		if strings.Contains(message, "%s") {
			message = fmt.Sprintf(message, a.ID(), service+":"+strings.TrimSuffix(operation, "Input"))
		}
		return &smithy.GenericAPIError{Code: t.code, Message: message, Fault: t.errorFault}
	}
	return nil
}

// throttleInterval is which of the calls are throttled: one in so many, the first of all among them.
const throttleInterval = 10

// throttleNext reports whether AWS refuses the next call, once, because there are too many.
func (a *Account) throttleNext() bool {
	return a.faults[faultThrottled] && (a.calls.Add(1)-1)%throttleInterval == 0
}

// applyDrift is what somebody did by hand: log lines are kept for a day, and an alarm of each environment is gone. Where it
// was done and not yet put right, it is not done again.
func (s *State) applyDrift() {
	const days = 1.0
	groups := s.ByType(typeLogGroup)
	if !slices.ContainsFunc(groups, func(r *Resource) bool { return r.Number("retentionInDays") != days }) {
		return
	}
	for _, r := range groups {
		r.modify("retentionInDays", days)
	}
	for _, r := range firstAlarms(s) {
		delete(s.Resources, key(r.Type, r.ID))
	}
}
