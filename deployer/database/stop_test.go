package database

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestStopAndStartByStatus(t *testing.T) {
	for status, want := range map[string]struct{ stop, start action }{
		"available":            {request, done},
		"backing-up":           {wait, done}, // RDS refuses to stop it
		"storage-optimization": {wait, done},
		"modifying":            {wait, wait},
		"creating":             {wait, wait},
		"starting":             {wait, wait},
		"stopping":             {wait, wait},
		"stopped":              {done, request},
		"storage-full":         {broken, broken},
		"deleting":             {broken, broken},
		"of another age":       {broken, broken},
	} {
		require.Equal(t, want.stop, toStop(status), "stop one that is %s", status)
		require.Equal(t, want.start, toStart(status), "start one that is %s", status)
	}
}

func TestFileCount(t *testing.T) {
	fixed := environment.Service{Tasks: environment.Tasks{Min: 2, Max: 2}}
	scaled := environment.Service{Tasks: environment.Tasks{Min: 2, Max: 4}, Autoscaling: &environment.Autoscaling{}}
	for _, test := range []struct {
		service environment.Service
		desired int32
		want    int32
	}{
		{fixed, 0, 2}, {fixed, 2, 2}, {fixed, 5, 2},
		{scaled, 0, 2}, {scaled, 3, 3}, {scaled, 9, 4},
	} {
		require.Equal(t, test.want, fileCount(test.service, test.desired), "%+v", test)
	}
}
