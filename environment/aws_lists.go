package environment

import (
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

// knownRegions lists the regions of the partition aws. AWS adds some every year, so another one is only a warning.
// Source: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
var knownRegions = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
	"ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
	"ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
	"eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1",
	"us-west-2",
}

// regionWarning warns of a region that is not known, such as a mistyped one.
func (e *Environment) regionWarning() *Warning {
	if slices.Contains(knownRegions, e.Region) {
		return nil
	}
	return &Warning{
		Path: "region", Message: fmt.Sprintf("%q is not among the regions that are known here", e.Region),
		Remedy: suggest.Hint(e.Region, knownRegions, "check that AWS has this region"),
	}
}

// knownClasses matches the current instance classes of RDS for PostgreSQL, by family and size.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Types.html
var knownClasses = lazyregexp.New(`^db\.(t(3|4g)\.(micro|small|medium|large|2?xlarge)|` +
	`([mr][5-8](g|gd|i|id|idn|in|d|b|n)?|c6gd|x1e?|x2(g|iezn|idn|iedn)|z1d)\.(medium|large|([1-9][0-9]?)?xlarge|metal))$`)

// KnownInstanceClass reports whether RDS has an instance class, as far as the families are known here.
func KnownInstanceClass(class string) bool { return knownClasses.MatchString(class) }

// exampleClasses are suggested for a mistyped class.
var exampleClasses = []string{
	"db.t3.micro", "db.t3.small", "db.t3.medium", "db.t3.large", "db.t4g.micro", "db.t4g.small", "db.t4g.medium", "db.t4g.large",
	"db.m6g.large", "db.m6g.xlarge", "db.m7g.large", "db.r6g.large", "db.r6g.xlarge", "db.r7g.large",
}

// classWarning warns of an instance class that is not known, such as a mistyped one.
func (e *Environment) classWarning() *Warning {
	class := e.Database.InstanceClass
	if class == "" || KnownInstanceClass(class) {
		return nil
	}
	return &Warning{
		Path: "database.instanceClass", Message: fmt.Sprintf("%q is not among the instance classes that are known here", class),
		Remedy: suggest.Hint(class, exampleClasses, "check that RDS has this class"),
	}
}
