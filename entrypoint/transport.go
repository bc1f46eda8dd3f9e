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

// discardLogs keeps the libraries from writing a log of their own: net/http puts into its one what an endpoint sends without
// being asked.
func discardLogs() { log.SetOutput(io.Discard) }

// newClient asks endpoints. It follows nobody elsewhere: Secrets Manager does not redirect, and the request would take its
// signature along.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkEndpoint refuses an endpoint that no request can reach, however often it is tried.
func checkEndpoint(endpoint *string) error {
	if endpoint == nil {
		return nil
	}
	parsed, err := url.Parse(*endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" {
		return configurationError(errors.New("the endpoint is no URL that begins with http:// or https://; look at AWS_ENDPOINT_URL, and at endpoint_url of the profile"))
	}
	return nil
}

const unreadable = "the answer cannot be read"

// transportText is what went wrong on the way, by a list of errors whose text cannot come from the other side. Of all
// others nothing is shown: net/http and the SDK quote what they could not read, which may be a part of a secret.
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
		return "no answer in time"
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &lookup):
		// Its name may be that of a redirection.
		return "the endpoint's name cannot be resolved: " + printable(lookup.Err)
	case certificateText(err) != "":
		return certificateText(err)
	case errors.As(err, &alert):
		return alert.Error()
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return "the endpoint does not speak HTTPS"
	case errors.As(err, &network):
		return fmt.Sprintf("the connection failed (%s)", network.Op)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the whole answer was there"
	}
	return unreadable
}

// certificateText is what is wrong with the endpoint's certificate, without the names that stand in it.
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
		return "the endpoint's certificate has expired, or is not valid yet; look at the clock"
	case errors.As(err, &invalid), errors.As(err, new(*tls.CertificateVerificationError)):
		return "the endpoint's certificate is not valid"
	}
	return ""
}

// statusText is the number of an answer that says nothing else that is known.
func statusText(err error) string {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) && response.HTTPStatusCode() > 0 {
		return fmt.Sprintf("%s (HTTP status %d)", unreadable, response.HTTPStatusCode())
	}
	return unreadable
}
