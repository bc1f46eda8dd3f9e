package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// Store stores records beside Pulumi's state, as deployments/STACK/ID.json. A record that cannot be read is returned as Unreadable, with
// the reason.
type Store struct{ Files blob.Store }

const folder = "deployments"

func key(stack, id string) string { return path.Join(folder, stack, id+".json") }

// Save writes a record completely or not at all.
func (s Store) Save(ctx context.Context, d Deployment) error {
	body, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = s.Files.Put(ctx, key(d.Stack, d.ID), body)
	}
	if err != nil {
		return fmt.Errorf("save the record of deployment %s: %w", d.ID, err)
	}
	return nil
}

// List returns the newest records of a stack, the newest first, at most limit.
func (s Store) List(ctx context.Context, stack string, limit int) ([]Deployment, error) {
	keys, err := s.Files.List(ctx, path.Join(folder, stack))
	if err != nil {
		return nil, fmt.Errorf("list the deployments of %s: %w", stack, err)
	}
	return s.readAll(ctx, keys[max(0, len(keys)-limit):])
}

// ListSince returns the records of a stack that started at a time or later, and at most before older ones, the newest first.
func (s Store) ListSince(ctx context.Context, stack string, since time.Time, before int) ([]Deployment, error) {
	keys, err := s.Files.List(ctx, path.Join(folder, stack))
	if err != nil {
		return nil, fmt.Errorf("list the deployments of %s: %w", stack, err)
	}
	first := since.UTC().Format(idTime)
	at, _ := slices.BinarySearchFunc(keys, first, func(key, first string) int { return strings.Compare(path.Base(key), first) })
	return s.readAll(ctx, keys[max(0, at-before):])
}

// readsAtOnce declares how many records are read at the same time.
const readsAtOnce = 8

// readAll returns the records at keys in reverse order: as IDs start with the time, the newest first.
func (s Store) readAll(ctx context.Context, keys []string) ([]Deployment, error) {
	slices.Reverse(keys)
	records := make([]Deployment, len(keys))
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for i, key := range keys {
		reads.Go(func() error {
			record, err := s.read(ctx, key)
			if err == nil {
				records[i] = *record
			}
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	return records, nil
}

// idTime declares the format of the time with which IDs start.
const idTime = "20060102-150405"

// recordID matches the IDs of records.
var recordID = lazyregexp.New(`^[0-9]{8}-[0-9]{6}-[0-9a-f]+$`)

// Get returns one record, nil if there is none. Text that is no ID, such as a path to a record of another stack, names none.
func (s Store) Get(ctx context.Context, stack, id string) (*Deployment, error) {
	if !recordID.MatchString(id) {
		return nil, nil
	}
	record, err := s.read(ctx, key(stack, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return record, err
}

// read returns the record at a key. One that is truncated, or another file, must not hide the others, and so is not an error.
func (s Store) read(ctx context.Context, key string) (*Deployment, error) {
	id := strings.TrimSuffix(path.Base(key), ".json")
	body, err := s.Files.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read the record %s: %w", id, err)
	}
	var d Deployment
	err = json.Unmarshal(body, &d)
	sanitize.Value(&d, "Code") // a rollback deploys the code as it is
	if err == nil && d.ID != id {
		err = errors.New("it is not a record of a deployment")
	}
	if err == nil {
		return &d, nil
	}
	return &Deployment{
		ID: id, Stack: path.Base(path.Dir(key)), Outcome: Unreadable,
		Error: fmt.Sprintf("the record %s cannot be read: %v", s.Files.Location(key), err),
		Hint:  "the other records are used without it; remove it if it is not needed",
	}, nil
}
