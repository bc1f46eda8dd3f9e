package environment

import (
	"net/url"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// secretHosts lists the hosts of services whose webhook URLs are credentials: the URL alone suffices to post. A name includes its subdomains.
// Source: https://api.slack.com/messaging/webhooks, https://support.pagerduty.com/main/docs/aws-cloudwatch-integration-guide
var secretHosts = []string{
	"hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com", "logic.azure.com", "powerplatform.com",
	"chat.googleapis.com", "pagerduty.com", "opsgenie.com", "victorops.com", "hooks.zapier.com", "hook.make.com", "maker.ifttt.com",
	"integrations.betterstack.com", "uptime.betterstack.com", "api.telegram.org",
}

// chatHosts lists hosts that cannot confirm a subscription of SNS, since they require messages in a format of their own.
var chatHosts = []string{"hooks.slack.com", "webhook.office.com"}

// tokenPattern matches a part of a path that is long and random enough to be a key: a UUID, or 20 letters and digits, both of them present.
var tokenPattern = lazyregexp.New(`^[A-Za-z0-9_-]{20,}$`)

const (
	webhookRemedy = "give the https URL of an endpoint that confirms subscriptions of SNS itself, without a key in it"
	secretRemedy  = "keep it out of the file: after the first deployment, subscribe it with `aws sns subscribe`; status counts it"
	chatRemedy    = "for Slack and Teams, configure Amazon Q Developer in chat applications for the topic, which needs no URL here"
)

// webhookProblem returns what is wrong with a URL that receives notifications, and the remedy, or "" for both. It never repeats the URL,
// which may be a secret.
func webhookProblem(text string) (message, remedy string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return "it is not an https URL", webhookRemedy
	case hostIn(u.Hostname(), chatHosts):
		return "a webhook of " + u.Hostname() + " does not confirm subscriptions of SNS, and its URL is a secret", chatRemedy
	case hostIn(u.Hostname(), secretHosts):
		return "a webhook URL of " + u.Hostname() + " is a secret", secretRemedy
	case u.User != nil:
		return "it has a user name or a password", secretRemedy
	case u.RawQuery != "" || u.Fragment != "":
		return "it has a query or a fragment, which may be a secret", secretRemedy
	case slices.ContainsFunc(strings.Split(u.EscapedPath(), "/"), looksRandom):
		return "a part of its path looks like a key", secretRemedy
	}
	return "", ""
}

func hostIn(host string, domains []string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(domains, func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) })
}

func looksRandom(part string) bool {
	return tokenPattern.MatchString(part) && strings.ContainsAny(part, "0123456789") &&
		strings.ContainsAny(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz")
}
