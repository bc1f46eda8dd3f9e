package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func instanceOperations() []operation {
	return []operation{
		readOp(describeInstances), readOp(describeLaunchTemplates), readOp(describeNetworkInterfaces), writeOp(terminateInstances),
	}
}

func describeInstances(m model, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	out := &ec2.DescribeInstancesOutput{}
	for _, i := range m.instances() {
		if len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, i.id) {
			continue
		}
		listed := m.describeInstance(i)
		matches, err := m.matchesFilters(instanceResource(listed), in.Filters)
		if err != nil {
			return nil, err
		}
		if matches {
			out.Reservations = append(out.Reservations, types.Reservation{OwnerId: aws.String(m.ID), Instances: []types.Instance{listed}})
		}
	}
	if len(in.InstanceIds) > 0 && len(out.Reservations) == 0 {
		return nil, apiError("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", in.InstanceIds[0])
	}
	return out, nil
}

// instanceResource returns an instance in the form that filters apply to.
func instanceResource(i types.Instance) *Resource {
	tags := values{}
	for _, tag := range i.Tags {
		tags[deref(tag.Key)] = deref(tag.Value)
	}
	return &Resource{ID: deref(i.InstanceId), Outputs: values{
		"tagsAll": tags, "vpcId": deref(i.VpcId), "subnetId": deref(i.SubnetId), "instanceState": string(i.State.Name),
	}}
}

func (m model) describeInstance(i instance) types.Instance {
	template := m.launchTemplateOf(i.group)
	described := types.Instance{
		InstanceId: aws.String(i.id), LaunchTime: aws.Time(i.launched), Architecture: types.ArchitectureValuesArm64,
		State: &types.InstanceState{Name: types.InstanceStateName(m.stateOfInstance(i))},
		Tags:  []types.Tag{{Key: aws.String("aws:autoscaling:groupName"), Value: aws.String(i.group.ID)}},
	}
	blocks, _ := i.group.Outputs["tags"].([]any)
	for _, block := range blocks {
		if tag, _ := block.(map[string]any); blockBool(tag, "propagateAtLaunch") {
			described.Tags = append(described.Tags, types.Tag{Key: aws.String(blockText(tag, "key")), Value: aws.String(blockText(tag, "value"))})
		}
	}
	if template == nil {
		return described
	}
	described.InstanceType = types.InstanceType(template.Text("instanceType"))
	described.CpuOptions = &types.CpuOptions{CoreCount: aws.Int32(2), ThreadsPerCore: aws.Int32(1)}
	if m.stateOfInstance(i) == "terminated" {
		return described
	}
	for _, id := range stringsAt(template.Inputs, "networkInterfaces.networkInterfaceId") {
		if r := m.Get(typeNetworkInterface, id); r != nil {
			described.SubnetId, described.VpcId = orNil(r.Text("subnetId")), orNil(m.vpcOf(r))
			described.PrivateIpAddress, described.SourceDestCheck = orNil(r.Text("privateIp")), aws.Bool(r.Bool("sourceDestCheck"))
		}
	}
	return described
}

func describeNetworkInterfaces(m model, in *ec2.DescribeNetworkInterfacesInput) (*ec2.DescribeNetworkInterfacesOutput, error) {
	found, err := m.filtered(in.NetworkInterfaceIds, in.Filters, typeNetworkInterface)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	out := &ec2.DescribeNetworkInterfacesOutput{NextToken: next}
	for _, r := range found {
		described := types.NetworkInterface{
			NetworkInterfaceId: aws.String(r.ID), SubnetId: orNil(r.Text("subnetId")), VpcId: orNil(m.vpcOf(r)), OwnerId: aws.String(m.ID),
			AvailabilityZone: orNil(m.availabilityZoneOf(r)), Description: orNil(r.Text("description")), Status: types.NetworkInterfaceStatusAvailable,
			SourceDestCheck: aws.Bool(r.Bool("sourceDestCheck")), PrivateIpAddress: orNil(r.Text("privateIp")), TagSet: ec2Tags(r),
		}
		if i := m.attachedTo(r.ID); i != nil {
			described.Status = types.NetworkInterfaceStatusInUse
			described.Attachment = &types.NetworkInterfaceAttachment{
				AttachmentId: aws.String("eni-attach-" + m.derive("attachment", i.id)[:17]), InstanceId: aws.String(i.id), DeviceIndex: aws.Int32(0),
				DeleteOnTermination: aws.Bool(false), Status: types.AttachmentStatusAttached,
			}
		}
		if address := m.Find(typeEIP, "networkInterface", r.ID); address != nil {
			described.Association = &types.NetworkInterfaceAssociation{
				AllocationId: aws.String(address.ID), PublicIp: orNil(address.Text("publicIp")), AssociationId: orNil(address.Text("associationId")),
			}
		}
		out.NetworkInterfaces = append(out.NetworkInterfaces, described)
	}
	return out, err
}

func describeLaunchTemplates(m model, in *ec2.DescribeLaunchTemplatesInput) (*ec2.DescribeLaunchTemplatesOutput, error) {
	found, err := m.filtered(in.LaunchTemplateIds, in.Filters, typeLaunchTemplate)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeLaunchTemplatesOutput{}
	for _, r := range found {
		if len(in.LaunchTemplateNames) > 0 && !slices.Contains(in.LaunchTemplateNames, r.Text("name")) {
			continue
		}
		version := aws.Int64(int64(r.Number("latestVersion")))
		out.LaunchTemplates = append(out.LaunchTemplates, types.LaunchTemplate{
			LaunchTemplateId: aws.String(r.ID), LaunchTemplateName: orNil(r.Text("name")), LatestVersionNumber: version,
			DefaultVersionNumber: version, CreateTime: &r.Created, Tags: ec2Tags(r),
		})
	}
	if len(in.LaunchTemplateNames) > 0 && len(out.LaunchTemplates) == 0 {
		return nil, apiError("InvalidLaunchTemplateName.NotFoundException",
			"At least one of the launch templates specified in the request does not exist.")
	}
	return out, nil
}

func terminateInstances(m model, in *ec2.TerminateInstancesInput) (*ec2.TerminateInstancesOutput, error) {
	out := &ec2.TerminateInstancesOutput{}
	for _, id := range in.InstanceIds {
		all := m.instances()
		i := slices.IndexFunc(all, func(i instance) bool { return i.id == id })
		if i < 0 {
			return nil, apiError("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
		if all[i].terminated.IsZero() {
			m.terminate(all[i].group)
		}
		out.TerminatingInstances = append(out.TerminatingInstances, types.InstanceStateChange{
			InstanceId: aws.String(id), CurrentState: &types.InstanceState{Name: types.InstanceStateNameShuttingDown},
		})
	}
	return out, nil
}
