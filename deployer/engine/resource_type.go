package engine

import "strings"

// ShortType returns the readable part of a type token: rds/instance for aws:rds/instance:Instance.

func ShortType(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) == 3 && parts[0] == "aws" {
		return parts[1]
	}
	return token
}
