package risk

import (
	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// Types that more than one rule names.
const (
	database         = "aws:rds/instance:Instance"
	ecsService       = "aws:ecs/service:Service"
	loadBalancer     = "aws:lb/loadBalancer:LoadBalancer"
	logGroup         = "aws:cloudwatch/logGroup:LogGroup"
	queue            = "aws:sqs/queue:Queue"
	record           = "aws:route53/record:Record"
	repository       = "aws:ecr/repository:Repository"
	role             = "aws:iam/role:Role"
	taskDefinition   = "aws:ecs/taskDefinition:TaskDefinition"
	webACL           = "aws:wafv2/webAcl:WebAcl"
	publicAccess     = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	identity         = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
	encryptionKey    = "aws:kms/key:Key"
	securityGroup    = "aws:ec2/securityGroup:SecurityGroup"
	httpListener     = "aws:lb/listener:Listener"
	bucketV2         = "aws:s3/bucketV2:BucketV2"
	bucket           = "aws:s3/bucket:Bucket"
	scalableTarget   = "aws:appautoscaling/target:Target"
	metricAlarm      = "aws:cloudwatch/metricAlarm:MetricAlarm"
	endpointOfTopic  = "aws:sns/topicSubscription:TopicSubscription"
	targetGroup      = "aws:lb/targetGroup:TargetGroup"
	natGateway       = "aws:ec2/natGateway:NatGateway"
	route            = "aws:ec2/route:Route"
	scalingGroup     = "aws:autoscaling/group:Group"
	networkInterface = "aws:ec2/networkInterface:NetworkInterface"
	publicAddress    = "aws:ec2/eip:Eip"
	budget           = "aws:budgets/budget:Budget"
	scalingPolicy    = "aws:appautoscaling/policy:Policy"
	subnetGroup      = "aws:rds/subnetGroup:SubnetGroup"
)

// lost describes what is lost with a resource that is deleted or replaced.
var lost = map[string]string{
	database:                           "the database and its data",
	queue:                              "the queue and its messages",
	bucketV2:                           "the bucket and its objects",
	bucket:                             "the bucket and its objects",
	repository:                         "the repository and its images",
	logGroup:                           "the log group and its logs",
	encryptionKey:                      "the key, and with it everything that it encrypted",
	"aws:secretsmanager/secret:Secret": "the secret and its values",
	"aws:secretsmanager/secretVersion:SecretVersion": "the secret's value",
	"aws:ssm/parameter:Parameter":                    "the parameter and its value",
	"aws:rds/snapshot:Snapshot":                      "the snapshot and its data",
	"aws:efs/fileSystem:FileSystem":                  "the file system and its files",
	"aws:dynamodb/table:Table":                       "the table and its items",
	"aws:route53/zone:Zone":                          "the hosted zone, and with it the name servers that the registrar has",
	loadBalancer:                                     "the load balancer and its address",
	httpListener:                                     "the listener, without which nothing answers at its port",
	"aws:ecs/cluster:Cluster":                        "the cluster and the services in it",
	"aws:ec2/vpc:Vpc":                                "the network and everything in it",
	targetGroup:                                      "the target group, to which the load balancer sends requests",
	scalingGroup:                                     "the Auto Scaling group and its NAT instance, through which private subnets reach the internet",
	networkInterface:                                 "the network interface, to which routes of private subnets lead",
	natGateway:                                       "the NAT gateway, through which private subnets reach the internet",
	publicAddress:                                    "the public address, which cannot be had again",
	"aws:ec2/internetGateway:InternetGateway":        "the internet gateway, and with it every connection of the network",
	identity:                                         "GitHub's access to the account",
	role:                                             "the role, and the access of those who assume it",
}

// losses returns what a step deletes that cannot be had again, or without which the application or the account is not accessible.
func losses(s engine.Step) []reason {
	if !s.Deletes && !s.Replaces {
		return nil
	}
	if what := lost[s.Type]; what != "" {
		return []reason{{Lost, "deletes " + what}}
	}
	switch {
	case s.Type == ecsService && s.Replaces:
		// Its name is fixed, and taken until the old one is deleted.
		return []reason{{Lost, "replaces the service, and deletes the old one first: nothing serves meanwhile"}}
	case s.Type == ecsService:
		return []reason{{Lost, "deletes the service: its tasks stop"}}
	case s.Type == route && (s.Before["destinationCidrBlock"] == "0.0.0.0/0" || s.Before["destinationIpv6CidrBlock"] == "::/0"):
		return []reason{{Lost, "deletes the route to the internet, which its subnets no longer reach"}}
	case s.Type == record:
		return lostRecord(s)
	}
	return nil
}

// exposures returns what becomes public. What was read once cannot be taken back.
func exposures(s engine.Step) []reason {
	switch {
	case s.Type == publicAccess && s.Deletes && !s.Replaces:
		return []reason{{Lost, "no longer blocks public access to the bucket"}}
	case s.Type == publicAccess && s.Before != nil && s.After != nil:
		for _, property := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if isTrue(s.Before[property]) && !isTrue(s.After[property]) {
				return []reason{{Lost, "no longer blocks public access to the bucket"}}
			}
		}
	case s.Type == database && isTrue(s.After["publiclyAccessible"]) && !isTrue(s.Before["publiclyAccessible"]):
		return []reason{{Lost, "gives the database a public address"}}
	}
	return nil
}
