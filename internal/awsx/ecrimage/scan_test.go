package ecrimage

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"
)

func TestNotScannedText(t *testing.T) {
	for _, test := range []struct {
		status            types.ScanStatus
		description, want string
	}{
		{"", "", "not scanned"},
		{types.ScanStatusPending, "", "not scanned: pending"},
		{types.ScanStatusUnsupportedImage, "", "not scanned: unsupported image"},
		{types.ScanStatusFailed, "UnsupportedImageError: The operating system 'x' is not supported\nmore", "not scanned: UnsupportedImageError: The operating system 'x' is not supported"},
	} {
		require.Equal(t, test.want, NotScanned(test.status, test.description), test)
	}
}
