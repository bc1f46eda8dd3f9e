package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"syscall"
)

// discardLogs silences the standard logger: net/http logs unsolicited data of an endpoint to it.
func discardLogs() { log.SetOutput(io.Discard) }

// newClient returns a client that does not follow redirects: Secrets Manager does not redirect, and the request's
// signature would be sent along.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkEndpoint returns an error for an endpoint that no request can reach.
func checkEndpoint(endpoint *string) error {
	if endpoint == nil {
		return nil
	}
	parsed, err := url.Parse(*endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" {
		return configurationError(errors.New("the endpoint is not an http:// or https:// URL; check AWS_ENDPOINT_URL and endpoint_url of the profile"))
	}
	return nil
}

const unreadable = "the response cannot be read"

// transportText describes a transport error, from a list of errors whose text cannot come from the other side. Other
// errors are not shown: net/http and the SDK quote what they could not parse, which may be a part of a secret.
func transportText(err error) string {
	var (
		timeout interface{ Timeout() bool }
		number  syscall.Errno
		lookup  *net.DNSError
		alert   tls.AlertError
		network *net.OpError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no response in time"
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &lookup):
		// The name may come from a redirect.
		return "the endpoint's name cannot be resolved: " + printable(lookup.Err)
	case certificateText(err) != "":
		return certificateText(err)
	case errors.As(err, &alert):
		return alert.Error()
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return "the endpoint does not speak HTTPS"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		// net/http closes its side when the other side does, and a read may find either.
		return "the connection was closed before the response was complete"
	case errors.As(err, &network):
		return fmt.Sprintf("the connection failed (%s)", network.Op)
	}
	return unreadable
}

// certificateText describes what is wrong with the endpoint's certificate, without the names in it.
func certificateText(err error) string {
	var (
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &host):
		return "the endpoint's certificate is for another name"
	case errors.As(err, &unknown):
		return x509.UnknownAuthorityError{}.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the endpoint's certificate has expired, or is not valid yet; check the clock"
	case errors.As(err, &invalid), errors.As(err, new(*tls.CertificateVerificationError)):
		return "the endpoint's certificate is not valid"
	}
	return ""
}

// statusText returns the HTTP status of a response that could not be parsed.
func statusText(err error) string {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) && response.HTTPStatusCode() > 0 {
		return fmt.Sprintf("%s (HTTP status %d)", unreadable, response.HTTPStatusCode())
	}
	return unreadable
}
