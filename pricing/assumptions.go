package pricing

import (
	"fmt"
	"math"
)

// Assumptions are the traffic figures that the bill depends on and no environment's file has.
type Assumptions struct {
	// RequestsMillion is the number of requests a month, in millions.
	RequestsMillion float64 `json:"requestsMillion"`
	// DataGB is the traffic to clients a month, and the traffic of tasks through NAT, in GB each.
	DataGB float64 `json:"dataGB"`
}

// DefaultAssumptions returns the traffic of a quiet environment.
func DefaultAssumptions() Assumptions { return Assumptions{RequestsMillion: 1, DataGB: 10} }

// The other assumptions. A GB is a billion bytes, as in the bill.
const (
	logKBPerRequest         = 1.0 // of the application
	logGBPerService         = 0.5 // of a service in a month without requests
	firewallLogKBPerRequest = 1.5
	accessLogKBPerRequest   = 0.5
	flowLogGB               = 1.0
	// logCompression is the compressed size of a stored log.
	// Source: https://aws.amazon.com/cloudwatch/pricing/
	logCompression = 0.15
	// queueMillion is the number of requests to the queue a month; a worker that polls for 20 s sends an eighth of them.
	queueMillion = 1.0
	// databaseUsed is the used share of the storage, and dailyChange the share of that which changes in a day.
	databaseUsed, dailyChange = 0.5, 0.02
	// imageGB is the size of a pushed image without the layers that the repository already has.
	imageGB = 0.1
	// spotShare is the price of Fargate Spot as a share of that on demand. AWS changes it with supply and demand: it is at least 0.3.
	// Source: https://aws.amazon.com/fargate/pricing/
	spotShare = 0.5
	// accessLogDays is the retention of access logs in the program.
	accessLogDays = 90
	daysPerMonth  = 30
)

// describe returns the assumptions in words.
func (a Assumptions) describe() []string {
	return []string{
		fmt.Sprintf("%v million requests a month (--requests-million)", a.RequestsMillion),
		fmt.Sprintf("%v GB to clients, and as many through NAT (--data-gb)", a.DataGB),
		fmt.Sprintf("logs of %v KB a request and %v GB a service, %v KB a request of the web ACL, %v GB of flows; kept at %v %% of that",
			logKBPerRequest, logGBPerService, firewallLogKBPerRequest, flowLogGB, 100*logCompression),
		fmt.Sprintf("access logs of %v KB a request for %d days; %v million requests to the queue", accessLogKBPerRequest, accessLogDays, queueMillion),
		fmt.Sprintf("Fargate Spot at %v %% of the price on demand, which AWS changes with supply and demand", 100*spotShare),
		fmt.Sprintf("%v %% of the database's storage is in use, and %v %% of that changes in a day", 100*databaseUsed, 100*dailyChange),
	}
}

// capacityUnits returns the average number of LCU of the load balancer: one is 25 new connections a second or 1 GB an
// hour, whichever is more. Every request is assumed to open a connection.
// Source: https://aws.amazon.com/elasticloadbalancing/pricing/
func (a Assumptions) capacityUnits() float64 {
	const connections, gigabytesPerHour = 25, 1
	return max(a.requestsPerSecond()/connections, a.DataGB/HoursPerMonth/gigabytesPerHour)
}

func (a Assumptions) requestsPerSecond() float64 {
	return a.RequestsMillion * 1e6 / (HoursPerMonth * 3600)
}

// tracesMillion returns how many million requests X-Ray records: the first of every second and one in twenty of the
// rest, according to the sampling rule.
func (a Assumptions) tracesMillion() float64 {
	const perSecond, rate = 1.0, 0.05
	first := math.Min(a.requestsPerSecond(), perSecond) * HoursPerMonth * 3600 / 1e6
	return first + rate*(a.RequestsMillion-first)
}

// LeftOut returns what a bill can contain beyond the estimate.
func LeftOut() []string {
	return []string{
		"tax, support plans, free tier, credits, savings plans and reserved instances",
		"data between zones ($0.01 a GB, each way), DNS queries, calls to AWS APIs",
		"CPU credits of db.t classes above their baseline, automatic growth of the database's storage",
		"manual snapshots and those of deleted databases, the migration's task",
		"log queries, Container Insights' performance logs, e-mails of alarms",
		"events, and the state machines that restart services after a rotation of the password and that follow schedule.awake (some cents)",
		"whatever the program did not create",
	}
}
