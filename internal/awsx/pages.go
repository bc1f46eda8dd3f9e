package awsx

import "context"

// Pager is a paginator of the SDK.
type Pager[Out, Opt any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Opt)) (*Out, error)
}

// Pages follows a paginator to its end and returns what items takes from each page.
func Pages[Out, Opt, Item any](ctx context.Context, p Pager[Out, Opt], items func(*Out) []Item) ([]Item, error) {
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
