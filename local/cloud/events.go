package cloud

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// eventDelay is how long it takes from a change to the delivery of its event, a rotation's own duration included:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html
const eventDelay = time.Minute

// publish delivers an event to the targets of the rules that match it. Schedules of rules are not simulated: nothing in
// the account depends on the hour of the day.
func (m model) publish(event map[string]any) {
	for _, rule := range m.ByType(typeEventRule) {
		var pattern map[string]any
		if err := json.Unmarshal([]byte(rule.Text("eventPattern")), &pattern); err != nil || rule.Text("state") != "ENABLED" {
			continue
		}
		if !matchesEvent(pattern, event) {
			continue
		}
		for _, target := range m.ByType(typeEventTarget) {
			if target.Text("rule") == rule.Text("name") {
				m.deliver(target, event)
			}
		}
	}
}

// deliver starts the state machine of a target with the target's own input, or the event if it has none.
func (m model) deliver(target *Resource, event map[string]any) {
	input := any(event)
	if given := target.Text("input"); given != "" {
		if err := json.Unmarshal([]byte(given), &input); err != nil {
			return // validated when the target was created
		}
	}
	if machine := m.Get(typeStateMachine, target.Text("arn")); machine != nil {
		m.startExecution(machine, input, m.in(eventDelay))
	}
}

// matchesEvent reports whether an event has, for each field of a pattern, one of its values.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
func matchesEvent(pattern, event map[string]any) bool {
	for field, expected := range pattern {
		switch want := expected.(type) {
		case map[string]any:
			nested, _ := event[field].(map[string]any)
			if !matchesEvent(want, nested) {
				return false
			}
		case []any:
			actual, isList := event[field].([]any)
			if !isList {
				actual = []any{event[field]}
			}
			if !slices.ContainsFunc(actual, func(value any) bool { return slices.Contains(want, value) }) {
				return false
			}
		}
	}
	return true
}

// rotatePasswords rotates the managed passwords of all databases, as RDS does on schedule, and publishes the event of
// Secrets Manager.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
func (m model) rotatePasswords() {
	for _, r := range m.ByType(typeDatabase) {
		for _, block := range r.Blocks("masterUserSecrets") {
			arn := blockText(block, "secretArn")
			m.Rotations[arn] = append(m.Rotations[arn], m.now)
			m.publish(map[string]any{
				"version": "0", "id": m.uuid("event", arn, m.now), "source": "aws.secretsmanager", "detail-type": "Secret Label Updated",
				"account": m.ID, "region": m.Region, "time": m.now.Format(time.RFC3339), "resources": array(arn),
				"detail": map[string]any{
					"name": secretName(arn), "labelUpdated": stageCurrent, "versionId": m.managedSecret(arn).staged(stageCurrent).ID,
				},
			})
		}
	}
}

// fireSchedules starts the targets of the schedules of an environment that are for sleep or wake; "" means all environments. The hour of the
// day never does that.
func (m model) fireSchedules(environment, what string) {
	suffix := "-" + what
	if environment != "" {
		suffix = "-" + environment + suffix
	}
	for _, schedule := range m.ByType(typeSchedule) {
		if schedule.Text("state") != "ENABLED" || !strings.HasSuffix(schedule.Text("name"), suffix) {
			continue
		}
		for _, target := range schedule.Blocks("target") {
			var input any
			if err := json.Unmarshal([]byte(blockText(target, "input")), &input); err != nil {
				continue
			}
			if machine := m.Get(typeStateMachine, blockText(target, "arn")); machine != nil {
				m.startExecution(machine, input, m.in(time.Second))
			}
		}
	}
}

// restartStopped starts every stopped instance, as RDS does after seven days.
func (m model) restartStopped() {
	for id := range m.Stopped {
		m.Stopped[id] = m.now.Add(-stoppedLimit)
	}
	m.completeDatabaseChanges()
}

// publishStoppedTooLong publishes the event that RDS is starting an instance, since it was stopped for as long as it may be.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
func (m model) publishStoppedTooLong(r *Resource) {
	if r == nil {
		return
	}
	m.publish(map[string]any{
		"version": "0", "id": m.uuid("event", r.ID, m.now), "source": "aws.rds", "detail-type": "RDS DB Instance Event",
		"account": m.ID, "region": m.Region, "time": m.now.Format(time.RFC3339), "resources": array(r.Text("arn")),
		"detail": map[string]any{
			"EventCategories": array("notification"), "SourceType": "DB_INSTANCE", "SourceArn": r.Text("arn"), "EventID": "RDS-EVENT-0154",
			"Date": m.now.Format(time.RFC3339), "SourceIdentifier": r.Text("identifier"),
			"Message": "DB instance is being started due to it exceeding the maximum allowed time being stopped.",
		},
	})
}

// knowsPassword reports whether a task has the current password of its database: it read the secret when it started.
func (m model) knowsPassword(t *task) bool {
	d, found := m.definition(t.Definition)
	if !found {
		return true
	}
	for _, variable := range d.mainContainer().Environment {
		if deref(variable.Name) == databaseSecretVariable {
			rotations := m.Rotations[deref(variable.Value)]
			return len(rotations) == 0 || !t.Started.Before(rotations[len(rotations)-1])
		}
	}
	return true
}

// databaseSecretVariable is the variable with the ARN of the database's secret.
const databaseSecretVariable = "DATABASE_SECRET_ARN"
