package engine

import (
	"io"
	"os"
	"strings"
)

// outputFile takes what a child writes, in a file without a name. A pipe would break when this process is killed, and the
// engine, which then dies of the next line that it writes, would leave its lock and pending operations behind. Also
// the end of a pipe is only seen once every plugin that inherited it has ended.
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

// read returns all that was written, and passes it on.
func (o *outputFile) read() string {
	var all strings.Builder
	// What cannot be read back is not missed: a run is told of by its events and its exit code.
	_, _ = o.Seek(0, io.SeekStart)
	_, _ = io.Copy(io.MultiWriter(append(o.writers, &all)...), o.File)
	return all.String()
}
