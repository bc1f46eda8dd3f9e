package cloud

import "time"

// Registry holds the images of the account's repositories, by repository name.
type Registry struct {
	Images map[string][]Image `json:"images"`
}

// Image is one image of a repository.
type Image struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags"`
	Pushed time.Time `json:"pushed"`
}

// Secret is one secret of Secrets Manager, by name.
type Secret struct {
	ARN string `json:"arn"`
}

// ECSState is what moves by itself in ECS: tasks and deployments.
type ECSState struct{}

// Snapshot is one snapshot of a database, by identifier.
type Snapshot struct {
	ARN string `json:"arn"`
}

// Logs are the log lines, by log group and then by stream.
type Logs map[string]map[string][]LogLine

// LogLine is one line that a container wrote.
type LogLine struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}
