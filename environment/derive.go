package environment

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/problem"
)

// Derived is the file of a new environment, not yet written.
type Derived struct {
	*Environment
	// Source is the file's text.
	Source []byte
	// Omitted lists the keys that apply to the other environment only: encrypted values, their keys, and its image.
	Omitted []string
	// NotCompared are the errors of files whose address ranges could not be read, and may be that of the new environment.
	NotCompared []error
}

// RejectedError reports a name or an address range that a new environment cannot have.
type RejectedError struct{ Message, Remedy string }

func (e *RejectedError) Error() string { return e.Message }

// Hint returns what to do.
func (e *RejectedError) Hint() string { return e.Remedy }

func reject(remedy, format string, args ...any) error {
	return &RejectedError{Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Derive creates the description of a new environment from that of another: the same sizes and rules, with a name, a
// domain, a branch and an address range of its own. An empty cidr selects the next free range. Comments are kept unless
// they are about a value that changes. All environments in dir are read, since the new one must not conflict with any; a file that is not valid does not
// prevent that.
// Derive writes nothing.
func Derive(dir, name, from, cidr string) (*Derived, error) {
	model, err := Load(dir, from)
	if err != nil {
		return nil, err
	}
	files, failed, err := loadFiles(dir)
	if err != nil {
		return nil, err
	}
	all, notCompared := environments(files), failed
	for _, f := range files {
		if _, err := netip.ParsePrefix(f.env.Network.CIDR); err != nil {
			notCompared = append(notCompared, f.invalid())
		}
	}
	if err := checkAvailable(dir, name, all); err != nil {
		return nil, err
	}
	switch _, malformed := netip.ParsePrefix(cidr); {
	case cidr == "":
		if cidr, err = freeRange(model.Network.CIDR, all); err != nil {
			return nil, err
		}
	case malformed != nil:
		return nil, reject("give an IPv4 range such as 10.40.0.0/16", "%q is not an IPv4 CIDR block", cidr)
	}
	source, err := os.ReadFile(filepath.Join(dir, FileName(model.Stack)))
	if err != nil {
		return nil, &UnreadableError{File: FileName(model.Stack), Err: withoutPath(err)}
	}
	text, omitted, err := rewrite(source, model, name, map[string]string{
		"name": fullName(name), "domain.name": name + "-api." + model.Domain.Root, "network.cidr": cidr, "delivery.branch": name,
	})
	if err != nil {
		return nil, err
	}
	env, err := decode(name, inFile(FileName(name), text, Key))
	if err != nil {
		return nil, err
	}
	if l := append(conflicts(env, all, locator(files)), verifiedInProblems(env, append(all, env))...); len(l) > 0 {
		return nil, &problem.Error{Source: FileName(name), Problems: l}
	}
	return &Derived{Environment: env, Source: text, Omitted: omitted, NotCompared: notCompared}, nil
}

// checkAvailable rejects a name that is not valid, is an alias, or is taken.
func checkAvailable(dir, name string, all []*Environment) error {
	const example = "choose another one, such as qa or preview-2"
	if stack, ok := aliases[name]; ok {
		return reject(example, "%q is another name of the environment %s", name, stack)
	}
	switch {
	case name == SharedStack:
		return reject(example, "%q is the stack that all environments share, not an environment", name)
	case name == "all":
		return reject(example, "%q means every environment", name)
	case !namePattern.MatchString(name):
		return reject(nameRemedy, "%q is not a valid environment name", name)
	case len(name) > maxName:
		return reject(fmt.Sprintf("use at most %d characters: AWS limits the names that contain it", maxName), "%q has %d characters", name, len(name))
	}
	taken := slices.ContainsFunc(all, func(e *Environment) bool { return e.Stack == name || e.Name == name })
	if _, err := os.Lstat(filepath.Join(dir, FileName(name))); err == nil || taken {
		return reject("choose another name, or change that file", "%s exists already and is not changed", FileName(name))
	}
	return nil
}

// freeRange returns a private range of the model's size that overlaps no environment. It tries 10.10.0.0, 10.20.0.0 and
// so on first, as people number them.
func freeRange(model string, all []*Environment) (string, error) {
	bits := netip.MustParsePrefix(model).Bits()
	var starts [][2]byte
	for second := 10; second < 256; second += 10 {
		starts = append(starts, [2]byte{10, byte(second)})
	}
	for second := range 256 {
		starts = append(starts, [2]byte{10, byte(second)})
	}
	for second := 16; second < 32; second++ {
		starts = append(starts, [2]byte{172, byte(second)})
	}
	for _, start := range starts {
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{start[0], start[1]}), bits)
		if !slices.ContainsFunc(all, func(e *Environment) bool {
			taken, err := netip.ParsePrefix(e.Network.CIDR)
			return err == nil && taken.Overlaps(candidate)
		}) {
			return candidate.String(), nil
		}
	}
	return "", reject("give one with --cidr", "no private /%d range is free", bits)
}

// rewrite replaces values of a file, by their paths below the environment's key, and removes what applies to the old
// environment only, the comment after a replaced value included.
func rewrite(source []byte, model *Environment, name string, values map[string]string) (text []byte, omitted []string, err error) {
	tree, err := parser.ParseBytes(source, parser.ParseComments)
	if err != nil {
		return nil, nil, err
	}
	lines := strings.Split(string(source), "\n")
	for path, value := range values {
		node, _, missing := findBlock(tree, slices.Concat([]string{"config", Key}, strings.Split(path, ".")))
		if missing != nil {
			return nil, nil, &problem.Error{Source: FileName(model.Stack), Problems: []problem.Problem{*missing}}
		}
		replaceValue(lines, node, value)
	}
	removed, omitted := environmentSpecific(tree, lines)
	var kept []string
	for i, line := range lines {
		switch {
		case removed[i]:
		case strings.HasPrefix(line, "#"):
			kept = append(kept, renameComment(line, model, name))
		default:
			kept = append(kept, line)
		}
	}
	return []byte(strings.TrimRight(strings.Join(kept, "\n"), "\n") + "\n"), omitted, nil
}

// replaceValue replaces a plain or quoted value in its line.
func replaceValue(lines []string, node ast.Node, value string) {
	token := node.GetToken()
	line := []rune(lines[token.Position.Line-1])
	begin := token.Position.Column - 1
	end := begin + len([]rune(strings.TrimSpace(token.Origin)))
	rest := string(line[min(end, len(line)):])
	if strings.HasPrefix(strings.TrimSpace(rest), "#") {
		rest = ""
	}
	lines[token.Position.Line-1] = string(line[:begin]) + value + rest
}

// environmentSpecific returns the lines that must not be copied to another environment's file, and their keys: what
// encrypted values need, encrypted values themselves, and the image.
func environmentSpecific(tree *ast.File, lines []string) (removed map[int]bool, omitted []string) {
	removed = map[int]bool{}
	isComment := func(line string) bool {
		line = strings.TrimSpace(line)
		return line == "" || strings.HasPrefix(line, "#")
	}
	mark := func(entries ast.MapNode, end int, unwanted func(key string, value ast.Node) bool) {
		var all []*ast.MappingValueNode
		for entry := entries.MapRange(); entry.Next(); {
			all = append(all, entry.KeyValue())
		}
		for i, entry := range all {
			key, first, next := entry.Key.GetToken(), entry.Key.GetToken().Position.Line, end+1
			if i+1 < len(all) {
				next = all[i+1].Key.GetToken().Position.Line
			}
			if unwanted(key.Value, entry.Value) {
				omitted = append(omitted, key.Value)
				for next-1 > first && isComment(lines[next-2]) {
					next-- // a comment above the next key is about that one
				}
				for line := first; line < next; line++ {
					removed[line-1] = true
				}
			}
		}
	}
	top, _ := tree.Docs[0].Body.(ast.MapNode)
	mark(top, len(lines), func(key string, _ ast.Node) bool { return key == "encryptionsalt" || key == "encryptedkey" })
	config, _, missing := findBlock(tree, []string{"config"})
	if entries, ok := config.(ast.MapNode); ok && missing == nil {
		mark(entries, blockEnd(top, "config", len(lines)), func(key string, value ast.Node) bool {
			return key != Key && (key == "v3-backend:image" || isEncrypted(value))
		})
	}
	return removed, omitted
}

// blockEnd returns the last line of a key's block.
func blockEnd(top ast.MapNode, name string, count int) int {
	begin := lookup(top, name)[0].Key.GetToken().Position.Line
	for entry := top.MapRange(); entry.Next(); {
		if line := entry.Key().GetToken().Position.Line; line > begin {
			return line - 1
		}
	}
	return count
}

func isEncrypted(value ast.Node) bool {
	entries, ok := value.(ast.MapNode)
	return ok && len(lookup(entries, "secure")) > 0
}

// renameComment replaces the old environment's name in a comment above the block.
func renameComment(comment string, model *Environment, name string) string {
	for _, old := range []string{model.Name, model.Stack} {
		whole := lazyregexp.New(`(?i)\b` + regexp.QuoteMeta(old) + `\b`)
		comment = whole.ReplaceAllStringFunc(comment, func(found string) string {
			if strings.ToUpper(found[:1]) == found[:1] {
				return strings.ToUpper(name[:1]) + name[1:]
			}
			return name
		})
	}
	return comment
}
