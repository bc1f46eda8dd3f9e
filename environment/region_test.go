package environment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegions(t *testing.T) {
	const outside = " is outside the partition aws, the only one that is supported"
	for region, want := range map[string]string{
		"us-east-1": "", "eu-central-1": "", "ap-southeast-2": "", "ca-west-1": "", "il-central-1": "", "us-west-2": "",
		"cn-north-1": "cn-north-1" + outside, "us-gov-west-1": "us-gov-west-1" + outside, "us-iso-east-1": "us-iso-east-1" + outside,
		"us-isob-east-1": "us-isob-east-1" + outside, "eu-isoe-west-1": "eu-isoe-west-1" + outside,
		"eusc-de-east-1": "eusc-de-east-1" + outside, "us-east": `"us-east" is not valid`, "": "it is missing",
	} {
		var l problemList
		l.region(region)
		if want == "" {
			require.Empty(t, l, region)
			continue
		}
		require.Len(t, l, 1, region)
		require.Equal(t, want, l[0].Message, region)
	}
}
