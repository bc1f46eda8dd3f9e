package local

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/local/endpoint"
)

func open(t *testing.T, dir string) *Local {
	t.Helper()
	l, err := Open(t.Context(), Options{Dir: dir, AccountID: "123456789012", Region: "us-east-1", Stacks: []Stack{{Name: "dev"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func TestAccountSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	digest, err := open(t, dir).Push("1.42.0")
	require.NoError(t, err)
	second := open(t, dir)
	images, err := second.Images()
	require.NoError(t, err)
	require.Equal(t, digest, images[0].Digest)
	who, err := sts.NewFromConfig(second.AWS()).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	require.NoError(t, err)
	require.Equal(t, "123456789012", *who.Account)

	require.NoError(t, Reset(dir))
	images, err = open(t, dir).Images()
	require.NoError(t, err)
	require.Len(t, images, 2)
}

func TestStackThatAppearsLaterHasASecret(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	l, err := Open(t.Context(), Options{Dir: dir, AccountID: "123456789012", Region: "us-east-1", Stacks: []Stack{{Name: "dev"}, {Name: "qa", SecretKeys: []string{"COINGECKO_API_KEY"}}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	client := secretsmanager.NewFromConfig(l.AWS())
	secrets, err := client.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	require.NoError(t, err)
	require.Len(t, secrets.SecretList, 2)
	require.Equal(t, "balancer-qa-config", *secrets.SecretList[1].Name)
	value, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: secrets.SecretList[1].Name})
	require.NoError(t, err)
	require.Regexp(t, `^{"COINGECKO_API_KEY":"[0-9a-f]{32}"}$`, *value.SecretString)
}

func TestFirstCommandsAtOnceShareOneAccount(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		opened, passphrases := make([]*Local, 4), make([]string, 4)
		var first sync.WaitGroup
		for i := range opened {
			first.Go(func() {
				opened[i] = open(t, dir)
				var err error
				passphrases[i], err = opened[i].passphrase()
				assert.NoError(t, err)
			})
		}
		first.Wait()
		for i, l := range opened {
			require.Equal(t, passphrases[0], passphrases[i])
			require.True(t, opened[0].authority.Roots().Equal(l.authority.Roots()), "each trusts the certificates of the others")
		}
		_, err := endpoint.OpenAuthority(filepath.Join(dir, "ca"), nil, time.Now())
		require.NoError(t, err)
	}
}

func TestEngineEnv(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	first, err := l.EngineEnv()
	require.NoError(t, err)
	require.Regexp(t, `^aws:\d+,awsx:\d+$`, first["PULUMI_DEBUG_PROVIDERS"])
	require.Equal(t, "true", first["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"])
	require.DirExists(t, filepath.Join(dir, "state"))
	second, err := l.EngineEnv()
	require.NoError(t, err)
	require.Equal(t, first, second, "the providers are started once")

	other, err := open(t, dir).EngineEnv()
	require.NoError(t, err)
	require.Equal(t, first["PULUMI_CONFIG_PASSPHRASE"], other["PULUMI_CONFIG_PASSPHRASE"])
	for _, name := range []string{"passphrase", "account.json", "ca/authority-key.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestUnknownFault(t *testing.T) {
	_, err := Open(t.Context(), Options{Dir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Faults: []string{"none"}})
	var unknown *cloud.UnknownFaultError
	require.ErrorAs(t, err, &unknown)
}

// The endpoint is served on this machine only.
func TestServeOnLoopbackOnly(t *testing.T) {
	l := open(t, t.TempDir())
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0"} {
		_, err := l.Serve(t.Context(), address)
		require.ErrorIs(t, err, ErrNotLoopback, address)
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
		_, err := l.Serve(t.Context(), address)
		require.NotErrorIs(t, err, ErrNotLoopback, address)
	}
}
