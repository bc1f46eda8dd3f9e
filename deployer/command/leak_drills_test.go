package command

import "strings"

// drill is a run of a command in the test of leaks.
type drill struct {
	// before is another command that has to run first, for this one to have something to do. It is searched too.
	before string
	// args follow the command's name; {hunter} is replaced by a secret that was passed there by mistake.
	args string
	// in is standard input.
	in string
	// everyForm runs it in each of its formats with --debug, and once with --verbose; otherwise it runs once, with --debug.
	everyForm bool
	// faults runs it once more in an account with faults.
	faults bool
	// ends is the expected outcome without faults.
	ends outcome
}

// outcome is the expected exit code of a command: without one, any code but 3.
type outcome int

const (
	// rejected is the exit code 3.
	rejected outcome = iota + 1
	anyOutcome
)

// drillFaults are independent of each other.
const drillFaults = " --fault secret-key-missing,access-denied,api-errors,dead-letters,certificate-expired"

// lines returns the command lines of a drill.
func (d drill) lines(l leaf) [][]string {
	line := l.path + " " + strings.ReplaceAll(d.args, "{hunter}", hunter)
	lines := []string{line + " --debug"}
	if d.everyForm {
		lines = []string{line + " --verbose"}
		for _, form := range l.formats {
			lines = append(lines, line+" --debug --format "+form)
		}
		if len(l.formats) == 0 {
			lines = append(lines, line+" --debug")
		}
	}
	var all [][]string
	for _, one := range lines {
		all = append(all, strings.Fields(one))
	}
	return all
}

// withFaults returns the command line of a drill in an account with faults.
func (d drill) withFaults(l leaf) []string {
	return strings.Fields(l.path + " " + d.args + drillFaults + " --debug")
}

// reads returns a drill of a command that reads the account of staging.
func reads(args string) drill {
	return drill{args: "--env staging --local " + args, everyForm: true, faults: true}
}

// prints returns a drill of a command that uses no account.
func prints(args string) drill { return drill{args: args, everyForm: true} }

// once returns a drill of a command that changes staging.
func once(args, in string) drill { return drill{args: "--env staging --local --yes " + args, in: in} }

// rejects returns a drill of a command that is rejected.
func rejects(args, in string) drill {
	return drill{args: "--env staging --local --yes " + args, in: in, ends: rejected}
}

// Input that users may pass by mistake.
const (
	badEnv = "SENTRY_DSN=" + hardDSN + "\nSENTRY_DSN=" + hardDSN + "\n" + hunter + " is no line\nexport " + hunter + "-x=1\nA='" + hunter + "\n"
	// oddEnv can be parsed, but its values are mistakes.
	oddEnv        = "SENTRY_DSN=" + hunter + "\nSUBGRAPH_API_URL=https://" + hunter + ":x/\nNODE_ENV= " + hunter + "\nNODE_EVN=" + hunter + "\nAWS_REGION=" + hunter + "\n"
	badJSON       = `{"SENTRY_DSN": "` + hardDSN + `", "NESTED": {"A": "` + hunter + `"}, "LIST": ["` + hunter + `"], "` + hunter + `-x": "y", "N": 1, "N": 2}`
	truncatedJSON = `{"SENTRY_DSN": "` + hardDSN + `", "B": "` + hunter
	foreignURL    = "postgresql://a:" + hunter + "@v3-backend-production-db.x.us-east-1.rds.amazonaws.com/balancer"
	goodEnv       = "SENTRY_DSN=" + hardDSN + "\nSUBGRAPH_API_URL=https://" + hunter + ".example.org/\nNODE_ENV=staging\n"
	otherTag      = "1.41.8-abc123def"
)

// drills returns the runs of all commands, by their full names. A command that is missing here fails the test.
func drills() map[string][]drill {
	return map[string][]drill{
		"up": {
			reads("--dry-run --image-tag " + otherTag), rejects("--image-tag no/tag", ""),
			once("--code-only --notify http://127.0.0.1:1/{hunter} --image-tag "+otherTag, ""),
		},
		"rollback": {
			reads("--dry-run --to " + otherTag),
			{before: "up --env staging --code-only --image-tag " + otherTag, args: "--env staging --local --yes"},
		},
		"images":  {reads("")},
		"preview": {reads("--image-tag " + otherTag), once("--refresh --image-tag "+otherTag, "")},
		"drift":   {reads("")},
		"restart": {reads("--dry-run"), once("--service api", "")},
		"migrate": {reads("--dry-run"), once("--stop", ""), once("", ""), once("--fault migration-fails", ""), once("--command printenv", "")},
		"destroy": {
			{args: "--env production --local --yes", ends: rejected}, once("", ""),
		},
		"sleep":  {reads("--dry-run"), {args: "--env production --local", ends: rejected}},
		"wake":   {reads("--dry-run"), {before: "sleep --env staging", args: "--env staging --local --yes"}},
		"status": {reads(""), {args: "--env staging --local --notify http://127.0.0.1:1/{hunter}"}, {args: "--env all --local --format json"}},
		"health": {reads("")},
		"vars": {
			reads(""), reads("--service api --filter *"), {args: "--env production --local --no-mask", ends: rejected},
			{before: "up --env dev --image-tag " + otherTag, args: "--env staging --local --compare dev", everyForm: true, faults: true},
		},
		"tasks":   {reads(""), {before: "migrate --command printenv --env staging", args: "--env staging --local --service migration", everyForm: true}},
		"outputs": {reads(""), prints("--env shared --local")},
		"logs": {
			{args: "--env staging --local --timeout 20s", everyForm: true, faults: true, ends: anyOutcome},
			{before: "migrate --command printenv --env staging", args: "--env staging --local --since 1h", everyForm: true},
		},
		"exec":   {{args: "--env staging --local --timeout 20s", ends: anyOutcome}},
		"tunnel": {rejects("--port 28767", "")},
		"cost":   {reads("--actual"), prints("--env all")},
		"url":    {prints("--env staging")},
		"history": {
			reads("--stats"), {args: "--env staging --local --format json"}, rejects("no-such-deployment", ""), rejects("../../account", ""),
		},

		"mcp": {{args: "--env staging --local"}}, // its tools are called by TestNothingLeaks/tools

		"lock keep":    {rejects("--holder ID --parent 1", "")},
		"lock status":  {reads("")},
		"lock release": {once("", ""), once("--force", "")},

		"snapshot create":  {once("", "")},
		"snapshot list":    {reads("")},
		"snapshot restore": {once("--dry-run", ""), rejects("nothing-of-the-kind --switch", ""), once("--switch", ""), once("--back", "")},

		"secrets check": {reads(""), rejects("SENTRY_DSN={hunter}", "")},
		"secrets init": {
			rejects("", goodEnv), rejects("--replace", badEnv), rejects("--replace --from-file bad.env", ""), rejects("--replace", oddEnv),
			rejects("--replace", badJSON), rejects("--replace", truncatedJSON), rejects("--replace --force", strings.Repeat(hunter, 10_000)),
			rejects("SENTRY_DSN={hunter}", ""), rejects("--replace={hunter}", ""), once("--replace --force", oddEnv), once("--replace", goodEnv),
		},
		"secrets set": {
			rejects("SENTRY_DSN {hunter}", ""), rejects("SENTRY_DSN={hunter}", ""), rejects("{hunter}-x SENTRY_DSN", ""),
			rejects("SENTRY_DSN --value={hunter}", ""), rejects("SENTRY_DSN -{hunter}", ""), rejects("SENTRY_DSN --delete={hunter}", ""),
			rejects("SENTRY_DSN", hunter), rejects("SENTRY_DSN", "https://"+hunter+"-changeme@x/"), rejects("SENTRY_DSN", hunter+"\x00"), rejects("SENTRY_DSN", hunter+"\xff"),
			rejects("DATABASE_URL", foreignURL), once("SENTRY_DSN --dry-run", hardDSN+"0"), once("SENTRY_DSN", hardDSN+"1"),
			once("NEW_TOKEN --force", hunter), once("NEW_TOKEN --delete", ""),
		},
		"secrets diff": {reads(""), reads("--against dev"), rejects("{hunter}", ""), rejects("--version no-such-version", "")},

		"env list":     {prints("")},
		"env validate": {prints(""), prints("--explain"), prints("--env staging")},
		"env new":      {prints("qa --from staging --dry-run")},
		"import":       {{args: "--env staging --local --yes --timeout 60s", everyForm: true, ends: anyOutcome}},
		"bootstrap":    {{args: "--local"}, {args: "--local --dry-run"}},

		"doctor": {reads("")},

		"local serve":  {{args: "--address 127.0.0.1:0 --timeout 1s", ends: anyOutcome}},
		"local push":   {{args: "1.42.0-feedbeef"}},
		"local reset":  {{args: "--yes"}},
		"local faults": {prints("")},

		"completion": {prints("bash"), prints("zsh"), prints("fish"), {args: "powershell", ends: rejected}},
		"version":    {prints("")},
	}
}
