package risk

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// containers returns the containers of a task definition by name; none where only the deployment determines them.
func containers(properties map[string]any) map[string]map[string]any {
	encoded, _ := properties["containerDefinitions"].(string)
	var decoded []any
	if json.Unmarshal([]byte(encoded), &decoded) != nil {
		return nil
	}
	return byKey(decoded, "name")
}

// ofContainers returns a rule that applies others to each container that a task definition keeps.
func ofContainers(all ...rule) rule {
	return func(before, after map[string]any) []string {
		var found []string
		old, now := containers(before), containers(after)
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if old[name] == nil {
				continue
			}
			for _, compare := range all {
				for _, what := range compare(old[name], now[name]) {
					found = append(found, "the container "+name+" "+what)
				}
			}
		}
		return found
	}
}

// weakerContainer are the rules of a container's protection, widerContainer those of its permissions.
var (
	weakerContainer = ofContainers(
		weakerHealthCheck,
		more("healthCheck.interval", "is checked every %s s instead of %s"),
		more("healthCheck.retries", "is unhealthy after %s failed checks instead of %s"),
		turnsOff("readonlyRootFilesystem", "can write to its file system"),
		withDefault("essential", true, turnsOff("essential", "may end without its task")),
		loses("logConfiguration", "writes no logs any more"),
		revealsSecrets,
	)
	widerContainer = ofContainers(
		turnsOn("privileged", "runs privileged, as root of its host"),
		becomesRoot,
		addsCapabilities,
	)
)

// weakerHealthCheck reports a health check that is gone, or cannot fail any more.
func weakerHealthCheck(before, after map[string]any) []string {
	old, now := texts(at(before, "healthCheck.command")), texts(at(after, "healthCheck.command"))
	exists := func(command []string) bool { return len(command) > 0 && command[0] != "NONE" }
	if !exists(old) || !canFail(old) {
		return nil
	}
	if !exists(now) {
		return []string{"has no health check any more"}
	}
	return onlyIf(!canFail(now), "has a health check that cannot fail: "+strings.Join(now, " "))
}

// succeeds matches the end of a shell command that succeeds whatever came before it.
var succeeds = lazyregexp.New(`(?:^|;|\|\|)\s*(?:exit\s+0|(?:/usr)?(?:/bin/)?true|:|echo[^;&|]*)\s*;?$`)

// canFail reports whether a health check's command, beginning with CMD or CMD-SHELL, is one that can fail.
func canFail(command []string) bool {
	return !succeeds.MatchString(strings.TrimSpace(command[len(command)-1])) || len(command) > 2 && !slices.Contains(command, "-c")
}

// revealsSecrets reports variables that came from a secret and are now plain text in the task definition.
func revealsSecrets(before, after map[string]any) []string {
	var revealed []string
	secrets, variables := byKey(before["secrets"], "name"), byKey(after["environment"], "name")
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if variables[name] != nil {
			revealed = append(revealed, "has "+name+" in plain text instead of from a secret")
		}
	}
	return revealed
}

// becomesRoot reports a container whose user is now root. Without a user it is the image's, which is not known.
func becomesRoot(before, after map[string]any) []string {
	isRoot := func(properties map[string]any) bool {
		name, _, _ := strings.Cut(show(properties["user"]), ":")
		return name == "root" || name == "0"
	}
	return onlyIf(!isRoot(before) && isRoot(after), "runs as root")
}

func addsCapabilities(before, after map[string]any) []string {
	const added = "linuxParameters.capabilities.add"
	var more []string
	for _, capability := range elements(at(after, added)) {
		if !contains(at(before, added), capability) {
			more = append(more, "has the capability "+show(capability))
		}
	}
	return more
}
