package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func ssmOperations() []operation {
	return []operation{readOp(startSession), readOp(getParameter), readOp(getParameters), writeOp(putParameter), writeOp(deleteParameter), writeOp(deleteParameters)}
}

// parameter is a parameter of Systems Manager in its current version.
type parameter struct {
	Type     types.ParameterType `json:"type"`
	Value    string              `json:"value"`
	Version  int64               `json:"version"`
	Modified time.Time           `json:"modified"`
}

// getParameter returns the current version of a parameter.
// Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func getParameter(m model, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	found, name := m.Parameters[deref(in.Name)], deref(in.Name)
	if found == nil {
		return nil, &types.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{
		ARN: aws.String(m.arn("ssm", "parameter"+name)), Name: &name, Type: found.Type, Value: aws.String(found.Value), Version: found.Version,
		LastModifiedDate: aws.Time(found.Modified), DataType: aws.String("text"),
	}}, nil
}

// getParameters returns those of some parameters that exist, and the names of the others.
// Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func getParameters(m model, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	out := &ssm.GetParametersOutput{Parameters: []types.Parameter{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		one, err := getParameter(m, &ssm.GetParameterInput{Name: &name})
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.Parameters = append(out.Parameters, *one.Parameter)
	}
	return out, nil
}

// putParameter creates a parameter, or another version of one that may be overwritten.
// Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func putParameter(m model, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	name, before := deref(in.Name), m.Parameters[deref(in.Name)]
	switch {
	case before != nil && !deref(in.Overwrite):
		return nil, &types.ParameterAlreadyExists{Message: aws.String("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
	case !strings.HasPrefix(name, "/"), in.Type != types.ParameterTypeString:
		return nil, apiError("NotSimulated", "local mode simulates only parameters of type String in a hierarchy, not %s of type %s", name, in.Type)
	}
	put := &parameter{Type: in.Type, Value: deref(in.Value), Version: 1, Modified: m.now}
	if before != nil {
		put.Version = before.Version + 1
	}
	if m.Parameters == nil {
		m.Parameters = map[string]*parameter{}
	}
	m.Parameters[name] = put
	return &ssm.PutParameterOutput{Version: put.Version, Tier: types.ParameterTierStandard}, nil
}

// deleteParameter deletes a parameter.
// Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
func deleteParameter(m model, in *ssm.DeleteParameterInput) (*ssm.DeleteParameterOutput, error) {
	if m.Parameters[deref(in.Name)] == nil {
		return nil, &types.ParameterNotFound{}
	}
	delete(m.Parameters, deref(in.Name))
	return &ssm.DeleteParameterOutput{}, nil
}

// deleteParameters deletes those of some parameters that exist, and returns the names of the others. That is no error.
// Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html
func deleteParameters(m model, in *ssm.DeleteParametersInput) (*ssm.DeleteParametersOutput, error) {
	out := &ssm.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		if _, err := deleteParameter(m, &ssm.DeleteParameterInput{Name: &name}); err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.DeletedParameters = append(out.DeletedParameters, name)
	}
	return out, nil
}

// startSession rejects what Session Manager rejects, and otherwise reports that sessions are not simulated.
func startSession(m model, in *ssm.StartSessionInput) (*ssm.StartSessionOutput, error) {
	connected := slices.ContainsFunc(m.ECS.tasks(func(t *task) bool { return t.Exec && m.running(t) }), func(t *task) bool {
		target := fmt.Sprintf("ecs:%s_%s_", awsx.NameFromARN(t.Cluster), t.ID())
		runtime, ok := strings.CutPrefix(deref(in.Target), target)
		return ok && slices.ContainsFunc(m.describeTask(t).Containers, func(c ecstypes.Container) bool { return deref(c.RuntimeId) == runtime })
	})
	switch document := deref(in.DocumentName); {
	case !connected:
		return nil, &types.TargetNotConnected{Message: aws.String(deref(in.Target) + " is not connected.")}
	case document != "AWS-StartPortForwardingSessionToRemoteHost":
		return nil, &types.InvalidDocument{Message: aws.String("Document with name " + document + " does not exist.")}
	}
	return nil, apiError("NotSimulated", "simulated databases accept no connections, so no port can be forwarded to one")
}
