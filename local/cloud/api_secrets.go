package cloud

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func secretsOperations() []operation {
	return []operation{
		readOp(listSecrets), readOp(describeSecret), readOp(getSecretValue), writeOp(createSecret), writeOp(putSecretValue),
		writeOp(updateSecretVersionStage),
	}
}

func (m model) secret(id *string) (*Secret, error) {
	if s := m.findSecret(deref(id)); s != nil {
		return s, nil
	}
	return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
}

func stagesOf(s *Secret) map[string][]string {
	stages := map[string][]string{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			stages[v.ID] = slices.Clone(v.Stages)
		}
	}
	return stages
}

func secretTags(s *Secret) []types.Tag {
	var tags []types.Tag
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, types.Tag{Key: aws.String(name), Value: aws.String(s.Tags[name])})
	}
	return tags
}

func describeSecret(m model, in *secretsmanager.DescribeSecretInput) (*secretsmanager.DescribeSecretOutput, error) {
	s, err := m.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	out := &secretsmanager.DescribeSecretOutput{
		ARN: aws.String(s.ARN), Name: aws.String(s.Name), Description: orNil(s.Description), CreatedDate: aws.Time(s.Created),
		LastChangedDate: aws.Time(s.Changed), VersionIdsToStages: stagesOf(s), Tags: secretTags(s), RotationEnabled: aws.Bool(false),
	}
	if strings.HasPrefix(s.Name, "rds!") {
		out.OwningService, out.RotationEnabled = aws.String("rds"), aws.Bool(true)
		out.LastRotatedDate = aws.Time(s.Changed)
		out.RotationRules = &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(m.rotationDays(s.ARN))}
		out.NextRotationDate = aws.Time(s.Changed.Add(time.Duration(m.rotationDays(s.ARN)) * 24 * time.Hour))
	}
	return out, nil
}

// rotationDays returns the rotation interval of a managed secret in days, seven by default.
func (m model) rotationDays(arn string) int64 {
	if r := m.Get(typeSecretRotation, arn); r != nil {
		for _, rules := range r.Blocks("rotationRules") {
			if days := blockNumber(rules, "automaticallyAfterDays"); days > 0 {
				return int64(days)
			}
		}
	}
	return 7
}

func getSecretValue(m model, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	s, err := m.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	stage := cmp.Or(deref(in.VersionStage), stageCurrent)
	v := s.staged(stage)
	if in.VersionId != nil {
		v = s.byID(*in.VersionId)
	}
	if v == nil || in.VersionStage != nil && !slices.Contains(v.Stages, stage) {
		return nil, &types.ResourceNotFoundException{Message: aws.String(
			"Secrets Manager can't find the specified secret value for staging label: " + stage)}
	}
	return &secretsmanager.GetSecretValueOutput{
		ARN: aws.String(s.ARN), Name: aws.String(s.Name), CreatedDate: aws.Time(v.Created), VersionId: aws.String(v.ID),
		VersionStages: slices.Clone(v.Stages), SecretString: aws.String(m.visibleValue(s, v)),
	}, nil
}

func listSecrets(m model, in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
	var found []types.SecretListEntry
	for _, name := range slices.Sorted(maps.Keys(m.Secrets)) {
		s := m.Secrets[name]
		if !slices.ContainsFunc(in.Filters, func(f types.Filter) bool { return !secretMatches(s, f) }) {
			found = append(found, types.SecretListEntry{
				ARN: aws.String(s.ARN), Name: aws.String(s.Name), Description: orNil(s.Description), CreatedDate: aws.Time(s.Created),
				LastChangedDate: aws.Time(s.Changed), SecretVersionsToStages: stagesOf(s), Tags: secretTags(s),
			})
		}
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 100)
	return &secretsmanager.ListSecretsOutput{SecretList: found, NextToken: next}, err
}

// secretMatches reports whether the secret's name starts with one of the filter's values. Filters on other fields are
// not simulated and match nothing.
func secretMatches(s *Secret, f types.Filter) bool {
	return (f.Key == types.FilterNameStringTypeName || f.Key == types.FilterNameStringTypeAll) &&
		slices.ContainsFunc(f.Values, func(value string) bool { return strings.HasPrefix(s.Name, value) })
}

// versionID returns the version ID that a call requests; the SDK generates a token if the caller gives none.
func (m model) versionID(token *string, name string) string {
	return cmp.Or(deref(token), m.uuid("version", name, m.now))
}

func createSecret(m model, in *secretsmanager.CreateSecretInput) (*secretsmanager.CreateSecretOutput, error) {
	name := deref(in.Name)
	if m.Secrets[name] != nil {
		return nil, &types.ResourceExistsException{Message: aws.String("The operation failed because the secret " + name + " already exists.")}
	}
	s := m.newSecret(name, deref(in.SecretString), m.versionID(in.ClientRequestToken, name))
	s.Description = deref(in.Description)
	if in.SecretString == nil {
		s.Versions = nil
	}
	s.Tags = map[string]string{}
	for _, tag := range in.Tags {
		s.Tags[deref(tag.Key)] = deref(tag.Value)
	}
	out := &secretsmanager.CreateSecretOutput{ARN: aws.String(s.ARN), Name: in.Name}
	if len(s.Versions) > 0 {
		out.VersionId = aws.String(s.Versions[0].ID)
	}
	return out, nil
}

// writableSecret returns a secret that is not managed by RDS.
func (m model) writableSecret(id *string) (*Secret, error) {
	s, err := m.secret(id)
	if err != nil {
		return nil, err
	}
	if m.Secrets[s.Name] == nil {
		return nil, &types.InvalidRequestException{Message: aws.String("You can't perform this operation on the secret because it is managed by rds.")}
	}
	return s, nil
}

func putSecretValue(m model, in *secretsmanager.PutSecretValueInput) (*secretsmanager.PutSecretValueOutput, error) {
	s, err := m.writableSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	id := m.versionID(in.ClientRequestToken, s.Name)
	v := s.byID(id)
	if v != nil && v.Value != deref(in.SecretString) {
		return nil, &types.ResourceExistsException{Message: aws.String("You can't use ClientRequestToken " + id +
			" because that value is already in use for a version of secret " + s.ARN + ".")}
	}
	if v == nil {
		v = &SecretVersion{ID: id, Value: deref(in.SecretString), Created: m.now}
		s.Versions = append(s.Versions, v)
	}
	stages := slices.Clone(in.VersionStages)
	if len(stages) == 0 || len(s.Versions) == 1 && !slices.Contains(stages, stageCurrent) {
		// The first value of a secret becomes the current one, whatever stages are requested.
		stages = append(stages, stageCurrent)
	}
	for _, stage := range stages {
		s.moveStage(stage, v)
	}
	s.Changed = m.now
	return &secretsmanager.PutSecretValueOutput{
		ARN: aws.String(s.ARN), Name: aws.String(s.Name), VersionId: aws.String(id), VersionStages: slices.Clone(v.Stages),
	}, nil
}

func updateSecretVersionStage(m model, in *secretsmanager.UpdateSecretVersionStageInput) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	s, err := m.writableSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	stage := deref(in.VersionStage)
	var to *SecretVersion
	if in.MoveToVersionId != nil {
		if to = s.byID(*in.MoveToVersionId); to == nil {
			return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret version.")}
		}
	}
	from := s.staged(stage)
	if from != nil && from != to && (in.RemoveFromVersionId == nil || *in.RemoveFromVersionId != from.ID) {
		return nil, &types.InvalidParameterException{Message: aws.String("The staging label " + stage + " is currently attached to version " +
			from.ID + ", so you must explicitly reference that version in RemoveFromVersionId.")}
	}
	if from == nil && in.RemoveFromVersionId != nil {
		return nil, &types.InvalidParameterException{Message: aws.String("The staging label " + stage + " is not attached to version " + *in.RemoveFromVersionId + ".")}
	}
	s.moveStage(stage, to)
	s.Changed = m.now
	return &secretsmanager.UpdateSecretVersionStageOutput{ARN: aws.String(s.ARN), Name: aws.String(s.Name)}, nil
}
