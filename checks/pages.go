package checks

import (
	"context"
	"slices"
)

// forEach calls read for every item, all at once, and returns what they found in the order of the items.
func forEach[Item, Found any](ctx context.Context, items []Item, read func(context.Context, Item) ([]Found, error)) ([]Found, error) {
	found := make([][]Found, len(items))
	var reads []func(context.Context) error
	for i, item := range items {
		reads = append(reads, func(ctx context.Context) (err error) {
			found[i], err = read(ctx, item)
			return err
		})
	}
	if err := parallel(ctx, reads...); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// batches calls read for the keys, size at a time and all batches at once, and returns what they found in the order of the keys.
func batches[Key, Found any](
	ctx context.Context, keys []Key, size int, read func(context.Context, []Key) ([]Found, error),
) ([]Found, error) {
	return forEach(ctx, slices.Collect(slices.Chunk(keys, size)), read)
}
