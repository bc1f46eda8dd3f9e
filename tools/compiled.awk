# Counts the package paths in the output of go build -v, and passes on all other lines.
/^[A-Za-z0-9_.~\/-]+$/ {
	if (++packages % 50 == 0) {
		printf "   %d packages compiled\n", packages
		fflush()
	}
	next
}
{
	print
	fflush()
}
