package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// shelf is where records and locks lie: in a directory, or in a bucket under a prefix.
type shelf struct {
	dir                    string
	bucket, prefix, region string
	// client reaches the bucket.
	client *s3.Client
}

// besideState puts records and locks beside the state: in its directory, in its bucket, or where the state lies in what keeps
// nothing else for us, in the account's own bucket.
// Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/
func besideState(backendURL string, own shelf) (shelf, error) {
	u, err := url.Parse(backendURL)
	if err != nil {
		return shelf{}, hint.With(errors.New("PULUMI_BACKEND_URL is no URL"), "it is such as s3://BUCKET/PREFIX?region=REGION or file:///DIRECTORY")
	}
	switch u.Scheme {
	case "file":
		dir := u.Host + u.Path
		if u.Host == "~" {
			home, err := os.UserHomeDir()
			if err != nil {
				return shelf{}, fmt.Errorf("find the records beside %s: %w", backendURL, err)
			}
			dir = home + u.Path
		}
		return shelf{dir: dir}, nil
	case "s3":
		return shelf{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), region: cmp.Or(u.Query().Get("region"), own.region)}, nil
	}
	return own, nil
}

// open connects a shelf that is in a bucket.
func (s shelf) open(cfg aws.Config, pathStyle bool) shelf {
	if s.dir == "" {
		s.client = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle, o.Region = pathStyle, s.region })
	}
	return s
}

func (s shelf) records() history.Store {
	if s.dir != "" {
		return history.Dir(filepath.Join(s.dir, "deployments"))
	}
	return history.Bucket{Client: s.client, Name: s.bucket, Prefix: s.prefix}
}

// locks live by the machine's clock, in a simulated account too: what they keep apart is real.
func (s shelf) locks() lock.Store {
	if s.dir != "" {
		return lock.Directory{Dir: filepath.Join(s.dir, "locks"), Clock: clock.Real()}
	}
	return lock.Bucket{Client: s.client, Name: s.bucket, Prefix: s.prefix, Clock: clock.Real()}
}
