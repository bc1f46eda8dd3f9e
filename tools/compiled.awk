# Reads the output of go build -v: package paths are counted, everything else is a message and passes.
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
