package ecrimage

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCreatedAt(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"its label":              {`{"created":"2026-11-23T10:00:00Z","config":{"Labels":{"org.opencontainers.image.created":"2026-11-23T11:00:00+02:00"}}}`, "2026-11-23T09:00:00Z"},
		"its configuration":      {`{"created":"2026-11-23T10:00:00.123456789Z","config":{"Labels":null}}`, "2026-11-23T10:00:00.123456789Z"},
		"a label without a time": {`{"created":"2026-11-23T10:00:00Z","config":{"Labels":{"org.opencontainers.image.created":"today"}}}`, "2026-11-23T10:00:00Z"},
		"the epoch":              {`{"created":"1970-01-01T00:00:00Z"}`, ""},
		"the epoch of zip":       {`{"created":"1980-01-01T00:00:01Z"}`, ""},
		"no time":                {`{"created":"soon"}`, ""},
		"nothing":                {`{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var config Config
			require.NoError(t, json.Unmarshal([]byte(test.config), &config))
			if test.want == "" {
				require.Zero(t, config.CreatedAt())
				return
			}
			require.Equal(t, test.want, config.CreatedAt().Format("2006-01-02T15:04:05.999999999Z07:00"))
		})
	}
}
