package secrets

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/moto"
	"github.com/balancer/v3-backend-infra/local/cloud"
)

// accounts runs a test with the simulated account, and with another implementation of AWS's API.
func accounts(t *testing.T, test func(t *testing.T, cfg aws.Config)) {
	t.Run("local", func(t *testing.T) {
		simulated, err := cloud.Open(filepath.Join(t.TempDir(), "account.json"),
			cloud.Options{AccountID: moto.Account, Region: "us-east-1", Clock: clock.Real(), Speed: 1})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, simulated.Close()) })
		test(t, simulated.Config("us-east-1"))
	})
	t.Run("wire", func(t *testing.T) { test(t, moto.Config(t, "us-east-1")) })
}

func storeIn(cfg aws.Config) Store {
	return Store{Client: secretsmanager.NewFromConfig(cfg), Name: "balancer-test-config", Now: time.Now}
}

// requireClean requires that no version has a temporary stage.
func requireClean(t *testing.T, s Store) {
	t.Helper()
	secret, err := s.describe(t.Context())
	require.NoError(t, err)
	for version, has := range secret.VersionIdsToStages {
		for _, stage := range has {
			require.Falsef(t, strings.HasPrefix(stage, stagePrefix), "%s has %s", version, stage)
		}
	}
}

func read(t *testing.T, s Store, which string) *Version {
	t.Helper()
	v, err := s.Read(t.Context(), which)
	require.NoError(t, err)
	return v
}

func TestStore(t *testing.T) {
	accounts(t, func(t *testing.T, cfg aws.Config) {
		s := storeIn(cfg)
		_, err := s.Read(t.Context(), Current)
		require.ErrorIs(t, err, ErrNoSecret)

		require.NoError(t, s.Create(t.Context(), `{"A":"1"}`, "test", map[string]string{"Environment": "test"}))
		require.ErrorIs(t, s.Create(t.Context(), `{"A":"2"}`, "test", nil), ErrExists)
		first := read(t, s, Current)
		require.Equal(t, `{"A":"1"}`, *first.Text)
		_, err = s.Read(t.Context(), Previous)
		require.ErrorIs(t, err, ErrNoVersion)

		written, err := s.Write(t.Context(), first, `{"A":"2"}`)
		require.NoError(t, err)
		require.NoError(t, written.CleanupErr)
		require.Equal(t, written.ID, read(t, s, Current).ID)
		require.Equal(t, `{"A":"2"}`, *read(t, s, Current).Text)
		require.Equal(t, first.ID, read(t, s, Previous).ID)
		require.Equal(t, `{"A":"1"}`, *read(t, s, first.ID).Text)
		requireClean(t, s)
	})
}

// A write based on a version that is no longer current changes nothing, and reports it.
func TestConflict(t *testing.T) {
	accounts(t, func(t *testing.T, cfg aws.Config) {
		s := storeIn(cfg)
		require.NoError(t, s.Create(t.Context(), `{}`, "test", nil))
		both := read(t, s, Current)
		winner, err := s.Write(t.Context(), both, `{"A":"winner"}`)
		require.NoError(t, err)

		_, err = s.Write(t.Context(), both, `{"A":"loser"}`)
		var conflict *ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, ConflictError{Secret: s.Name, Read: both.ID, Current: winner.ID}, *conflict)
		require.Contains(t, err.Error(), "another user changed balancer-test-config after it was read")
		require.NotContains(t, err.Error(), "loser")
		require.Equal(t, `{"A":"winner"}`, *read(t, s, Current).Text)
		requireClean(t, s)
	})
}

// Of concurrent writes based on the same version, exactly one succeeds.
func TestRace(t *testing.T) {
	accounts(t, func(t *testing.T, cfg aws.Config) {
		s := storeIn(cfg)
		require.NoError(t, s.Create(t.Context(), `{}`, "test", nil))
		const writers = 8
		from := read(t, s, Current)
		errs := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() { _, errs[i] = s.Write(t.Context(), from, fmt.Sprintf(`{"A":"%d"}`, i)) })
		}
		group.Wait()
		var won []int
		for i, err := range errs {
			if err == nil {
				won = append(won, i)
				continue
			}
			var conflict *ConflictError
			require.ErrorAs(t, err, &conflict)
		}
		require.Len(t, won, 1)
		require.Equal(t, fmt.Sprintf(`{"A":"%d"}`, won[0]), *read(t, s, Current).Text)
		requireClean(t, s)
	})
}

// failing replaces the response of an operation by an error, before or after AWS has executed it.
func failing(cfg aws.Config, operation string, after bool, times int) aws.Config {
	cfg.APIOptions = append([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		if stack.ID() != operation {
			return nil
		}
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Fail", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			if times--; times < 0 {
				return next.HandleInitialize(ctx, in)
			}
			if after {
				if out, metadata, err := next.HandleInitialize(ctx, in); err != nil {
					return out, metadata, err
				}
			}
			return middleware.InitializeOutput{}, middleware.Metadata{}, errors.New("connection lost")
		}), middleware.Before)
	}}, cfg.APIOptions...)
	return cfg
}

// After a lost response, the outcome is looked up: the write may have happened or not.
func TestLostResponse(t *testing.T) {
	for name, test := range map[string]struct {
		after bool
		want  string
	}{"before": {false, `{}`}, "after": {true, `{"A":"1"}`}} {
		t.Run(name, func(t *testing.T) {
			accounts(t, func(t *testing.T, cfg aws.Config) {
				s := storeIn(cfg)
				require.NoError(t, s.Create(t.Context(), `{}`, "test", nil))
				from := read(t, s, Current)
				s.Client = secretsmanager.NewFromConfig(failing(cfg, "UpdateSecretVersionStage", test.after, 1))
				_, err := s.Write(t.Context(), from, `{"A":"1"}`)
				if test.after {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "connection lost")
				}
				require.Equal(t, test.want, *read(t, s, Current).Text)
				requireClean(t, s)
			})
		})
	}
}

// What a killed writer left, the next one removes once it is old.
func TestStaleStages(t *testing.T) {
	accounts(t, func(t *testing.T, cfg aws.Config) {
		s := storeIn(cfg)
		require.NoError(t, s.Create(t.Context(), `{}`, "test", nil))
		killed := s
		killed.Client = secretsmanager.NewFromConfig(failing(cfg, "UpdateSecretVersionStage", false, 10))
		_, err := killed.Write(t.Context(), read(t, s, Current), `{"A":"1"}`)
		require.ErrorContains(t, err, "remove the stage deployer-")
		_, err = s.Write(t.Context(), read(t, s, Current), `{"A":"2"}`)
		require.NoError(t, err)
		secret, err := s.describe(t.Context())
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(secret.VersionIdsToStages), stagePrefix, "its writer may still run")

		s.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		_, err = s.Write(t.Context(), read(t, s, Current), `{"A":"3"}`)
		require.NoError(t, err)
		requireClean(t, s)
	})
}

// A secret that was created without a value gets its first one from exactly one writer.
func TestFirstValue(t *testing.T) {
	accounts(t, func(t *testing.T, cfg aws.Config) {
		s := storeIn(cfg)
		_, err := s.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &s.Name})
		require.NoError(t, err)
		_, err = s.Read(t.Context(), Current)
		require.ErrorIs(t, err, ErrNoValue)
		_, err = s.Read(t.Context(), Previous)
		require.ErrorIs(t, err, ErrNoVersion)

		written, err := s.Write(t.Context(), nil, `{"A":"1"}`)
		require.NoError(t, err)
		require.NoError(t, written.CleanupErr)
		require.Equal(t, `{"A":"1"}`, *read(t, s, Current).Text)
		requireClean(t, s)

		_, err = s.Write(t.Context(), nil, `{"A":"late"}`)
		var conflict *ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, ConflictError{Secret: s.Name, Current: written.ID}, *conflict)
		require.Contains(t, err.Error(), "gave balancer-test-config its first value in the meantime")
		require.Equal(t, `{"A":"1"}`, *read(t, s, Current).Text)
		requireClean(t, s)
	})
}

// A secret that is marked for deletion has an error of its own, and a hint.
func TestDeleted(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	s := storeIn(cfg)
	require.NoError(t, s.Create(t.Context(), `{}`, "test", nil))
	before := read(t, s, Current)
	_, err := s.Client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &s.Name})
	require.NoError(t, err)
	_, err = s.Read(t.Context(), Current)
	var deleted *DeletedError
	require.ErrorAs(t, err, &deleted)
	require.WithinRange(t, deleted.After, time.Now(), time.Now().Add(31*24*time.Hour))
	require.NotContains(t, err.Error(), "RequestID")
	require.Equal(t, "restore it with its values: `aws secretsmanager restore-secret --secret-id balancer-test-config --region us-east-1`", deleted.Hint())
	_, err = s.Client.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: &s.Name})
	require.NoError(t, err)
	require.Equal(t, before.ID, read(t, s, Current).ID)
}
