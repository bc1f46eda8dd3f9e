// Chaos kills deployments at random times and checks that the next one repairs everything. It also changes an
// environment's file between a full deployment and one of code or of a component.
//
//	go run ./chaos             after `make build`; see -h for the flags
//
// It runs the deployer as users do, with the real engine, in separate simulated accounts. Each trial starts with a copy
// of a prepared account, runs a command, sends it a signal, and runs `up`. After that the state and the account must
// agree: nothing missing, duplicated, pending, locked or left over.
//
// Other trials disturb deployers whose lock is in a bucket: see bucket.go.
//
// The seed alone determines the trials; the times are fractions of how long the same command took on this machine
// without a signal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"
)

func main() {
	if role := os.Getenv(bucketRole); role != "" {
		if err := runBucketRole(context.Background(), role); err != nil {
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.trials, "n", 200, "how many trials")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano())%1_000_000, "the seed of the trials")
	flag.IntVar(&o.only, "only", 0, "run only the trial with this number, and keep its directory")
	flag.StringVar(&o.scenario, "scenario", "", "draw only trials of this scenario, such as rollback")
	flag.IntVar(&o.parallel, "parallel", max(1, runtime.NumCPU()/2), "how many trials run at once")
	flag.DurationVar(&o.limit, "limit", time.Hour, "start no trial after this time")
	flag.IntVar(&o.edits, "edits", 300, "how many trials change an environment's file between a full deployment and one of code or of a component")
	flag.IntVar(&o.onlyEdits, "only-edits", 0, "run only the edit trial with this number, and keep its directory")
	flag.IntVar(&o.bucket, "bucket", 100, "how many trials disturb deployers whose lock is in a bucket")
	flag.IntVar(&o.concurrent, "crowd", 8, "how many deployments of one environment are started at once at the end; 0 for none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

type options struct {
	trials     int
	seed       uint64
	only       int
	scenario   string
	parallel   int
	limit      time.Duration
	concurrent int

	edits, onlyEdits int
	bucket           int
}

func run(ctx context.Context, o options) error {
	h, err := newHarness()
	if err != nil {
		return err
	}
	defer h.close()
	if o.trials > 0 && o.onlyEdits == 0 {
		err = h.runKillTrials(ctx, o)
	}
	if o.edits > 0 && o.only == 0 && o.scenario == "" && ctx.Err() == nil {
		err = errors.Join(err, h.runEditTrials(ctx, o))
	}
	if o.bucket > 0 && o.only == 0 && o.onlyEdits == 0 && o.scenario == "" && ctx.Err() == nil {
		err = errors.Join(err, runBucketTrials(ctx, o))
	}
	return err
}

func runBucketTrials(ctx context.Context, o options) error {
	trials := planBucket(o)
	fmt.Printf("\n%d trials of locks in a bucket, seed %d\n", len(trials), o.seed)
	results := inParallel(ctx, o, trials, func(t bucketTrialPlan) bucketResult { return runBucketTrial(ctx, t) }, func(r bucketResult) error { return r.err })
	bucketSummary(os.Stdout, results)
	return verdict(ctx, count(results, func(r bucketResult) bool { return r.err != nil }), len(results))
}

func (h *harness) runEditTrials(ctx context.Context, o options) error {
	trials := planEdits(o)
	fmt.Printf("\n%d trials of changed files, seed %d\n", len(trials), o.seed)
	results, err := h.runEdits(ctx, trials, o)
	if err != nil {
		return err
	}
	editSummary(os.Stdout, results)
	failed := slices.DeleteFunc(slices.Clone(results), func(r editResult) bool { return r.err == nil })
	for _, r := range failed {
		fmt.Printf("\n`go run ./chaos -seed %d -only-edits %d` repeats what failed: %s\n", o.seed, r.number, r.editTrial)
	}
	return verdict(ctx, len(failed), len(results))
}

func (h *harness) runKillTrials(ctx context.Context, o options) error {
	trials, err := plan(o)
	if err != nil {
		return err
	}
	fmt.Printf("%d trials, seed %d: `make chaos SEED=%d` repeats them\n", len(trials), o.seed, o.seed)
	if err := h.prepare(ctx, trials, o.concurrent > 0); err != nil {
		return err
	}
	results := h.runAll(ctx, trials, o)
	summary(os.Stdout, results)
	failed := failedTrials(results)
	for _, r := range failed {
		fmt.Printf("\n`go run ./chaos -seed %d -only %d` repeats what failed: %s\n", o.seed, r.number, r.trial)
	}
	if o.concurrent > 0 && ctx.Err() == nil {
		fmt.Printf("\n%d deployments of one environment at once\n", o.concurrent)
		if err := h.runConcurrent(ctx, o.concurrent); err != nil {
			return err
		}
	}
	return verdict(ctx, len(failed), len(results))
}

// verdict returns an error if trials failed or were interrupted.
func verdict(ctx context.Context, failed, total int) error {
	if ctx.Err() == nil && failed > 0 {
		return fmt.Errorf("%d of %d trials failed", failed, total)
	}
	return context.Cause(ctx)
}
