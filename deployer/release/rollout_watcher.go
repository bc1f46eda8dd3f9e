package release

import "context"

// rolloutWatcher knows what the services did before they were changed, and follows what they do afterwards.
type rolloutWatcher interface {
	// watch follows the services until they run the image, and returns the revisions that do, by service.
	watch(ctx context.Context, v phaseLog) (map[string]string, error)
	// outdatedServices are services that nobody touched although they run another image.
	outdatedServices(ctx context.Context) ([]string, error)
	// restart starts the services anew that were not touched.
	restart(ctx context.Context) error
	// waitUntilIdle waits until ECS has ended what it does by itself.
	waitUntilIdle(ctx context.Context, v phaseLog)
}
