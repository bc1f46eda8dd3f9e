package running

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDescribe(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	since := func(name string, d time.Duration) Operation { return Operation{name, now.Add(-d)} }
	database := since("rds/instance database", 4*time.Minute+31*time.Second)
	certificate := since("acm/certificateValidation domain", 2*time.Minute+10*time.Second)
	group := since("vpc/securityGroup tasks", 3*time.Second)
	for name, test := range map[string]struct {
		operations []Operation
		want       string
	}{
		"none":             {nil, ""},
		"one":              {[]Operation{group}, "vpc/securityGroup tasks 3s"},
		"longest first":    {[]Operation{certificate, database}, "rds/instance database 4m31s, acm/certificateValidation domain 2m10s"},
		"others counted":   {[]Operation{group, certificate, database}, "rds/instance database 4m31s, acm/certificateValidation domain 2m10s (+1)"},
		"hours":            {[]Operation{since("rds/instance database", 62*time.Minute)}, "rds/instance database 1h02m"},
		"same time":        {[]Operation{since("b", time.Second), since("a", time.Second)}, "a 1s, b 1s"},
		"clock moved back": {[]Operation{since("a", -time.Second)}, "a 0s"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, Describe(test.operations, now)) })
	}
}
