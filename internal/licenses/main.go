// Licenses prints the license texts of everything that is linked into Go programs, as their authors require of those who distribute them:
//
//	go run ./internal/licenses [-C MODULE] PACKAGE...
//
// GOOS and GOARCH select the platform. A module without a license file is an error.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("licenses", flag.ContinueOnError)
	dir := flags.String("C", ".", "the `DIRECTORY` of the module that builds the programs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	linked, err := linkedPackages(*dir, flags.Args())
	if err != nil {
		return err
	}
	modules, err := licensed(linked)
	if err != nil {
		return err
	}
	return write(out, modules)
}

// goPackage is what `go list -json` prints of a package.
type goPackage struct {
	ImportPath, Dir string
	Standard        bool
	// Root is the directory of GOROOT or of a module.
	Root   string
	Module *goModule
}

type goModule struct {
	Path, Version, Dir string
	// Replace is what a replace directive of go.mod uses instead.
	Replace *struct{ Dir string }
}

// linkedPackages lists the packages that programs consist of, the standard library's included.
func linkedPackages(dir string, programs []string) ([]goPackage, error) {
	list := exec.Command("go", append([]string{"list", "-C", dir, "-deps", "-json=ImportPath,Dir,Standard,Root,Module"}, programs...)...)
	list.Stderr = os.Stderr
	printed, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", strings.Join(programs, ", "), err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(printed)); ; {
		var p goPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
}

// module is a module that is linked, with the texts of its license files.
type module struct {
	name  string
	texts []string
}

// coveredBy names the module whose license covers one without a license file of its own.
var coveredBy = map[string]string{
	// Appdash's style sheets and scripts, which its authors generate from its own repository; the engine uses a fork of appdash.
	// Source: https://github.com/sourcegraph/appdash-data/blob/master/README.md
	"github.com/sourcegraph/appdash-data": "github.com/pulumi/appdash",
}

// licensed returns the modules of packages, sorted, and Go itself, with their license texts. It fails for those without any.
func licensed(packages []goPackage) ([]module, error) {
	files := map[string][]string{}
	add := func(name, root, dir string) error {
		found, err := licenseFiles(root, dir)
		files[name] = append(files[name], found...)
		return err
	}
	for _, p := range packages {
		name, root := "Go", p.Root
		if m := p.Module; m != nil {
			name, root = strings.TrimSpace(m.Path+" "+m.Version), m.Dir
			if m.Replace != nil {
				root = m.Replace.Dir
			}
		}
		// The runtime's generated packages have no directory.
		if p.Dir == "" {
			continue
		}
		if err := add(name, root, p.Dir); err != nil {
			return nil, err
		}
	}
	for name, paths := range files {
		path, _, _ := strings.Cut(name, " ")
		if owner := coveredBy[path]; len(paths) == 0 && owner != "" {
			files[name] = ofModule(files, owner)
		}
	}
	var modules []module
	var missing []string
	for name, paths := range files {
		if len(paths) == 0 {
			missing = append(missing, name)
			continue
		}
		slices.Sort(paths)
		m := module{name: name}
		for _, path := range slices.Compact(paths) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			m.texts = append(m.texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
		}
		modules = append(modules, m)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("no license file in %s: without one, it may not be distributed", strings.Join(missing, ", "))
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.name, b.name) })
	return modules, nil
}

// ofModule returns the license files of a module of any version.
func ofModule(files map[string][]string, path string) []string {
	for name, paths := range files {
		if strings.HasPrefix(name, path+" ") {
			return slices.Clone(paths)
		}
	}
	return nil
}

// licenseFile matches the names under which authors publish licenses and the notices that go with them.
// Source: https://github.com/google/licensecheck and https://pkg.go.dev/license-policy
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-._].*)?$`)

// licenseFiles returns the license files of a package's directory and of those above it, up to its module's root.
func licenseFiles(root, dir string) ([]string, error) {
	var found []string
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if licenseFile.MatchString(entry.Name()) && isText(entry) {
				found = append(found, filepath.Join(dir, entry.Name()))
			}
		}
		if dir == root || len(dir) <= len(root) {
			return found, nil
		}
		dir = filepath.Dir(dir)
	}
}

// isText reports whether a file is not a source file that is named after what it does, such as license.go.
func isText(entry fs.DirEntry) bool {
	return entry.Type().IsRegular() && filepath.Ext(entry.Name()) != ".go"
}

// write prints each text once, below the modules that it belongs to.
func write(out io.Writer, modules []module) error {
	var order []string
	users := map[string][]string{}
	for _, m := range modules {
		for _, text := range m.texts {
			if users[text] == nil {
				order = append(order, text)
			}
			if !slices.Contains(users[text], m.name) {
				users[text] = append(users[text], m.name)
			}
		}
	}
	var b strings.Builder
	b.WriteString("This program contains the software that is listed here, with the license of each.\n" +
		"`go mod download MODULE@VERSION` fetches the source of each.\n")
	line := strings.Repeat("=", 80)
	for _, text := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", line, strings.Join(users[text], "\n"), line, text)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
