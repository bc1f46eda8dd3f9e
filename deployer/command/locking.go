package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
)

// A locker holds the locks of stacks while they change.
type locker struct {
	terminal *terminal
	// options are passed on to the lock's keeper.
	options target.Options
	// wait waits for another holder instead of failing.
	wait bool
}

// withLock runs what changes a target under the lock of its stack, which no other process has meanwhile. Action is the command,
// such as up or snapshot restore. The context of run ends when the lock is lost. The lock stays where run ends before the engine.
func (l *locker) withLock(ctx context.Context, t *target.Target, action string, run func(context.Context) error) error {
	held, err := lock.Acquire(ctx, t.Locks, lockHolder(t.Ref, action), lock.Options{
		Clock: clock.Real(), Wait: l.wait, LastStart: release.LastStart(ctx, t.AWS), Log: l.terminal.log,
	})
	if busy := (*lock.HeldError)(nil); err != nil && !errors.As(err, &busy) && ctx.Err() == nil {
		// With credentials of another account there is no lock either, and that is the error to report.
		if other := verify(ctx, t, t.Clock.Now()); other != nil {
			return other
		}
	}
	if err != nil {
		return err
	}
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	t.Held = held
	defer func() { t.Held, t.Keeper = nil, nil }()
	defer ignoreSIGPIPE()()
	defer l.terminal.setChanging(l.terminal.setChanging(true))
	left := false
	err = held.Run(ctx, func(ctx context.Context) (err error) {
		if t.Keeper, err = l.startKeeper(ctx, t, held, lose); err != nil {
			return err
		}
		err = run(ctx)
		if left = engineStillRunning(err); left {
			held.KeepAfterExit()
		}
		return err
	})
	if t.Keeper != nil && !left {
		t.Keeper.Stop()
	}
	return err
}

// startKeeper starts the process that keeps the lock where the engine outlives this one, and through which the engine writes its
// state. It returns nil where the engine itself keeps the lock. Where the keeper ends early, the lock is lost. The arguments are all
// that the keeper gets of this command: a variable such as DEPLOYER_OUTPUT would change what it does.
func (l *locker) startKeeper(ctx context.Context, t *target.Target, held *lock.Held, lose context.CancelCauseFunc) (*lock.Keeper, error) {
	if _, needed := t.Locks.(lock.OrphanKeeper); !needed || l.terminal.self == "" {
		return nil, nil
	}
	arguments := []string{
		"lock", keepVerbName, "--env", t.Stack, "--region", t.Region, "--holder", held.ID(), "--parent", strconv.Itoa(os.Getpid()), "--timeout", "0",
	}
	onEnd := func(err error) { lose(&lock.LostError{Environment: t.Name, Reason: err.Error()}) }
	keeper := exec.Command(l.terminal.self, append(arguments, l.options.Arguments()...)...)
	keeper.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, variablePrefix) })
	return lock.StartKeeper(ctx, keeper, onEnd)
}

// engineStillRunning reports whether an error means that the engine has not ended yet.
func engineStillRunning(err error) bool {
	var deployment *release.InterruptedError
	if errors.As(err, &deployment) {
		err = deployment.Remaining
	}
	var run *engine.InterruptedError
	return errors.As(err, &run) && run.RunningPID != 0
}

// lockHolder describes this process as the holder of a stack's lock.
func lockHolder(ref target.Ref, action string) lock.Holder {
	host, _ := os.Hostname()
	return lock.Holder{
		ID: rand.Text(), Environment: ref.Name, Stack: ref.Stack, Command: action,
		By: whoami(), Host: host, PID: os.Getpid(), Run: runURL(os.Getenv), Started: clock.Real().Now().UTC(),
	}
}

// runURL returns the page of the workflow run that this process is part of; "" elsewhere.
// Source: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func runURL(variable func(string) string) string {
	if variable("GITHUB_RUN_ID") == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%s", variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"), variable("GITHUB_RUN_ID"))
}

// newID returns an ID for a deployment: its time in UTC and a random end.
func newID(now time.Time) string {
	var end [2]byte
	_, _ = rand.Read(end[:])
	return now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(end[:])
}

// whoami returns who runs the command: the person behind a workflow run, else the user of this machine.
func whoami() string {
	if actor := os.Getenv("GITHUB_ACTOR"); actor != "" {
		return actor
	}
	host, _ := os.Hostname()
	who, err := user.Current()
	if err != nil {
		return host
	}
	return who.Username + "@" + host
}
