package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

// A Backend is where Pulumi's state is stored, and what encrypts its secrets.
type Backend struct {
	// URL and SecretsProvider are "" where the user's own Pulumi settings decide.
	URL, SecretsProvider string
	// OwnEncryption ignores the key in the project's settings, which belongs to a real account.
	OwnEncryption bool
	// Bucket is the account's own, where the state or at least the records are stored in it; else "". Region is where it is, with its key.
	Bucket, Region string
	// Gated returns the URL of the same backend through an endpoint of a lock's keeper, or "" where the lock does not guard it;
	// nil where no keeper exists.
	Gated func(endpoint string) string
	// WorkDir has a working copy of the project's settings for each stack.
	WorkDir string
	// Versions returns earlier contents of an object in the state's bucket, the newest first; nil where there is no bucket.
	Versions func(context.Context, engine.Object) iter.Seq2[[]byte, error]
	// Env returns what the engine's environment has besides the process's.
	Env func() (map[string]string, error)
}

// A location is where records and locks are stored: a directory, or a bucket under a prefix.
type location struct {
	dir                    string
	bucket, prefix, region string
	// unguarded is why no lock can guard the state; nil where one can.
	unguarded error
	// client reaches the bucket; nil before open.
	client *s3.Client
}

// locateBesideState returns the location of records and locks: the state's directory or bucket, or, where the state is in a
// backend that stores nothing else for us, the account's own bucket.
// Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/
func locateBesideState(backendURL string, own location) (location, error) {
	u, err := url.Parse(backendURL)
	if err != nil {
		return location{}, hint.With(errors.New("PULUMI_BACKEND_URL is not a URL"),
			"write it like s3://BUCKET/PREFIX?region=REGION or file:///DIRECTORY")
	}
	switch u.Scheme {
	case "file":
		dir := u.Host + u.Path
		if u.Host == "~" {
			home, err := os.UserHomeDir()
			if err != nil {
				return location{}, fmt.Errorf("find the records beside %s: %w", backendURL, err)
			}
			dir = home + u.Path
		}
		return location{dir: dir}, nil
	case "s3":
		return location{
			bucket: u.Host, prefix: strings.Trim(u.Path, "/"), region: cmp.Or(u.Query().Get("region"), own.region), unguarded: checkGuarded(u),
		}, nil
	}
	return own, nil
}

// checkGuarded returns an error where parameters of the backend's URL move the state away from its path: the same state could have
// two locks.
// Source: OpenBucket in https://github.com/google/go-cloud/blob/master/blob/blob.go
func checkGuarded(u *url.URL) error {
	for _, name := range []string{"prefix", "key"} {
		if u.Query().Has(name) {
			return hint.With(fmt.Errorf("PULUMI_BACKEND_URL has the parameter %s, under which no lock can guard the state", name),
				"write the prefix as the path of the URL, like s3://BUCKET/PREFIX?region=REGION")
		}
	}
	return nil
}

// gatedURL returns the URL of a backend in a bucket through another endpoint, which signs the requests again: settings about
// credentials and addresses do not matter to it.
// Source: https://github.com/google/go-cloud/blob/master/blob/s3blob/s3blob.go and aws/aws.go
func gatedURL(backendURL, region, endpoint string) string {
	u, err := url.Parse(backendURL)
	if err != nil || u.Scheme != "s3" || endpoint == "" {
		return ""
	}
	query := u.Query()
	for _, name := range []string{
		"accelerate", "anonymous", "disable_https", "dualstack", "fips", "profile", "role", "s3ForcePathStyle",
	} {
		query.Del(name)
	}
	query.Set("endpoint", endpoint)
	query.Set("hostname_immutable", "true")
	query.Set("use_path_style", "true")
	query.Set("region", cmp.Or(query.Get("region"), region))
	u.RawQuery = query.Encode()
	return u.String()
}

// open connects a location that is a bucket.
func (l location) open(cfg aws.Config, pathStyle bool) location {
	if l.dir == "" {
		l.client = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle, o.Region = pathStyle, l.region })
	}
	return l
}

func (l location) records() history.Store {
	if l.dir != "" {
		return history.Store{Files: blob.Dir(l.dir)}
	}
	return history.Store{Files: blob.Bucket{Client: l.client, Name: l.bucket, Prefix: l.prefix}}
}

// locks returns the store of the locks. It uses the machine's clock in a simulated account, too: locks keep real processes apart.
func (l location) locks() lock.Store {
	if l.dir != "" {
		return lock.Directory{Dir: filepath.Join(l.dir, "locks"), Clock: clock.Real()}
	}
	return lock.Bucket{Client: l.client, Name: l.bucket, Prefix: l.prefix, Clock: clock.Real(), Unguarded: l.unguarded}
}
