// Package cloud is the simulated AWS account.
//
// The account has one source of truth: the resources that the Pulumi provider was given. What the AWS API answers is
// a view of them, plus the little that moves by itself: tasks, deployments, target health, log lines.
package cloud

import "time"

// Resource is one thing that the account has, as the provider was given it.
type Resource struct {
	// Type is Pulumi's type token, such as aws:ecs/service:Service.
	Type string `json:"type"`
	// ID is what the provider calls it; unique within its type.
	ID string `json:"id"`
	// Inputs are what was asked for; Outputs are all its properties, those that AWS computes included. Both use
	// Pulumi's property names.
	Inputs  map[string]any `json:"inputs"`
	Outputs map[string]any `json:"outputs"`
	Created time.Time      `json:"created"`
}
