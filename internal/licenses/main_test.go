package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every module that is linked into a binary of a release or an image has a license text: also of the engine, which is a module of its own.
func TestEveryLinkedModuleHasALicense(t *testing.T) {
	root := filepath.Join("..", "..")
	for name, test := range map[string]struct {
		args  []string
		wants []string
	}{
		"deployer":   {[]string{"-C", root, "./deployer"}, []string{"github.com/pulumi/pulumi/sdk/v3 v", "Mozilla Public License", "\nGo\n"}},
		"entrypoint": {[]string{"-C", root, "./entrypoint"}, []string{"github.com/aws/aws-sdk-go-v2 v", "Apache License", "\nGo\n"}},
		"engine": {
			[]string{"-C", filepath.Join(root, "tools"), "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
			[]string{"github.com/pulumi/pulumi/pkg/v3 v", "github.com/sourcegraph/appdash-data v", "MIT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, run(test.args, &out))
			for _, want := range test.wants {
				require.Contains(t, out.String(), want)
			}
		})
	}
}

func TestLicenseFiles(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"LICENSE", "COPYING.txt", "sub/LICENSE-MIT", "sub/deep/NOTICE", "license.go", "licenses_test.txt", "README.md", "other/LICENSE",
	} {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(name), 0o644))
	}
	found, err := licenseFiles(root, filepath.Join(root, "sub", "deep"))
	require.NoError(t, err)
	want := []string{"sub/deep/NOTICE", "sub/LICENSE-MIT", "COPYING.txt", "LICENSE"}
	for i := range want {
		want[i] = filepath.Join(root, want[i])
	}
	require.Equal(t, want, found)
}

// A module without a license is an error that names it; a text that several share is printed once.
func TestLicensed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("You may use it.\r\n"), 0o644))
	pkg := func(path, dir string) goPackage {
		p := goPackage{ImportPath: path, Dir: dir}
		p.Module = &goModule{Path: path, Version: "v1.0.0", Dir: dir}
		return p
	}
	modules, err := licensed([]goPackage{pkg("example.org/b", dir), pkg("example.org/a", dir)})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, write(&out, modules))
	require.Contains(t, out.String(), "\nexample.org/a v1.0.0\nexample.org/b v1.0.0\n")
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("You may use it.")))

	_, err = licensed([]goPackage{pkg("example.org/a", dir), pkg("example.org/none", t.TempDir())})
	require.ErrorContains(t, err, "no license file in example.org/none v1.0.0")
}
