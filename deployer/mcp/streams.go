package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Streams returns the transport over a pair of streams, such as standard input and output: one message a line. A line that is no
// message is answered with an error of JSON-RPC.
func Streams(in io.Reader, out io.Writer) sdk.Transport {
	l := &lines{in: bufio.NewReader(in), out: out}
	return &sdk.IOTransport{Reader: io.NopCloser(l), Writer: l}
}

// maxLine declares how many bytes a message of the client has at most.
const maxLine = 1 << 20

// maxError declares how many characters the message of an error of JSON-RPC has at most.
const maxError = 400

// lines implements the streams of the SDK's transport. The SDK ends the server at the first line that is no message.
type lines struct {
	in *bufio.Reader
	// unread is what is left of the line that is being read.
	unread []byte

	mu  sync.Mutex
	out io.Writer
}

// Read reads the lines that are messages.
func (l *lines) Read(p []byte) (int, error) {
	for len(l.unread) == 0 {
		line, err := l.line()
		if err != nil {
			return 0, err
		}
		l.unread = line
	}
	n := copy(p, l.unread)
	l.unread = l.unread[n:]
	return n, nil
}

// line returns the next line if it is a message; it answers any other line, and returns nothing for it.
func (l *lines) line() ([]byte, error) {
	var line []byte
	tooLong := false
	for ended := false; !ended; {
		part, err := l.in.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		switch ended = !errors.Is(err, bufio.ErrBufferFull); {
		case errors.Is(err, io.EOF) && (len(line) > 0 || tooLong): // the last line has no end
		case ended && err != nil:
			return nil, err
		}
	}
	line = bytes.TrimSpace(line)
	switch {
	case tooLong:
		return nil, l.reject(nil, jsonrpc.CodeParseError, fmt.Sprintf("the line has more than %d bytes", maxLine))
	case len(line) == 0:
		return nil, nil
	case !json.Valid(line):
		return nil, l.reject(nil, jsonrpc.CodeParseError, "the line is not JSON: send one message a line")
	case line[0] == '[':
		return nil, l.reject(nil, jsonrpc.CodeInvalidRequest, "batches are not supported: send one message a line")
	}
	message, err := jsonrpc.DecodeMessage(line)
	if response, isResponse := message.(*jsonrpc.Response); isResponse && response.Result == nil && response.Error == nil {
		err = errors.New("it has neither a method nor a result or an error")
	}
	if err != nil {
		return nil, l.reject(line, jsonrpc.CodeInvalidRequest, "the line is not a message of JSON-RPC: "+err.Error())
	}
	return append(line, '\n'), nil
}

// reject answers a line that is no message, with its ID if it has one.
// Source: https://www.jsonrpc.org/specification#error_object
func (l *lines) reject(line []byte, code int64, message string) error {
	var request struct {
		ID any `json:"id"`
	}
	if json.Unmarshal(line, &request) != nil {
		request.ID = nil
	}
	id, err := jsonrpc.MakeID(request.ID)
	if err != nil {
		request.ID = nil
	} else {
		request.ID = id.Raw()
	}
	message, _ = shortText(message, level{text: maxError})
	answer, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": request.ID, "error": jsonrpc.Error{Code: code, Message: message},
	})
	if err == nil {
		_, err = l.Write(append(answer, '\n'))
	}
	return err
}

// Write writes a line. Errors of JSON-RPC repeat what the client sent, and are shortened.
func (l *lines) Write(line []byte) (int, error) {
	written := line
	if len(line) > maxError {
		message, err := jsonrpc.DecodeMessage(line)
		response, isResponse := message.(*jsonrpc.Response)
		var failure *jsonrpc.Error
		if err == nil && isResponse && errors.As(response.Error, &failure) {
			failure.Message, _ = shortText(failure.Message, level{text: maxError})
			failure.Data = nil
			if written, err = jsonrpc.EncodeMessage(response); err != nil {
				return 0, err
			}
			written = append(written, '\n')
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.out.Write(written); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Close leaves the stream open: it belongs to the process.
func (*lines) Close() error { return nil }
