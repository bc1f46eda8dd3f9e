package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Encryption is how a stack's secrets are encrypted, as the engine writes it to the stack's settings. With a KMS provider it
// must be committed to the project's own file: without EncryptedKey no other checkout can read the secrets. None of the
// values is secret.
type Encryption struct {
	SecretsProvider, EncryptedKey, EncryptionSalt string
}

func encryptionOf(settings *workspace.ProjectStack) Encryption {
	return Encryption{settings.SecretsProvider, settings.EncryptedKey, settings.EncryptionSalt}
}

// UncommittedEncryption returns the encryption that the work copy has and the project's own file lacks; an empty one where nothing
// has to be committed.
func (s Stack) UncommittedEncryption() (Encryption, error) {
	if s.OwnEncryption {
		return Encryption{}, nil
	}
	if _, err := os.Stat(filepath.Join(s.WorkDir, s.file())); errors.Is(err, fs.ErrNotExist) {
		return Encryption{}, nil // no run has prepared the stack here
	}
	settings, err := s.settings(s.WorkDir)
	if err != nil {
		return Encryption{}, err
	}
	own, err := s.settings(s.Project)
	if err != nil || encryptionOf(own) != (Encryption{}) {
		return Encryption{}, err
	}
	return encryptionOf(settings), nil
}

// prepare copies the settings of the project and the stack to the work directory, where the engine may edit them, without the
// project's main, as the program is run inline. It keeps the encryption that the engine has written to an earlier copy, unless
// the project's own file has one that belongs to this stack.
func (s Stack) prepare() error {
	project, err := s.project()
	if err != nil {
		return err
	}
	settings, err := s.settings(s.Project)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.WorkDir, 0o700); err != nil {
		return fmt.Errorf("create the stack's work directory: %w", cause(err))
	}
	if s.OwnEncryption {
		settings.SecretsProvider, settings.EncryptedKey, settings.EncryptionSalt = "", "", ""
	}
	if encryptionOf(settings) == (Encryption{}) {
		earlier, err := s.settings(s.WorkDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if earlier != nil {
			settings.SecretsProvider = earlier.SecretsProvider
			settings.EncryptedKey = earlier.EncryptedKey
			settings.EncryptionSalt = earlier.EncryptionSalt
		}
	}
	project.Main = ""
	for name, value := range map[string]any{"Pulumi.yaml": project, s.file(): settings} {
		content, err := encoding.YAML.Marshal(value)
		if err == nil {
			err = writeFile(filepath.Join(s.WorkDir, name), content)
		}
		if err != nil {
			return fmt.Errorf("write the stack's work copy: %w", err)
		}
	}
	return nil
}

func (s Stack) file() string { return "Pulumi." + s.Name + ".yaml" }

// NoProjectError reports that a directory has no Pulumi.yaml, and so is no project.
type NoProjectError struct{ Path string }

func (e *NoProjectError) Error() string {
	return e.Path + " does not exist: it has the project's settings"
}

// Unwrap returns fs.ErrNotExist.
func (e *NoProjectError) Unwrap() error { return fs.ErrNotExist }

// Hint returns what to do.
func (e *NoProjectError) Hint() string {
	return "run from the project's root, or name it with --dir; where the file was deleted, restore it from Git"
}

// project reads the project's settings.
func (s Stack) project() (*workspace.Project, error) {
	path := filepath.Join(s.Project, "Pulumi.yaml")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, &NoProjectError{path}
	}
	project, err := workspace.LoadProject(path)
	if err != nil {
		return nil, fmt.Errorf("read the project's settings: %w", err)
	}
	return project, nil
}

// settings reads the stack's settings in a directory.
func (s Stack) settings(dir string) (*workspace.ProjectStack, error) {
	path := filepath.Join(dir, s.file())
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("read the stack's settings: %w", err)
	}
	project, err := s.project()
	if err != nil {
		return nil, err
	}
	settings, err := workspace.LoadProjectStack(nil, project, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return settings, nil
}

// writeFile writes a file as a whole or not at all, so that no reader ever finds half of it. It writes nothing if the file
// already has the content, as each write waits for the disk.
func writeFile(path string, content []byte, options ...renameio.Option) error {
	if earlier, err := os.ReadFile(path); err == nil && bytes.Equal(earlier, content) {
		return nil
	}
	return renameio.WriteFile(path, content, 0o600, append(options, renameio.WithTempDir(filepath.Dir(path)))...)
}
