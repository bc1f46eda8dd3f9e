package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestOverTheWire runs the binary against an independent imitation of AWS, as against any --endpoint-url.
func TestOverTheWire(t *testing.T) {
	endpoint := moto.Start(t)
	root := projectRoot(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/wire",
		Setup: func(env *testscript.Env) error {
			for key, value := range map[string]string{
				"DEPLOYER_DIR": root, "DEPLOYER_STATE_DIR": env.WorkDir + "/state", "DEPLOYER_ENDPOINT_URL": endpoint,
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "HOME": env.WorkDir,
			} {
				env.Setenv(key, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "jsonpath": jsonPath},
	})
}
