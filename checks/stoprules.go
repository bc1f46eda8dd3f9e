package checks

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// A stopRule recognises one cause in the texts with which ECS explains why a task stopped or was not started.
type stopRule struct {
	kind StopKind
	// within are the parts of which one must occur; without any, the rule applies to all texts.
	within []string
	// without are the parts of which none may occur.
	without []string
	// phrases are what identifies the cause, in lower case. ECS truncates long texts, so that a text can end within one.
	phrases []string
	// permanent reports that another attempt cannot succeed until something is changed.
	permanent bool
	// anyImage reports that the cause lies outside the image, so that another image would fail in the same way.
	anyImage bool
	message  string
	hint     Hint
	// source is the page of AWS, or the code, that has the texts.
	source string
}

// The sources of the texts.
const (
	docStopped = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html"
	docPull    = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html"
	docInit    = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html"
	docEvents  = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"
	docTrust   = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"
	docSecret  = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"
	docEC2     = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
	agentASM   = "https://github.com/aws/amazon-ecs-agent/blob/master/agent/asm/asm.go"
	sourceX509 = "https://github.com/golang/go/blob/master/src/crypto/x509/verify.go"
	// sourceUnpack and sourceUser are containerd's code, which Fargate runs.
	sourceUnpack = "https://github.com/containerd/containerd/blob/main/pkg/rootfs/apply.go"
	sourceUser   = "https://github.com/containerd/containerd/blob/main/pkg/oci/spec_opts.go"
)

// The parts that a rule may require.
var (
	pulling = []string{
		"cannotpull", "pull image", "image pull", "can't pull the image", "cannot pull the image", "image manifest",
		"failed to fetch oauth token", "failed to fetch anonymous token",
	}
	// unpacking lists what the container runtime writes about a layer that it has downloaded: the registry was reached, and had it.
	unpacking = []string{
		"failed to extract layer", "failed to register layer", "failed to unpack image", "extraction snapshot",
		"error processing tar file", "layer verification failed", "failed size validation", "unexpected commit digest", "wrong diff id",
	}
	preparing = []string{"resourceinitializationerror", "unable to pull secrets", "unable to retrieve secret", "registry authentication"}
	// reading lists what ECS writes about the value of a secret, which it parses where the task definition refers to a key.
	reading    = []string{"secret from asm", "secrets from asm", "secrets manager", "asm fetching"}
	logging    = []string{"logger", "logging driver", "log group", "log stream", "cloudwatch", "createlogstream"}
	contacting = slices.Concat(pulling, preparing, []string{"the task cannot ", "the task can't "})
	// starting lists what the container runtime writes where it creates a container, whose timeouts are not the network's.
	starting = []string{
		"cannotstartcontainer", "cannotcreatecontainer", "containerruntime", "runtime task", "runtime create", "container process",
	}
	// attaching lists what ECS writes where EC2 rejects the network interface of a task.
	attaching = []string{"unexpected ec2 error", "create network interface"}
)

// unexpectedAnswer and its hint are of a registry that answers, but not as a registry does.
const unexpectedAnswer = "the registry does not answer as it should"

var unexpectedAnswerHint = Hint{
	Cause: "the registry reports an error of its own, or something else answers with a page instead of JSON: a proxy, or the " +
		"storage of the layers where a VPC endpoint's policy denies them",
	Solution: "nothing to do: ECS tries again; if it persists, see the health of ECR and what is between the private subnets and " +
		"the registry",
}

// stopRules lists the causes, the more specific first: of those that match, the first wins.
var stopRules = []stopRule{
	{
		kind: StopMissingSecret, source: agentASM, permanent: true, anyImage: true,
		phrases: []string{missingKeyPhrase},
		message: "the secret has no key %s",
		hint: Hint{
			Cause:    "the task definition refers to a key that the configuration secret does not have",
			Solution: "add the key to the secret, then deploy again",
			Command:  "secrets set",
		},
	},
	{
		kind: StopInvalidSecret, source: agentASM, permanent: true, anyImage: true,
		within:  reading,
		without: slices.Concat(pulling, []string{"serializationerror", "deserialization failed", "response body"}),
		phrases: []string{"invalid character", "end of json input", "json: cannot unmarshal", "unable to unmarshal secret value", "is not a json object"},
		message: "the secret is not valid JSON",
		hint: Hint{
			Cause: "ECS reads a key of the secret, and cannot parse the secret as a JSON object; a byte order mark at its " +
				"start is enough",
			Solution: "find the mistake and write the secret again, then deploy again",
			Command:  "secrets check",
		},
	},
	{
		kind: StopMissingSecret, source: docInit, permanent: true, anyImage: true,
		within: []string{"secret"},
		phrases: []string{
			"resourcenotfoundexception", "can't find the specified secret", "check that the secret arn is correct", "marked for deletion",
		},
		message: "the secret does not exist",
		hint: Hint{
			Cause:    "the task definition refers to a secret that was deleted or never created, or that has no value",
			Solution: "create the secret, then deploy again",
		},
	},
	{
		kind: StopImagePull, source: docPull, anyImage: true,
		within:  pulling,
		phrases: throttled,
		message: "the registry limits the pulls of the image",
		hint: Hint{
			Cause: "the registry throttles: Docker Hub limits pulls without a login by the hour, ECR Public by the second, " +
				"ECR by the account's quotas for API requests",
			Solution: "nothing to do: ECS tries again; if it persists, pull the image from the account's own registry, or " +
				"request a higher quota",
		},
	},
	{
		kind: StopThrottled, source: docEvents, anyImage: true,
		phrases: append([]string{"operations are being throttled"}, throttled...),
		message: "AWS throttles the calls that start the task",
		hint: Hint{
			Cause:    "too many tasks start at once, or others use up the account's quota of requests",
			Solution: "nothing to do: ECS tries again",
		},
	},
	{
		kind: StopDisk, source: docPull, permanent: true,
		phrases: []string{"no space left on device"},
		message: "the task's ephemeral storage is full",
		hint: Hint{
			Cause:    "the image, unpacked, does not fit into the ephemeral storage of the task, 20 GiB on Fargate",
			Solution: "make the image smaller, then deploy it",
		},
	},
	{
		kind: StopPlatform, source: docPull, permanent: true,
		phrases: []string{
			"does not contain descriptor matching platform", "no matching manifest for", "no match for platform",
			"cannot be used on this platform", "does not match the specified platform", "exec format error",
		},
		message: "the image is not built for the platform of the tasks",
		hint: Hint{
			Cause:    "the image was built for another CPU architecture, such as arm64 on a Mac, or another operating system",
			Solution: "build it with `docker buildx build --platform " + platformPlaceholder + "`, push it, and deploy it",
		},
	},
	{
		kind: StopImagePull, source: sourceUnpack, permanent: true,
		within:  pulling,
		phrases: []string{"unsupported media type"},
		message: "the image has a format that ECS does not run",
		hint: Hint{
			Cause:    "what the tag or digest names is no image, often the attestation that buildx adds to one",
			Solution: "build with `docker buildx build --provenance=false --platform " + platformPlaceholder + "`, push it, and deploy it",
		},
	},
	{
		kind: StopCertificate, source: sourceX509, permanent: true, anyImage: true,
		within:  contacting,
		phrases: []string{"x509: ", "signed by unknown authority", "certificate has expired"},
		message: "the certificate of the registry, or of AWS's endpoint, is not trusted",
		hint: Hint{
			Cause: "the certificate has expired or is of a private authority, or a proxy or firewall between the subnet and it " +
				"answers with its own",
			Solution: "let the private subnets reach AWS and the registry without interception, or correct the registry's certificate",
		},
	},
	{
		kind: StopNoRoute, source: docInit, anyImage: true,
		within:  contacting,
		without: slices.Concat(starting, unpacking),
		phrases: unreachable,
		message: "the task cannot reach AWS from its subnet",
		hint: Hint{
			Cause: "the private subnet has no route to a NAT gateway or instance, or the security group blocks outgoing connections; " +
				"once is a passing failure",
			Solution: "check the NAT gateways or the NAT instance, the route tables and the service's security group",
		},
	},
	{
		kind: StopImagePull, source: docPull, anyImage: true,
		within:  pulling,
		phrases: []string{"unexpected media type text/"},
		message: unexpectedAnswer,
		hint:    unexpectedAnswerHint,
	},
	{
		kind: StopImagePull, source: docPull, anyImage: true,
		within:  pulling,
		without: unpacking,
		phrases: slices.Concat(serverErrors, []string{
			"unexpected eof", "invalid character", "end of json input", "json: cannot unmarshal", "error parsing http",
		}),
		message: unexpectedAnswer,
		hint:    unexpectedAnswerHint,
	},
	{
		kind: StopInitialization, source: docSecret, anyImage: true,
		within:  preparing,
		without: starting,
		phrases: serverErrors,
		message: "an AWS service that prepares the task reports an error of its own",
		hint: Hint{
			Cause:    "Secrets Manager, ECR or CloudWatch Logs has a failure",
			Solution: "nothing to do: ECS tries again; see AWS's health dashboard if it persists",
		},
	},
	{
		kind: StopImagePull, source: docPull, permanent: true,
		within:  pulling,
		without: unpacking,
		phrases: slices.Concat(denied, []string{
			"pull access denied", "access to the resource is denied", "authentication required", "check that the role has the permissions",
		}),
		message: "the image cannot be pulled, the registry refuses it",
		hint: Hint{
			Cause:    "the execution role, or the registry's policy, does not allow the pull",
			Solution: "compare the execution role's policies and the repository's with the infra program's",
		},
	},
	{
		kind: StopAccessDenied, source: docSecret, permanent: true, anyImage: true,
		within: preparing,
		phrases: []string{
			"decryptionfailure", "can't decrypt", "access to kms is not allowed", "kms.disabledexception", "kmsinvalidstate",
			"kms.notfoundexception", "customer master key", "kms:decrypt",
		},
		message: "the KMS key of the secret cannot be used",
		hint: Hint{
			Cause:    "the key is disabled or scheduled for deletion, or does not allow the execution role to decrypt",
			Solution: "enable the key, or allow the execution role kms:Decrypt in the key's policy, then deploy again",
		},
	},
	{
		kind: StopAccessDenied, source: docInit, permanent: true, anyImage: true,
		within:  logging,
		phrases: denied,
		message: "the execution role may not write logs",
		hint: Hint{
			Cause:    "the execution role lacks logs:CreateLogStream or logs:PutLogEvents for the service's log group",
			Solution: "compare the execution role's policies with the infra program's",
		},
	},
	{
		kind: StopAccessDenied, source: docInit, permanent: true, anyImage: true,
		within:  preparing,
		without: attaching,
		phrases: append([]string{"check that the role has the permissions"}, denied...),
		message: "the execution role may not fetch what the task needs",
		hint: Hint{
			Cause:    "the execution role lacks a permission for the image, the secret or its key",
			Solution: "compare the execution role's policies with the infra program's",
		},
	},
	{
		kind: StopRole, source: docTrust, anyImage: true,
		phrases: []string{"unable to assume the role", "unable to assume the service linked role"},
		message: "ECS cannot assume a role of the task",
		hint: Hint{
			Cause: "the role was created a moment ago, or its trust policy does not name ecs-tasks.amazonaws.com",
			Solution: "wait a minute after a first deployment; if it persists, restore the trust policy of the task role " +
				"and the execution role",
			Command: "status",
		},
	},
	{
		kind: StopImagePull, source: docPull, permanent: true,
		within:  pulling,
		without: unpacking,
		phrases: []string{
			"not found", "does not exist", "manifest unknown", "name unknown", "no such image", "imagenotfound",
			"check whether the image exists",
		},
		message: "the image cannot be pulled",
		hint: Hint{
			Cause:    "the image or its digest is not in the registry",
			Solution: "push the image, or deploy one that the registry has",
			Command:  "images",
		},
	},
	{
		kind: StopLogGroup, source: docInit, permanent: true, anyImage: true,
		within:  logging,
		phrases: []string{"does not exist", "resourcenotfound", "not found"},
		message: "the log group does not exist",
		hint: Hint{
			Cause:    "the log group was deleted",
			Solution: "run a full deployment, which recreates it",
		},
	},
	{
		kind: StopOutOfMemory, source: docStopped,
		phrases: []string{"outofmemory", "out of memory", "memory usage", "oom-killed", "oomkilled", "cannot allocate memory"},
		message: "the container ran out of memory",
		hint: Hint{
			Cause:    "the application uses more memory than its task has",
			Solution: "give the service more memory in the environment's file, or find the leak",
		},
	},
	{
		kind: StopQuota, source: docEvents, anyImage: true,
		phrases: []string{"limit on the number of", "is above your limit", "reached the limit"},
		message: "a quota of Fargate is exhausted",
		hint: Hint{
			Cause:    "the account runs as many vCPUs or tasks as its quota allows",
			Solution: "stop what is not needed, or request a higher quota of Fargate vCPUs in Service Quotas",
		},
	},
	{
		kind: StopQuota, source: docEvents, anyImage: true,
		phrases: []string{
			"account is currently blocked", "account is currently being verified", "account has been blocked", "pendingverification",
		},
		message: "AWS does not let the account run tasks",
		hint: Hint{
			Cause:    "AWS verifies a new account, or has blocked it",
			Solution: "wait some hours where AWS verifies the account; otherwise ask AWS Support",
		},
	},
	{
		kind: StopNoAddress, source: docStopped, anyImage: true,
		phrases: []string{
			"insufficientfreeaddresses", "networkinterfacelimitexceeded", "resource:eni", "no free address",
			"no free private", "no free ip", "not have enough free", "not have enough ip", "not have enough addresses",
		},
		message: "the subnet has no free address",
		hint: Hint{
			Cause: "the private subnets have no address left, or the account no network interface",
			Solution: "stop what is not needed there, request a higher quota of network interfaces, or give the VPC larger " +
				"subnets",
		},
	},
	{
		kind: StopNetwork, source: docEC2, permanent: true, anyImage: true,
		within:  attaching,
		phrases: []string{"invalidsubnetid.notfound", "invalidsecuritygroupid.notfound", "invalidgroup.notfound"},
		message: "the service's subnet or security group does not exist",
		hint: Hint{
			Cause:    "it was deleted outside the deployer",
			Solution: "run a full deployment with --refresh, which recreates it",
		},
	},
	{
		kind: StopAccessDenied, source: docEC2, permanent: true, anyImage: true,
		within:  attaching,
		phrases: append([]string{"unauthorizedoperation", "authfailure"}, denied...),
		message: "ECS may not create the task's network interface",
		hint: Hint{
			Cause:    "a policy of the organization denies it, or the role AWSServiceRoleForECS is not what AWS created",
			Solution: "allow ec2:CreateNetworkInterface to that role in the organization's policies, then deploy again",
		},
	},
	{
		kind: StopCapacity, source: docEvents, anyImage: true,
		phrases: []string{
			"capacity is unavailable", "no capacity", "insufficient capacity", "resource:cpu", "resource:memory",
			"resource:fargate", "empty capacity provider",
		},
		message: "Fargate has no capacity",
		hint: Hint{
			Cause:    "AWS currently has no capacity in these zones",
			Solution: "try again later; a service on Fargate Spot starts sooner on demand, without services.<role>.spot in the environment's file",
		},
	},
	{
		kind: StopHealthCheck, source: docEvents,
		phrases: []string{"failed elb health checks", "is unhealthy in (target-group"},
		message: "the task failed the load balancer's health check",
		hint: Hint{
			Cause:    "the application does not respond to /health with 200 in time: it is still starting, or failing",
			Solution: "check its logs; the targets' reasons have the balancer's response",
			Command:  "logs",
		},
	},
	{
		kind: StopHealthCheck, source: docEvents,
		phrases: []string{"failed container health checks", "health check failed", "health checks failed"},
		message: "the task failed its container's health check",
		hint: Hint{
			Cause:    "the health check's command in the container fails",
			Solution: "check its logs, and whether the image has what the command needs",
			Command:  "logs",
		},
	},
	{
		kind: StopTargets, source: docEvents, anyImage: true,
		phrases: []string{"register targets in", "register 1 targets", "deregister targets"},
		message: "ECS cannot register the task at the load balancer",
		hint: Hint{
			Cause:    "the target group was deleted, or Elastic Load Balancing throttles",
			Solution: "check the target group; a full deployment recreates it",
			Command:  "status",
		},
	},
	{
		kind: StopCommand, source: sourceUser, permanent: true,
		within: starting,
		phrases: []string{
			"unable to find user", "unable to find group", "no matching entries in passwd", "etc/passwd: no such file",
			"etc/group: no such file",
		},
		message: "the image has no such user",
		hint: Hint{
			Cause:    "the image's USER is a name, and the image has no entry for it in /etc/passwd or /etc/group",
			Solution: "create the user in the image, or set USER to a number",
		},
	},
	{
		kind: StopCommand, source: docStopped, permanent: true,
		within:  starting,
		without: []string{"error mounting", "mounting \""},
		phrases: []string{"executable file not found", "no such file or directory", "permission denied"},
		message: "the container's command cannot be started",
		hint: Hint{
			Cause:    "the image has no such command, or may not execute it",
			Solution: "correct the service's command in the environment's file, or the image",
		},
	},
	{
		kind: StopInterrupted, source: docStopped, anyImage: true,
		phrases: []string{"spot task was interrupted", "spotinterruption"},
		message: "AWS took back the Spot capacity of the task",
		hint: Hint{
			Cause:    "Fargate Spot can interrupt a task at any time, with two minutes' notice",
			Solution: "nothing to do: ECS starts another task when there is capacity",
		},
	},
	{
		kind: StopInfrastructure, source: docStopped, anyImage: true,
		phrases: []string{
			"maintenance", "underlying infrastructure", "host ec2", "internalerror", "internal error",
			"cannotinspectcontainer", "cannotstopcontainer", "deregistration forced",
		},
		message: "AWS took the task's machine out of service",
		hint: Hint{
			Cause:    "maintenance or a failure of the machine",
			Solution: "nothing to do: ECS starts another task",
		},
	},
	{
		kind: StopExpected, source: docStopped,
		phrases: []string{"scaling activity initiated", "task stopped by", "stopped by user", "stopped by"},
		message: "stopped on purpose",
	},
}

// generalStopRules lists rules that are tried where no other matches: they recognise what ECS was about to do, not what failed.
var generalStopRules = []stopRule{
	{
		kind: StopImagePull, source: sourceUnpack,
		within:  pulling,
		phrases: unpacking,
		message: "a layer of the image cannot be unpacked",
		hint: Hint{
			Cause:    "the layer was damaged on its way or in the registry, or the machine failed to store it",
			Solution: "nothing to do: ECS tries again; if it persists, build and push the image again, then deploy it",
		},
	},
	{
		kind: StopImagePull, source: docPull,
		phrases: pulling,
		message: "the image cannot be pulled",
		hint: Hint{
			Cause:    "ECS's reason does not name the cause: the image may be missing, or the registry out of reach",
			Solution: "check that the registry has the image, and the route from the private subnets to it",
			Command:  "images",
		},
	},
	{
		kind: StopInitialization, source: docStopped, anyImage: true,
		phrases: []string{"ephemeralstorage provisioning"},
		message: "the task's ephemeral storage was not ready in time",
		hint: Hint{
			Cause:    "AWS was slow to prepare it",
			Solution: "nothing to do: ECS tries again",
		},
	},
	{
		kind: StopNetwork, source: docStopped, anyImage: true,
		phrases: attaching,
		message: "ECS cannot create the task's network interface",
		hint: Hint{
			Cause:    "EC2 rejects it; ECS's reason has EC2's error, unless it is truncated",
			Solution: "nothing to do if EC2's error is temporary: ECS tries again; otherwise correct what it names",
		},
	},
	{
		kind: StopNetwork, source: docStopped, anyImage: true,
		phrases: []string{"network interface", "netplugin failed", "failed to configure eni"},
		message: "the task's network interface was not ready in time",
		hint: Hint{
			Cause:    "AWS was slow to attach it",
			Solution: "nothing to do: ECS tries again",
		},
	},
	{
		kind: StopInitialization, source: docInit, anyImage: true,
		phrases: []string{"failed to initialize logging driver", "failed to validate logger args"},
		message: "the logs of the container cannot be set up",
		hint: Hint{
			Cause:    "ECS's reason does not name the cause, or is truncated",
			Solution: "check the log group, the execution role's permission to write to it, and the route to CloudWatch Logs",
		},
	},
	{
		kind: StopCommand, source: docStopped,
		phrases: []string{
			"cannotstartcontainer", "cannotcreatecontainer", "failed to create container", "failed to create new container",
			"containerruntime", "dockertimeout",
		},
		message: "the container cannot be started",
		hint: Hint{
			Cause:    "the container runtime could not start it; too little memory is one reason",
			Solution: "compare the service's command and memory in the environment's file with what the image needs",
		},
	},
	{
		kind: StopInitialization, source: docInit, anyImage: true,
		phrases: append([]string{"cannotcreatevolume"}, preparing...),
		message: "ECS could not prepare the task",
		hint: Hint{
			Cause: "secrets, the registry's login, logs or the network could not be set up; ECS's reason does not name the " +
				"cause, or is truncated",
			Solution: "check the secret, and the route from the private subnets to AWS",
			Command:  "secrets check",
		},
	},
}

// What registries, Secrets Manager and the SDK write where they throttle, deny, or cannot be reached.
var (
	throttled = []string{
		"throttlingexception", "throttled", "rate exceeded", "toomanyrequests", "too many requests", "requestlimitexceeded",
		"pull rate limit", "rate limit",
	}
	denied = []string{
		"accessdenied", "access denied", "not authorized", "403 forbidden", "401 unauthorized", "no basic auth credentials",
		"insufficient_scope",
	}
	unreachable = []string{
		"i/o timeout", "deadline exceeded", "context deadline exceeded", "connection timed out", "connection refused",
		"connection reset", "no such host", "request canceled", "requestcanceled", "request context canceled",
		"context canceled", "send request failed", "to do request", "net/http", "tls handshake timeout",
		"network is unreachable", "client.timeout exceeded", "signal: killed", "a connection issue between",
		"no route to host", "server misbehaving", "temporary failure in name resolution", "broken pipe", ": eof",
		"could not reach any registry endpoint", "check your network configuration", "use of closed network connection",
	}
	serverErrors = []string{
		"500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway time", "serverexception",
		"internalserviceerror", "internalservererror", "internalfailure", "serviceunavailable", "status code: 500", "status code: 503",
		"statuscode: 500", "statuscode: 503",
	}
)

// missingKeyPhrase precedes the name of the key that a secret does not have.
const missingKeyPhrase = "did not contain json key"

// keyPattern matches the name of the key.
var keyPattern = lazyregexp.New(`(?i)` + missingKeyPhrase + ` ["']?([A-Za-z0-9_.-]+)`)

// minTruncated sets the least number of characters of a phrase that must be left where a text ends within it.
const minTruncated = 10

// matchStop returns the first rule that matches one of the texts. A text that ends within a phrase is considered where no rule
// matches in full, and general rules last.
func matchStop(texts []string) (stopRule, bool) {
	lower := make([]string, len(texts))
	for i, text := range texts {
		lower[i] = strings.TrimRight(strings.ToLower(text), ".… \n")
	}
	for _, pass := range []struct {
		rules    []stopRule
		contains func(text, phrase string) bool
	}{{stopRules, strings.Contains}, {stopRules, endsWithin}, {generalStopRules, strings.Contains}} {
		for _, rule := range pass.rules {
			if slices.ContainsFunc(lower, func(text string) bool { return rule.matches(text, pass.contains) }) {
				return rule, true
			}
		}
	}
	return stopRule{}, false
}

func (r stopRule) matches(text string, contains func(text, phrase string) bool) bool {
	occurs := func(part string) bool { return strings.Contains(text, part) }
	return (len(r.within) == 0 || slices.ContainsFunc(r.within, occurs)) && !slices.ContainsFunc(r.without, occurs) &&
		slices.ContainsFunc(r.phrases, func(phrase string) bool { return contains(text, phrase) })
}

// endsWithin reports whether the text ends with the beginning of the phrase, from the beginning of a word on.
func endsWithin(text, phrase string) bool {
	for n := len(phrase) - 1; n >= minTruncated; n-- {
		if before, found := strings.CutSuffix(text, phrase[:n]); found {
			return before == "" || !unicode.IsLetter(rune(before[len(before)-1]))
		}
	}
	return false
}

// apply returns the stop with the rule's cause. texts are those that the rule matched.
func (r stopRule) apply(stop Stop, texts []string) Stop {
	stop.Kind, stop.Permanent, stop.AnyImage, stop.Message, stop.Hint = r.kind, r.permanent, r.anyImage, r.message, r.hint
	if !strings.Contains(r.message, "%s") {
		return stop
	}
	if match := keyPattern.FindStringSubmatch(strings.Join(texts, "\n")); match != nil {
		stop.Key = strings.Trim(match[1], ".")
	}
	if stop.Key == "" {
		stop.Message, stop.Hint.Command = "the secret lacks a key, which ECS's truncated reason does not name", "secrets check"
		return stop
	}
	stop.Message = fmt.Sprintf(r.message, stop.Key)
	return stop
}
