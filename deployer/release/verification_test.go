package release

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

func TestVerification(t *testing.T) {
	verified := func(stack, id, digest string) history.Deployment {
		return history.Deployment{ID: id, Stack: stack, Verified: true, Image: history.Image{Digest: digest}}
	}
	failed := verified("dev", "3", "sha256:C")
	failed.Verified = false
	store := history.Store{Files: blob.Dir(t.TempDir())}
	for _, record := range []history.Deployment{verified("dev", "1", "sha256:A"), verified("dev", "2", "sha256:B"), failed, verified("staging", "1", "sha256:S"), verified("other", "1", "sha256:O")} {
		require.NoError(t, store.Save(t.Context(), record))
	}
	for name, test := range map[string]struct {
		digest     string
		in         []string
		unverified string
		restart    bool
		migration  bool
		want       []string
		stops      bool
	}{
		"off":                       {digest: "sha256:X"},
		"verified there":            {digest: "sha256:A", in: []string{"development"}},
		"in one of two":             {digest: "sha256:O", in: []string{"dev", "other"}},
		"verified here":             {digest: "sha256:S", in: []string{"dev"}},
		"verified elsewhere":        {digest: "sha256:O", in: []string{"dev"}, want: []string{"T (sha256:O) was not verified healthy in dev, within its last 100 deployments"}, stops: true},
		"deployed, and not healthy": {digest: "sha256:C", in: []string{"dev", "other"}, want: []string{"T (sha256:C) was not verified healthy in dev or other, within its last 100 deployments"}, stops: true},
		"with a reason":             {digest: "sha256:C", in: []string{"dev"}, unverified: "outage", want: []string{"T (sha256:C) was not verified healthy in dev, within its last 100 deployments; it is deployed all the same: outage"}},
		"a reason without need":     {digest: "sha256:A", in: []string{"dev"}, unverified: "outage", want: []string{"--unverified (outage) was not needed: T (sha256:A) was verified healthy in dev"}},
		"a reason, verified here":   {digest: "sha256:S", in: []string{"dev"}, unverified: "outage", want: []string{"--unverified (outage) was not needed: T (sha256:S) was verified healthy in staging"}},
		"a reason, and off":         {digest: "sha256:X", unverified: "outage", want: []string{"--unverified (outage) was not needed: deployment.verifiedIn is not set"}},
		"a reason for a restart":    {digest: "sha256:C", in: []string{"dev"}, unverified: "outage", restart: true, want: []string{"--unverified (outage) was not needed: the image stays the same"}},
		"a restart":                 {digest: "sha256:C", in: []string{"dev"}, restart: true},
		"a migration":               {digest: "sha256:C", in: []string{"dev"}, migration: true},
	} {
		t.Run(name, func(t *testing.T) {
			env := *staging(t)
			env.Deployment.VerifiedIn = test.in
			p := preflight{env: &env, records: store, unverified: test.unverified, restart: test.restart, migrationOnly: test.migration}
			var found []string
			for _, problem := range p.verification(t.Context(), &Image{Image: history.Image{Tag: "T", Digest: test.digest}}) {
				found = append(found, problem.Message)
				require.Equal(t, test.stops, problem.Stops)
				require.NotEmpty(t, problem.Hint)
			}
			require.Equal(t, test.want, found)
			require.Equal(t, name == "with a reason", p.passed != "", "only a reason that was needed makes the record unverified")
		})
	}
}

func TestVerificationWithoutRecords(t *testing.T) {
	env := *staging(t)
	env.Deployment.VerifiedIn = []string{"dev"}
	p := preflight{env: &env, records: history.Store{Files: blob.Dir("/dev/null")}}
	problems := p.verification(t.Context(), &Image{Image: history.Image{Tag: "T", Digest: "sha256:A"}})
	require.Len(t, problems, 1)
	require.True(t, problems[0].Stops, "what cannot be read has verified nothing")
	p.unverified = "outage"
	problems = p.verification(t.Context(), &Image{Image: history.Image{Tag: "T", Digest: "sha256:A"}})
	require.Len(t, problems, 1)
	require.False(t, problems[0].Stops)
}
