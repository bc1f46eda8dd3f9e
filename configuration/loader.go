package configuration

import (
	"slices"
	"strings"
)

// ChangesLoader reports whether a variable determines which code the application's processes load or which authorities they trust,
// rather than how the application is configured. Such a variable belongs to the image, whose content is reviewed and has a digest.
// Source: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://nodejs.org/api/cli.html#environment-variables,
// https://bun.sh/docs/runtime/env and https://www.prisma.io/docs/orm/reference/environment-variables-reference
func ChangesLoader(name string) bool {
	return strings.HasPrefix(name, "LD_") || slices.Contains([]string{
		"BASH_ENV", "BUN_OPTIONS", "GCONV_PATH", "GLIBC_TUNABLES", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "NODE_PATH",
		"NODE_TLS_REJECT_UNAUTHORIZED", "OPENSSL_CONF", "OPENSSL_MODULES", "PATH", "PRISMA_QUERY_ENGINE_BINARY",
		"PRISMA_QUERY_ENGINE_LIBRARY", "PRISMA_SCHEMA_ENGINE_BINARY", "SSL_CERT_DIR", "SSL_CERT_FILE",
	}, name)
}
