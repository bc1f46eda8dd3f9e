package bake

import "time"

// Limits holds the thresholds of Judge, with shares as fractions of 1.
type Limits struct {
	// Settle is how long after the bake's first sample metrics are not judged: clients still close connections to the old tasks,
	// and caches of the new ones are cold.
	Settle time.Duration
	// Window is how many of the last minutes are judged together, besides all minutes of the bake.
	Window int
	// MinRequests and MinErrors are how many requests and errors a window must have.
	MinRequests, MinErrors int
	// MinExcess is by how much the share of errors must exceed that of the hour before.
	MinExcess float64
	// Significance is the probability, by chance, of as many errors as were observed, from which they are not noise. A bake of
	// half an hour is judged 60 times, so that it is far below the usual 0.05.
	Significance float64
	// PriorRequests and PriorErrors are added to the hour before, so that little or no traffic then does not count as proof of no
	// errors.
	PriorRequests, PriorErrors float64
	// MaxWeight is the number of requests that the hour before counts as at most: the share of errors varies from minute to
	// minute more than independent requests would.
	MaxWeight float64
	// MaxDispersion is at most how many errors count as one, where those of the hour before came in clusters, as those of a
	// client do that repeats a request.
	MaxDispersion float64
	// SlowFactor is the multiple of the hour before's response time that is too slow, SlowFloor the response time that never is,
	// SlowWithoutBaseline the limit where the hour before had too little traffic; SlowMinutes is for how many minutes in a row.
	SlowFactor                     float64
	SlowFloor, SlowWithoutBaseline time.Duration
	SlowMinutes                    int
	// MinMinuteRequests is how many requests a minute must have for its 95th percentile to mean something.
	MinMinuteRequests int
	// MemoryPercent is the share of its memory that a task may use, MemoryMinutes for how many minutes in a row more is too much.
	// Where the hour before had more, MemoryMargin more than that is.
	MemoryPercent, MemoryMargin float64
	MemoryMinutes               int
	// UnhealthyFor is how long a target must be unhealthy.
	UnhealthyFor time.Duration
}

// DefaultLimits returns the thresholds of every environment. TestHealthyTraffic and TestFaultyTraffic measure what they do.
func DefaultLimits() Limits {
	return Limits{
		Settle: time.Minute, Window: 3,
		MinRequests: 20, MinErrors: 5, MinExcess: 0.01, Significance: 1e-6,
		PriorRequests: 100, PriorErrors: 1, MaxWeight: 1000, MaxDispersion: 10,
		SlowFactor: 2, SlowFloor: time.Second, SlowWithoutBaseline: 2 * time.Second, SlowMinutes: 3, MinMinuteRequests: 20,
		MemoryPercent: 90, MemoryMargin: 3, MemoryMinutes: 2,
		UnhealthyFor: 30 * time.Second,
	}
}
