package environment

import (
	"errors"
	"net/netip"
)

// Overlaps holds environments against each other and returns what two of them claim, a part of an address range or a
// domain, as an *InvalidError for each file. Each environment must be valid by itself.
func Overlaps(envs []*Environment) error {
	var files []error
	for _, overlap := range overlaps(envs) {
		files = append(files, overlap)
	}
	return errors.Join(files...)
}

// overlaps puts each problem into the file of the later one.
func overlaps(envs []*Environment) []*InvalidError {
	var found []*InvalidError
	for i, later := range envs {
		var l problemList
		for _, earlier := range envs[:i] {
			theirs, ours := netip.MustParsePrefix(earlier.Network.CIDR), netip.MustParsePrefix(later.Network.CIDR)
			if ours.Overlaps(theirs) {
				l.add("network.cidr", "give one of the two another range, so that they can be peered",
					"%s overlaps %s of %s", ours, theirs, FileName(earlier.Stack))
			}
			if later.Domain.Name == earlier.Domain.Name {
				l.add("domain.name", "give one of the two another name",
					"%s is the domain of %s too", later.Domain.Name, FileName(earlier.Stack))
			}
		}
		if len(l) > 0 {
			found = append(found, &InvalidError{File: FileName(later.Stack), Problems: l})
		}
	}
	return found
}
