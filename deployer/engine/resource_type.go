package engine

import "strings"

// ShortType returns the part of a type token that people read: aws:rds/instance:Instance is rds/instance.
func ShortType(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) == 3 && parts[0] == "aws" {
		return parts[1]
	}
	return token
}
