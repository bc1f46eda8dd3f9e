package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestChooseImage(t *testing.T) {
	env, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	const one, other = "repo@sha256:1111", "repo@sha256:2222"
	placeholder := "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:" +
		"0000000000000000000000000000000000000000000000000000000000000000"
	for _, test := range []struct {
		name, recorded, configured string
		preview                    bool
		want, problem              string
	}{
		{"what runs stays", one, other, false, one, ""},
		{"a preview shows what runs", one, "", true, one, ""},
		{"the first image is configured", "", other, false, other, ""},
		{"a preview of nothing has a placeholder", "", "", true, placeholder, ""},
		{"an update with nothing is refused", "", "", false, "", "the stack has no image yet"},
		{"a tag may move", "", "repo:latest", false, "", `"repo:latest" in v3-backend:image has no digest`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := chooseImage(env, test.recorded, test.configured, test.preview)
			if test.problem != "" {
				require.ErrorContains(t, err, test.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
