package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"github.com/tiktoken-go/tokenizer"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/docs/schema"
)

var at = time.Date(2025, 6, 3, 4, 43, 14, 0, time.UTC)

func healthy(component, service string) checks.Finding {
	return checks.Finding{Service: service, Component: component, Status: checks.Healthy, Reason: "Fine", Message: "all is well with " + service}
}

func failing(status checks.Status, component, service, message string) checks.Finding {
	return checks.Finding{
		Service: service, Component: component, Status: status, Reason: "NotFine", Message: message,
		Details: map[string]any{"desired": 2, "rollout": map[string]any{"state": "FAILED", "why": "two words"}, "zones": []string{"a", "b"}},
		Hint:    &checks.Hint{Cause: "it was changed manually", Solution: "change it back", Command: "deployer drift --env staging"},
	}
}

// reportOf returns a report about the findings.
func reportOf(findings ...checks.Finding) EnvironmentReport {
	left := 394
	return EnvironmentReport{Report: checks.Report{
		Environment: "staging", Region: "us-east-1", Timestamp: at, Summary: checks.Aggregate(findings), Services: findings,
		LoadBalancers: []checks.LoadBalancer{{
			Name: "v3-backend-staging-alb", DNSName: "alb.amazonaws.com", State: "active",
			Listeners:    []checks.Listener{{Port: 443, Protocol: "HTTPS", Action: "forward", TLSPolicy: "p"}, {Port: 80, Protocol: "HTTP", Action: "redirect"}},
			TargetGroups: []checks.TargetGroup{{Name: "v3-backend-staging-api-tg", Healthy: 1, Total: 2}},
		}},
		Certificates: []checks.Certificate{{Domain: "staging-api.hyperchonk.com", Status: "ISSUED", DaysLeft: &left}},
		Debugging:    checks.Debugging{StuckServices: []checks.StuckService{}},
	}}
}

func rendered(t *testing.T, format string, style Style, reports ...EnvironmentReport) string {
	var b bytes.Buffer
	require.NoError(t, Report(&b, StatusReport{Environments: reports, Multiple: len(reports) > 1}, format, style))
	return b.String()
}

func TestEveryFormatShowsProblems(t *testing.T) {
	report := reportOf(healthy("vpc", "VPC-a"), failing(checks.Error, "queue", "SQS-a", "it is gone"), failing(checks.Unknown, "waf", "WAF-a", "access denied"))
	for _, format := range ReportFormats() {
		out := rendered(t, format, Style{}, report)
		for _, part := range []string{"it is gone", "access denied"} {
			require.Contains(t, out, part, format)
		}
		if format != "summary" {
			require.Contains(t, out, "change it back", format)
		}
	}
}

// An environment that could not be checked is never reported as healthy.
func TestEveryFormatShowsWhatCouldNotBeChecked(t *testing.T) {
	failed := FailedReport("production", "eu-west-1", at, Failure{Message: "the credentials belong to account 2", Hint: "choose a profile"})
	require.Equal(t, checks.Unknown, failed.Summary.Status)
	for _, format := range ReportFormats() {
		out := rendered(t, format, Style{}, reportOf(healthy("vpc", "VPC-a")), failed)
		for _, part := range []string{"staging", "production", "the credentials belong to account 2", "choose a profile"} {
			require.Contains(t, out, part, format)
		}
	}
}

func TestFormatsOfSeveral(t *testing.T) {
	one, other := reportOf(healthy("vpc", "VPC-a")), reportOf(failing(checks.Warning, "queue", "SQS-a", "m"))
	require.NoError(t, schema.ValidateStatus([]byte(rendered(t, "json", Style{}, one, other))))
	require.NoError(t, schema.ValidateStatus([]byte(rendered(t, "json", Style{}, one))))
	for _, format := range []string{"yaml", "yaml+summary"} {
		documents := yaml.NewDecoder(strings.NewReader(rendered(t, format, Style{}, one, other)))
		for _, want := range []checks.Status{checks.Healthy, checks.Warning} {
			var read struct{ Summary checks.Summary }
			require.NoError(t, documents.Decode(&read), format)
			require.Equal(t, want, read.Summary.Status)
		}
		require.ErrorIs(t, documents.Decode(new(any)), io.EOF)
	}
}

func TestReportAfterAnother(t *testing.T) {
	for format, want := range map[string]string{"yaml": "---\nenvironment", "summary": "\nstaging", "json": "{\n"} {
		var b bytes.Buffer
		require.NoError(t, Report(&b, StatusReport{Environments: []EnvironmentReport{reportOf(healthy("vpc", "a"))}, Appended: true}, format, Style{}))
		require.True(t, strings.HasPrefix(b.String(), want), "%s: %s", format, b.String())
	}
}

func TestSharedHintIsWrittenOnce(t *testing.T) {
	other := failing(checks.Error, "waf", "WAF-a", "m")
	other.Hint = &checks.Hint{Cause: "*c: &d", Solution: "s"}
	report := reportOf(failing(checks.Error, "queue", "SQS-a", "m"), failing(checks.Error, "queue", "SQS-b", "m"), other)
	out := rendered(t, "yaml", Style{}, report)
	require.Equal(t, 1, strings.Count(out, "change it back"))
	var read struct{ Services []checks.Finding }
	require.NoError(t, yaml.Unmarshal([]byte(out), &read))
	for i, f := range report.Services {
		require.Equal(t, f.Hint, read.Services[i].Hint)
	}
}

// However many details there are, the YAML stays within a fifth of the JSON's tokens while a tenth is not healthy at
// most, and loses no finding and no hint.
func TestYAMLStaysShort(t *testing.T) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	require.NoError(t, err)
	count := func(s string) float64 {
		n, err := codec.Count(s)
		require.NoError(t, err)
		return float64(n)
	}
	log := strings.Repeat("2025-06-03T04:43:14Z error: relation pool_snapshots does not exist ", 3)
	for _, evidence := range []int{0, 1, 4, 20, 100} {
		t.Run(fmt.Sprint(evidence, " log lines"), func(t *testing.T) {
			var findings []checks.Finding
			for i := range 60 {
				f := healthy("ecs_service", fmt.Sprintf("ECS-Service-v3-backend-staging-%d", i))
				f.Details = map[string]any{"desired": i, "running": i, "task_definition": "v3-backend-staging-api:12", "rollout": map[string]any{"state": "COMPLETED", "age_seconds": 5000 + i}}
				if i%10 == 0 {
					f = failing(checks.Error, "ecs_service", f.Service, "0/1 tasks running; 3 stopped: exit code 1")
					var lines []string
					for n := range evidence {
						lines = append(lines, fmt.Sprint(n, log))
					}
					f.Details["last_log_lines"] = lines
				}
				findings = append(findings, f)
			}
			report := reportOf(findings...)
			out := rendered(t, "yaml", Style{}, report)
			require.LessOrEqual(t, count(out)/count(rendered(t, "json", Style{}, report)), 0.20)
			require.Equal(t, 6, strings.Count(out, "0/1 tasks running; 3 stopped: exit code 1"))
			require.Equal(t, 6, strings.Count(out, "hint: "))
			if evidence == 1 {
				require.Equal(t, 6, strings.Count(out, "0"+log), "what fits is not truncated")
			}
		})
	}
}

func TestYAMLIsTruncatedOnlyWhereThatHelps(t *testing.T) {
	// Of two findings half are not healthy: nothing was promised, so nothing is truncated.
	long := failing(checks.Error, "queue", "SQS-a", "m")
	long.Details = map[string]any{"error": strings.Repeat("x", 500)}
	require.Contains(t, rendered(t, "yaml", Style{}, reportOf(long, healthy("vpc", "a"))), strings.Repeat("x", 500))
}

func TestTruncation(t *testing.T) {
	f := checks.Finding{Details: map[string]any{
		"lines": []string{"one", "two", "three"}, "text": "äöüß", "n": 3, "deep": map[string]any{"list": []int{1, 2, 3, 4}},
	}}
	require.Equal(t, map[string]any{
		"lines": []any{"… 1 more", "tw…", "th…"}, "text": "äö…", "n": 3.0, "deep": map[string]any{"list": []any{"… 2 more", 3.0, 4.0}},
	}, truncation{maxText: 2, maxItems: 2}.details(f))
	require.Equal(t, f.Details, truncation{}.details(f))
	require.Nil(t, truncation{omitDetails: true}.details(f))
}

func TestVerbose(t *testing.T) {
	out := rendered(t, "verbose", Style{}, reportOf(healthy("vpc", "VPC-a"), failing(checks.Warning, "ecs_service", "ECS-Service-a", "1/2 tasks running")))
	require.Contains(t, out, "    ⚠️ ECS-Service-a: 1/2 tasks running (NotFine)\n"+
		"       desired=2 rollout.state=FAILED rollout.why=\"two words\" zones=\"a, b\"\n"+
		"       cause:    it was changed manually\n"+
		"       solution: change it back\n"+
		"       next:     deployer drift --env staging\n")
	require.Less(t, strings.Index(out, "CONTAINERS"), strings.Index(out, "NETWORK"))
	require.True(t, strings.HasSuffix(out, "\n⚠️ staging (us-east-1) is warning: 1 warning, 1 healthy of 2\n"), out)
}

func TestASCII(t *testing.T) {
	out := rendered(t, "verbose", Style{ASCII: true}, reportOf(healthy("vpc", "VPC-a"), failing(checks.Error, "queue", "SQS-a", "gone")))
	require.Contains(t, out, "    healthy VPC-a: ")
	require.Contains(t, out, "    error   SQS-a: gone")
	for _, r := range out {
		require.Less(t, r, rune(128), out)
	}
}

func TestLinesFitTheTerminal(t *testing.T) {
	report := reportOf(healthy("vpc", "VPC-a"), failing(checks.Warning, "ecs_service", "ECS-Service-a", strings.Repeat("many words ", 30)))
	for _, format := range []string{"summary", "verbose", "yaml+summary"} {
		for line := range strings.Lines(rendered(t, format, Style{Width: 60}, report)) {
			if format == "yaml+summary" && !strings.HasPrefix(line, "#") {
				continue
			}
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 62, line)
		}
	}
}

func TestCounts(t *testing.T) {
	require.Equal(t, "2 errors, 1 warning, 3 unknown, 4 healthy of 10", Counts(checks.Summary{Error: 2, Warning: 1, Unknown: 3, Healthy: 4, Total: 10}))
	require.Equal(t, "nothing was checked", Counts(checks.Summary{}))
}

func TestEveryComponentHasAnArea(t *testing.T) {
	var all []string
	for _, a := range areas() {
		all = append(all, a.components...)
	}
	require.ElementsMatch(t, checks.Components(), all)
	other := sections([]checks.Finding{healthy("new", "a")})
	require.Equal(t, "Other", other[0].Title)
}

func TestMarkdown(t *testing.T) {
	broken := failing(checks.Error, "queue", "SQS-a", "a|b <c>\n*d*")
	broken.Hint.Command = "deployer logs | grep x"
	out := rendered(t, "markdown", Style{}, reportOf(healthy("vpc", "VPC-a"), broken))
	require.Contains(t, out, `| ❌ | **SQS-a** | a\|b &lt;c><br>\*d\* | it was changed manually | change it back<br>`+"`deployer logs \\| grep x` |\n")
	require.Contains(t, out, "<details><summary>1 healthy</summary>\n\n| component | finding |\n| --- | --- |\n| `vpc` | all is well with VPC-a |\n\n</details>\n")

	var many []checks.Finding
	for i := range 1000 {
		many = append(many, failing(checks.Error, "queue", fmt.Sprint("SQS-", i), "m"))
	}
	require.Less(t, len(rendered(t, "markdown", Style{}, reportOf(many...))), 65536, "GitHub takes no more")
}

func TestUnknownFormat(t *testing.T) {
	require.EqualError(t, Report(io.Discard, StatusReport{}, "xml", Style{}), `a report has no format "xml"`)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestFormatsReportWriteErrors(t *testing.T) {
	for _, format := range ReportFormats() {
		require.ErrorContains(t, Report(brokenWriter{}, StatusReport{Environments: []EnvironmentReport{reportOf(healthy("vpc", "a"))}}, format, Style{}), "the pipe is closed", format)
	}
}

// Texts of several lines, such as the last lines of a log, stay whole, and the whole stays YAML.
func TestYAMLOfSeveralLines(t *testing.T) {
	for _, lines := range []string{"a\nb", "\n~~~<!--x&", "x\n\ny\n"} {
		f := checks.Finding{
			Service: lines, Component: "ecs_service", Status: checks.Error, Message: lines, Hint: &checks.Hint{Cause: lines, Solution: lines},
			Details: map[string]any{"text": lines, "log": []string{lines}},
		}
		r := FailedReport("staging", "us-east-1", time.Unix(0, 0), Failure{Message: lines})
		r.Services, r.Summary = []checks.Finding{f, f}, checks.Aggregate([]checks.Finding{f, f})
		r.Certificates = []checks.Certificate{{Domain: lines, Status: lines}}
		var b bytes.Buffer
		require.NoError(t, Report(&b, StatusReport{Environments: []EnvironmentReport{r}}, "yaml", Style{}))
		var read struct {
			Services []struct {
				Message string
				Details struct {
					Text string
					Log  []string
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(b.Bytes(), &read), "%s", &b)
		require.Len(t, read.Services, 2)
		require.Equal(t, lines, read.Services[0].Details.Text)
		require.Equal(t, []string{lines}, read.Services[1].Details.Log)
	}
}

// The summary begins with the verdict and what is not healthy. Healthy components are counted where the terminal has no room.
func TestSummaryFitsTheScreen(t *testing.T) {
	findings := []checks.Finding{}
	for _, component := range checks.Components() {
		findings = append(findings, healthy(component, component))
	}
	findings[5] = failing(checks.Warning, findings[5].Component, "x", "it is slow")
	findings[20] = failing(checks.Error, findings[20].Component, "y", "it is gone")
	report := reportOf(findings...)
	whole := strings.Split(rendered(t, "summary", Style{}, report), "\n")
	require.Regexp(t, `^staging \(us-east-1\) is error: 1 error, 1 warning, [0-9]+ healthy of [0-9]+$`, whole[0])
	require.Empty(t, whole[1])
	require.Regexp(t, `^`+findings[20].Component+` +error: NotFine: it is gone$`, whole[2])
	require.Regexp(t, `^`+findings[5].Component+` +warning: NotFine: it is slow$`, whole[3])
	require.Regexp(t, `^`+findings[0].Component+` +healthy: all is well`, whole[4])
	counted := fmt.Sprintf("%d components are healthy; --format verbose lists all", len(findings)-2)
	require.NotContains(t, whole, counted)

	for name, test := range map[string]struct {
		height, environments int
		screen               bool
		// count is in how many summaries healthy components are counted, sections in how many the certificate is.
		lines, count, sections int
	}{
		"room for everything":              {len(whole) - 1, 1, true, len(whole) - 1, 0, 1},
		"80x24":                            {23, 1, false, 12, 1, 1},
		"a watch of two":                   {20, 2, true, 11, 2, 0},
		"a watch of many keeps verdicts":   {9, 4, true, 7, 0, 0},
		"nothing is lost without a watch":  {3, 1, false, 5, 1, 0},
		"a watch in three lines":           {3, 1, true, 3, 0, 0},
		"a terminal whose size is unknown": {0, 1, true, len(whole) - 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			reports := StatusReport{Screen: test.screen, Multiple: test.environments > 1}
			for range test.environments {
				reports.Environments = append(reports.Environments, report)
			}
			var out bytes.Buffer
			require.NoError(t, Report(&out, reports, "summary", Style{Width: 80, Height: test.height}))
			require.Equal(t, test.environments, strings.Count(out.String(), " is error: "), out.String())
			require.Equal(t, test.lines, strings.Count(out.String(), "\n"), out.String())
			require.Equal(t, test.count, strings.Count(out.String(), counted), out.String())
			require.Equal(t, test.sections, strings.Count(out.String(), "Certificate\n"), out.String())
		})
	}
	require.Equal(t, "staging is error", Verdict(StatusReport{Environments: []EnvironmentReport{report}}, Style{}))
}
