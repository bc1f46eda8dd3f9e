package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/configuration"
)

// missingKey is the key that configuration secrets lack under the fault secret-key-missing.
const missingKey = "SENTRY_DSN"

// The stages of a secret's versions.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Secret is a secret of Secrets Manager, by name. Its values are stored only in the account's file.
type Secret struct {
	ARN         string            `json:"arn"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Created     time.Time         `json:"created"`
	Changed     time.Time         `json:"changed"`
	Versions    []*SecretVersion  `json:"versions"`
}

// SecretVersion is a value of a secret. A stage is attached to at most one version.
type SecretVersion struct {
	ID      string    `json:"id"`
	Value   string    `json:"value"`
	Stages  []string  `json:"stages"`
	Created time.Time `json:"created"`
}

func (s *Secret) version(match func(*SecretVersion) bool) *SecretVersion {
	if i := slices.IndexFunc(s.Versions, match); i >= 0 {
		return s.Versions[i]
	}
	return nil
}

func (s *Secret) staged(stage string) *SecretVersion {
	return s.version(func(v *SecretVersion) bool { return slices.Contains(v.Stages, stage) })
}

func (s *Secret) byID(id string) *SecretVersion {
	return s.version(func(v *SecretVersion) bool { return v.ID == id })
}

// moveStage moves a stage to a version, or detaches it if to is nil. The version that loses AWSCURRENT becomes
// AWSPREVIOUS.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *Secret) moveStage(stage string, to *SecretVersion) {
	from := s.staged(stage)
	if from == to {
		return
	}
	if from != nil {
		from.Stages = slices.DeleteFunc(from.Stages, func(has string) bool { return has == stage })
	}
	if to != nil {
		to.Stages = append(to.Stages, stage)
	}
	if stage == stageCurrent && from != nil {
		s.moveStage(stagePrevious, from)
	}
}

// newSecret adds a secret with a first version.
func (m model) newSecret(name, value, versionID string) *Secret {
	s := &Secret{
		Name: name, Created: m.now, Changed: m.now,
		ARN: m.arn("secretsmanager", "secret:"+name+"-"+m.derive("secret", name, m.now)[:6]),
		Versions: []*SecretVersion{
			{ID: versionID, Value: value, Stages: []string{stageCurrent}, Created: m.now},
		},
	}
	m.Secrets[name] = s
	return s
}

// findSecret finds a secret by name, ARN, or ARN without its random suffix.
func (s *State) findSecret(id string) *Secret {
	for _, secret := range s.Secrets {
		if secret.Name == id || secret.ARN == id || strings.HasPrefix(id, "arn:") && strings.HasPrefix(secret.ARN, id+"-") &&
			len(secret.ARN) == len(id)+7 {
			return secret
		}
	}
	return s.managedSecret(id)
}

// managedSecret returns the secret that RDS manages for an instance's master user, or nil. Its password is derived from
// the account's salt; it is not a property of any resource.
func (s *State) managedSecret(id string) *Secret {
	for _, r := range s.ByType(typeDatabase) {
		for _, block := range r.Blocks("masterUserSecrets") {
			arn := blockText(block, "secretArn")
			name := secretName(arn)
			if arn == "" || id != arn && id != name {
				continue
			}
			return s.managedVersions(r, arn, name)
		}
	}
	return nil
}

// managedVersions returns a managed secret with its current and its previous password: the first one, and a new one at
// each rotation.
func (s *State) managedVersions(r *Resource, arn, name string) *Secret {
	rotations := s.Rotations[arn]
	secret := &Secret{
		ARN: arn, Name: name, Created: r.Created, Changed: r.Created,
		Description: "The secret associated with the primary RDS DB instance: " + r.Text("arn"),
	}
	for i, created := range append([]time.Time{r.Created}, rotations...) {
		parts := []any{arn}
		if i > 0 {
			parts = append(parts, created)
		}
		sum := s.sum(append([]any{"password"}, parts...)...)
		value, err := json.Marshal(map[string]string{
			"username": r.Text("username"), "password": base64.RawURLEncoding.EncodeToString(sum[:])[:28],
		})
		if err != nil {
			return nil
		}
		v := &SecretVersion{ID: s.uuid(append([]any{"version"}, parts...)...), Value: string(value), Created: created}
		switch len(rotations) - i {
		case 0:
			v.Stages = []string{stageCurrent}
		case 1:
			v.Stages = []string{stagePrevious}
		}
		secret.Versions, secret.Changed = append(secret.Versions, v), created
	}
	return secret
}

// secretName returns the name in a secret's ARN, without the random suffix of six characters.
func secretName(arn string) string {
	_, name, found := strings.Cut(arn, ":secret:")
	if !found || len(name) < 7 {
		return ""
	}
	return name[:len(name)-7]
}

// secretValue returns the current value of a secret under the current faults.
func (m model) secretValue(id string) (string, error) {
	secret := m.findSecret(id)
	if secret == nil || secret.staged(stageCurrent) == nil {
		return "", fmt.Errorf("secret %s does not exist", id)
	}
	return m.visibleValue(secret, secret.staged(stageCurrent)), nil
}

// visibleValue returns a version's value. Under the fault secret-key-missing a configuration secret lacks a key.
func (m model) visibleValue(secret *Secret, v *SecretVersion) string {
	if !m.faults[faultSecretKeyMissing] || !strings.HasSuffix(secret.Name, "-config") {
		return v.Value
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(v.Value), &object); err != nil {
		return v.Value
	}
	delete(object, missingKey)
	masked, err := json.Marshal(object)
	if err != nil {
		return v.Value
	}
	return string(masked)
}

// seedSecrets creates the missing configuration secrets of the stacks, with a value for every key.
func (m model) seedSecrets(stacks []Stack) error {
	for _, stack := range stacks {
		name := "balancer-" + stack.Name + "-config"
		if m.Secrets[name] != nil {
			continue
		}
		values := map[string]string{}
		for _, key := range stack.SecretKeys {
			values[key] = m.seedValue(stack.Name, key)
		}
		value, err := json.Marshal(values)
		if err != nil {
			return err
		}
		m.newSecret(name, string(value), m.uuid("version", name)).Description = "Configuration of the Balancer API in " + stack.Name
	}
	return nil
}

// seedValue returns a value for a key that passes every check and cannot be guessed.
func (m model) seedValue(stack, key string) string {
	switch key {
	case "NODE_ENV":
		return nodeEnv(stack)
	case "SENTRY_DSN":
		return fmt.Sprintf("https://%s@o450731.ingest.sentry.io/%s", m.derive("sentry", stack), m.number("sentry", stack)[:7])
	case "SUBGRAPH_API_URL":
		return fmt.Sprintf("https://gateway.thegraph.com/api/%s/subgraphs/id/v3-%s", m.derive("graph", stack), stack)
	}
	text := m.derive("configuration", stack, key)
	if len(configuration.Judge(map[string]string{key: text}, []string{key})) > 0 {
		return "https://" + stack + ".example.org/" + text
	}
	return text
}

func nodeEnv(stack string) string {
	if stack == "dev" {
		return "development"
	}
	return stack
}
