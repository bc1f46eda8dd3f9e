package sanitize

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutURL(t *testing.T) {
	refused := errors.New("connection refused")
	signed := &url.Error{Op: "Get", URL: "https://bucket/key?X-Amz-Signature=secret", Err: refused}
	for name, test := range map[string]struct{ err, want error }{
		"of a client":          {signed, refused},
		"of a client, wrapped": {fmt.Errorf("download: %w", signed), refused},
		"another":              {refused, refused},
		"none":                 {nil, nil},
	} {
		require.Equal(t, test.want, WithoutURL(test.err), name)
	}
}
