package bake

import "time"

// timescale converts between the time of AWS and that of the environment. They are the same except in a simulated account, where
// everything takes less time by the speed: there a minute of the environment is a second.
type timescale struct {
	// anchor is a whole minute at which both are equal.
	anchor time.Time
	speed  int
}

// newTimescale returns the timescale of a clock's speed. CloudWatch's shortest period is a second, so that a minute is no
// shorter.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
func newTimescale(anchor time.Time, speed int) timescale {
	return timescale{anchor: anchor.Truncate(time.Minute), speed: min(max(speed, 1), 60)}
}

// environment returns the environment's time at a time of AWS.
func (s timescale) environment(t time.Time) time.Time {
	return s.anchor.Add(t.Sub(s.anchor) * time.Duration(s.speed))
}

// aws returns the time of AWS at a time of the environment.
func (s timescale) aws(t time.Time) time.Time {
	return s.anchor.Add(t.Sub(s.anchor) / time.Duration(s.speed))
}

// period returns how long a minute of the environment takes in AWS's time.
func (s timescale) period() time.Duration { return time.Minute / time.Duration(s.speed) }
