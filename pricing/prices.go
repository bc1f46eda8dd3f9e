// Package pricing estimates the monthly cost of an environment from its description: what the program declares, times
// AWS's list prices, with explicit assumptions. It needs no network.
package pricing

import (
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// Region is the only region in the table of prices. HoursPerMonth is the month of AWS's own calculator.
const (
	Region        = "us-east-1"
	HoursPerMonth = 730
)

// Price is a list price of AWS, without free tier, tax, credits and commitments.
type Price struct {
	// Key identifies the price in the estimate. What and Unit are what AWS charges for.
	Key  string `json:"key"`
	What string `json:"what"`
	Unit string `json:"unit"`
	// USD is the price of one unit in Region.
	USD float64 `json:"usd"`
	// AsOf is the month in which the price was checked, Source the price list.
	AsOf   string `json:"asOf"`
	Source string `json:"source"`
}

// The keys of the prices that are not an instance class.
const (
	taskCPU          = "task-cpu"
	taskMemory       = "task-memory"
	armCPU           = "task-cpu-arm64"
	armMemory        = "task-memory-arm64"
	spotCPU          = "task-cpu-spot"
	spotMemory       = "task-memory-spot"
	armSpotCPU       = "task-cpu-arm64-spot"
	armSpotMemory    = "task-memory-arm64-spot"
	natHour          = "nat-hour"
	natData          = "nat-data"
	volume           = "volume"
	addressHour      = "address-hour"
	dataOut          = "data-out"
	balancerHour     = "balancer-hour"
	balancerUnit     = "balancer-unit"
	firewallACL      = "firewall-acl"
	firewallRule     = "firewall-rule"
	firewallRequests = "firewall-requests"
	storage          = "database-storage"
	backup           = "database-backup"
	logIngestion     = "log-ingestion"
	logStorage       = "log-storage"
	alarmMetric      = "alarm"
	compositeAlarm   = "composite-alarm"
	customMetric     = "metric"
	dashboardMonth   = "dashboard"
	trace            = "trace"
	healthCheck      = "health-check"
	healthHTTPS      = "health-check-https"
	secretMonth      = "secret"
	queueRequests    = "queue-requests"
	objectStorage    = "object-storage"
	zoneMonth        = "hosted-zone"
	imageStorage     = "image-storage"
	keyMonth         = "key"
)

// priceDate is when the prices were last compared with AWS's lists. A price that changes gets a date of its own.
const priceDate = "2026-06"

// Prices returns the table of prices.
func Prices() []Price {
	const (
		lists                  = "https://aws.amazon.com/"
		x86Hour, x86GBHour     = 0.04048, 0.004445
		arm64Hour, arm64GBHour = 0.03238, 0.00356
	)
	all := []Price{
		{taskCPU, "Fargate, Linux on x86: CPU", "vCPU-hour", x86Hour, priceDate, lists + "fargate/pricing/"},
		{taskMemory, "Fargate, Linux on x86: memory", "GB-hour", x86GBHour, priceDate, lists + "fargate/pricing/"},
		{armCPU, "Fargate, Linux on ARM: CPU", "vCPU-hour", arm64Hour, priceDate, lists + "fargate/pricing/"},
		{armMemory, "Fargate, Linux on ARM: memory", "GB-hour", arm64GBHour, priceDate, lists + "fargate/pricing/"},
		{spotCPU, "Fargate Spot, Linux on x86: CPU, assumed", "vCPU-hour", spotShare * x86Hour, priceDate, lists + "fargate/pricing/"},
		{spotMemory, "Fargate Spot, Linux on x86: memory, assumed", "GB-hour", spotShare * x86GBHour, priceDate, lists + "fargate/pricing/"},
		{armSpotCPU, "Fargate Spot, Linux on ARM: CPU, assumed", "vCPU-hour", spotShare * arm64Hour, priceDate, lists + "fargate/pricing/"},
		{armSpotMemory, "Fargate Spot, Linux on ARM: memory, assumed", "GB-hour", spotShare * arm64GBHour, priceDate, lists + "fargate/pricing/"},
		{natHour, "NAT gateway", "hour", 0.045, priceDate, lists + "vpc/pricing/"},
		{natData, "NAT gateway: data processed", "GB", 0.045, priceDate, lists + "vpc/pricing/"},
		{environment.NATInstanceType, "EC2, Linux on demand: t4g.nano", "hour", 0.0042, priceDate, lists + "ec2/pricing/on-demand/"},
		{volume, "EBS: gp3 volume", "GB-month", 0.08, priceDate, lists + "ebs/pricing/"},
		{addressHour, "public IPv4 address", "hour", 0.005, priceDate, lists + "vpc/pricing/"},
		{dataOut, "data to the internet, first 10 TB", "GB", 0.09, priceDate, lists + "ec2/pricing/on-demand/"},
		{balancerHour, "application load balancer", "hour", 0.0225, priceDate, lists + "elasticloadbalancing/pricing/"},
		{balancerUnit, "application load balancer: capacity unit", "LCU-hour", 0.008, priceDate, lists + "elasticloadbalancing/pricing/"},
		{firewallACL, "web ACL", "month", 5, priceDate, lists + "waf/pricing/"},
		{firewallRule, "rule, or group of AWS's rules", "month", 1, priceDate, lists + "waf/pricing/"},
		{firewallRequests, "requests inspected by a web ACL", "million", 0.60, priceDate, lists + "waf/pricing/"},
		{storage, "RDS: gp3 storage, one zone", "GB-month", 0.115, priceDate, lists + "rds/postgresql/pricing/"},
		{backup, "RDS: backups beyond the size of the storage", "GB-month", 0.095, priceDate, lists + "rds/postgresql/pricing/"},
		{logIngestion, "CloudWatch: logs taken in", "GB", 0.50, priceDate, lists + "cloudwatch/pricing/"},
		{logStorage, "CloudWatch: logs kept, compressed", "GB-month", 0.03, priceDate, lists + "cloudwatch/pricing/"},
		{alarmMetric, "CloudWatch: metric of an alarm", "month", 0.10, priceDate, lists + "cloudwatch/pricing/"},
		{compositeAlarm, "CloudWatch: composite alarm", "month", 0.50, priceDate, lists + "cloudwatch/pricing/"},
		{customMetric, "CloudWatch: custom metric, Container Insights' too", "month", 0.30, priceDate, lists + "cloudwatch/pricing/"},
		{dashboardMonth, "CloudWatch: dashboard", "month", 3, priceDate, lists + "cloudwatch/pricing/"},
		{trace, "X-Ray: traces recorded", "million", 5, priceDate, lists + "xray/pricing/"},
		{healthCheck, "Route 53: health check of an endpoint in AWS", "month", 0.50, priceDate, lists + "route53/pricing/"},
		{healthHTTPS, "Route 53: health check over HTTPS, on top", "month", 1, priceDate, lists + "route53/pricing/"},
		{secretMonth, "Secrets Manager: secret", "month", 0.40, priceDate, lists + "secrets-manager/pricing/"},
		{queueRequests, "SQS: requests to a standard queue", "million", 0.40, priceDate, lists + "sqs/pricing/"},
		{objectStorage, "S3: standard storage", "GB-month", 0.023, priceDate, lists + "s3/pricing/"},
		{zoneMonth, "Route 53: hosted zone", "month", 0.50, priceDate, lists + "route53/pricing/"},
		{imageStorage, "ECR: images", "GB-month", 0.10, priceDate, lists + "ecr/pricing/"},
		{keyMonth, "KMS: key", "month", 1, priceDate, lists + "kms/pricing/"},
	}
	for _, class := range instanceClasses() {
		all = append(all, Price{
			class.name, "RDS for PostgreSQL: " + class.name + ", one zone", "hour", class.usd, priceDate, lists + "rds/postgresql/pricing/",
		})
	}
	return all
}

// AsOf returns the month of the oldest price in the table.
func AsOf() string {
	oldest := priceDate
	for _, p := range Prices() {
		oldest = min(oldest, p.AsOf)
	}
	return oldest
}

// instanceClass is an RDS instance class and its hourly price in one zone. A second zone doubles it.
type instanceClass struct {
	name string
	usd  float64
}

// instanceClasses returns the classes with a price, each family from small to large.
func instanceClasses() []instanceClass {
	return []instanceClass{
		{"db.t3.micro", 0.018}, {"db.t3.small", 0.036}, {"db.t3.medium", 0.072}, {"db.t3.large", 0.145},
		{"db.t4g.micro", 0.016}, {"db.t4g.small", 0.032}, {"db.t4g.medium", 0.065}, {"db.t4g.large", 0.129},
		{"db.m6g.large", 0.159}, {"db.m6g.xlarge", 0.318},
		{"db.r6g.large", 0.225}, {"db.r6g.xlarge", 0.450},
	}
}

// smallerClass returns the next smaller class of the family, or "".
func smallerClass(name string) string {
	family := func(class string) string { return class[:strings.LastIndex(class, ".")] }
	smaller := ""
	for _, class := range instanceClasses() {
		if class.name == name {
			if smaller != "" && family(smaller) == family(name) {
				return smaller
			}
			return ""
		}
		smaller = class.name
	}
	return ""
}

func priceOf(key string) (Price, bool) {
	for _, p := range Prices() {
		if p.Key == key {
			return p, true
		}
	}
	return Price{}, false
}
