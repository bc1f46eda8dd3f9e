package engine

import (
	"io"
	"os"
	"strings"
)

// outputFile receives a child's output in an unlinked file. A pipe would break when this process is killed, and the engine,
// which is killed by its next write, would leave its lock and pending operations behind. A pipe would also stay open until
// every plugin that inherited it has ended.
type outputFile struct {
	*os.File
	writers []io.Writer
}

func newOutputFile(writers []io.Writer) (*outputFile, error) {
	file, err := os.CreateTemp("", "pulumi-*")
	if err != nil {
		return nil, err
	}
	return &outputFile{file, writers}, os.Remove(file.Name())
}

// read returns the whole output, and copies it to the writers.
func (o *outputFile) read() string {
	var all strings.Builder
	// Output that cannot be read is no failure: the events and the exit code describe the run.
	_, _ = o.Seek(0, io.SeekStart)
	_, _ = io.Copy(io.MultiWriter(append(o.writers, &all)...), o.File)
	return all.String()
}
