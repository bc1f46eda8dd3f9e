package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Key and SharedKey are the Pulumi configuration keys of an environment and of the shared stack.
const (
	Key       = "v3-backend:environment"
	SharedKey = "v3-backend:shared"
)

// stackFile is the form of the files' names; a stack's name holds nothing that leads out of the directory.
var stackFile = regexp.MustCompile(`^Pulumi\.([A-Za-z0-9_-]+)\.yaml$`)

// aliases are the other names that people use for the stacks.
var aliases = map[string]string{"development": "dev", "prod": "production"}

// NotFoundError says that no file describes the environment that was asked for.
type NotFoundError struct {
	Name      string
	Available []string
}

func (e *NotFoundError) Error() string {
	if e.Name == SharedStack {
		return "shared is what the environments have in common, not an environment"
	}
	return fmt.Sprintf("there is no environment %q: %s does not exist", e.Name, FileName(StackOf(e.Name)))
}

// Hint says which environments there are.
func (e *NotFoundError) Hint() string {
	if len(e.Available) == 0 {
		return "no Pulumi.<name>.yaml is here; run from the project's root or name it with --dir"
	}
	return "the environments are " + strings.Join(e.Available, ", ")
}

// UnreadableError says that a file is there and cannot be read.
type UnreadableError struct {
	File string
	Err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("read %s: %v", e.File, e.Err) }

func (e *UnreadableError) Unwrap() error { return e.Err }

// Hint says what to look at.
func (e *UnreadableError) Hint() string {
	return "it must be a file that you may read; look at it with ls -l " + e.File
}

// FileName is the file that describes a stack.
func FileName(stack string) string { return "Pulumi." + stack + ".yaml" }

// List returns the stacks of the environments in dir, the shared one left out, sorted.
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
			return nil, &InvalidError{File: entry.Name(), Problems: []Problem{{
				Message: fmt.Sprintf("%s means the environment %s, so this file is never read", match[1], stack),
				Remedy:  "rename it to " + FileName(stack) + " or remove it",
			}}}
		}
		stacks = append(stacks, match[1])
	}
	return slices.Sorted(slices.Values(stacks)), nil
}

// StackOf returns the stack that a name given by a person means.
func StackOf(name string) string {
	if stack, ok := aliases[name]; ok {
		return stack
	}
	return name
}

// Load reads, decodes and validates the environment that name means. Its errors are *NotFoundError, *InvalidError
// and *UnreadableError.
func Load(dir, name string) (*Environment, error) {
	e, _, err := load(dir, name)
	return e, err
}

// LoadFile is Load for a file anywhere, such as another version of an environment's. Its stack follows from its name.
func LoadFile(path string) (*Environment, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, &UnreadableError{File: path, Err: withoutPath(err)}
	}
	parse := func(into any) (*document, error) { return parseFile(path, source, Key, into) }
	var named Environment
	if _, err := parse(&named); err != nil {
		return nil, err
	}
	e, _, err := decode(StackOf(named.Name), parse)
	return e, err
}

// LoadAll reads every environment in dir and holds them against each other with Overlaps. It returns those that could
// be read; its error joins the problems of all files.
func LoadAll(dir string) ([]*Environment, error) {
	stacks, err := List(dir)
	if err != nil {
		return nil, err
	}
	var (
		all       []*Environment
		problems  []error
		documents = map[string]*document{}
	)
	for _, stack := range stacks {
		e, doc, err := load(dir, stack)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all, documents[FileName(stack)] = append(all, e), doc
	}
	for _, conflict := range conflictsByFile(all) {
		problems = append(problems, documents[conflict.File].invalid(conflict.Problems))
	}
	return all, errors.Join(problems...)
}

// LoadAndCompare is Load, and holds the environment against the others in dir, as far as those can be read: what is wrong with
// another file alone is not said here.
func LoadAndCompare(dir, name string) (*Environment, error) {
	e, doc, err := load(dir, name)
	if err != nil {
		return nil, err
	}
	stacks, err := List(dir)
	if err != nil {
		return nil, err
	}
	var others []*Environment
	for _, stack := range stacks {
		if stack == e.Stack {
			continue
		}
		if other, _, err := load(dir, stack); err == nil {
			others = append(others, other)
		}
	}
	if problems := conflicts(e, others); len(problems) > 0 {
		return nil, doc.invalid(problems)
	}
	return e, nil
}

// Decode reads an environment from the value of Key alone, as Pulumi hands it to a program: in JSON, which is YAML.
func Decode(stack string, value []byte) (*Environment, error) {
	e, _, err := decode(stack, func(into any) (*document, error) { return parseValue(Key, value, into) })
	return e, err
}

// LoadShared reads, decodes and validates the description of what the account's environments share.
func LoadShared(dir string) (*Shared, error) {
	source, err := readStack(dir, SharedStack)
	if err != nil {
		return nil, err
	}
	return decodeShared(func(into any) (*document, error) {
		return parseFile(FileName(SharedStack), source, SharedKey, into)
	})
}

// DecodeShared is Decode for the shared stack.
func DecodeShared(value []byte) (*Shared, error) {
	return decodeShared(func(into any) (*document, error) { return parseValue(SharedKey, value, into) })
}

func load(dir, name string) (*Environment, *document, error) {
	stack := StackOf(name)
	if stack == SharedStack {
		available, err := List(dir)
		return nil, nil, errors.Join(&NotFoundError{Name: name, Available: available}, err)
	}
	source, err := readStack(dir, name)
	if err != nil {
		return nil, nil, err
	}
	return decode(stack, func(into any) (*document, error) { return parseFile(FileName(stack), source, Key, into) })
}

// readStack returns the source of the file that name means.
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
	available, listErr := List(dir)
	return nil, errors.Join(&NotFoundError{Name: name, Available: available}, listErr)
}

// withoutPath takes the path off a file system's error, because ours name it already.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func decode(stack string, parse func(into any) (*document, error)) (*Environment, *document, error) {
	e := defaults(stack)
	doc, err := parse(&e)
	if err != nil {
		return nil, nil, err
	}
	e.applyDefaults(doc.has)
	if problems := e.problems(); len(problems) > 0 {
		return nil, nil, doc.invalid(problems)
	}
	return &e, doc, nil
}

func decodeShared(parse func(into any) (*document, error)) (*Shared, error) {
	s := sharedDefaults()
	doc, err := parse(&s)
	if err != nil {
		return nil, err
	}
	if problems := s.problems(); len(problems) > 0 {
		return nil, doc.invalid(problems)
	}
	return &s, nil
}
