package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/logs"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// hostileLine is a line with everything that a terminal or the runner of GitHub Actions acts on.
const hostileLine = "::error::forged x::stop-commands::y ##[add-mask]a \r::warning::b \x1b]52;c;e\x07 \u202e"

// hiddenSecret is a value of the configuration secret, and hiddenForms are forms of it that a line may have.
const hiddenSecret = `s3cret/"välue"&`

var hiddenForms = map[string]string{"": hiddenSecret, "in JSON": `s3cret/\"välue\"\u0026`, "in a URL": "s3cret%2F%22v%C3%A4lue%22%26"}

// FuzzHostileLines lets a container write a line, reads it as the deployer does, and searches every output for what acts on a terminal,
// on GitHub's runner, on a page of GitHub or in Slack, and for the value of the secret.
func FuzzHostileLines(f *testing.F) {
	for _, line := range []string{
		"server ready", hostileLine, "a\n::endgroup::\n::error title=x::y\r\n##[group]z", "```\n# forged\n```` x ~~~", "\x1b[2J\x1b[31mred\x1b[0m\u009b1A\x7f",
		`![x](https://e) \[x](https://e) [r]: https://e`, "<!channel> <https://e|x> <@U1> @team #1 GH-1 <img src=x> <b id=f> &lt;b>", "| a | b |\n| --- |\n\\|",
		`{"level": "error", "msg": "\u001b[2J\u0023#[error]x\n::error::y", "::a::": "b"}`, "s3cret/\"välue\"&", `{"dsn":"s3cret/\"välue\"\u0026"}`,
		"s3\x1b[0mcret/\"välue\"&", "postgres://u:s3cret%2F%22v%C3%A4lue%22%26@h/db", "\xff\xfe", "\u2028::a::b\u2029", strings.Repeat("`", 9), "`", "a\\`b", "--> <!-- x",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !utf8.ValidString(line) {
			line = strings.ToValidUTF8(line, "?") // CloudWatch answers in JSON, which is UTF-8
		}
		read, plain := readLine(t, line), readLine(t, "plain")
		harmless := outputs(t, plain)
		for name, output := range outputs(t, read) {
			for _, r := range output {
				require.False(t, r != '\n' && r != '\t' && text.IsControl(r), "%s has the control character %U: %q", name, r, output)
			}
			require.NotContains(t, output, "##[", name)
			for form, hidden := range hiddenForms {
				require.NotContains(t, output, hidden, "%s has the secret %s", name, form)
			}
			require.Equal(t, workflowCommands(harmless[name]), workflowCommands(output), "%s: %q", name, output)
			switch {
			case strings.HasSuffix(name, "markdown"):
				requireNoMarkup(t, name, output)
			case strings.HasSuffix(name, "html"):
				require.LessOrEqual(t, strings.Count(output, "<"), strings.Count(harmless[name], "<"), "%s: %q", name, output)
			case strings.HasSuffix(name, "slack"):
				require.NotContains(t, output, "<", name)
			}
		}
	})
}

// readLine returns a line as the deployer reads it from CloudWatch.
func readLine(t *testing.T, line string) logs.Event {
	secret, err := json.Marshal(map[string]string{"TOKEN": hiddenSecret})
	require.NoError(t, err)
	answers := map[string]any{
		"GetSecretValue": &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(secret))},
		"FilterLogEvents": &cloudwatchlogs.FilterLogEventsOutput{Events: []logtypes.FilteredLogEvent{
			{EventId: aws.String("1"), LogStreamName: aws.String("api/balancer-api/" + line), Message: &line, Timestamp: aws.Int64(0)},
		}},
	}
	cfg := aws.Config{Region: "us-east-1", APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Answer", func(
			ctx context.Context, _ middleware.InitializeInput, _ middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return middleware.InitializeOutput{Result: answers[middleware.GetOperationName(ctx)]}, middleware.Metadata{}, nil
		}), middleware.After)
	}}}
	cfg, _ = target.SanitizeResponses(cfg, &environment.Environment{Stack: "staging"})
	var read []logs.Event
	reader := logs.Reader{
		Client: cloudwatchlogs.NewFromConfig(cfg), Query: logs.Query{Group: "g"}, Emit: func(e logs.Event) error { read = append(read, e); return nil },
	}
	_, _, err = reader.Read(t.Context())
	require.NoError(t, err)
	require.Len(t, read, 1)
	read[0].Stream, read[0].Task = "", "" // the secret was part of a name
	return read[0]
}

// outputs returns what every output makes of a line, by name.
func outputs(t *testing.T, e logs.Event) map[string]string {
	all, line, at := map[string]string{}, e.Message, time.Unix(0, 0).UTC()
	add := func(name string, write func(*bytes.Buffer) error) {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		all[name] = b.String()
	}
	for _, format := range []string{logs.Text, logs.JSON, logs.Raw} {
		add("logs "+format, func(b *bytes.Buffer) error { return logs.Printer{Out: b, Format: format}.Print(e) })
	}
	for name, actions := range map[string]bool{"progress": false, "progress in a workflow": true} {
		add(name, func(b *bytes.Buffer) error {
			p := ui.NewProgress(b, ui.ProgressOptions{Actions: actions, Verbose: true, Now: func() time.Time { return at }})
			p.Report(release.Event{Time: at, Kind: release.PhaseStarted, Phase: "migrate"})
			for _, kind := range []release.EventKind{release.Note, release.Progress, release.Warning} {
				p.Report(release.Event{Time: at, Kind: kind, Phase: "migrate", Message: line})
			}
			p.Report(release.Event{Time: at, Kind: release.PhaseEnded, Phase: "migrate", Outcome: history.Failed, Message: "failed\n    " + line})
			p.Close()
			return nil
		})
	}
	failed := errors.New("migrate: exit code 1\n  its last log lines:\n    " + line)
	add("error", func(b *bytes.Buffer) error { printError(b, failed); return nil })
	record := history.Deployment{
		ID: "1", Stack: "staging", Environment: "staging", Outcome: history.Failed, Error: line + "\n" + failed.Error(), Hint: line, By: line,
		Image: history.Image{Tag: line}, Warnings: []string{line}, Phases: []history.Phase{{Name: "migrate", Outcome: history.Failed, Message: line}},
	}
	add("summary as markdown", func(b *bytes.Buffer) error {
		path := filepath.Join(t.TempDir(), "summary")
		err := writeJobSummary(path, record)
		content, readErr := os.ReadFile(path)
		b.Write(content)
		return errors.Join(err, readErr)
	})
	for _, format := range []string{"text", "json"} {
		add("history "+format, func(b *bytes.Buffer) error { return ui.History(b, []history.Deployment{record}, format, ui.Style{}) })
		add("a record as "+format, func(b *bytes.Buffer) error { return ui.Deployment(b, record, format, ui.Style{}) })
	}
	report := hostileReport(line, at)
	for _, format := range ui.ReportFormats() {
		add("status "+format, func(b *bytes.Buffer) error {
			return ui.Report(b, ui.StatusReport{Environments: report}, format, ui.Style{})
		})
	}
	add("notification as JSON", func(b *bytes.Buffer) error { return ui.JSON(b, notify.NewMessage(report[0].Report, "", line)) })
	add("notification for slack", func(b *bytes.Buffer) error {
		_, err := b.WriteString(notify.NewMessage(report[0].Report, "", line).Text)
		return err
	})
	plan := engine.Plan{Steps: []engine.Step{{
		Op: "update", Type: "aws:sqs/queue:Queue", Name: line, ID: line, URN: "urn:a", Differences: []engine.Difference{{Path: line, Old: line, New: []any{line}}},
	}}}
	for _, format := range ui.DriftFormats() {
		failure := &ui.Failure{Message: line, Hint: line}
		add("drift "+format, func(b *bytes.Buffer) error {
			return ui.Drifts(b, []ui.Drift{{Environment: "staging", Deployed: true, Account: plan, InProgress: line, Failure: failure}}, false, format, ui.Style{})
		})
		add("preview "+format, func(b *bytes.Buffer) error {
			return ui.Previews(b, []ui.Preview{{Environment: "staging", Plan: plan}, {Environment: line, Failure: failure}}, true, format, ui.Style{})
		})
	}
	return all
}

// hostileReport returns the report of an environment in which every text is a line.
func hostileReport(line string, at time.Time) []ui.EnvironmentReport {
	f := checks.Finding{
		Service: line, Component: "ecs_service", Status: checks.Error, Reason: "TaskStopped", Message: line, Details: map[string]any{"events": []string{line}},
		Hint: &checks.Hint{Cause: line, Solution: line, Command: line},
	}
	fine := f
	fine.Status = checks.Healthy
	r := ui.FailedReport("staging", "us-east-1", at, ui.Failure{Message: line, Hint: line})
	r.Services, r.Summary = []checks.Finding{f, fine}, checks.Aggregate([]checks.Finding{f, fine})
	r.Debugging.StuckServices = []checks.StuckService{{Service: line, Issue: line, Issues: []string{line}}}
	r.Certificates = []checks.Certificate{{Domain: line, Status: line}}
	r.LoadBalancers = []checks.LoadBalancer{{Name: line, State: line, TargetGroups: []checks.TargetGroup{{Name: line}}}}
	return []ui.EnvironmentReport{r}
}

// commandName matches a command's name, with its properties; the runner ignores others.
var commandName = regexp.MustCompile(`^[A-Za-z-]+( .*)?$`)

// workflowCommands returns the commands that GitHub's runner finds in an output, without their values.
func workflowCommands(output string) (found []string) {
	for line := range strings.SplitSeq(output, "\n") {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") {
			if command, _, is := strings.Cut(trimmed[2:], "::"); is && commandName.MatchString(command) {
				found = append(found, command)
			}
		}
	}
	return found
}

var (
	escapedCharacter = regexp.MustCompile(`\\[!-/:-@\[-` + "`" + `{-~]`)
	ownTags          = regexp.MustCompile(`<br>|<!-- -->|</?details>|</?summary>`)
	markup           = regexp.MustCompile("<|\\]\\(|\\]:|!\\[|`|@[A-Za-z]|#[0-9]")
)

// requireNoMarkup requires that a page in Markdown has neither links nor HTML, mentions or code but the deployer's own.
func requireNoMarkup(t *testing.T, name, page string) {
	left := escapedCharacter.ReplaceAllString(ownTags.ReplaceAllString(withoutCode(page), "\x00"), "")
	require.NotRegexp(t, markup, left, "%s: %q", name, page)
}

// withoutCode removes blocks and spans of code, as GitHub finds them.
// Source: https://github.github.com/gfm/#fenced-code-blocks and https://github.github.com/gfm/#code-spans
func withoutCode(page string) string {
	var kept []string
	fence := ""
	for line := range strings.SplitSeq(page, "\n") {
		if indented := len(line) - len(strings.TrimLeft(line, " ")); indented <= 3 {
			line = line[indented:]
		}
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "" && len(run) >= len(fence) && strings.TrimSpace(line) == run:
			fence = ""
		case fence != "":
		case len(run) >= 3 && !strings.Contains(line[len(run):], "`"):
			fence = run
		default:
			kept = append(kept, withoutSpans(line))
		}
	}
	return strings.Join(kept, "\n")
}

func withoutSpans(line string) string {
	var b strings.Builder
	for len(line) > 0 {
		if line[0] == '\\' && len(line) > 1 {
			b.WriteString(line[:2])
			line = line[2:]
			continue
		}
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		if run == "" {
			b.WriteByte(line[0])
			line = line[1:]
			continue
		}
		line = line[len(run):]
		if end := closing(line, run); end >= 0 {
			line = line[end:]
		} else {
			b.WriteString(run)
		}
	}
	return b.String()
}

// closing returns the end of the first run of backticks that is as long as the opening one, or -1.
func closing(line, opening string) int {
	for at := 0; at < len(line); {
		if line[at] != '`' {
			at++
			continue
		}
		end := at
		for end < len(line) && line[end] == '`' {
			end++
		}
		if end-at == len(opening) {
			return end
		}
		at = end
	}
	return -1
}
