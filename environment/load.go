package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/problem"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

// Key and SharedKey are the Pulumi configuration keys of an environment and of the shared stack.
const (
	Key       = "v3-backend:environment"
	SharedKey = "v3-backend:shared"
)

// stackFile matches the names of stack files. A stack's name has no character that leads out of the directory.
var stackFile = lazyregexp.New(`^Pulumi\.([A-Za-z0-9_-]+)\.yaml$`)

// aliases maps other names of the stacks.
var aliases = map[string]string{"development": "dev", "prod": "production"}

// NotFoundError reports that an environment has no file.
type NotFoundError struct {
	Name      string
	Available []string
}

func (e *NotFoundError) Error() string {
	if e.Name == SharedStack {
		return "shared is the stack that all environments share, not an environment"
	}
	return fmt.Sprintf("there is no environment %q: %s does not exist", e.Name, FileName(StackOf(e.Name)))
}

// Hint lists the environments.
func (e *NotFoundError) Hint() string {
	if len(e.Available) == 0 {
		return "this directory has no Pulumi.<name>.yaml; run from the project's root, or name it with --dir"
	}
	return suggest.Hint(e.Name, withAliases(e.Available), "the environments are "+strings.Join(e.Available, ", "))
}

// NoSharedFileError reports that a directory has no file of the shared stack.
type NoSharedFileError struct{ Dir string }

func (e *NoSharedFileError) Error() string {
	return fmt.Sprintf("%s does not exist in %s: it describes the stack that all environments share", FileName(SharedStack), e.Dir)
}

// Hint returns what to do.
func (e *NoSharedFileError) Hint() string {
	return "run from the project's root, or name it with --dir; where the file was deleted, restore it from Git"
}

// UnreadableError reports a file that exists and cannot be read.
type UnreadableError struct {
	File string
	Err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("read %s: %v", e.File, e.Err) }

func (e *UnreadableError) Unwrap() error { return e.Err }

// Hint returns what to check.
func (e *UnreadableError) Hint() string {
	return "it must be a file that you may read; check it with ls -l " + e.File
}

// FileName returns the name of a stack's file.
func FileName(stack string) string { return "Pulumi." + stack + ".yaml" }

// List returns the stacks in dir, sorted, without the shared one.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &UnreadableError{File: dir, Err: withoutPath(err)}
	}
	var stacks []string
	for _, entry := range entries {
		match := stackFile.FindStringSubmatch(entry.Name())
		if match == nil || match[1] == SharedStack {
			continue
		}
		if stack, ok := aliases[match[1]]; ok {
			return nil, &problem.Error{Source: entry.Name(), Problems: []problem.Problem{{
				Message: fmt.Sprintf("%s means the environment %s, so this file is never read", match[1], stack),
				Remedy:  "rename it to " + FileName(stack) + " or remove it",
			}}}
		}
		stacks = append(stacks, match[1])
	}
	return slices.Sorted(slices.Values(stacks)), nil
}

// Names returns the names by which the environments in dir can be called: their stacks, sorted, and the aliases of these.
func Names(dir string) ([]string, error) {
	stacks, err := List(dir)
	return withAliases(stacks), err
}

// withAliases returns stacks and their other names.
func withAliases(stacks []string) []string {
	names := slices.Clone(stacks)
	for alias, stack := range aliases {
		if slices.Contains(stacks, stack) {
			names = append(names, alias)
		}
	}
	slices.Sort(names)
	return names
}

// StackOf returns the stack that a name or alias means.
func StackOf(name string) string {
	if stack, ok := aliases[name]; ok {
		return stack
	}
	return name
}

// Load reads, decodes and validates the environment that name means. Its errors are *NotFoundError, *problem.Error
// and *UnreadableError.
func Load(dir, name string) (*Environment, error) {
	f, err := load(dir, name)
	if err != nil {
		return nil, err
	}
	if err := f.invalid(); err != nil {
		return nil, err
	}
	return f.env, nil
}

// LoadFile loads a file outside the project, such as another version of an environment's. Its key name determines the
// stack.
func LoadFile(path string) (*Environment, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, &UnreadableError{File: path, Err: withoutPath(err)}
	}
	var named Environment
	if err := inFile(path, source, Key).parse(&named); err != nil {
		return nil, err
	}
	return decode(StackOf(named.Name), inFile(path, source, Key))
}

// A file is an environment's file that could be read, with what is wrong with it. Keys that cannot be decoded have their defaults.
type file struct {
	env      *Environment
	doc      *document
	problems problemList
}

// invalid returns the problems as an error; nil where there are none.
func (f *file) invalid() error {
	if len(f.problems) == 0 {
		return nil
	}
	return f.doc.invalid(f.problems)
}

// loadFiles loads the files of every environment in dir, and returns the errors of those that cannot be read at all.
func loadFiles(dir string) (files []*file, failed []error, err error) {
	stacks, err := List(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, stack := range stacks {
		f, err := load(dir, stack)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		files = append(files, f)
	}
	return files, failed, nil
}

// environments returns those of files.
func environments(files []*file) []*Environment {
	return list.Map(files, func(f *file) *Environment { return f.env })
}

// locator returns what names the place of a key in another environment's file.
func locator(files []*file) func(*Environment, string) string {
	return func(env *Environment, path string) string {
		for _, f := range files {
			if f.env == env {
				at := problem.Problem{Path: path}
				f.doc.locate(&at)
				return problem.Location(FileName(env.Stack), at.Line)
			}
		}
		return FileName(env.Stack)
	}
}

// LoadAll loads every environment in dir and compares them with each other, where address ranges, domains, branches and names conflict. It returns those
// that are valid by themselves; its error joins the problems of all files.
func LoadAll(dir string) ([]*Environment, error) {
	files, failed, err := loadFiles(dir)
	if err != nil {
		return nil, err
	}
	var valid []*Environment
	for _, f := range files {
		if len(f.problems) == 0 {
			valid = append(valid, f.env)
		}
	}
	all := environments(files)
	for i, f := range files {
		f.problems = append(f.problems, f.doc.withoutUndecoded(append(conflicts(f.env, all[:i], locator(files)), verifiedInProblems(f.env, all)...))...)
		failed = append(failed, f.invalid())
	}
	return valid, errors.Join(failed...)
}

// LoadAndCompare loads an environment and compares it with the others in dir. What is wrong with the others by themselves is ignored.
func LoadAndCompare(dir, name string) (*Environment, error) {
	f, err := load(dir, name)
	if err != nil {
		return nil, err
	}
	files, _, err := loadFiles(dir)
	if err != nil {
		return nil, err
	}
	files = list.Filter(files, func(other *file) bool { return other.env.Stack != f.env.Stack })
	others := environments(files)
	compared := append(conflicts(f.env, others, locator(files)), verifiedInProblems(f.env, append(others, f.env))...)
	f.problems = append(f.problems, f.doc.withoutUndecoded(compared)...)
	if err := f.invalid(); err != nil {
		return nil, err
	}
	return f.env, nil
}

// Decode returns the environment in the value of Key alone, as Pulumi passes it to a program.
func Decode(stack string, value []byte) (*Environment, error) {
	return decode(stack, inValue(Key, value))
}

// LoadShared reads, decodes and validates the description of the shared stack. It also reads the environments' files for
// GitHub.Delivered; Shared.CheckEnvironments returns what is wrong with them.
func LoadShared(dir string) (*Shared, error) {
	source, err := readStack(dir, SharedStack)
	if missing := (*NotFoundError)(nil); errors.As(err, &missing) {
		return nil, &NoSharedFileError{Dir: dir}
	}
	if err != nil {
		return nil, err
	}
	shared, err := decodeShared(inFile(FileName(SharedStack), source, SharedKey))
	if err != nil {
		return nil, err
	}
	shared.GitHub.resolve(LoadAll(dir))
	return shared, nil
}

// DecodeShared returns the shared stack's description in the value of SharedKey alone. Shared.Resolve adds the environments.
func DecodeShared(value []byte) (*Shared, error) {
	return decodeShared(inValue(SharedKey, value))
}

func load(dir, name string) (*file, error) {
	stack := StackOf(name)
	if stack == SharedStack {
		return nil, notFound(dir, name)
	}
	source, err := readStack(dir, name)
	if err != nil {
		return nil, err
	}
	return read(stack, inFile(FileName(stack), source, Key))
}

func notFound(dir, name string) error {
	available, err := List(dir)
	return errors.Join(&NotFoundError{Name: name, Available: available}, err)
}

func readStack(dir, name string) ([]byte, error) {
	file := FileName(StackOf(name))
	err := fs.ErrNotExist
	if stackFile.MatchString(file) {
		var source []byte
		if source, err = os.ReadFile(filepath.Join(dir, file)); err == nil {
			return source, nil
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, &UnreadableError{File: filepath.Join(dir, file), Err: withoutPath(err)}
	}
	return nil, notFound(dir, name)
}

func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func decode(stack string, doc *document) (*Environment, error) {
	f, err := read(stack, doc)
	if err != nil {
		return nil, err
	}
	if err := f.invalid(); err != nil {
		return nil, err
	}
	return f.env, nil
}

// read decodes an environment, and checks its rules.
func read(stack string, doc *document) (*file, error) {
	e := defaults(stack)
	if err := doc.parse(&e); err != nil {
		return nil, err
	}
	e.applyDefaults(doc.has)
	broken := e.problems()
	if api := "services." + string(API); !doc.has(api) {
		broken = slices.DeleteFunc(broken, func(p problem.Problem) bool { return isBelow(p.Path, api) })
		broken.add(api, "give its cpu and memory, as another environment's file does", "it is missing")
	}
	return &file{env: &e, doc: doc, problems: doc.withMistyped(broken)}, nil
}

func decodeShared(doc *document) (*Shared, error) {
	s := sharedDefaults()
	if err := doc.parse(&s); err != nil {
		return nil, err
	}
	if problems := doc.withMistyped(s.problems()); len(problems) > 0 {
		return nil, doc.invalid(problems)
	}
	return &s, nil
}
