package mcp

// Target names the environment of a call.
type Target struct {
	Env string `json:"env,omitempty" jsonschema:"the environment"`
}

// target returns the environment of arguments, to be set.
func (t *Target) target() *Target { return t }

// EnvironmentArguments holds those of tools that need nothing but an environment.
type EnvironmentArguments struct{ Target }

// page selects everything.
func (EnvironmentArguments) page() Page { return Page{} }

// Page selects a part of the main list of a document.
type Page struct {
	Limit  int `json:"limit,omitempty" jsonschema:"return at most this many"`
	Offset int `json:"offset,omitempty" jsonschema:"leave out this many at the beginning of the list"`
}

// page returns the part that arguments select.
func (p *Page) page() Page { return *p }

// StatusArguments holds those of status.
type StatusArguments struct {
	Target
	Only []string `json:"only,omitempty" jsonschema:"check only these components"`
	Page
}

// DriftArguments holds those of drift.
type DriftArguments struct {
	Target
	Only []string `json:"only,omitempty" jsonschema:"return only resources whose type or name contains one of these words"`
	Page
}

// PreviewArguments holds those of preview.
type PreviewArguments struct {
	Target
	ImageTag string   `json:"image_tag,omitempty" jsonschema:"the image to deploy, a tag or a digest; without it, the one that runs"`
	Only     []string `json:"only,omitempty" jsonschema:"return only resources whose type or name contains one of these words"`
	Page
}

// HistoryArguments holds those of history.
type HistoryArguments struct {
	Target
	ID string `json:"id,omitempty" jsonschema:"return only this deployment, with its phases, such as 20261123-161530-1f3a"`
	Page
}

// TasksArguments holds those of tasks.
type TasksArguments struct {
	Target
	Service []string `json:"service,omitempty" jsonschema:"list only tasks of these services"`
	Page
}

// LogsArguments holds those of logs.
type LogsArguments struct {
	Target
	Service []string `json:"service,omitempty" jsonschema:"return only lines of these services"`
	Since   string   `json:"since,omitempty" jsonschema:"how long ago, such as 2h or 7d, or a time, 2026-11-23T20:00:00Z; default 1h"`
	Until   string   `json:"until,omitempty" jsonschema:"end, in the same formats; default now"`
	Filter  string   `json:"filter,omitempty" jsonschema:"of the newest 10,000 lines return only those that contain all of these words, in the same case"`
	Limit   int      `json:"limit,omitempty" jsonschema:"return at most this many of the newest lines"`
}

// page selects nothing: logs returns the newest lines, and has read no more than its limit.
func (LogsArguments) page() Page { return Page{} }

// ImagesArguments holds those of images.
type ImagesArguments struct {
	Target
	Page
}

// VarsArguments holds those of vars.
type VarsArguments struct {
	Target
	Service []string `json:"service,omitempty" jsonschema:"show only the variables of these services"`
	Only    []string `json:"only,omitempty" jsonschema:"show only variables with these names; * and ? are wildcards"`
	Page
}

// CostArguments holds those of cost.
type CostArguments struct {
	Target
	Only []string `json:"only,omitempty" jsonschema:"return only lines whose area or resource contains one of these words"`
	Page
}

// OutputsArguments holds those of outputs.
type OutputsArguments struct {
	Target
	Only []string `json:"only,omitempty" jsonschema:"return only outputs whose name contains one of these words"`
}

// page selects everything: only selects outputs.
func (OutputsArguments) page() Page { return Page{} }
