package environment

import "net/netip"

// Overlaps holds environments against each other and returns what two of them claim: a part of an address range, or a
// domain. The problem stands in the file of the later one. Each environment must be valid by itself.
func Overlaps(envs []*Environment) []*InvalidError {
	var overlaps []*InvalidError
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
			overlaps = append(overlaps, &InvalidError{File: FileName(later.Stack), Problems: l})
		}
	}
	return overlaps
}
