package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// runConcurrent starts several deployments of one environment at once: first without --wait, so that those without the
// lock fail, then with it, so that all run one after the other.
func (h *harness) runConcurrent(ctx context.Context, size int) error {
	for _, wait := range []bool{false, true} {
		if err := h.runAtOnce(ctx, size, wait); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) runAtOnce(ctx context.Context, size int, wait bool) error {
	dir, err := h.copyOf(deployed, fmt.Sprintf("crowd-%v", wait))
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{"up", "--image-tag", newTag}
	if wait {
		args = append(args, "--wait")
	}
	all, failed := make([]commandResult, size), make([]error, size)
	var running sync.WaitGroup
	began := time.Now()
	for i := range size {
		running.Go(func() { all[i], failed[i] = h.run(ctx, h.dev(dir), args...) })
	}
	running.Wait()
	done := 0
	for i, e := range all {
		switch {
		case failed[i] != nil:
			return failed[i]
		case e.code == 0:
			done++
		case wait || e.code != 3 || !strings.Contains(e.output, "is locked by"):
			return fmt.Errorf("one of %d deployments at once exits with %d:\n%s", size, e.code, e.output)
		}
	}
	if done == 0 || wait && done != size {
		return fmt.Errorf("%d of %d deployments at once succeeded", done, size)
	}
	runs, err := migrations(dir)
	if err != nil {
		return err
	}
	if err := oneAtATime(runs); err != nil {
		return err
	}
	if err := h.verify(ctx, dir, &result{}); err != nil {
		return err
	}
	fmt.Printf("%d at once, --wait=%v: %d done, %d reported the lock, %d migrations without overlap, %.1f s\n",
		size, wait, done, size-done, len(runs), time.Since(began).Seconds())
	return nil
}

// migration is the lifetime of a task of the migration's family.
type migration struct{ Created, Stopped time.Time }

// migrations returns the account's migrations in the order of their creation.
func migrations(dir string) ([]migration, error) {
	var content struct {
		ECS struct {
			Tasks map[string]struct {
				Group string
				migration
			}
		}
	}
	if err := readAccount(dir, &content); err != nil {
		return nil, err
	}
	var runs []migration
	for _, task := range content.ECS.Tasks {
		if strings.HasSuffix(task.Group, "-migration-task") {
			runs = append(runs, task.migration)
		}
	}
	slices.SortFunc(runs, func(x, y migration) int { return x.Created.Compare(y.Created) })
	return runs, nil
}

// oneAtATime returns an error if migrations overlap, or if there was none.
func oneAtATime(runs []migration) error {
	if len(runs) == 0 {
		return errors.New("no migration ran")
	}
	for i := 1; i < len(runs); i++ {
		if runs[i].Created.Before(runs[i-1].Stopped) || runs[i-1].Stopped.IsZero() {
			return fmt.Errorf("two migrations ran at once: one until %s, the other from %s", runs[i-1].Stopped, runs[i].Created)
		}
	}
	return nil
}
