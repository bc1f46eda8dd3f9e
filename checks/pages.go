package checks

import (
	"context"
	"slices"
	"sync"

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

// batches asks about keys, size at a time and all batches at once, and returns the answers in the order of the keys'
// batches.
func batches[Key, Item any](
	ctx context.Context, keys []Key, size int, ask func(context.Context, []Key) ([]Item, error),
) ([]Item, error) {
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	answers := map[int][]Item{}
	at := 0
	for batch := range slices.Chunk(keys, size) {
		number := at
		at++
		group.Go(func() error {
			items, err := ask(ctx, batch)
			mu.Lock()
			defer mu.Unlock()
			answers[number] = items
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Item
	for number := range at {
		all = append(all, answers[number]...)
	}
	return all, nil
}
