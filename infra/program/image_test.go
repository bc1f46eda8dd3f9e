package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
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
		{"what runs goes on running", one, other, false, one, ""},
		{"a preview shows what runs", one, "", true, one, ""},
		{"the first image is configured", "", other, false, other, ""},
		{"a preview of nothing has a placeholder", "", "", true, placeholder, ""},
		{"an update with nothing is refused", "", "", false, "", "the stack has no image yet"},
		{"a tag may move", "", "repo:latest", false, "", `"repo:latest" in v3-backend:image is no digest`},
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

// outputs answers for the engine with the outputs of the stack itself.
type outputs struct{ values resource.PropertyMap }

func (o outputs) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return args.Name, args.Inputs, nil
}

func (o outputs) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{"name": args.Args["name"], "outputs": resource.NewObjectProperty(o.values)}, nil
}

func TestRecordedImage(t *testing.T) {
	for name, test := range map[string]struct {
		outputs resource.PropertyMap
		want    string
	}{
		"nothing was deployed": {resource.PropertyMap{}, ""},
		"an image runs":        {resource.PropertyMap{"image": resource.NewStringProperty("repo@sha256:1")}, "repo@sha256:1"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) (err error) {
				got, err = recordedImage(ctx)
				return err
			}, pulumi.WithMocks("v3-backend", "staging", outputs{test.outputs})))
			require.Equal(t, test.want, got)
		})
	}
}
