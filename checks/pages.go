package checks

import (
	"context"
	"slices"
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
func batches[Key, Item any](
	ctx context.Context, keys []Key, size int, ask func(context.Context, []Key) ([]Item, error),
) ([]Item, error) {
	var asking []func(context.Context) error
	answers := make([][]Item, (len(keys)+size-1)/size)
	for batch := range slices.Chunk(keys, size) {
		answer := &answers[len(asking)]
		asking = append(asking, func(ctx context.Context) (err error) {
			*answer, err = ask(ctx, batch)
			return err
		})
	}
	if err := parallel(ctx, asking...); err != nil {
		return nil, err
	}
	return slices.Concat(answers...), nil
}
