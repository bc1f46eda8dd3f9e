package cloud

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// definition is a task definition with its containers.
type definition struct {
	*Resource
	containers []ecs.ContainerDefinition
}

// ARN returns the task definition's ARN with its revision.
func (d definition) ARN() string { return d.Text("arn") }

// mainContainer returns the first essential container.
func (d definition) mainContainer() ecs.ContainerDefinition {
	for _, c := range d.containers {
		if c.Essential == nil || *c.Essential {
			return c
		}
	}
	return ecs.ContainerDefinition{}
}

// definition finds a task definition by ARN, family:revision, or family, which means the latest revision.
func (s *State) definition(ref string) (definition, bool) {
	family, revision, isRevision := strings.Cut(awsx.NameFromARN(ref), ":")
	var found *Resource
	for _, r := range s.ByType(typeTaskDefinition) {
		switch {
		case r.Text("family") != family:
		case isRevision && strconv.Itoa(int(r.Number("revision"))) == revision:
			return s.parseDefinition(r)
		case !isRevision && (found == nil || r.Number("revision") > found.Number("revision")):
			found = r
		}
	}
	return s.parseDefinition(found)
}

// parseDefinition decodes the containers, which Pulumi passes on as JSON in the form of the ECS API. They are shared, and not to be changed.
func (s *State) parseDefinition(r *Resource) (definition, bool) {
	if r == nil {
		return definition{}, false
	}
	text := r.Text("containerDefinitions")
	containers, known := s.containers[text]
	if !known {
		if containers = decodeContainers(text); s.containers == nil {
			s.containers = map[string][]ecs.ContainerDefinition{}
		}
		s.containers[text] = containers
	}
	return definition{Resource: r, containers: containers}, len(containers) > 0
}

// decodeContainers returns nil for what is no list of containers.
func decodeContainers(text string) (containers []ecs.ContainerDefinition) {
	if json.Unmarshal([]byte(text), &containers) != nil {
		return nil
	}
	return containers
}

// resolveImage returns the digest of an image in the account's own registry. Other registries are not simulated: their
// images always exist and have no digest.
func (s *State) resolveImage(image string) (digest string, found bool) {
	host := fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/", s.ID, s.Region)
	rest, own := strings.CutPrefix(image, host)
	if !own {
		return "", true
	}
	if repository, digest, byDigest := strings.Cut(rest, "@"); byDigest {
		return digest, s.Registry.byDigest(repository, digest) != nil
	}
	repository, tag, tagged := strings.Cut(rest, ":")
	if !tagged {
		tag = "latest"
	}
	if found := s.Registry.byTag(repository, tag); found != nil {
		return found.Digest, true
	}
	return "", false
}
