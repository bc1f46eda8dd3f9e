package environment

import (
	"errors"
	"net/netip"

	"github.com/balancer/v3-backend-infra/internal/problem"
)

// CheckConflicts compares environments with each other. It returns a *problem.Error for each file whose address range,
// domain or branch another environment uses too. Each environment must be valid by itself.
func CheckConflicts(envs []*Environment) error {
	var files []error
	for _, file := range conflictsByFile(envs) {
		files = append(files, file)
	}
	return errors.Join(files...)
}

// conflictsByFile reports each conflict in the file of the later environment.
func conflictsByFile(envs []*Environment) []*problem.Error {
	var byFile []*problem.Error
	for i, later := range envs {
		if l := conflicts(later, envs[:i]); len(l) > 0 {
			byFile = append(byFile, &problem.Error{Source: FileName(later.Stack), Problems: l})
		}
	}
	return byFile
}

func conflicts(env *Environment, others []*Environment) problemList {
	var l problemList
	for _, other := range others {
		theirs, ours := netip.MustParsePrefix(other.Network.CIDR), netip.MustParsePrefix(env.Network.CIDR)
		if ours.Overlaps(theirs) {
			l.add("network.cidr", "give one of the two another range, so that they can be peered",
				"%s overlaps %s of %s", ours, theirs, FileName(other.Stack))
		}
		if env.Domain.Name == other.Domain.Name {
			l.add("domain.name", "give one of the two another name",
				"%s is the domain of %s too", env.Domain.Name, FileName(other.Stack))
		}
		if env.Delivery.Trigger == OnPush && other.Delivery.Trigger == OnPush && env.Delivery.Branch == other.Delivery.Branch {
			l.add("delivery.branch", "give one of the two another branch, or the trigger manual",
				"a push to %s deploys %s too", env.Delivery.Branch, FileName(other.Stack))
		}
	}
	return l
}
