package release

import "context"

// follower knows what the services did before they were changed, and follows what they do afterwards.
type follower interface {
	// run follows the services until they run the image, and returns the revisions that do, by service.
	run(ctx context.Context, v voice) (map[string]string, error)
	// outOfStep are services that nobody touched although they run another image.
	outOfStep(ctx context.Context) ([]string, error)
	// restart starts the services anew that were not touched.
	restart(ctx context.Context) error
	// settle waits until ECS has ended what it does by itself.
	settle(ctx context.Context, v voice)
}
