// Package bake watches a new version after its rollout and judges whether it fails its users.
//
// Judge depends on nothing but what was observed: it has no clock and reads nothing. Watcher reads AWS at intervals until the time
// is over or the version has failed. A version fails only by what noise does not explain: an error of one client, a burst of
// retries, a slow first minute and a metric that is missing are no reasons to roll back.
package bake
