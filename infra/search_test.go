package infra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// The test below searches for a way from the other environments to production. An attacker has GitHub's roles for the
// other environments and for reading, and any branch that is not an environment's. He creates roles, gives them any
// policy and any trust within the boundary, passes them to tasks, and acts as them. What he does is an attempt: a
// request, and the harm that it does where IAM allows it. Names are generated from the patterns of the policies
// themselves.

// attempt is a request with what it does to production.
type attempt struct {
	request
	harm string
}

// examined is a policy with its decisions. Removing or replacing one statement keeps the decisions of the others.
type examined struct {
	name string
	policy
	matching map[*attempt]uint64
	decided  *int
}

// mutation replaces one statement of a policy; a nil statement removes it.
type mutation struct {
	policy string
	index  int
	with   *statement
	what   string
}

// allows decides an attempt with the mutation.
func (e *examined) allows(t *testing.T, a *attempt, m mutation) bool {
	t.Helper()
	bits, known := e.matching[a]
	if !known {
		*e.decided++
		for i, s := range e.Statement {
			if s.about(t, a.request) {
				bits |= 1 << i
			}
		}
		e.matching[a] = bits
	}
	if m.policy == e.name {
		bits &^= 1 << m.index
		if m.with != nil && m.with.about(t, a.request) {
			bits |= 1 << m.index
		}
	}
	allowed := false
	for i, s := range e.Statement {
		if bits&(1<<i) != 0 {
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// labyrinth is the account as the attacker sees it.
type labyrinth struct {
	deploy, read, boundary *examined
	trusts                 map[string]policy
	// onAny are attempts of any principal, asRole of a role that the attacker created, by its ARN.
	onAny []*attempt
	// shared are those that are shared by nature.
	shared []*attempt
	asRole map[string][]*attempt
	// takeOver are the requests by which the attacker becomes a role, by its ARN: it is created, or gets another trust.
	takeOver map[string][]*attempt
	jobs     []claims
	decided  int
}

// search returns the first way to production, or nil: first with GitHub's roles, then with the roles that each role can take over.
func (l *labyrinth) search(t *testing.T, m mutation) []string {
	t.Helper()
	for _, job := range l.jobs {
		for role, trust := range l.trusts {
			if m.policy == role {
				trust.Statement = slices.Clone(trust.Statement)
				if m.with != nil {
					trust.Statement[m.index] = *m.with
				} else {
					trust.Statement = slices.Delete(trust.Statement, m.index, m.index+1)
				}
			}
			if trust.trusts(t, job) {
				return []string{fmt.Sprintf("the job %v", job), "assumes " + role}
			}
		}
	}
	queue, seen := []principal{{policy: l.read}, {policy: l.deploy}}, map[string]bool{}
	for ; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		attempts := l.onAny
		if p.role != "" {
			attempts = l.asRole[p.role]
		}
		for _, a := range attempts {
			if p.policy.allows(t, a, m) {
				return []string{p.policy.name + " " + p.role, a.harm, a.action + " on " + a.resource, fmt.Sprint(a.context)}
			}
		}
		for _, arn := range slices.Sorted(maps.Keys(l.takeOver)) {
			for _, a := range l.takeOver[arn] {
				switch {
				case !p.policy.allows(t, a, m):
				case a.harm != "":
					return []string{p.policy.name + " " + p.role, a.harm, arn}
				case !seen[arn]:
					seen[arn] = true
					queue = append(queue, principal{l.boundary, arn})
				}
			}
		}
	}
	return nil
}

// principal is a role as which the attacker acts.
type principal struct {
	policy *examined
	// role is the ARN of a role within the boundary, whose own policies the attacker writes; "" is one of GitHub's.
	role string
}

// patternsIn returns the resources and the values of conditions of policies, which names are generated from.
func patternsIn(policies ...policy) []string {
	found := map[string]bool{}
	for _, p := range policies {
		for _, s := range p.Statement {
			for _, pattern := range s.Resource {
				found[pattern] = true
			}
			for _, keys := range s.Condition {
				for _, accepted := range keys {
					for _, pattern := range accepted {
						found[pattern] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// namesFor returns texts that a pattern matches, and that nearly match it: for each * several texts, with a prefix, a
// suffix or other letters.
func namesFor(pattern string) []string {
	names := []string{""}
	for i, part := range strings.Split(pattern, "*") {
		var longer []string
		for _, name := range names {
			if i == 0 {
				longer = append(longer, part)
				continue
			}
			for _, fill := range []string{"", "x", "staging", "production", "production-x", "x-production", "Production",
				"x/production"} {
				longer = append(longer, name+fill+part)
			}
		}
		names = longer
		if len(names) > 4096 {
			names = names[:4096]
		}
	}
	if !strings.Contains(pattern, "*") {
		names = append(names, pattern+"x", pattern+"-x", strings.ReplaceAll(pattern, production, "Production"),
			strings.ReplaceAll(pattern, production, production+"-eu"), strings.ReplaceAll(pattern, production+"-",
				production+"-x-"))
	}
	return names
}

// isProductions reports whether the convention of names gives an ARN to production.
func isProductions(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return false
	}
	name := parts[5]
	if file, isState := strings.CutPrefix(arn, stateFiles); isState {
		return strings.Contains(file, "/production/") || strings.Contains(file, "/production.")
	}
	if parts[2] == "s3" {
		return strings.HasPrefix(name, "v3-backend-production-logs-")
	}
	if kind, name, _ := strings.Cut(name, "/"); kind == "dashboard" || kind == "sampling-rule" {
		return name == "v3-backend-production"
	}
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return r == ':' || r == '/' }),
		func(part string) bool {
			return part == "v3-backend-production" || strings.HasPrefix(part, "v3-backend-production-") ||
				strings.HasPrefix(part, "balancer-production-config-")
		})
}

const (
	hasTag     = "aws:ResourceTag/Environment"
	getsTag    = "aws:RequestTag/Environment"
	stateFiles = "arn:aws:s3:::v3-backend-pulumi-state-123456789012/"
)

// sharedByNature returns what IAM cannot distinguish, or what does no harm, as patterns of an action and a resource
// with the reason. docs/security.md lists the former.
func sharedByNature() map[string]string {
	return map[string]string{
		"route53:*HealthCheck on *":                            "no names, no tags",
		"route53:ChangeTagsForResource on arn:aws:route53:::*": "no names, no tags",
		"ecs:*egisterTaskDefinition on *":                      "no names; the deployer runs the revision that it registered",
		"sns:Unsubscribe on *":                                 "no resource type",
		"logs:*LogDelivery on *":                               "no resource type",
		"logs:PutResourcePolicy on *":                          "no resource type",
		"states:ValidateStateMachineDefinition on *":           "changes nothing",
		"kms:DescribeKey on *":                                 "reads",
		"*:Describe* on *":                                     "reads",
		"route53:Get* on *":                                    "reads",
		"s3:List* on *":                                        "reads",
		"sns:GetSubscriptionAttributes on *":                   "reads",
		"xray:PutT* on *":                                      "traces have no names",
	}
}

// isShared reports whether a request is shared by nature.
func isShared(r request) bool {
	for pattern := range sharedByNature() {
		if like(pattern, r.action+" on "+r.resource) {
			return true
		}
	}
	return false
}

// newLabyrinth generates the attempts from the policies.
func newLabyrinth(t *testing.T) *labyrinth {
	t.Helper()
	_, all := sharedStack(t)
	l := &labyrinth{asRole: map[string][]*attempt{}, takeOver: map[string][]*attempt{}}
	examine := func(name string, p policy) *examined {
		require.Less(t, len(p.Statement), 64)
		return &examined{name: name, policy: p, matching: map[*attempt]uint64{}, decided: &l.decided}
	}
	l.deploy, l.read = examine(deployRole, githubPermissions(t, all, deployRole)), examine(readRole, githubPermissions(t, all,
		readRole))
	l.boundary = examine("boundary", bounded(t))
	l.trusts = map[string]policy{}
	for _, role := range []string{deployRole, productionRole, readRole} {
		l.trusts[role+" (trust)"] = trustOf(t, all, role)
	}
	l.jobs = foreignJobs()
	for _, a := range append(harms(t, all), generatedHarms(l.deploy.policy, l.read.policy, l.boundary.policy)...) {
		if isShared(a.request) {
			l.shared = append(l.shared, a)
		} else {
			l.onAny = append(l.onAny, a)
		}
	}
	var bounded []*attempt // that the boundary does not exclude for every role
	for _, a := range l.onAny {
		if slices.ContainsFunc(l.boundary.Statement, func(s statement) bool {
			return s.Effect == "Allow" && s.about(t,
				a.request)
		}) {
			bounded = append(bounded, a)
		}
	}
	for _, arn := range roleNames(l.deploy.policy, l.boundary.policy) {
		for _, boundary := range []values{{boundaryARN}, nil, {"arn:aws:iam::aws:policy/AdministratorAccess"},
			{boundaryARN + "x"}} {
			for _, action := range []string{"iam:CreateRole", "iam:UpdateAssumeRolePolicy"} {
				become := &attempt{request: of(action, arn)}
				if boundary != nil {
					become.request = become.with("iam:PermissionsBoundary", boundary...)
				}
				if !slices.Equal(boundary, values{boundaryARN}) {
					become.harm = "becomes a role without the boundary"
				}
				l.takeOver[arn] = append(l.takeOver[arn], become)
			}
		}
		for _, a := range bounded {
			l.asRole[arn] = append(l.asRole[arn], &attempt{a.with("aws:PrincipalArn", arn), a.harm})
		}
		// A new target has no tag. The deploy role registers such targets itself: docs/security.md.
		l.asRole[arn] = append(l.asRole[arn], &attempt{
			of("application-autoscaling:RegisterScalableTarget", "arn:aws:application-autoscaling:"+inRegion+"scalable-target/new").
				with("aws:PrincipalArn", arn), "scales a service of production's that has no scaling"})
	}
	return l
}

// roleNames returns ARNs of roles that the attacker may want to create, or takes over from another environment.
func roleNames(policies ...policy) []string {
	names := map[string]bool{}
	for _, own := range []string{"task-role", "execution-role", "rotation-role", "rotation-rule-role", "flow-logs-role"} {
		names["arn:aws:iam::123456789012:role/v3-backend-staging-"+own] = true
	}
	for _, pattern := range patternsIn(policies...) {
		if strings.Contains(pattern, ":role/") && !strings.Contains(pattern, "aws-service-role") {
			for _, name := range namesFor(pattern) {
				names[name] = true
			}
		}
	}
	maps.DeleteFunc(names, func(arn string, _ bool) bool { return slices.Contains(existingRoles(), arn) })
	return slices.Sorted(maps.Keys(names))
}

// existingRoles returns the roles that cannot be created again: production's and GitHub's.
func existingRoles() []string {
	roles := scope{shared: shared{Shared: &environment.Shared{Prefix: "v3-backend", Account: "123456789012"}},
		name: production}.roleARNs()
	for _, name := range []string{environment.DeployRole, environment.ProductionDeployRole, environment.ReadRole, "admin"} {
		roles = append(roles, "arn:aws:iam::123456789012:role/"+name)
	}
	return roles
}

// foreignJobs returns tokens of jobs that no deployment role may trust, and that the read role trusts only for pull requests.
func foreignJobs() []claims {
	var jobs []claims
	refs := []string{"refs/heads/feature", "refs/tags/main", "refs/heads/Main", "refs/heads/mainx",
		"refs/heads/x/refs/heads/main", "refs/heads/production",
		"refs/heads/refs/pull/1/merge", "refs/heads/*", ""}
	environments := []string{"development", "staging", production, "Production", "other", ""}
	for _, repository := range []string{"balancer/v3-backend", "balancer/v3-backend-infra"} {
		for _, name := range environments {
			for _, ref := range refs {
				jobs = append(jobs, jobOf(repository, name, ref))
			}
		}
		for name, ref := range map[string]string{"other": "refs/heads/feature", production: "refs/heads/maintenance"} {
			jobs = append(jobs, jobOf(repository, name, ref))
		}
	}
	for name, ref := range map[string]string{"staging": "refs/heads/staging", production: "refs/heads/main",
		"": "refs/pull/1/merge"} {
		for _, repository := range []string{"balancer/v3-backend-x", "someone/v3-backend", "x/balancer/v3-backend",
			"balancer/v3"} {
			jobs = append(jobs, jobOf(repository, name, ref))
		}
		job := jobOf("balancer/v3-backend", name, ref)
		job["aud"] = "https://github.com/balancer"
		jobs = append(jobs, job)
	}
	// A listed branch with an environment that is not listed gets no role that deploys; the read role is its own branch's.

	// Whatever a foreign job calls, its own claims exclude it.
	for _, job := range slices.Clone(jobs) {
		jobs = append(jobs, job.calling("refs/heads/main"))
	}
	// A job of the right branch is foreign where GitHub read the workflow that it calls from a tag.
	for _, c := range []struct{ environment, ref string }{
		{"development", "refs/heads/develop"}, {"staging", "refs/heads/staging"}, {production, "refs/heads/main"},
		{"", "refs/heads/main"}, {"", "refs/pull/1/merge"},
	} {
		job := jobOf("balancer/v3-backend", c.environment, c.ref)
		for _, called := range []string{"refs/tags/main", "refs/tags/" + c.environment, "refs/tags/refs/heads/main", "heads/main", ""} {
			jobs = append(jobs, job.calling(called))
		}
		delete(job, "job_workflow_ref")
		jobs = append(jobs, job)
	}
	return jobs
}

// harms returns attempts on what the program declares for production, on what the deployer does with it, and on what protects it.
func harms(t *testing.T, all []registration) []*attempt {
	t.Helper()
	var attempts []*attempt
	add := func(harm string, r request) {
		attempts = append(attempts, &attempt{r, harm})
	}
	addTagged := func(harm string, r request) {
		for _, tag := range []values{nil, {"staging"}, {"development"}, {production}, {"other"}} {
			for _, creating := range []values{nil, {"CreateVpc"}} {
				r := r
				if delete(r.context, getsTag); tag != nil {
					r = r.with(getsTag, tag...)
				}
				if creating != nil {
					r = r.with("ec2:CreateAction", creating...)
				}
				add(harm, r)
			}
		}
	}
	for typ, row := range providerActions() {
		for _, a := range row {
			for _, action := range a.actions {
				r := asProvider(action, a.resource, production, "api.hyperchonk.com")
				kind, makes := creates()[r.action]
				if makes && strings.Contains(r.resource, kind) {
					continue
				}
				if !tagDecides(typ, r.resource) {
					r.context = maps.Clone(r.context)
					delete(r.context, hasTag)
				}
				if a.resource == dbSecret {
					r = r.with(databaseOfSecret, ofRDS+"db:v3-backend-production-db")
					delete(r.context, hasTag)
				}
				r.context = maps.Clone(r.context)
				delete(r.context, "ec2:CreateAction")
				addTagged("changes production's "+typ, r)
			}
		}
	}
	for _, untagged := range []string{"network-interface/eni-1", "route-table/rtb-1", "network-acl/acl-1",
		"security-group-rule/sgr-1"} {
		for _, action := range []string{"ec2:CreateTags", "ec2:DeleteRoute", "ec2:ReplaceRoute", "ec2:DeleteNetworkInterface",
			"ec2:ModifyNetworkInterfaceAttribute"} {
			for _, tag := range []string{"staging", production} {
				if !strings.Contains(untagged, "rule") || tag == production || action != "ec2:CreateTags" {
					add("takes what AWS created for production without a tag", of(action, anyEC2+untagged).with(getsTag, tag))
				}
			}
		}
	}
	// An instance beside production's tasks reaches its database. It has an interface, a subnet and a group, without a tag or with another one.
	for _, kind := range []string{"network-interface/eni-1", "subnet/subnet-1", "security-group/sg-1", "launch-template/lt-1"} {
		launch := of("ec2:RunInstances", anyEC2+kind).with("ec2:InstanceType", environment.NATInstanceType)
		add("launches an instance in another network", launch)
		add("launches an instance in production's network", launch.with(hasTag, production))
		if strings.HasPrefix(kind, "subnet/") || strings.HasPrefix(kind, "security-group/") {
			create := of("ec2:CreateNetworkInterface", anyEC2+kind).with("aws:RequestedRegion", "us-east-1")
			add("creates an interface in another network", create)
			add("creates an interface in production's network", create.with(hasTag, production))
		}
	}
	for _, own := range []request{
		of("ec2:CreateTags", anyEC2+"vpc/vpc-1").with("ec2:CreateAction", "CreateVpc"), of("ec2:CreateTags",
			anyEC2+"security-group/sg-1"),
		of("ec2:CreateTags", anyEC2+"vpc/vpc-1").with(hasTag, "staging"), of("acm:AddTagsToCertificate",
			"arn:aws:acm:"+inRegion+"certificate/1").with(hasTag, "staging"),
		of("ec2:AuthorizeSecurityGroupIngress", anyEC2+"security-group-rule/sgr-1"),
		of("acm:RequestCertificate", "*").with("acm:DomainNames", "staging-api.hyperchonk.com"),
	} {
		add("tags a resource like production's", own.with(getsTag, production))
	}
	attempts = append(attempts, roleHarms()...)
	attempts = append(attempts, taskHarms()...)
	attempts = append(attempts, domainHarms()...)
	attempts = append(attempts, dataHarms(t, all)...)
	return attempts
}

// tagDecides reports whether a request on a resource of the type has the resource's tag: the program must be able to
// tag it, and IAM to know the tag. A request for no particular resource has none.
func tagDecides(typ, resource string) bool {
	byTag := slices.ContainsFunc([]string{anyEC2, "arn:aws:acm:", "arn:aws:application-autoscaling:"}, func(service string) bool {
		return strings.HasPrefix(resource, service)
	})
	return byTag || !untaggable(typ) && resource != "*" && !strings.HasPrefix(resource, "arn:aws:route53:")
}

// roleHarms edits, passes and assumes roles that are not the attacker's, and edits policies.
func roleHarms() []*attempt {
	var attempts []*attempt
	for _, role := range existingRoles() {
		for _, action := range []string{
			"iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
			"iam:DeleteRolePolicy", "iam:DeleteRole",
			"iam:UpdateRole", "iam:TagRole", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary",
			"sts:AssumeRole",
		} {
			attempts = append(attempts, &attempt{of(action, role).with("iam:PermissionsBoundary", boundaryARN), "edits a role"})
		}
		for _, service := range []string{"ecs-tasks", "events", "states", "scheduler", "autoscaling", "vpc-flow-logs", "lambda", "ec2"} {
			attempts = append(attempts, &attempt{of("iam:PassRole", role).with("iam:PassedToService", service+".amazonaws.com"),
				"passes a role"})
		}
	}
	const own = "arn:aws:iam::123456789012:role/v3-backend-staging-task-role"
	for _, r := range []request{
		of("iam:DeleteRolePermissionsBoundary", own).with("iam:PermissionsBoundary", boundaryARN),
		of("iam:PutRolePermissionsBoundary", own), of("iam:PutRolePermissionsBoundary", own).with("iam:PermissionsBoundary",
			"arn:aws:iam::aws:policy/AdministratorAccess"),
		of("iam:PutRolePolicy", own), of("iam:CreateUser", "*"), of("iam:CreateAccessKey", "*"), of("iam:CreatePolicy", "*"),
		of("iam:AddClientIDToOpenIDConnectProvider", "*"), of("iam:UpdateOpenIDConnectProviderThumbprint", "*"),
	} {
		attempts = append(attempts, &attempt{r, "leaves the boundary"})
	}
	for _, name := range []string{"v3-backend-boundary", "v3-backend-read", "v3-backend-deploy-network",
		"v3-backend-production-network"} {
		for _, action := range []string{
			"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy",
			"iam:TagPolicy",
		} {
			attempts = append(attempts, &attempt{of(action, "arn:aws:iam::123456789012:policy/"+name), "edits a policy"})
		}
	}
	return attempts
}

// taskHarms runs and stops tasks and services with every combination of clusters and task definitions of which one is
// production's.
func taskHarms() []*attempt {
	var attempts []*attempt
	add := func(r request) {
		attempts = append(attempts, &attempt{r, "runs a task in production, or production's task"})
	}
	environments := []string{"staging", production}
	for _, cluster := range environments {
		for _, family := range environments {
			for _, task := range []string{"api", "migration-task", "x"} {
				definition := "v3-backend-" + family + "-" + task
				for _, given := range []string{ofECS + "task-definition/" + definition + ":7", definition + ":7", definition} {
					for _, in := range []string{ofECS + "cluster/v3-backend-" + cluster + "-cluster",
						"v3-backend-" + cluster + "-cluster"} {
						if cluster != production && family != production {
							continue
						}
						for _, action := range []string{"ecs:RunTask", "ecs:StartTask"} {
							add(of(action, ofECS+"task-definition/"+definition+":7").with("ecs:cluster",
								in).with("ecs:task-definition", given))
						}
						for _, action := range []string{"ecs:CreateService", "ecs:UpdateService", "ecs:CreateTaskSet"} {
							for _, service := range []string{"api-service", "x", "v3-backend-production"} {
								add(of(action, ofECS+"service/v3-backend-"+cluster+"-cluster/v3-backend-"+cluster+"-"+service).
									with("ecs:cluster", in).with("ecs:task-definition", given))
							}
						}
					}
				}
			}
		}
	}
	for _, action := range []string{"ecs:StopTask", "ecs:ExecuteCommand", "ecs:TagResource"} {
		add(of(action, ofECS+"task/v3-backend-production-cluster/0123"))
	}
	add(of("ecs:StopServiceDeployment",
		ofECS+"service-deployment/v3-backend-production-cluster/v3-backend-production-api-service/x"))
	return attempts
}

// domainHarms changes records outside the other environments' domains, and requests certificates for them.
func domainHarms() []*attempt {
	names := []string{
		"api.hyperchonk.com", "_acme-challenge.api.hyperchonk.com", "_x.api.hyperchonk.com", "x.api.hyperchonk.com",
		"*.api.hyperchonk.com",
		"hyperchonk.com", "*.hyperchonk.com", "_acme-challenge.hyperchonk.com", "_x.hyperchonk.com", "www.hyperchonk.com",
		"x-api.hyperchonk.com",
		"xstaging-api.hyperchonk.com", "_dmarc.hyperchonk.com", "production-api.hyperchonk.com",
	}
	var attempts []*attempt
	for _, name := range names {
		for _, kind := range []string{"A", "AAAA", "CNAME", "TXT", "CAA", "NS", "MX"} {
			for _, more := range []values{{name}, {"staging-api.hyperchonk.com", name}, {name, "_x.staging-api.hyperchonk.com"}} {
				attempts = append(attempts, &attempt{of(changeRecords, "arn:aws:aws:route53/zone:Zone:zone").with(recordTypes,
					kind).
					with(recordNames, more...), "changes a record of others"})
			}
		}
		for _, more := range []values{{name}, {"staging-api.hyperchonk.com", name}} {
			attempts = append(attempts, &attempt{of("acm:RequestCertificate", "*").with(getsTag,
				"staging").with("acm:DomainNames", more...),
				"gets a certificate of others"})
		}
	}
	return attempts
}

// dataHarms reads or changes production's data: its state, records, locks, secrets, logs, requests, metrics and keys.
func dataHarms(t *testing.T, all []registration) []*attempt {
	t.Helper()
	require.NotEmpty(t, ofType(all, "aws:iam/policy:Policy"))
	var attempts []*attempt
	add := func(harm, action, resource string, context ...string) {
		r := of(action, resource)
		for i := 0; i < len(context); i += 2 {
			r = r.with(context[i], context[i+1])
		}
		attempts = append(attempts, &attempt{r, harm})
	}
	files := []string{".pulumi/meta.yaml"}
	for _, stack := range []string{production, environment.SharedStack} {
		files = append(files, ".pulumi/stacks/v3-backend/"+stack+".json", ".pulumi/stacks/v3-backend/"+stack+".json.bak",
			".pulumi/stacks/v3-backend/"+stack+".json.gz",
			".pulumi/stacks/"+stack+".json", ".pulumi/history/v3-backend/"+stack+"/"+stack+"-1.checkpoint.json",
			".pulumi/backups/v3-backend/"+stack+"/1.json",
			".pulumi/locks/organization/v3-backend/"+stack+"/1.json", "deployments/"+stack+"/1.json", "locks/"+stack+".json",
			"history/"+stack+"/1.json")
	}
	for _, file := range files {
		for _, action := range []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl",
			"s3:PutObjectTagging"} {
			add("changes the state", action, stateFiles+file)
		}
	}
	for _, action := range []string{"s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutLifecycleConfiguration",
		"s3:PutReplicationConfiguration", "s3:PutBucketVersioning"} {
		add("changes the state's bucket", action, strings.TrimSuffix(stateFiles, "/"))
	}
	for _, action := range []string{
		"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "DeleteSecret",
		"RotateSecret", "CancelRotateSecret", "TagResource",
		"UntagResource", "PutResourcePolicy", "ReplicateSecretToRegions",
	} {
		add("uses production's secret", "secretsmanager:"+action,
			"arn:aws:secretsmanager:"+inRegion+"secret:balancer-production-config-AbCdEf")
		add("uses production's password", "secretsmanager:"+action, dbSecret, databaseOfSecret,
			ofRDS+"db:v3-backend-production-db")
		add("uses production's password", "secretsmanager:"+action, dbSecret, databaseOfSecret,
			ofRDS+"db:v3-backend-production-db-restored")
	}
	for _, group := range []string{"/aws/ecs/v3-backend-production", "/aws/vpc/v3-backend-production-vpc",
		"aws-waf-logs-v3-backend-production-waf"} {
		for _, stream := range []string{"", ":*", ":log-stream:api/balancer-api/x"} {
			for _, action := range []string{"logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartLiveTail",
				"logs:StartQuery", "logs:PutLogEvents", "logs:PutSubscriptionFilter", "logs:DeleteLogGroup",
				"logs:DeleteLogStream"} {
				add("uses production's logs", action, "arn:aws:logs:"+inRegion+"log-group:"+group+stream)
			}
		}
	}
	add("reads requests of users", "wafv2:GetSampledRequests", strings.ReplaceAll(webACL, "ENV", production))
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:PurgeQueue",
		"sqs:SetQueueAttributes", "sqs:AddPermission"} {
		add("uses production's queue", action, "arn:aws:sqs:"+inRegion+"v3-backend-production-background-jobs")
	}
	for _, action := range []string{
		"rds:CreateDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot", "rds:ModifyDBSnapshotAttribute", "rds:CopyDBSnapshot",
		"rds:DeleteDBSnapshot",
		"rds:DownloadDBLogFilePortion", "rds:CreateDBInstanceReadReplica", "rds:RebootDBInstance", "rds:StopDBInstance", "rds:StartDBInstance",
		"rds-db:connect",
	} {
		for _, resource := range []string{"db:v3-backend-production-db", "snapshot:v3-backend-production-pre-deploy-1",
			"snapshot:rds:v3-backend-production-db-1", "snapshot:v3-backend-production-db-final-1"} {
			add("uses production's database", action, ofRDS+resource, hasTag, production)
		}
	}
	add("starts production's machine", "states:StartExecution",
		"arn:aws:states:"+inRegion+"stateMachine:v3-backend-production-rotation")
	for _, action := range []string{"ssm:PutParameter", "ssm:DeleteParameter", "ssm:DeleteParameters"} {
		add("marks production asleep", action, "arn:aws:ssm:"+inRegion+"parameter/v3-backend/production/asleep")
	}
	add("reads another parameter", "ssm:GetParameters", "arn:aws:ssm:"+inRegion+"parameter/v3-backend/production/token")
	add("stops production's schedule", "scheduler:UpdateSchedule", "arn:aws:scheduler:"+inRegion+"schedule/default/v3-backend-production-wake")
	for _, action := range []string{"cloudwatch:SetAlarmState", "cloudwatch:PutCompositeAlarm"} {
		add("mutes production's alarms", action, "arn:aws:cloudwatch:"+inRegion+"alarm:v3-backend-production-api-5xx")
	}
	add("mutes an environment permanently", "cloudwatch:PutMetricData", "*", "cloudwatch:namespace", environment.SuppressorNamespace)
	add("reads another parameter", "ssm:GetParameter", "arn:aws:ssm:"+inRegion+"parameter/v3-backend/production/token")
	add("writes metrics that alarms read", "cloudwatch:PutMetricData", "*", "cloudwatch:namespace", "AWS/ApplicationELB")
	for _, action := range []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:PutKeyPolicy",
		"kms:ScheduleKeyDeletion"} {
		add("uses another key", action, "arn:aws:kms:"+inRegion+"key/2", "kms:ResourceAliases", "alias/other")
		if action != "kms:Decrypt" && action != "kms:Encrypt" && action != "kms:GenerateDataKey" {
			add("changes the state's key", action, "arn:aws:kms:"+inRegion+"key/1", "kms:ResourceAliases",
				"alias/v3-backend-pulumi")
		}
	}
	return attempts
}

// generatedHarms returns, for each pattern of a resource, production's resources that it matches or nearly matches,
// with the actions that the same policies mention for the service.
func generatedHarms(policies ...policy) []*attempt {
	actions := map[string]map[string]bool{} // by service
	for _, p := range policies {
		for _, s := range p.Statement {
			for _, action := range s.Action {
				service, _, _ := strings.Cut(action, ":")
				if s.Effect == "Allow" && !strings.Contains(action, ":Describe") && !strings.Contains(action, ":List") &&
					!strings.Contains(action, "ecs:RunTask") {
					if actions[service] == nil {
						actions[service] = map[string]bool{}
					}
					actions[service][strings.ReplaceAll(action, "*", "X")] = true
				}
			}
		}
	}
	var attempts []*attempt
	tried := map[string]bool{}
	for _, pattern := range patternsIn(policies...) {
		if strings.Count(pattern, "*") > 3 {
			continue
		}
		for _, arn := range namesFor(pattern) {
			if !isProductions(arn) || tried[arn] {
				continue
			}
			tried[arn] = true
			service := strings.SplitN(arn, ":", 4)[2]
			for action := range actions[service] {
				r := of(action, arn).with("iam:PermissionsBoundary", boundaryARN).with("iam:PassedToService",
					"ecs-tasks.amazonaws.com")
				if service == "s3" && (strings.HasPrefix(action, "s3:Get") || strings.HasPrefix(arn, stateFiles+"status/")) ||
					readsOnly(action) {
					continue
				}
				attempts = append(attempts, &attempt{r, "uses a generated name of production"})
			}
		}
	}
	return attempts
}

// readsOnly reports whether the read policy allows an action on purpose.
func readsOnly(action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	for _, prefix := range []string{"Get", "View", "Validate", "BatchGet", "BatchCheck"} {
		if strings.HasPrefix(verb, prefix) {
			return action != "secretsmanager:GetSecretValue" && action != "logs:GetLogEvents"
		}
	}
	return false
}

// unrelatedConditions returns the conditions of allowed actions without which nothing of production's can be reached,
// with the reason.
func unrelatedConditions() map[string]string {
	return map[string]string{
		"MakeNetwork aws:RequestedRegion": "nothing of production's is in another region",
		"Launch ec2:InstanceType":         "limits what an instance costs",
		"TagDefaultGroup " + hasTag:       "keeps the groups of environments that are not listed; NotProductionTag denies production's",
		"PassRoles iam:PassedToService":   "a role within the boundary",
		"ServiceRoles iam:AWSServiceName": "AWS's own role of another service",
		"Records " + recordTypes:          "a record of another type at a name of its own",
		"DeleteCertificate " + hasTag:     "NotProductionTag denies production's, and the program's all have a tag",
	}
}

// mutations returns one for each denial, each action and resource that a denial lists, and each condition of what is allowed.
func mutations(policies map[string]policy) []mutation {
	var all []mutation
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		for i, s := range policies[name].Statement {
			at := fmt.Sprintf("%s: %d %s", name, i, s.Sid)
			if s.Effect == "Deny" {
				all = append(all, mutation{name, i, nil, at + " removed"})
				for _, action := range s.Action {
					if len(s.Action) == 1 {
						continue
					}
					fewer := s
					fewer.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
					all = append(all, mutation{name, i, &fewer, at + " without " + action})
				}
				for _, resource := range s.Resource {
					if covered(resource, s.Resource) || len(s.Resource) == 1 {
						continue
					}
					fewer := s
					fewer.Resource = slices.DeleteFunc(slices.Clone(s.Resource), func(r string) bool { return r == resource })
					all = append(all, mutation{name, i, &fewer, at + " without " + resource})
				}
				continue
			}
			for operator, keys := range s.Condition {
				for key := range keys {
					if unrelatedConditions()[s.Sid+" "+key] != "" {
						continue
					}
					looser := s
					looser.Condition = condition{}
					for o, ks := range s.Condition {
						looser.Condition[o] = maps.Clone(ks)
					}
					delete(looser.Condition[operator], key)
					all = append(all, mutation{name, i, &looser, at + " without " + operator + " " + key})
				}
			}
		}
	}
	return all
}

// covered reports whether another pattern matches whatever the pattern matches.
func covered(pattern string, patterns values) bool {
	return slices.ContainsFunc(patterns, func(other string) bool { return other != pattern && like(other, pattern) })
}

// TestNoWayToProduction searches for a way to production, which must not exist, and again without each single denial
// and each single condition, when it must: else the statement is useless, or the search blind to what it prevents.
func TestNoWayToProduction(t *testing.T) {
	l := newLabyrinth(t)
	require.Nil(t, l.search(t, mutation{}))
	policies := maps.Clone(l.trusts)
	for _, e := range []*examined{l.deploy, l.read, l.boundary} {
		policies[e.name] = e.policy
	}
	changed := mutations(policies)
	for _, m := range changed {
		assert.NotNil(t, l.search(t, m), m.what)
	}
	for pattern := range sharedByNature() {
		assert.True(t, slices.ContainsFunc(l.shared, func(a *attempt) bool {
			return like(pattern, a.action+" on "+a.resource) && (l.deploy.allows(t, a, mutation{}) || l.read.allows(t, a,
				mutation{}) || l.boundary.allows(t, a, mutation{}))
		}), "nothing is shared as %s", pattern)
	}
	roles := 0
	for _, attempts := range l.asRole {
		roles += len(attempts)
	}
	t.Logf("%d attempts of two principals, %d attempts of %d roles that they take over, %d tokens; %d decisions; %d mutations",
		len(l.onAny), roles, len(l.takeOver), len(l.jobs), l.decided, len(changed))
}
