package environment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegionWarning(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "", "mx-central-1": "",
		"us-esat-1": `"us-esat-1" is not among the regions that are known here; did you mean us-east-1 or us-east-2 or us-west-1? check that AWS has this region`,
		"xx-new-9":  `"xx-new-9" is not among the regions that are known here; check that AWS has this region`,
	} {
		got := ""
		if w := (&Environment{Region: region}).regionWarning(); w != nil {
			require.Equal(t, "region", w.Path)
			got = w.Message + "; " + w.Remedy
		}
		require.Equal(t, want, got, region)
	}
}

func TestClassWarning(t *testing.T) {
	for _, class := range []string{"", "db.t3.micro", "db.t4g.2xlarge", "db.m6g.large", "db.m7i.48xlarge", "db.r6idn.16xlarge", "db.r8g.large", "db.x2iezn.8xlarge", "db.m8g.xlarge"} {
		require.Nil(t, (&Environment{Database: Database{InstanceClass: class}}).classWarning(), class)
	}
	for _, class := range []string{"db.t9.huge", "db.t3.hugo", "db.q6g.large", "db.t3.smal", "t3.micro"} {
		w := (&Environment{Database: Database{InstanceClass: class}}).classWarning()
		require.NotNil(t, w, class)
		require.Equal(t, "database.instanceClass", w.Path)
	}
	require.Contains(t, (&Environment{Database: Database{InstanceClass: "db.t3.smal"}}).classWarning().Remedy, "did you mean db.t3.small")
}
