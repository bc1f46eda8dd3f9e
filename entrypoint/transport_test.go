package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRawAnswers starts entrypoint at an endpoint that does not speak as it should: nothing of what it sends is said,
// neither by entrypoint nor by the libraries that it is made of.
func TestRawAnswers(t *testing.T) {
	v := newFakeVault(t)
	for _, name := range slices.Sorted(maps.Keys(rawAnswers)) {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			command := exec.Command("entrypoint", "--timeout", "400ms", "--", "true")
			command.Env = append(v.environment(), "CONFIG_SECRET_ID="+name, "PATH="+os.Getenv("PATH"))
			command.Stdout, command.Stderr = &said, &said
			_ = command.Run()
			require.NotContains(t, strings.ToLower(said.String()), hidden)
			require.Contains(t, []int{exitTemporary, exitConfiguration}, command.ProcessState.ExitCode(), said.String())
			for line := range strings.Lines(said.String()) {
				require.Regexp(t, `^entrypoint: the secret `+name+` could not be fetched: (the answer cannot be read|the connection was closed before|no answer in time)`, line)
			}
		})
	}
}

// TestTransportText shows of errors only what cannot come from the other side.
func TestTransportText(t *testing.T) {
	dialing := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://h", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"refused":             {dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		"no such host":        {dialing(&net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}), "lookup h: no such host"},
		"a name in time":      {dialing(&net.DNSError{Err: "i/o timeout", Name: "h", IsTimeout: true}), "no answer in time"},
		"a deadline":          {dialing(os.ErrDeadlineExceeded), "no answer in time"},
		"closed":              {fmt.Errorf("read: %w", io.EOF), "the connection was closed before the whole answer was there"},
		"another network":     {dialing(errors.New("hunter2")), "the connection failed (dial)"},
		"TLS alert":           {&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "tls: handshake failure"},
		"no TLS":              {tls.RecordHeaderError{Msg: "hunter2"}, "the endpoint does not speak HTTPS"},
		"HTTP to HTTPS":       {&url.Error{Err: http.ErrSchemeMismatch}, "the endpoint does not speak HTTPS"},
		"another certificate": {x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"hunter2"}}, Host: "h"}, "the endpoint's certificate is for another name than h"},
		"unknown authority":   {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{Cert: &x509.Certificate{}}}, "x509: certificate signed by unknown authority"},
		"expired":             {x509.CertificateInvalidError{Reason: x509.Expired, Detail: "hunter2"}, "the endpoint's certificate has expired, or is not valid yet; look at the clock"},
		"constraints":         {x509.CertificateInvalidError{Reason: x509.CANotAuthorizedForThisName, Detail: "hunter2"}, "the endpoint's certificate is not valid"},
		"anything else":       {errors.New(`malformed HTTP response "hunter2"`), "the answer cannot be read"},
	} {
		require.Equal(t, test.want, transportText(fmt.Errorf("https response error: %w", test.err)), name)
	}
}
