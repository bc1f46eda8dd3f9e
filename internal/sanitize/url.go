package sanitize

import (
	"errors"
	"net/url"
)

// WithoutURL returns the cause of an error of an HTTP client, which names the URL. A URL may be a credential.
func WithoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
