package environment

import (
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/problem"
)

// SharedStack is the stack of the resources that an account's environments share.
const SharedStack = "shared"

// Shared describes the resources that an account's environments share: the hosted zone, the image repository, and
// GitHub's roles. It is the value of the key v3-backend:shared in Pulumi.shared.yaml.
type Shared struct {
	Prefix     string     `yaml:"prefix"`
	Account    string     `yaml:"account"`
	Region     string     `yaml:"region"`
	RootDomain string     `yaml:"rootDomain"`
	Repository Repository `yaml:"repository"`
	GitHub     GitHub     `yaml:"github"`
}

// Repository is the image repository and its retention.
type Repository struct {
	Name string `yaml:"name"`
	// KeepImages is how many tagged images are kept, beside those that run.
	KeepImages int `yaml:"keepImages"`
	// UntaggedDays is how long an image without a tag is kept.
	UntaggedDays int `yaml:"untaggedDays"`
}

// GitHub lists the repositories and GitHub environments that may assume the deployment roles.
type GitHub struct {
	// Repositories are OWNER/NAME or OWNER@ID/NAME@ID: what the subjects of the repositories' tokens have between "repo:" and the next colon.
	// GitHub sends IDs for repositories that were created, renamed or transferred after 15 July 2026, and for those that opted in.
	// Source: https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
	Repositories []string `yaml:"repositories"`
	// Environments may assume the role for unprotected environments; production has a role of its own.
	Environments []string `yaml:"environments"`

	// delivered has the environments of the files beside, by name; resolve sets it.
	delivered map[string]Delivered
	// unresolved is why some of the files could not be read.
	unresolved error
}

// Delivered is what GitHub's roles have to know about an environment: the branch whose jobs may deploy it, and the
// domain whose records they may change.
type Delivered struct{ Branch, Domain string }

// Delivered returns what GitHub's roles have to know about an environment; ok is false where no file has the name.
func (g GitHub) Delivered(name string) (d Delivered, ok bool) {
	d, ok = g.delivered[name]
	return d, ok
}

// resolve keeps what GitHub's roles have to know about the environments.
func (g *GitHub) resolve(envs []*Environment, err error) {
	g.delivered, g.unresolved = map[string]Delivered{}, err
	for _, e := range envs {
		g.delivered[e.Name] = Delivered{Branch: e.Delivery.Branch, Domain: e.Domain.Name}
	}
}

// Resolve reads the environments' files in dir, whose branches and domains GitHub's roles need, and returns an error
// where one of them is not valid, or where a listed environment has none. LoadShared reads them too, but does not
// reject them: a command for one environment must not fail because of another's file.
func (s *Shared) Resolve(dir string) error {
	s.GitHub.resolve(LoadAll(dir))
	return s.CheckEnvironments()
}

// CheckEnvironments returns an error where a file of an environment is not valid, or where a listed environment has
// none: its jobs could assume no role.
func (s *Shared) CheckEnvironments() error {
	if s.GitHub.unresolved != nil {
		return s.GitHub.unresolved
	}
	var l problemList
	for i, name := range s.GitHub.Environments {
		if _, ok := s.GitHub.Delivered(name); !ok {
			l.add(fmt.Sprintf("github.environments[%d]", i),
				"create it with `deployer env new "+StackOf(name)+" --from ENV`, or remove it from the list",
				"there is no environment %q", name)
		}
	}
	if len(l) == 0 {
		return nil
	}
	return &problem.Error{Source: FileName(SharedStack), Problems: l}
}

// The roles that GitHub's workflows assume.
const (
	DeployRole           = "GitHubActions-Deploy-Role"
	ProductionDeployRole = "GitHubActions-Deploy-Role-production"
	ReadRole             = "GitHubActions-Read-Role"
)

// Tags returns the tags of every shared resource.
func (s *Shared) Tags() map[string]string { return tags(s.Prefix, SharedStack) }

// ProductionDomain returns production's domain. Without a file it is the one of the convention, by which only
// production has no prefix.
func (s *Shared) ProductionDomain() string {
	if d, ok := s.GitHub.Delivered("production"); ok {
		return d.Domain
	}
	return "api." + s.RootDomain
}

// RepositoryNames returns OWNER/NAME of each repository, once.
func (g GitHub) RepositoryNames() []string {
	var names []string
	for _, repository := range g.Repositories {
		if name := repositoryID.ReplaceAllString(repository, ""); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// repositoryID matches an ID in a repository of GitHub.Repositories.
var repositoryID = lazyregexp.New(`@[0-9]+`)

func sharedDefaults() Shared { return Shared{Repository: Repository{KeepImages: 50, UntaggedDays: 7}} }

func (s *Shared) problems() problemList {
	var l problemList
	l.match("prefix", s.Prefix, namePattern, nameRemedy)
	l.match("account", s.Account, accountPattern, "give the AWS account's twelve digits, in quotes")
	l.region(s.Region)
	l.match("rootDomain", s.RootDomain, domainPattern, "give the hosted zone's name, such as example.com")
	l.match("repository.name", s.Repository.Name, repositoryPattern, "give the ECR repository's name, such as balancer-api")
	l.within("repository.keepImages", s.Repository.KeepImages, 1, 1000)
	l.within("repository.untaggedDays", s.Repository.UntaggedDays, 1, 365)
	if len(s.GitHub.Repositories) == 0 {
		l.add("github.repositories", "list the repositories that may deploy, as OWNER/NAME", "it is missing")
	}
	for i, name := range s.GitHub.Repositories {
		l.match(fmt.Sprintf("github.repositories[%d]", i), name, githubPattern,
			"give OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's tokens have the IDs")
	}
	for i, name := range s.GitHub.Environments {
		path := fmt.Sprintf("github.environments[%d]", i)
		l.match(path, name, namePattern, "give a GitHub environment such as staging")
		if name == "production" {
			l.add(path, "remove it", "production has a role of its own")
		}
	}
	return l
}
