package environment

import (
	"errors"
	"net/netip"
)

// CheckConflicts holds environments against each other and returns what two of them claim, a part of an address range, a domain or
// the pushes to a branch, as an *InvalidError for each file. Each environment must be valid by itself.
func CheckConflicts(envs []*Environment) error {
	var files []error
	for _, conflict := range conflictsByFile(envs) {
		files = append(files, conflict)
	}
	return errors.Join(files...)
}

// conflictsByFile puts each problem into the file of the later one.
func conflictsByFile(envs []*Environment) []*InvalidError {
	var byFile []*InvalidError
	for i, later := range envs {
		if l := conflicts(later, envs[:i]); len(l) > 0 {
			byFile = append(byFile, &InvalidError{File: FileName(later.Stack), Problems: l})
		}
	}
	return byFile
}

// conflicts are what an environment claims that others have, as problems of its file.
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
