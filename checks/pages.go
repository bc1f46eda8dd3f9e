package checks

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// pager is any paginator of the SDK.
type pager[Out, Opt any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Opt)) (*Out, error)
}

// pages follows p to its end and returns what items takes from each page.
func pages[Out, Opt, Item any](ctx context.Context, p pager[Out, Opt], items func(*Out) []Item) ([]Item, error) {
	var all []Item
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, items(page)...)
	}
	return all, nil
}

// batches asks about keys, size at a time and all batches at once, and returns the answers in the order of the keys.
// An error does not cancel the other batches: what they read, others may be waiting for.
func batches[Key, Item any](
	ctx context.Context, keys []Key, size int, ask func(context.Context, []Key) ([]Item, error),
) ([]Item, error) {
	var group errgroup.Group
	asked := slices.Collect(slices.Chunk(keys, size))
	answers := make([][]Item, len(asked))
	for i, batch := range asked {
		group.Go(func() (err error) {
			answers[i], err = ask(ctx, batch)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(answers...), nil
}
