package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/internal/procs"
	"github.com/balancer/v3-backend-infra/internal/s3sim"
)

// The bucket trials run two deployers with the lock in a bucket, each as processes of its own: the deployer and its keeper, with
// the code of deployer/lock, and an engine that reads and writes the state as Pulumi does, without a condition. Signals and a
// network that fails disturb them. The simulated bucket checks each write: no update is lost, and after the fence of one holder
// none of an earlier one is accepted. A third deployer then ends undisturbed.

// The environment variables of the processes of a trial.
const (
	bucketRole, bucketTrial, bucketName, bucketEndpoint = "CHAOS_BUCKET_ROLE", "CHAOS_BUCKET_TRIAL", "CHAOS_BUCKET_NAME", "CHAOS_BUCKET_ENDPOINT"
	bucketHolder, bucketGate, bucketParent              = "CHAOS_BUCKET_HOLDER", "CHAOS_BUCKET_GATE", "CHAOS_BUCKET_PARENT"
)

const (
	bucketLease  = 6 * time.Second
	bucketState  = ".pulumi/stacks/proj/dev.json"
	bucketWrites = 8
	// holderHeader is the metadata with the holder that wrote a state.
	holderHeader = "X-Amz-Meta-Deployer-Lock"
	// bucketTimeout bounds the end of the processes of a trial.
	bucketTimeout = 2 * time.Minute
)

// runBucketRole runs one of the processes of a trial.
func runBucketRole(ctx context.Context, role string) error {
	switch role {
	case "deployer":
		return bucketDeployer(ctx)
	case "keeper":
		parent, err := strconv.Atoi(os.Getenv(bucketParent))
		if err != nil {
			return err
		}
		signal.Ignore(unix.SIGPIPE) // the deployer may have ended
		ended, kill := lock.ReadDeployer(os.Stdin)
		return bucketStore().Keep(ctx, lock.KeepOptions{
			Stack: "dev", ID: os.Getenv(bucketHolder), Orphaned: lock.OrphanOf(parent), Ended: ended, KillEngine: kill,
			Publish: func(endpoint string) error {
				_, err := fmt.Println(endpoint)
				return err
			},
			Lost: func(reason string) { fmt.Println(reason) },
		})
	}
	return bucketEngine(ctx)
}

func bucketClient(endpoint, name string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true, RetryMaxAttempts: 2,
		Credentials: credentials.NewStaticCredentialsProvider(name, "test", ""),
	})
}

func bucketStore() lock.Bucket {
	return lock.Bucket{
		Client: bucketClient(os.Getenv(bucketEndpoint), os.Getenv(bucketName)), Name: "state", Clock: clock.Real(), LeaseDuration: bucketLease,
	}
}

// bucketProcess returns this program in another role of the trial.
func bucketProcess(role string, variables ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), variables...), bucketRole+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// bucketDeployer waits for the lock, and runs an engine under it.
func bucketDeployer(ctx context.Context) error {
	me := lock.Holder{ID: os.Getenv(bucketName) + rand.Text(), Environment: "dev", Stack: "dev", By: os.Getenv(bucketName), PID: os.Getpid()}
	held, err := lock.Acquire(ctx, bucketStore(), me, lock.Options{Clock: clock.Real(), Wait: true, Log: func(string) {}})
	if err != nil {
		return err
	}
	held.MarkRepaired()
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	return held.Run(ctx, func(ctx context.Context) error {
		cmd, err := bucketProcess("keeper", bucketHolder+"="+me.ID, bucketParent+"="+strconv.Itoa(os.Getpid()))
		if err != nil {
			return err
		}
		keeper, err := lock.StartKeeper(ctx, cmd, func(err error) { lose(&lock.LostError{Environment: "dev", Reason: err.Error()}) })
		if err != nil {
			return err
		}
		defer keeper.Stop()
		engine, err := bucketProcess("engine", bucketGate+"="+keeper.Endpoint())
		if err != nil {
			return err
		}
		engine.Stdout, engine.SysProcAttr = os.Stdout, &syscall.SysProcAttr{Setpgid: true}
		if err := engine.Start(); err != nil {
			return err
		}
		keeper.EngineStarted(engine.Process.Pid)
		ended := make(chan error, 1)
		go func() { ended <- engine.Wait() }()
		select {
		case err := <-ended:
			return errors.Join(err, context.Cause(ctx))
		case <-ctx.Done():
			_ = unix.Kill(-engine.Process.Pid, unix.SIGKILL)
			return errors.Join(context.Cause(ctx), <-ended)
		}
	})
}

// updates declares the state of the trials.
type updates struct{ Updates []string }

// bucketEngine reads the state once, and writes it several times with one more update. It prints what was accepted, and repeats
// what was not, as Pulumi does.
func bucketEngine(ctx context.Context) error {
	client := bucketClient(os.Getenv(bucketGate), "engine")
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("state"), Key: aws.String(bucketState)})
	if err != nil {
		return err
	}
	var state updates
	body, err := io.ReadAll(out.Body)
	if err == nil {
		err = json.Unmarshal(body, &state)
	}
	if err != nil {
		return err
	}
	run := rand.Text()[:6]
	for i := range bucketWrites {
		update := fmt.Sprintf("%s-%s-%d", os.Getenv(bucketName), run, i)
		state.Updates = append(state.Updates, update)
		content, err := json.Marshal(state)
		if err != nil {
			return err
		}
		for attempt := 0; ; attempt++ {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("state"), Key: aws.String(bucketState), Body: bytes.NewReader(content)})
			if err == nil {
				break
			}
			if attempt == 10 {
				return err
			}
			if err := clock.Real().Wait(ctx, 500*time.Millisecond); err != nil {
				return err
			}
		}
		fmt.Println(update)
		if err := clock.Real().Wait(ctx, time.Duration(mathrand.IntN(300))*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// A disturbance is what happens to the processes of one deployer.
type disturbance struct {
	name, what string
	// roles get the signal; what is "disconnect" for the network of all of them.
	roles     []string
	at, until time.Duration
}

func (d disturbance) String() string {
	text := fmt.Sprintf("%s of %s's %s after %.1f s", d.what, d.name, strings.Join(d.roles, " and "), d.at.Seconds())
	if d.what != "SIGKILL" {
		text += fmt.Sprintf(" for %.1f s", (d.until - d.at).Seconds())
	}
	return text
}

type bucketTrialPlan struct {
	number       int
	second       time.Duration // when the second deployer starts
	disturbances []disturbance
}

func planBucket(o options) []bucketTrialPlan {
	var trials []bucketTrialPlan
	for n := 1; n <= o.bucket; n++ {
		rng := mathrand.New(mathrand.NewPCG(o.seed, uint64(n)))
		between := func(least, most float64) time.Duration {
			return time.Duration((least + rng.Float64()*(most-least)) * float64(time.Second))
		}
		t := bucketTrialPlan{number: n, second: between(0, 1.5)}
		for i := range 1 + rng.IntN(3) {
			d := disturbance{name: []string{"first", "second"}[min(i, 1)*rng.IntN(2)], what: []string{"SIGKILL", "SIGSTOP", "SIGSTOP", "disconnect"}[rng.IntN(4)]}
			d.roles = [][]string{
				{"deployer"}, {"deployer"}, {"keeper"}, {"engine"}, {"deployer", "keeper"}, {"deployer", "keeper", "engine"}, {"keeper", "engine"},
			}[rng.IntN(7)]
			d.at = between(0.2, 3)
			d.until = d.at + between(0.3, 1.8*bucketLease.Seconds())
			if d.what == "disconnect" {
				d.roles = []string{"network"}
			}
			t.disturbances = append(t.disturbances, d)
		}
		trials = append(trials, t)
	}
	return trials
}

type bucketResult struct {
	bucketTrialPlan
	acquisitions, accepted int
	// stopped is how many of the two disturbed deployers did not succeed.
	stopped int
	err     error
}

func (r bucketResult) String() string {
	mark := map[bool]string{true: "✓", false: "✗"}[r.err == nil]
	var all []string
	for _, d := range r.disturbances {
		all = append(all, d.String())
	}
	return fmt.Sprintf("%4d %s %d writes by %d holders, %d of 2 deployers stopped: %s", r.number, mark, r.accepted, r.acquisitions, r.stopped, strings.Join(all, "; "))
}

// A bucketLab is the bucket of one trial, and what it has seen.
type bucketLab struct {
	*s3sim.Server
	mu      sync.Mutex
	offline map[string]bool
	orders  map[string]int // of the holders, by their acquisition
	latest  int
	total   int
	wrong   []string
}

func newBucketLab() *bucketLab {
	l := &bucketLab{Server: &s3sim.Server{Bucket: "state"}, offline: map[string]bool{}, orders: map[string]int{}}
	l.Put(bucketState, []byte(`{"Updates":[]}`))
	l.Written, l.Intercept = l.check, l.disturb
	return l
}

// disturb closes the connections of a deployer whose network is down: before a request acts, or before its response.
func (l *bucketLab) disturb(w http.ResponseWriter, r *http.Request, _ bool) bool {
	l.mu.Lock()
	down := l.offline[s3sim.Client(r)]
	l.mu.Unlock()
	if down {
		if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = connection.Close()
		}
	}
	return down
}

func (l *bucketLab) setOffline(name string, down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offline[name] = down
}

// check checks a write of the state, and notes each new holder of the lock.
func (l *bucketLab) check(w s3sim.Write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(w.Key, "locks/") {
		var h lock.Holder
		if json.Unmarshal(w.After, &h) == nil && l.orders[h.ID] == 0 {
			l.orders[h.ID] = len(l.orders) + 1
		}
		return
	}
	if w.Key != bucketState {
		return
	}
	l.total++
	var before, after updates
	if err := errors.Join(json.Unmarshal(w.Before, &before), json.Unmarshal(w.After, &after)); err != nil {
		l.wrong = append(l.wrong, "a state is not complete: "+err.Error())
	}
	for _, u := range before.Updates {
		if !slices.Contains(after.Updates, u) {
			l.wrong = append(l.wrong, fmt.Sprintf("%s lost the update %s", w.Client, u))
		}
	}
	order := l.orders[w.Metadata[holderHeader]]
	if order == 0 || order < l.latest {
		l.wrong = append(l.wrong, fmt.Sprintf("a write of the former holder %s was accepted", w.Client))
	}
	l.latest = max(l.latest, order)
}

// runBucketTrial runs one trial.
func runBucketTrial(ctx context.Context, t bucketTrialPlan) bucketResult {
	r := bucketResult{bucketTrialPlan: t}
	l := newBucketLab()
	server := httptest.NewServer(l)
	defer server.Close()
	trial := fmt.Sprintf("%d-%d", os.Getpid(), t.number)
	printed := &lockedBuffer{}
	start := func(name string) (chan error, error) {
		cmd, err := bucketProcess("deployer", bucketTrial+"="+trial, bucketName+"="+name, bucketEndpoint+"="+server.URL)
		if err != nil {
			return nil, err
		}
		cmd.Stdout, cmd.Stderr = printed, nil
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		return ended, nil
	}
	defer func() {
		for _, pid := range bucketProcesses(trial, "", "") {
			_ = procs.Send(pid, unix.SIGKILL)
		}
	}()
	r.err = func() error {
		first, err := start("first")
		if err != nil {
			return err
		}
		began := time.Now()
		var disturbing sync.WaitGroup
		for _, d := range t.disturbances {
			disturbing.Go(func() { l.run(ctx, d, trial, began) })
		}
		if err := clock.Real().Wait(ctx, t.second); err != nil {
			return err
		}
		second, err := start("second")
		if err != nil {
			return err
		}
		disturbing.Wait()
		timeout := time.After(bucketTimeout)
		for _, ended := range []chan error{first, second} {
			select {
			case err := <-ended: // it may have lost the lock
				if err != nil {
					r.stopped++
				}
			case <-timeout:
				return errors.New("a deployer has not ended")
			}
		}
		return undisturbed(start, timeout)
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	var final updates
	r.err = errors.Join(r.err, json.Unmarshal(l.Content(bucketState), &final))
	accepted := strings.Fields(printed.String())
	for _, u := range accepted {
		if !slices.Contains(final.Updates, u) {
			l.wrong = append(l.wrong, "the final state lacks "+u)
		}
	}
	for _, wrong := range l.wrong {
		r.err = errors.Join(r.err, errors.New(wrong))
	}
	r.accepted, r.acquisitions = l.total, len(l.orders)
	return r
}

// undisturbed runs a deployer that must succeed; again where a loaded machine misses heartbeats.
func undisturbed(start func(name string) (chan error, error), timeout <-chan time.Time) (last error) {
	for range 3 {
		third, err := start("third")
		if err != nil {
			return err
		}
		select {
		case last = <-third:
		case <-timeout:
			return errors.New("the undisturbed deployer has not ended")
		}
		if last == nil {
			return nil
		}
	}
	return last
}

// run disturbs the processes of a deployer at its time, and ends the disturbance.
func (l *bucketLab) run(ctx context.Context, d disturbance, trial string, began time.Time) {
	until := func(at time.Duration) { _ = clock.Real().Wait(ctx, at-time.Since(began)) }
	send := func(signal unix.Signal) {
		for _, role := range d.roles {
			for _, pid := range bucketProcesses(trial, d.name, role) {
				_ = procs.Send(pid, signal)
			}
		}
	}
	until(d.at)
	switch d.what {
	case "SIGKILL":
		send(unix.SIGKILL)
	case "SIGSTOP":
		send(unix.SIGSTOP)
		until(d.until)
		send(unix.SIGCONT)
	default:
		l.setOffline(d.name, true)
		until(d.until)
		l.setOffline(d.name, false)
	}
}

// bucketProcesses returns the processes of a trial, of one deployer and role unless they are empty.
func bucketProcesses(trial, name, role string) (found []int) {
	for _, pid := range procs.All() {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			continue
		}
		variables := map[string]string{}
		for _, v := range strings.Split(string(environment), "\x00") { // the last of a name counts
			key, value, _ := strings.Cut(v, "=")
			variables[key] = value
		}
		if variables[bucketTrial] == trial && (name == "" || variables[bucketName] == name) && (role == "" || variables[bucketRole] == role) {
			found = append(found, pid)
		}
	}
	return found
}

// lockedBuffer collects what several processes print.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
