package awsx

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

func TestNameFromARN(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:ecs:us-east-1:111122223333:task/dev-cluster/0123abcd":          "0123abcd",
		"arn:aws:ecs:us-east-1:111122223333:task-definition/dev-api:7":          "dev-api:7",
		"arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/dev-alb/5c2": "5c2",
		"dev-cluster": "dev-cluster",
		"":            "",
	} {
		require.Equal(t, want, NameFromARN(arn), arn)
	}
}

func TestDigestOf(t *testing.T) {
	require.Equal(t, "sha256:1", DigestOf("111122223333.dkr.ecr.us-east-1.amazonaws.com/app@sha256:1"))
	require.Empty(t, DigestOf("app:v1.2.3"))
	require.Empty(t, DigestOf(""))
}

func TestShortDigest(t *testing.T) {
	require.Equal(t, "sha256:0123456789ab", ShortDigest("sha256:0123456789ab"+strings.Repeat("c", 52)))
	require.Equal(t, "sha256:1", ShortDigest("sha256:1"))
	require.Empty(t, ShortDigest(""))
}

func TestTagValue(t *testing.T) {
	tags := [][2]*string{{new(string), new(string)}, {nil, nil}, {aws.String("Name"), nil}, {aws.String("Name"), aws.String("db")}, {aws.String("name"), aws.String("other")}}
	value := func(key string) string {
		return TagValue(tags, key, func(tag [2]*string) (k, v *string) { return tag[0], tag[1] })
	}
	require.Equal(t, []string{"db", "other", ""}, []string{value("Name"), value("name"), value("NAME")})
}
