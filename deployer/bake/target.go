package bake

import "time"

// BakeTarget declares what is watched after a rollout. TargetGroup and LoadBalancer are names or ARNs; "" where the environment
// has none. Alarms are names. Since is when the rollout began, For how long the new version is watched.
type BakeTarget struct { //nolint:revive // a Target is one of a target group
	Cluster      string
	Services     []string
	TargetGroup  string
	LoadBalancer string
	Alarms       []string
	Since        time.Time
	For          time.Duration
}
