package infra

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// lasting returns the properties of which another value replaces what holds data or is in the way of every request: the VPC, the database
// and the load balancer.
// Source: https://github.com/hashicorp/terraform-provider-aws/tree/v5.100.0/internal/service (ForceNew)
func lasting() map[string][]string {
	properties := func(typ string) []string {
		all := []string{"name"}
		for property := range replacements()[typ] {
			all = append(all, property)
		}
		return all
	}
	return map[string][]string{
		"awsx:ec2:Vpc":                     {"cidrBlock", "tags.Name"},
		"aws:rds/instance:Instance":        append(properties("aws:rds/instance:Instance"), "identifier", "allocatedStorage"),
		"aws:lb/loadBalancer:LoadBalancer": properties("aws:lb/loadBalancer:LoadBalancer"),
		"pulumi:providers:aws":             {"region", "allowedAccountIds"},
	}
}

// fingerprint returns the values of these properties.
func fingerprint(all []registration) map[string]string {
	found := map[string]string{}
	for _, r := range all {
		for _, property := range lasting()[r.typ] {
			if property == "tags.Name" {
				found[r.typ+" "+property] = fmt.Sprint(r.get("tags", "Name"))
			} else if value := r.inputs[property]; value != nil && !slices.Contains(r.ignored, property) {
				found[r.typ+" "+property] = fmt.Sprint(value)
			}
		}
	}
	return found
}

// leaves returns a function for each value of a description, by its path, that changes it.
func leaves(values map[string]any, path string) map[string]func() {
	all := map[string]func(){}
	for key, value := range values {
		here := path + key
		switch value := value.(type) {
		case map[string]any:
			for below, change := range leaves(value, here+".") {
				all[below] = change
			}
		case bool:
			all[here] = func() { values[key] = !value }
		case float64:
			all[here] = func() { values[key] = value + 1 }
		case []any:
			all[here] = func() { values[key] = append(slices.Clone(value), "another") }
		case string:
			all[here] = func() { values[key] = anotherText(here, value) }
		}
	}
	return all
}

// anotherText returns another text for a key, one that the program can work with.
func anotherText(key, value string) string {
	switch key {
	case "network.nat":
		return "per-zone"
	case "network.cidr":
		return "10.99.0.0/16"
	case "monitoring.level":
		return "full"
	case "database.engineVersion":
		return "17"
	}
	if strings.HasSuffix(value, "s") { // a duration
		return "7s"
	}
	return value + "9"
}

// TestKeysThatReplace changes each key of a description alone, and finds those that replace the VPC, the database or the load balancer. All
// of them must be in the table of docs/environment.md, What cannot change.
func TestKeysThatReplace(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	values, err := env.Encode()
	require.NoError(t, err)
	run := func() map[string]string {
		changed, err := environment.DecodeDeployed(env.Stack, values)
		require.NoError(t, err)
		return fingerprint(record(t, env.Stack, Deploy(changed, Release{Image: testImage, RecordedImage: testImage})))
	}
	before := run()
	require.Contains(t, before, "awsx:ec2:Vpc cidrBlock")
	require.Contains(t, before, "aws:rds/instance:Instance dbName")
	require.Contains(t, before, "pulumi:providers:aws region")

	var replacing []string
	keys := leaves(values, "")
	require.Greater(t, len(keys), 50)
	for key := range keys {
		values, err = env.Encode()
		require.NoError(t, err)
		leaves(values, "")[key]()
		if fmt.Sprint(run()) != fmt.Sprint(before) {
			replacing = append(replacing, key)
		}
	}
	require.ElementsMatch(t, []string{
		"name", "prefix", "account", "region", "network.cidr", "database.name", "database.user", "database.storageGiB",
	}, replacing)
}
