package pricing

import (
	"fmt"
	"math"
)

// Assumptions are what no environment's file says, and the bill depends on.
type Assumptions struct {
	// RequestsMillion is how many requests clients make in a month, in millions.
	RequestsMillion float64 `json:"requestsMillion"`
	// DataGB is how much clients get in a month, and how much tasks exchange with the internet through NAT.
	DataGB float64 `json:"dataGB"`
}

// DefaultAssumptions is the traffic that an environment is estimated with unless somebody knows better.
func DefaultAssumptions() Assumptions { return Assumptions{RequestsMillion: 1, DataGB: 10} }

// What is assumed about the rest. Amounts are in GB of a billion bytes, as they are billed.
const (
	logKBPerRequest         = 1.0 // the application's, for each request
	logGBPerService         = 0.5 // a service's in a month without requests
	firewallLogKBPerRequest = 1.5
	accessLogKBPerRequest   = 0.5
	flowLogGB               = 1.0
	// logCompression is what is left of a log that is kept.
	// Source: https://aws.amazon.com/cloudwatch/pricing/
	logCompression = 0.15
	// queueMillion are the requests to the queue in a month: a worker that polls for 20 s makes an eighth of it.
	queueMillion = 1.0
	// databaseUsed is the part of the storage that is in use, and dailyChange the part of that which a day changes.
	databaseUsed, dailyChange = 0.5, 0.02
	// imageGB is what a pushed image adds to the repository beyond the layers that are there.
	imageGB = 0.1
	// accessLogDays is how long the program keeps access logs.
	accessLogDays = 90
	daysPerMonth  = 30
)

// describe are the assumptions in words.
func (a Assumptions) describe() []string {
	return []string{
		fmt.Sprintf("%v million requests a month (--requests-million)", a.RequestsMillion),
		fmt.Sprintf("%v GB to clients, and as many through NAT (--data-gb)", a.DataGB),
		fmt.Sprintf("logs of %v KB a request and %v GB a service, %v KB a request of the web ACL, %v GB of flows; kept at %v %% of that",
			logKBPerRequest, logGBPerService, firewallLogKBPerRequest, flowLogGB, 100*logCompression),
		fmt.Sprintf("access logs of %v KB a request for %d days; %v million requests to the queue", accessLogKBPerRequest, accessLogDays, queueMillion),
		fmt.Sprintf("%v %% of the database's storage is in use, and %v %% of that changes in a day", 100*databaseUsed, 100*dailyChange),
	}
}

// capacityUnits is how many LCU the load balancer needs on average: one is 25 new connections a second or 1 GB an hour,
// whichever is more. Every request is taken for a connection of its own.
// Source: https://aws.amazon.com/elasticloadbalancing/pricing/
func (a Assumptions) capacityUnits() float64 {
	const connections, gigabytesPerHour = 25, 1
	return max(a.requestsPerSecond()/connections, a.DataGB/HoursPerMonth/gigabytesPerHour)
}

func (a Assumptions) requestsPerSecond() float64 {
	return a.RequestsMillion * 1e6 / (HoursPerMonth * 3600)
}

// tracesMillion is how many requests X-Ray records: the sampling rule takes the first of every second and one in twenty
// of the rest.
func (a Assumptions) tracesMillion() float64 {
	const perSecond, rate = 1.0, 0.05
	first := math.Min(a.requestsPerSecond(), perSecond) * HoursPerMonth * 3600 / 1e6
	return first + rate*(a.RequestsMillion-first)
}
