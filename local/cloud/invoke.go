package cloud

import (
	"maps"
	"strings"
)

// functions are the simulated provider functions, by Pulumi's tokens.
var functions = map[string]func(*State, values) (values, error){
	"aws:route53/getZone:getZone":                         getZone,
	"aws:ecr/getRepository:getRepository":                 getRepository,
	"aws:secretsmanager/getSecret:getSecret":              getSecret,
	"aws:index/getAvailabilityZones:getAvailabilityZones": getAvailabilityZones,
}

// Invoke runs a provider function. Its errors are *UnsimulatedError, or name what was not found.
func (a *Account) Invoke(token string, args map[string]any) (map[string]any, error) {
	function, ok := functions[token]
	if !ok {
		return nil, &UnsimulatedError{What: "the function " + token}
	}
	var result map[string]any
	err := a.View(func(s *State) error {
		found, err := function(s, args)
		result, _ = deepCopy(found).(map[string]any)
		return err
	})
	return result, err
}

func getZone(s *State, args values) (values, error) {
	zone := s.Get(typeZone, text(args["zoneId"]))
	if zone == nil {
		zone = s.Find(typeZone, "name", strings.TrimSuffix(text(args["name"]), "."))
	}
	if zone == nil {
		return nil, errorf("NoSuchHostedZone", "no matching Route 53 Hosted Zone found for %s%s", text(args["name"]), text(args["zoneId"]))
	}
	return functionResult(zone, values{
		"callerReference": zone.ID, "privateZone": false,
		"linkedServiceDescription": "", "linkedServicePrincipal": "", "vpcId": text(args["vpcId"]),
	}), nil
}

func getRepository(s *State, args values) (values, error) {
	name := text(args["name"])
	repository := s.Get(typeRepository, name)
	if repository == nil {
		return nil, errorf("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, s.ID)
	}
	return functionResult(repository, values{
		"encryptionConfigurations":    array(map[string]any{"encryptionType": "AES256", "kmsKey": ""}),
		"imageScanningConfigurations": array(repository.Outputs["imageScanningConfiguration"]),
		"mostRecentImageTags":         array(),
	}), nil
}

func getSecret(s *State, args values) (values, error) {
	id := text(args["arn"])
	if id == "" {
		id = text(args["name"])
	}
	secret := s.findSecret(id)
	if secret == nil {
		return nil, errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret: couldn't find resource %s", id)
	}
	return values{
		"id": secret.ARN, "arn": secret.ARN, "name": secret.Name, "description": secret.Description, "kmsKeyId": "", "policy": "",
		"createdDate": secret.Created.Format("2006-01-02T15:04:05Z07:00"), "lastChangedDate": secret.Changed.Format("2006-01-02T15:04:05Z07:00"),
		"tags": map[string]any{},
	}, nil
}

func getAvailabilityZones(s *State, _ values) (values, error) {
	zones := availabilityZones(s.Region)
	ids := make([]string, len(zones))
	for i, zone := range zones {
		ids[i] = zoneID(s.Region, zone)
	}
	return values{"id": s.Region, "names": stringList(zones), "zoneIds": stringList(ids), "groupNames": array(s.Region)}, nil
}

// functionResult converts a resource to the result of a function.
func functionResult(r *Resource, more values) values {
	result := values{"id": r.ID, "tags": map[string]any{}}
	maps.Copy(result, r.Outputs)
	maps.Copy(result, more)
	return result
}
