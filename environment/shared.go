package environment

// SharedStack is the stack of what an account's environments share.
const SharedStack = "shared"

// Shared describes the resources that the environments of an account have in common: the hosted zone, the image
// repository, and GitHub's way in. It stands under the key v3-backend:shared of Pulumi.shared.yaml.
type Shared struct {
	Prefix     string     `yaml:"prefix"`
	Account    string     `yaml:"account"`
	Region     string     `yaml:"region"`
	RootDomain string     `yaml:"rootDomain"`
	Repository Repository `yaml:"repository"`
	GitHub     GitHub     `yaml:"github"`
}

// Repository is the image repository and what it keeps.
type Repository struct {
	Name string `yaml:"name"`
	// KeepImages is how many tagged images stay, beside those that run.
	KeepImages int `yaml:"keepImages"`
	// UntaggedDays is how long an image without a tag stays.
	UntaggedDays int `yaml:"untaggedDays"`
}

// GitHub says which repositories and GitHub environments may assume the deployment roles.
type GitHub struct {
	// Repositories are OWNER/NAME.
	Repositories []string `yaml:"repositories"`
	// Environments may assume the role for unprotected environments; production has a role of its own.
	Environments []string `yaml:"environments"`
}

// The roles that GitHub's workflows assume.
const (
	DeployRole           = "GitHubActions-Deploy-Role"
	ProductionDeployRole = "GitHubActions-Deploy-Role-production"
	ReadRole             = "GitHubActions-Read-Role"
)

// Tags are on every shared resource.
func (s *Shared) Tags() map[string]string { return tags(s.Prefix, SharedStack) }

func sharedDefaults() Shared {
	return Shared{Repository: Repository{KeepImages: 50, UntaggedDays: 7}}
}
