package release

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// scanGracePeriod limits how long after its push an image's scan may not have begun yet.
const scanGracePeriod = 15 * time.Minute

// scanState describes a state of a scan without a result.
type scanState struct {
	// message follows the image's tag; AWS's description is added to it.
	message, hint string
	// passes reports that a result follows without anyone's doing.
	passes bool
}

const (
	waitForScan = "the repository scans on push: wait for the scan with --wait"
	withoutScan = "or set image.criticalFindings to warn, to deploy without a scan"
)

// unsupportedScan describes an image that the scanner cannot read.
var unsupportedScan = scanState{
	message: "cannot be scanned",
	hint: "basic scanning does not support its operating system or format: build it on a base image that the scanner " +
		"supports, turn on enhanced scanning (Amazon Inspector) for the registry, " + withoutScan,
}

// scanStates maps the states in which ECR has no findings.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-troubleshooting.html
// Source: https://docs.aws.amazon.com/inspector/v2/APIReference/API_ScanStatus.html
var scanStates = map[types.ScanStatus]scanState{
	types.ScanStatusInProgress: {"is being scanned", waitForScan, true},
	types.ScanStatusPending:    {"waits for its scan", waitForScan, true},
	types.ScanStatusFailed: {
		message: "could not be scanned",
		hint:    "start another scan with `aws ecr start-image-scan`, which ECR allows once a day for an image, " + withoutScan,
	},
	types.ScanStatusUnsupportedImage: unsupportedScan,
	types.ScanStatusScanEligibilityExpired: {
		message: "is no longer scanned: the time in which enhanced scanning scans an image again has passed",
		hint:    "build and push it again, lengthen the duration of scans in Amazon Inspector, " + withoutScan,
	},
	types.ScanStatusFindingsUnavailable: {
		message: "has no findings that can be read now",
		hint:    "check that Amazon Inspector is active for ECR in this account and region, " + withoutScan,
	},
	types.ScanStatusLimitExceeded: {
		message: "was not scanned: a quota of scans is exhausted",
		hint:    "start a scan tomorrow, or request a higher quota, " + withoutScan,
	},
	types.ScanStatusImageArchived: {
		message: "is archived, and is not scanned",
		hint:    "restore it from the archive, or push it again",
	},
}

// unsupportedImage begins AWS's description of a scan that failed because the scanner cannot read the image.
const unsupportedImage = "UnsupportedImageError"

// evaluateScan returns the problems of an image's scan. Where critical findings stop a deployment, a missing scan does too, at once
// unless a result follows by itself: soon after the push the scan may not have begun yet.
func evaluateScan(tag string, image *Image, strict bool, now time.Time) []Problem {
	switch {
	case !image.Scanned:
		state := stateOfScan(image, now)
		message := tag + " " + state.message
		if image.Description != "" && !state.passes {
			message += ": " + image.Description
		}
		return []Problem{{Check: "scan", Stops: strict, Transient: strict && state.passes, Message: message, Hint: state.hint}}
	case image.Critical > 0:
		return []Problem{{
			Check: "scan", Stops: strict,
			Message: fmt.Sprintf("the scan of %s has %d critical findings", tag, image.Critical),
			Hint:    "rebuild it on a patched base image; image.criticalFindings sets whether this stops a deployment",
		}}
	}
	return nil
}

// stateOfScan returns what the state of an image's scan means.
func stateOfScan(image *Image, now time.Time) scanState {
	if strings.HasPrefix(image.Description, unsupportedImage) {
		return unsupportedScan
	}
	if state, known := scanStates[image.Status]; known {
		return state
	}
	if now.Sub(image.Pushed) < scanGracePeriod {
		return scanState{"has not been scanned, so its findings are not known", waitForScan, true}
	}
	return scanState{message: "has not been scanned, so its findings are not known",
		hint: "the repository scans on push; start another scan with `aws ecr start-image-scan`"}
}
