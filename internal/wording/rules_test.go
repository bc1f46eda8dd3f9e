package wording

import (
	"regexp"
	"strings"
)

// A rule is one row of the phrase book: what is not written, and what is written for it.
type rule struct {
	// pattern finds the phrase in lower-cased text; a space in it stands for any white space, so for the end of a line too.
	pattern string
	// unless is what the phrase may continue with: "looks up" is no "looks".
	unless string
	// write is the standard term.
	write string
	// examples are texts that the rule must find, proper ones texts that it must not.
	examples, proper []string
}

// phraseBook lists the phrases that comments, messages and pages do not use. Its terms are those of docs/glossary.md.
var phraseBook = []rule{
	{
		pattern: `\b(says?|saying|said|tells?|telling|told)\b`, write: "returns, reports, logs, is notified",
		examples: []string{"status says it", "Tell the user", "nobody was told", "saying so"}, proper: []string{"essays", "a storyteller"},
	},
	{
		pattern: `\bmakes (a|an|one|two|another|new|its own)\b`, write: "creates",
		examples: []string{"up makes a snapshot", "makes\nan index"}, proper: []string{"makes sure", "makes it harder"},
	},
	{
		pattern: `\b(was|were|is|are|be|been|being|has|have|had) made\b`, unless: `^ (of|up|from|available|public)\b`, write: "was created, creates",
		examples: []string{"the stack was made by up", "has made the role"}, proper: []string{"is made of three parts", "be made up"},
	},
	{
		pattern: `\banew\b`, write: "again, recreate",
		examples: []string{"created anew"}, proper: []string{"a new stack"},
	},
	{
		pattern:  `\b(lies|lie|lay|lain) (in|at|on|beside|below|under|within|elsewhere|there|here)\b|\b(stands?|stood) (in|at|on|beside|below|under|behind|there|here)\b`,
		write:    "is stored in, is at",
		examples: []string{"the file lies in the directory", "the line stands at the top", "lies\nbeside it"},
		proper:   []string{"stands for", "understands in", "relies on", "standing"},
	},
	{
		pattern: `\b(holds?|held|holding) [^.;:()]{1,60}\bagainst\b`, write: "compares … with …",
		examples: []string{"holds the report against the schema"}, proper: []string{"holds the lock. Run it against staging", "compared against"},
	},
	{
		pattern: `\bby hand\b`, write: "manually, outside the deployer",
		examples: []string{"changed by hand", "By hand:"}, proper: []string{"by handing over", "standby hand-over"},
	},
	{
		pattern: `\bof (today|now)\b`, unless: `^'s\b`, write: "current",
		examples: []string{"the image of today", "the state of now"}, proper: []string{"as of the commit", "of nowhere"},
	},
	{
		pattern: `\b(go|goes|going|went|gone) on\b`, unless: `^ (and off|call)\b`, write: "continues",
		examples: []string{"the rollout goes on by itself", "went\non"}, proper: []string{"going once", "goes online", "cargo on"},
	},
	{
		pattern: `\b(ends?|ended|ending|go|goes|going|went|gone) well\b`, write: "succeeded",
		examples: []string{"what ended well", "it went well"}, proper: []string{"ends as well"},
	},
	{
		pattern: `\bas (it|they|he|she) (was|were) left\b`, write: "has drifted",
		examples: []string{"is not as it was left"}, proper: []string{"what was left"},
	},
	{
		pattern: `\blast words?\b`, write: "last log lines",
		examples: []string{"its last words"}, proper: []string{"the last wording"},
	},
	{
		pattern: `\b(put|puts|putting) ([a-z]+ )?right\b`, write: "repairs",
		examples: []string{"puts it right", "put right by up"}, proper: []string{"put rights on"},
	},
	{
		pattern: `\b(in|out of) step\b`, unless: `^ [0-9]`, write: "in sync, out of sync",
		examples: []string{"the state is out of step", "in step with"}, proper: []string{"in step 3", "in steps"},
	},
	{
		pattern: `\b(die|dies|died|dying)\b`, write: "crashed, was killed, exits",
		examples: []string{"the process died", "an engine that dies"}, proper: []string{"studied", "dead-letter queue"},
	},
	{
		pattern: `\bfor good\b`, unless: `^ (reason|measure)`, write: "permanently deleted",
		examples: []string{"it is gone for good"}, proper: []string{"for good reason", "for goods"},
	},
	{
		pattern: `\b(whoever|nobody|somebody|anybody)\b`, write: "no one, another user, another process",
		examples: []string{"whoever holds it", "Nobody is notified", "somebody else"}, proper: []string{"any body", "no one"},
	},
	{
		pattern: `\b(a|one|another|each|every|this|that|the|first|second|last|next|per|no) looks?\b`, unless: `^(-?(up|s?ahead)| like)\b`, write: "a poll, polls, reads",
		examples: []string{"ends with a look", "one look a second", "the looks"}, proper: []string{"a lookup", "looking", "text that looks like a number"},
	},
	{
		pattern: `\blooks\b`, unless: `^ (up|for|like)\b`, write: "polls, reads",
		examples: []string{"looks again", "looks at it"}, proper: []string{"looks up the zone", "looks like a secret", "looks\nfor it"},
	},
	{
		pattern: `\bin (its|their|his|whose) place\b|\b(take|takes|took|taken|taking) (its|their|the) places?\b`, write: "replaces, superseded by",
		examples: []string{"another one in its place", "takes the place of"}, proper: []string{"in place", "takes place"},
	},
	{
		pattern: `\bwhat (came|comes|will come|has come|became|becomes) of\b|\bhow (it|they|that|this|each|everything) (went|goes|ended|ends)\b`, write: "the outcome",
		examples: []string{"what came of it", "how it went"}, proper: []string{"what comes off", "how it works"},
	},
	{
		pattern: `\bwithout a word\b`, write: "quietly",
		examples: []string{"ends without a word"}, proper: []string{"without a wordlist"},
	},
	{
		pattern: `\bleft alone\b|\b(leave|leaves|leaving|left) ([a-z]+ ){0,2}alone\b`, write: "is not changed",
		examples: []string{"is left alone", "leaves it alone", "what was left alone"}, proper: []string{"standalone", "runs alone", "can be deployed alone"},
	},
	{
		pattern: `\bsigns? of life\b`, write: "heartbeat, keep-alive",
		examples: []string{"a sign of life", "signs of life"}, proper: []string{"signs of lifecycle"},
	},
	{
		pattern: `\bcuts?\b`, unless: `^ -[dfc]`, write: "truncated",
		examples: []string{"a file that was cut", "cuts it"}, proper: []string{"shortcut", "cutoff", "cut -d: -f1", "execute"},
	},
	{
		pattern: `\basks? for (none|no)\b`, write: "is none, is disabled, and the key",
		examples: []string{"the environment asks for none"}, proper: []string{"asks for nothing", "asks for its name"},
	},
	{
		pattern: `\b(a|the) password of its own\b`, write: "its own password",
		examples: []string{"a password of its own"}, proper: []string{"its own password", "a resource of its own"},
	},
	{
		pattern: `\bstopped too\b`, unless: `^ (early|late|soon)\b`, write: "also stopped",
		examples: []string{"task b stopped too: exit code 1"}, proper: []string{"stopped too early"},
	},
	{
		pattern: `\b(it|that|which|value|stack|[xyz]) (is|was) no (name|time|tag|number|environment)\b`, write: "is not a",
		examples: []string{"it is no time", "the shared stack is no environment"}, proper: []string{"there is no limit", "is not a time"},
	},
	{
		pattern: `\b(was|were) (deployed|answered|done) well\b|\banswer(s|ed) well\b`, write: "was verified healthy, succeeded",
		examples: []string{"the last image that was deployed well", "the domain answered well"}, proper: []string{"performs well"},
	},
	{
		pattern: `\bmust be given\b`, write: "is required",
		examples: []string{"--env must be given"}, proper: []string{"is given"},
	},
}

// spokenWords are those of the phrase book that no identifier contains.
var spokenWords = strings.Fields("say says saying said tell tells telling told teller voice whoever nobody somebody anybody anew")

// notVerbs are words that a function's doc comment does not continue with after the name.
var notVerbs = strings.Fields("is was has says tells its this as") // has: what a type has; a function reports whether it has

// exceptions are lines that a rule finds and that stay, each with its reason: in files whose path begins with file, those that contain text.
var exceptions = []struct{ file, text, reason string }{
	{"CHANGELOG.md", "", "history: entries of earlier versions stay as they were published"},
	{"internal/wording/", "", "the phrase book itself"},
	{"deployer/history/deployment.go", "died", "the outcome's value in the records that earlier versions wrote"},
	{"docs/runbook.md", "died: rollout", "quotes that outcome as history prints it"},
	{"deployer/command/testdata/script/lock.txtar", "died: migrate", "quotes that outcome as history prints it"},
	{"deployer/command/testdata/script/runbook.txtar", "died: rollout", "quotes that outcome as history prints it"},
}

func (r rule) compile() *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(r.pattern, " ", `\s+`))
}
