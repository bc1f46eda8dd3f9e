package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Preview is what a deployment to an environment would change.
type Preview struct {
	Environment, Stack string
	// Image is the one that would run.
	Image string
	Plan  engine.Plan
	// NewStack marks a stack without resources.
	NewStack bool
	// Failure is why the plan is not known; nil where it is.
	Failure *Failure
}

type previewJSON struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Image       string `json:"image,omitempty"`
	PlanJSON
	Failure *Failure `json:"error,omitempty"`
}

// PlanJSON is a plan as JSON.
type PlanJSON struct {
	// Highlights are the changes to review first: what is deleted or replaced, and permissions that may become broader.
	Highlights []string     `json:"attention,omitempty"`
	Summary    string       `json:"summary"`
	Steps      []changeJSON `json:"steps"`
	Warnings   []string     `json:"warnings,omitempty"`
}

// JSON returns the plan of a preview as JSON.
func (p Preview) JSON() *PlanJSON {
	return &PlanJSON{
		Highlights: p.Highlights(), Summary: PlanSummary(p.Plan), Steps: changesJSON(planChanges(p.Plan)), Warnings: p.Plan.Warnings,
	}
}

// Previews shows what deployments would change. As JSON they are an array where several environments were selected.
func Previews(w io.Writer, all []Preview, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		views := []previewJSON{}
		for _, p := range all {
			views = append(views, previewJSON{
				Environment: p.Environment, Stack: p.Stack, Image: p.Image, PlanJSON: *p.JSON(), Failure: p.Failure,
			})
		}
		return jsonByEnvironment(w, views, multiple)
	case "markdown":
		return markdownByEnvironment(w, all, previewMarkdown)
	}
	d := document{style: style}
	for _, p := range all {
		if multiple {
			d.add("", style.bold(p.Environment))
		}
		if p.Failure != nil {
			d.add("", "not known: "+p.Failure.Message)
			continue
		}
		d.plan(p.Plan)
	}
	return d.writeTo(w)
}

// Plan shows what an update would do.
func Plan(w io.Writer, p engine.Plan, style Style) error {
	d := document{style: style}
	d.plan(p)
	return d.writeTo(w)
}

func (d *document) plan(p engine.Plan) {
	d.changes(planChanges(p))
	d.add("", PlanSummary(p))
}

// PlanSummary counts a plan's changes, and names those that wait.
func PlanSummary(p engine.Plan) string {
	return withWaiting(countChanges(planChanges(p), "no changes", "%d to %s", "create", "update", newRevision, "replace", "delete"), p)
}

// withWaiting adds the changes that wait to the summary of a plan.
func withWaiting(summary string, p engine.Plan) string {
	return strings.Join(append([]string{summary}, p.Waiting...), "; ")
}

func previewMarkdown(b *strings.Builder, p Preview, limit int) {
	if p.Failure != nil {
		fmt.Fprintf(b, "### %s: not known\n\n> %s\n", escapeMarkdown(p.Environment), escapeMarkdown(text.Snip(p.Failure.Message, 2000)))
		return
	}
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(p.Environment), PlanSummary(p.Plan))
	highlights := p.Highlights()
	if len(highlights) > 0 {
		b.WriteString("\n> **Review these first**\n>\n")
	}
	// Half of the room is left to the table.
	until := b.Len() + (limit-b.Len())/2
	for i, line := range highlights {
		if b.Len()+len(line) > until {
			fmt.Fprintf(b, "> - … and %d more\n", len(highlights)-i)
			break
		}
		fmt.Fprintf(b, "> - %s\n", escapeMarkdown(line))
	}
	if p.Plan.Empty() {
		return
	}
	const closing = "\n</details>\n"
	b.WriteString("\n<details><summary>Every change</summary>\n")
	markdownTable(b, []string{"", "resource", "property", "before", "after"},
		changeRows(planChanges(p.Plan)), limit-len(closing))
	b.WriteString(closing)
}

// stateful describes what is lost with a resource, by type.
var stateful = map[string]string{
	"aws:rds/instance:Instance":                           "the database and its data",
	"aws:sqs/queue:Queue":                                 "the queue and its messages",
	"aws:s3/bucketV2:BucketV2":                            "the bucket and its objects",
	"aws:s3/bucket:Bucket":                                "the bucket and its objects",
	"aws:ecr/repository:Repository":                       "the repository and its images",
	"aws:cloudwatch/logGroup:LogGroup":                    "the log group and its logs",
	"aws:route53/zone:Zone":                               "the hosted zone, and with it the name servers that the registrar has",
	"aws:kms/key:Key":                                     "the key, and with it everything that it encrypted",
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "GitHub's access to the account",
}

// permissionTypes are prefixes of the types that grant access.
var permissionTypes = []string{
	"aws:iam/", "aws:sqs/queuePolicy:", "aws:s3/bucketPolicy:", "aws:sns/topicPolicy:", "aws:kms/keyPolicy:", "aws:ecr/repositoryPolicy:",
	"aws:vpc/securityGroupIngressRule:", "aws:vpc/securityGroupEgressRule:", "aws:ec2/securityGroup:", "aws:ec2/securityGroupRule:",
}

// Highlights returns the changes to review first, each with the reason. In a new stack there are none: everything is new.
func (p Preview) Highlights() []string {
	if p.NewStack {
		return nil
	}
	var lines []string
	for _, c := range planChanges(p.Plan) {
		if reason := highlight(c.Step); reason != "" {
			lines = append(lines, label(c.Type, c.Name)+": "+reason)
		}
	}
	return lines
}

// highlight returns why a step should be reviewed before others, or "". Lost data comes before an outage, and that before
// broader permissions.
func highlight(s engine.Step) string {
	lost := stateful[s.Type]
	switch {
	case (s.Deletes || s.Replaces) && lost != "":
		return "deletes " + lost
	case s.Deletes && !s.Replaces && !keepsReplaced(s): // a revision stays when the stack forgets it
		return "deletes it"
	case s.Replaces && !keepsReplaced(s):
		return "replaces it, and deletes the old one"
	case mayBroadenPermissions(s):
		return "may broaden permissions"
	}
	return ""
}

// keepsReplaced reports whether the replaced resource stays usable, as revisions of a task definition do.
func keepsReplaced(s engine.Step) bool { return s.Type == "aws:ecs/taskDefinition:TaskDefinition" }

// mayBroadenPermissions reports whether a permission is new, or changes other than by removing from what it allows.
func mayBroadenPermissions(s engine.Step) bool {
	grants := slices.ContainsFunc(permissionTypes, func(prefix string) bool { return strings.HasPrefix(s.Type, prefix) })
	switch {
	case !grants || s.Deletes:
		return false
	case s.Op == "create":
		return true
	}
	return slices.ContainsFunc(s.Differences, func(d engine.Difference) bool {
		switch {
		case strings.HasPrefix(d.Path, "tags"), d.Path == "description":
			return false
		case d.Kind == "delete":
			// Without its condition a statement applies more often.
			return strings.Contains(d.Path, "Condition")
		}
		return true
	})
}
