package command

import (
	"flag"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/doctor"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/probe"
)

// flagsInForce are the global flags of this run that a printed command needs, so that a copy of it acts on the same account, project and
// environment. Whatever prints a command, however deep, writes it without them: they are added where text leaves the program.
type flagsInForce struct {
	// env is the environment, "" where there are several or none.
	env string
	// account has --local, --endpoint-url and --profile, files --dir and --state-dir, each as it is typed.
	account, files []string
}

// readFlagsInForce returns the flags of a run. --region is not among them: commands that change something reject it.
// Directories, and an endpoint in AWS's own variable, count only where they are on the command line: the variable also reaches
// the copy of a command.
func readFlagsInForce(c *cli.Context) flagsInForce {
	var f flagsInForce
	if env := c.String("env"); env != allEnvironments && !strings.Contains(env, ",") && environment.StackOf(env) != environment.SharedStack {
		f.env = env
	}
	if c.Bool("local") {
		f.account = append(f.account, "--local")
	}
	for _, name := range []string{"endpoint-url", "profile"} {
		if value := c.String(name); value != "" && value != os.Getenv("AWS_ENDPOINT_URL") {
			f.account = append(f.account, "--"+name+" "+text.ShellQuote(value))
		}
	}
	for _, name := range []string{"dir", "state-dir"} {
		if value := c.String(name); c.IsSet(name) && value != os.Getenv(variable(name)) {
			f.files = append(f.files, "--"+name+" "+text.ShellQuote(value))
		}
	}
	return f
}

// simulated reports whether the run acts on the simulated account.
func (f *flagsInForce) simulated() bool { return f != nil && slices.Contains(f.account, "--local") }

// scanFlagsInForce returns the flags in arguments that were not parsed yet, or cannot be: an error about them names commands, too.
func scanFlagsInForce(args []string) flagsInForce {
	flags, set := flagsOfAll(nil), flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, f := range flags {
		if f.Apply(set) != nil {
			return flagsInForce{}
		}
	}
	var global []string
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if flagOf(flags, args[i]) == nil {
			continue
		}
		global = append(global, args[i])
		if i+1 < len(args) && takesValue(flags, args[i]) {
			i++
			global = append(global, args[i])
		}
	}
	if set.Parse(global) != nil {
		return flagsInForce{}
	}
	return readFlagsInForce(cli.NewContext(nil, set, nil))
}

// printedCommand matches a command of the deployer in a text: quoted, or at the start of a line, up to the end of the quotation or the line.
var printedCommand = lazyregexp.New("(?m)(`)(deployer [a-z][^`\n]*)|(^[ \t]*)(deployer [a-z][^\n]*)")

// addTo returns a text whose commands of the deployer have the flags that they lack.
func (f *flagsInForce) addTo(printed string) string {
	if f == nil || !strings.Contains(printed, "deployer ") {
		return printed
	}
	return printedCommand.ReplaceAllStringFunc(printed, func(found string) string {
		at := strings.Index(found, "deployer ")
		return found[:at] + f.complete(found[at:])
	})
}

// Commands with which another account or environment makes no difference.
var (
	withoutAccount     = []string{"completion", "local", "version"}
	withoutEnvironment = append([]string{"bootstrap", "env"}, withoutAccount...)
)

// givenEnv matches --env with its value.
var givenEnv = lazyregexp.New(`\s(?:--env|-e)[ =]\S+`)

// complete adds flags to a command: behind --env, or behind the words that name the command. What is no command of the deployer stays as
// it is, and so does a request for help.
func (f *flagsInForce) complete(line string) string {
	command, rest := splitCommand(line)
	words := strings.Fields(command)
	path, known := commandPath(words)
	if !known || strings.Contains(command, "--help") {
		return line
	}
	var missing []string
	if f.env != "" && !slices.Contains(withoutEnvironment, words[1]) && !givenEnv.MatchString(command) {
		missing = append(missing, "--env "+text.ShellQuote(f.env))
	}
	flags := f.files
	if !slices.Contains(withoutAccount, words[1]) {
		flags = slices.Concat(f.account, f.files)
	}
	for _, flag := range flags {
		name, _, _ := strings.Cut(flag, " ")
		if !slices.Contains(words, name) {
			missing = append(missing, flag)
		}
	}
	if len(missing) == 0 {
		return line
	}
	end := len(path)
	if given := givenEnv.FindStringIndex(command); given != nil {
		end = given[1]
	}
	return command[:end] + " " + strings.Join(missing, " ") + command[end:] + rest
}

// splitCommand returns a line up to a pipe, a redirection or another command, and the rest.
func splitCommand(line string) (command, rest string) {
	end := len(line)
	for _, separator := range []string{" | ", " && ", " > ", " -- ", "; "} {
		if at := strings.Index(line, separator); at >= 0 {
			end = min(end, at)
		}
	}
	return line[:end], line[end:]
}

// commandPath returns the words that name a command, as in deployer snapshot restore, and whether there is one.
func commandPath(words []string) (path string, known bool) {
	all, path := verbs(), "deployer"
	for _, word := range words[1:] {
		at := slices.IndexFunc(all, func(v verb) bool { return v.name == word })
		if at < 0 {
			break
		}
		path += " " + word
		if known, all = all[at].run != nil, all[at].verbs; len(all) == 0 {
			break
		}
	}
	return path, known
}

// A flaggedWriter adds the flags in force to the commands in what it writes, which is text.
type flaggedWriter struct {
	io.Writer
	flags *flagsInForce
}

func (w flaggedWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, w.flags.addTo(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap returns the stream below, such as a terminal.
func (w flaggedWriter) Unwrap() io.Writer { return w.Writer }

// raw returns the stream that writers wrap, such as a terminal.
func raw[Stream any](stream Stream) Stream {
	for {
		wrapper, ok := any(stream).(interface{ Unwrap() io.Writer })
		if !ok {
			return stream
		}
		below, ok := wrapper.Unwrap().(Stream)
		if !ok {
			return stream
		}
		stream = below
	}
}

// addToRecord returns a record whose texts have the flags. Stored records do not have them: they are read with other flags.
func (f *flagsInForce) addToRecord(d history.Deployment) history.Deployment {
	d.Error, d.Hint = f.addTo(d.Error), f.addTo(d.Hint)
	d.Warnings = slices.Clone(d.Warnings)
	for i, warning := range d.Warnings {
		d.Warnings[i] = f.addTo(warning)
	}
	d.Phases = slices.Clone(d.Phases)
	for i, p := range d.Phases {
		d.Phases[i].Message = f.addTo(p.Message)
	}
	return d
}

// addToReport adds the flags to the hints of a report.
func (f *flagsInForce) addToReport(r *ui.EnvironmentReport) {
	f.addToFindings(r.Services)
	if r.Failure != nil {
		f.addToFailure(r.Failure)
	}
}

func (f *flagsInForce) addToFailure(failure *ui.Failure) {
	failure.Message, failure.Hint = f.addTo(failure.Message), f.addTo(failure.Hint)
}

func (f *flagsInForce) addToFindings(findings []checks.Finding) {
	for i := range findings {
		if h := findings[i].Hint; h != nil {
			findings[i].Hint = &checks.Hint{Cause: f.addTo(h.Cause), Solution: f.addTo(h.Solution), Command: f.addTo(h.Command)}
		}
	}
}

func (f *flagsInForce) addToProbes(results []probe.Result) {
	for _, r := range results {
		if r.Problem != nil {
			r.Problem.Hint = f.addTo(r.Problem.Hint)
		}
	}
}

func (f *flagsInForce) addToDoctor(findings []doctor.Finding) {
	for i := range findings {
		findings[i].Message, findings[i].Hint = f.addTo(findings[i].Message), f.addTo(findings[i].Hint)
	}
}
