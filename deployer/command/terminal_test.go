package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"github.com/balancer/v3-backend-infra/environment"
)

// openPTY opens a pseudo-terminal: what the person sees and types, and the program's side of it.
// Source: https://man7.org/linux/man-pages/man4/pts.4.html
func openPTY(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = person.Close() })
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, failed)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// prompts is a stream that closes asked at the first write.
type prompts struct {
	bytes.Buffer
	first sync.Once
	asked chan struct{}
}

func (p *prompts) Write(b []byte) (int, error) {
	defer p.first.Do(func() { close(p.asked) })
	return p.Buffer.Write(b)
}

func TestInterruptEndsPrompt(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *terminal) error{
		"a name": func(ctx context.Context, t *terminal) error {
			return t.confirm(ctx, "destroy", "x", "it cannot be restored")
		},
		"a secret": func(ctx context.Context, t *terminal) error {
			_, err := secretsInitOptions{terminal: t}.ask(ctx, &environment.Environment{
				Configuration: environment.Configuration{Required: []string{"SENTRY_DSN"}},
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, program := openPTY(t)
			before, err := term.GetState(int(program.Fd()))
			require.NoError(t, err)
			out := &prompts{asked: make(chan struct{})}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			var changing atomic.Bool
			changing.Store(true)
			go func() { ended <- ask(ctx, &terminal{streams: streams{in: program, err: out, changing: &changing}}) }()
			<-out.asked
			require.Eventually(t, func() bool { return !changing.Load() }, 5*time.Second, time.Millisecond, "nothing is under way")
			if name == "a secret" {
				require.Eventually(t, func() bool { return !reflect.DeepEqual(before, stateOf(t, program)) }, 5*time.Second, time.Millisecond)
			}
			cancel(errInterrupted)
			select {
			case err := <-ended:
				require.Equal(t, codeInterrupted, exitCode(err))
				require.ErrorContains(t, err, ": nothing was changed")
				require.True(t, changing.Load(), "what was under way continues after the question")
			case <-time.After(5 * time.Second):
				t.Fatal("the prompt still waits")
			}
			require.Equal(t, before, stateOf(t, program), "the terminal has no echo")
		})
	}
}

func stateOf(t *testing.T, f *os.File) *term.State {
	state, err := term.GetState(int(f.Fd()))
	require.NoError(t, err)
	return state
}

func TestConfirm(t *testing.T) {
	for name, test := range map[string]struct {
		typed, want string
	}{
		"the name":   {"staging\n", ""},
		"another":    {"production\n", "the name was not given, nothing was changed"},
		"an end":     {"\x04", "read the answer: EOF"},
		"no newline": {"stag\x04\x04", "the name was not given, nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := openPTY(t)
			_, err := io.WriteString(person, test.typed)
			require.NoError(t, err)
			var printed bytes.Buffer
			err = (&terminal{streams: streams{in: program, err: &printed}}).confirm(t.Context(), "destroy", "staging", "it cannot be restored")
			require.Equal(t, "You are about to destroy staging; it cannot be restored. Type its name to continue: ", printed.String())
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

// A check that is interrupted reports nothing about the secret.
func TestInterruptEndsSecretsCheck(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("GetCallerIdentity")) {
			_, _ = io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		cancel(errInterrupted)
		<-r.Context().Done()
	}))
	defer aws.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	var out, printed bytes.Buffer
	code := run(ctx, "development", []string{
		"deployer", "secrets", "check", "--env", "staging", "--dir", "../..", "--state-dir", t.TempDir(), "--endpoint-url", aws.URL,
	}, streams{in: &bytes.Buffer{}, out: &out, err: &printed})
	require.Equal(t, codeInterrupted, code, printed.String())
	require.Empty(t, out.String())
}

var errDisk = errors.New("the disk is full")

func TestUnreportedErrors(t *testing.T) {
	warnings := fmt.Errorf("wrapped: %w", exitStatus(codeWarnings))
	for name, test := range map[string]struct {
		err  error
		want []error
	}{
		"nothing":                           {nil, nil},
		"an exit status":                    {warnings, nil},
		"an error":                          {errDisk, []error{errDisk}},
		"an error beside an exit status":    {errors.Join(warnings, errDisk), []error{errDisk}},
		"beside an exit status, further in": {fmt.Errorf("so: %w", errors.Join(errors.Join(errDisk, warnings), errInterrupted)), []error{errDisk, errInterrupted}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, unreportedErrors(test.err)) })
	}
}

// Messages are broken between words, and never within a command.
func TestWrapWords(t *testing.T) {
	require.Equal(t, "deployer: there is no\nenvironment \"x\"", wrapWords(`deployer: there is no environment "x"`, 22))
	require.Equal(t, "hint: run\n`deployer up --env dev --image-tag TAG`,\nthen look", wrapWords("hint: run `deployer up --env dev --image-tag TAG`, then look", 22))
	require.Equal(t, "it failed:\n  deployer status --env dev --only ecs_service\nand so on", wrapWords("it failed:\n  deployer status --env dev --only ecs_service\nand so on", 22))
	require.Equal(t, "a message to a pipe", wrapMessage(io.Discard, "a message to a pipe"))
}
