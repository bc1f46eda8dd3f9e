package command

import "strings"

// drill is how the test of leaks runs a command.
type drill struct {
	// before is another command that has to run first, for this one to have something to do. It is searched too.
	before string
	// args follow the command's name; {hunter} stands for a secret that was given there by mistake.
	args string
	// in is standard input.
	in string
	// everyForm runs it in each of its forms with --debug, and once with --verbose; otherwise it runs once, with --debug.
	everyForm bool
	// faults runs it once more in an account where things go wrong.
	faults bool
	// ends is how it ends where nothing goes wrong.
	ends outcome
}

// outcome is how a command may end: without one it has to run, which is any exit code but 3.
type outcome int

const (
	// refused is the exit code 3.
	refused outcome = iota + 1
	anyhow
)

// drillFaults go together: what each of them breaks is another thing.
const drillFaults = " --fault secret-key-missing,access-denied,api-errors,dead-letters,certificate-expired"

// lines are the command lines of a drill.
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

// withFaults is the command line of a drill in an account where things go wrong.
func (d drill) withFaults(l leaf) []string {
	return strings.Fields(l.path + " " + d.args + drillFaults + " --debug")
}

// reads is a command that reads the account of staging.
func reads(args string) drill {
	return drill{args: "--env staging --local " + args, everyForm: true, faults: true}
}

// says is a command that asks no account.
func says(args string) drill { return drill{args: args, everyForm: true} }

// once is a command that changes staging.
func once(args, in string) drill { return drill{args: "--env staging --local --yes " + args, in: in} }

// refuses is one that cannot be meant.
func refuses(args, in string) drill {
	return drill{args: "--env staging --local --yes " + args, in: in, ends: refused}
}

// What people hand over by mistake.
const (
	badEnv = "SENTRY_DSN=" + hardDSN + "\nSENTRY_DSN=" + hardDSN + "\n" + hunter + " is no line\nexport " + hunter + "-x=1\nA='" + hunter + "\n"
	// oddEnv can be read, and is not what anybody means.
	oddEnv     = "SENTRY_DSN=" + hunter + "\nSUBGRAPH_API_URL=https://" + hunter + ":x/\nNODE_ENV= " + hunter + "\nNODE_EVN=" + hunter + "\nAWS_REGION=" + hunter + "\n"
	badJSON    = `{"SENTRY_DSN": "` + hardDSN + `", "NESTED": {"A": "` + hunter + `"}, "LIST": ["` + hunter + `"], "` + hunter + `-x": "y", "N": 1, "N": 2}`
	cutJSON    = `{"SENTRY_DSN": "` + hardDSN + `", "B": "` + hunter
	foreignURL = "postgresql://a:" + hunter + "@v3-backend-production-db.x.us-east-1.rds.amazonaws.com/balancer"
	goodEnv    = "SENTRY_DSN=" + hardDSN + "\nSUBGRAPH_API_URL=https://" + hunter + ".example.org/\nNODE_ENV=staging\n"
	otherTag   = "1.41.8-abc123def"
)

// drills are all commands, by their whole names. A command that is missing here fails the test.
func drills() map[string][]drill {
	return map[string][]drill{
		"up": {
			reads("--dry-run --image-tag " + otherTag), refuses("--image-tag no/tag", ""),
			once("--code-only --image-tag "+otherTag, ""),
		},
		"rollback": {
			reads("--dry-run --to " + otherTag),
			{before: "up --env staging --code-only --image-tag " + otherTag, args: "--env staging --local --yes"},
		},
		"images":  {reads("")},
		"preview": {reads("--image-tag " + otherTag), once("--refresh --image-tag "+otherTag, "")},
		"drift":   {reads("")},
		"migrate": {reads("--dry-run"), once("", ""), once("--fault migration-fails", "")},
		"destroy": {
			{args: "--env production --local --yes", ends: refused}, once("", ""),
		},
		"status": {reads(""), {args: "--env staging --local --notify http://127.0.0.1:1/{hunter}"}, {args: "--env all --local --format json"}},
		"health": {reads("")},
		"vars": {
			reads(""), reads("--service api --filter *"), {args: "--env production --local --no-mask", ends: refused},
			{before: "up --env dev --image-tag " + otherTag, args: "--env staging --local --compare dev", everyForm: true, faults: true},
		},
		"outputs": {reads(""), says("--env shared --local")},
		"logs":    {{args: "--env staging --local --timeout 20s", everyForm: true, faults: true, ends: anyhow}},
		"exec":    {{args: "--env staging --local --timeout 20s", ends: anyhow}},
		"cost":    {reads("--actual"), says("--env all")},
		"url":     {says("--env staging")},
		"history": {reads(""), refuses("no-such-deployment", "")},

		"lock status":  {reads("")},
		"lock release": {once("", ""), once("--force", "")},

		"snapshot create":  {once("", "")},
		"snapshot list":    {reads("")},
		"snapshot restore": {once("--dry-run", ""), refuses("nothing-of-the-kind --switch", ""), once("--switch", ""), once("--back", "")},

		"secrets check": {reads(""), refuses("SENTRY_DSN={hunter}", "")},
		"secrets init": {
			refuses("", goodEnv), refuses("--replace", badEnv), refuses("--replace --from-file bad.env", ""), refuses("--replace", oddEnv),
			refuses("--replace", badJSON), refuses("--replace", cutJSON), refuses("--replace --force", strings.Repeat(hunter, 10_000)),
			refuses("SENTRY_DSN={hunter}", ""), refuses("--replace={hunter}", ""), once("--replace --force", oddEnv), once("--replace", goodEnv),
		},
		"secrets set": {
			refuses("SENTRY_DSN {hunter}", ""), refuses("SENTRY_DSN={hunter}", ""), refuses("{hunter}-x SENTRY_DSN", ""),
			refuses("SENTRY_DSN --value={hunter}", ""), refuses("SENTRY_DSN -{hunter}", ""), refuses("SENTRY_DSN --delete={hunter}", ""),
			refuses("SENTRY_DSN", hunter), refuses("SENTRY_DSN", "https://"+hunter+"-changeme@x/"), refuses("SENTRY_DSN", hunter+"\x00"), refuses("SENTRY_DSN", hunter+"\xff"),
			refuses("DATABASE_URL", foreignURL), once("SENTRY_DSN --dry-run", hardDSN+"0"), once("SENTRY_DSN", hardDSN+"1"),
			once("NEW_TOKEN --force", hunter), once("NEW_TOKEN --delete", ""),
		},
		"secrets diff": {reads(""), reads("--against dev"), refuses("{hunter}", ""), refuses("--version no-such-version", "")},

		"env list":     {says("")},
		"env validate": {says(""), says("--explain"), says("--env staging")},
		"env new":      {says("qa --from staging --dry-run")},
		"import":       {{args: "--env staging --local --yes --timeout 60s", everyForm: true, ends: anyhow}},
		"bootstrap":    {{args: "--local"}, {args: "--local --dry-run"}},

		"local serve":  {{args: "--address 127.0.0.1:0 --timeout 1s", ends: anyhow}},
		"local push":   {{args: "1.42.0-feedbeef"}},
		"local reset":  {{args: "--yes"}},
		"local faults": {says("")},

		"completion": {says("bash"), says("zsh"), says("fish"), {args: "powershell", ends: refused}},
		"version":    {says("")},
	}
}
