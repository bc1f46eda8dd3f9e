package release

import "context"

// rolloutWatcher knows the services as they were before a change, and watches what they do after it.
type rolloutWatcher interface {
	// watch waits until the services run the image, and returns their task definitions, by service.
	watch(ctx context.Context, log phaseLog) (map[string]string, error)
	// outdatedServices returns the services that were not changed although they run another image.
	outdatedServices(ctx context.Context) ([]string, error)
	// restart starts a deployment of every service that was not changed.
	restart(ctx context.Context) error
	// waitUntilIdle waits until ECS has finished its own actions.
	waitUntilIdle(ctx context.Context, log phaseLog)
}
