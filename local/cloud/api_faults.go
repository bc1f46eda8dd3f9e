package cloud

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// apiFault is a fault under which some services return errors. A deployment does not need these services; the fault
// makes findings unknown.
type apiFault struct {
	fault    string
	services []string
	code     string
	// message may hold the account and the operation's name in the form of IAM, service:Operation.
	message    string
	errorFault smithy.ErrorFault
}

var apiFaults = []apiFault{
	{faultAccessDenied, []string{"cloudwatch", "wafv2", "budgets", "iam", "servicequotas"}, "AccessDeniedException",
		"User: arn:aws:sts::%s:assumed-role/GitHubActions-Read-Role/local is not authorized to perform: %s because no identity-based policy allows the action",
		smithy.FaultClient},
	{faultAPIErrors, []string{"sqs", "acm"}, "InternalFailure",
		"The request processing has failed because of an unknown error, exception or failure.", smithy.FaultServer},
}

// injectedError returns the error that a fault injects into an operation, or nil.
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

// credentialsExpired reports whether the credentials have expired: under the fault credentials-expire, once a rollout has begun since the
// account was opened.
func (a *Account) credentialsExpired(s *State) bool {
	if !a.faults[faultCredentials] {
		return false
	}
	for _, service := range s.ECS.Services {
		if d := service.latestDeployment(); d != nil && d.Created.After(a.opened) {
			return true
		}
	}
	return false
}

// throttleInterval is how often a call is throttled: the first of every ten.
const throttleInterval = 10

func (a *Account) throttleNext() bool {
	return a.faults[faultThrottled] && (a.calls.Add(1)-1)%throttleInterval == 0
}

// applyDrift changes resources of an environment outside its stack, of all of them where it is "": log retention becomes one day, and an
// alarm is deleted. It does so only once, until the drift is repaired.
func (s *State) applyDrift(environment string) {
	const days = 1.0
	of := func(r *Resource) bool { return environment == "" || r.Tags()["Environment"] == environment }
	groups := slices.DeleteFunc(s.ByType(typeLogGroup), func(r *Resource) bool { return !of(r) })
	if !slices.ContainsFunc(groups, func(r *Resource) bool { return r.Number("retentionInDays") != days }) {
		return
	}
	for _, r := range groups {
		r.modify("retentionInDays", days)
	}
	for _, r := range firstAlarms(s) {
		if of(r) {
			s.remove(r)
		}
	}
}
