package risk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// lostRecord distinguishes a record that names a host from one that only AWS or a certificate authority reads.
func lostRecord(s engine.Step) []reason {
	name, _ := s.Before["name"].(string)
	switch {
	case s.Before["type"] == "CAA":
		return []reason{{Weakened, "without the CAA record, every authority may issue certificates for the domain"}}
	case strings.HasPrefix(name, "_"):
		return nil
	}
	return []reason{{Lost, "deletes the DNS record, without which its name does not resolve"}}
}

// diversions returns the requests that an updated record or listener no longer sends to where they went. What they go to
// instead cannot be judged, so that the reverse is a risk as well.
func diversions(s engine.Step) []reason {
	if s.Before == nil || s.After == nil || s.Replaces {
		return nil
	}
	switch {
	case s.Type == record && s.Before["type"] == "CAA":
		if more := newAuthorities(s.Before, s.After); len(more) > 0 {
			return []reason{{Widened, "lets more authorities issue certificates for the domain: " + strings.Join(more, ", ")}}
		}
	case s.Type == record:
		return movedRecord(s)
	case s.Type == httpListener && forwards(s.Before) && !forwards(s.After) && s.After["protocol"] == "HTTPS":
		return []reason{{Lost, "no longer forwards requests"}}
	}
	return nil
}

func forwards(listener map[string]any) bool {
	return byKey(listener["defaultActions"], "type")["forward"] != nil
}

// movedRecord reports a record of a host, or of name servers, that points elsewhere.
func movedRecord(s engine.Step) []reason {
	name, _ := s.Before["name"].(string)
	old, now := targets(s.Before), targets(s.After)
	pointing := []any{"A", "AAAA", "CNAME", "NS", "MX"}
	if strings.HasPrefix(name, "_") || !slices.Contains(pointing, s.Before["type"]) || slices.Equal(old, now) ||
		slices.Contains(old, unknownTarget) || slices.Contains(now, unknownTarget) {
		return nil
	}
	return []reason{{Lost, fmt.Sprintf("points the name to %s instead of %s", someOf(now), someOf(old))}}
}

const unknownTarget = ""

// targets returns the names or addresses that a record points to, sorted; unknownTarget for one that only the deployment
// determines.
func targets(properties map[string]any) []string {
	values := slices.Clone(elements(properties["records"]))
	for _, alias := range elements(properties["aliases"]) {
		values = append(values, at(map[string]any{"alias": alias}, "alias.name"))
	}
	if !isKnown(properties["records"], properties["aliases"]) || len(values) == 0 {
		return []string{unknownTarget}
	}
	all := list.Map(values, func(value any) string {
		if !isKnown(value) {
			return unknownTarget
		}
		return strings.TrimSuffix(strings.ToLower(show(value)), ".")
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// newAuthorities returns the authorities that may issue certificates after a change of CAA records and could not before.
// Without a property for it, every authority may, and issuewild replaces issue for wildcards.
// Source: https://datatracker.ietf.org/doc/html/rfc8659#section-4
func newAuthorities(before, after map[string]any) []string {
	if !isKnown(before["records"], after["records"]) {
		return nil
	}
	more := map[string]bool{}
	for _, wildcard := range []bool{false, true} {
		old := authorities(before, wildcard)
		for _, name := range authorities(after, wildcard) {
			if !slices.Contains(old, name) && !slices.Contains(old, everyAuthority) {
				more[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(more))
}

const everyAuthority = "every authority"

func authorities(properties map[string]any, wildcard bool) []string {
	byTag := map[string][]string{}
	for _, value := range elements(properties["records"]) {
		fields := strings.Fields(show(value)) // flags, tag and value
		if len(fields) < 3 {
			continue
		}
		tag := strings.ToLower(fields[1])
		// Without a name, as in ";", no authority may.
		name, _, _ := strings.Cut(strings.Trim(strings.Join(fields[2:], " "), `"`), ";")
		byTag[tag] = append(byTag[tag], strings.ToLower(strings.TrimSpace(name)))
	}
	allowed, restricted := byTag["issue"]
	if wild, ok := byTag["issuewild"]; ok && wildcard {
		allowed, restricted = wild, true
	}
	if !restricted {
		return []string{everyAuthority}
	}
	return list.Filter(allowed, func(name string) bool { return name != "" })
}
