package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// explainRejected returns a handler that gives the calls that the SDK rejects the errors of all others: short, with a hint and
// the next call. A tool that does not exist stays an error of the protocol.
// Source: https://modelcontextprotocol.io/specification/2025-06-18/server/tools#error-handling
func (r *registry) explainRejected(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, request sdk.Request) (sdk.Result, error) {
		call, isCall := request.(*sdk.CallToolRequest)
		if !isCall {
			return next(ctx, method, request)
		}
		tool := call.Params.Name
		if _, known := r.arguments[tool]; !known {
			name, _ := shortText(tool, argument)
			message := fmt.Sprintf("unknown tool %q: the tools are %s", name, strings.Join(Tools(), ", "))
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: message}
		}
		result, err := next(ctx, method, request)
		answer, isAnswer := result.(*sdk.CallToolResult)
		if err != nil || !isAnswer || answer.GetError() == nil {
			return result, err
		}
		again, err := r.rejected(tool, call.Params.Arguments, answer.GetError())
		result, _, err = failed(err, again)
		return result, err
	}
}

// argument declares how much of an argument an error repeats.
var argument = level{text: 100}

// rejected returns the call without arguments that the schema of a tool does not allow, and their error.
func (r *registry) rejected(tool string, arguments json.RawMessage, err error) ([]Call, error) {
	var given any
	message := err.Error()
	if json.Unmarshal(arguments, &given) == nil {
		for _, text := range longTexts(given) {
			short, _ := shortText(text, argument)
			message = strings.ReplaceAll(message, text, short)
			message = strings.ReplaceAll(message, strconv.Quote(text), strconv.Quote(short))
		}
	}
	advice := tool + " has no arguments"
	if names := r.arguments[tool]; len(names) > 0 {
		advice = "the arguments of " + tool + " are " + strings.Join(names, ", ") + "; its schema has their values"
	}
	err = hint.With(errors.New(message), advice)
	named, _ := given.(map[string]any)
	again := Call{Tool: tool}
	if !r.fixed() {
		env, _ := named["env"].(string)
		if !slices.Contains(r.options.Environments, env) {
			return nil, err
		}
		again.Arguments = map[string]any{"env": env}
	}
	return r.usable([]Call{again}, Call{Tool: tool, Arguments: named}), err
}

// longTexts returns the first texts and keys in a value of JSON that are longer than an error repeats.
func longTexts(value any) []string {
	var found []string
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text) > argument.text && len(found) < 20 {
				found = append(found, text)
			}
		}
	}
	switch value := value.(type) {
	case string:
		add(value)
	case []any:
		for _, item := range value {
			add(longTexts(item)...)
		}
	case map[string]any:
		for key, item := range value {
			add(key)
			add(longTexts(item)...)
		}
	}
	return found
}

// flagOrCommand matches a flag of a command, with a value that has a digit, or a whole command: in backticks, the whole text, or one of AWS's to
// the end of its line.
var flagOrCommand = lazyregexp.New("`[^`]*`|^deployer [a-z][^\n]*$|\\baws [a-z][^\n]*|\\B--[a-z][a-z-]*(?:[= ][a-z0-9-]*[0-9][a-z0-9]*)?")

// serverFlags declares flags that no call has: they are the server's, which a person starts.
var serverFlags = []string{"timeout", "profile", "region", "endpoint-url", "local", "dir", "state-dir", "pulumi"}

// withArguments returns a text of a command with the names of a tool's arguments instead of flags, and with the flags of the
// server as such. Commands, which a person runs, keep theirs.
func (r *registry) withArguments(tool, text string) string {
	return flagOrCommand.ReplaceAllStringFunc(text, func(found string) string {
		text, isFlag := strings.CutPrefix(found, "--")
		flag, _, _ := strings.Cut(strings.ReplaceAll(text, "=", " "), " ")
		name := strings.ReplaceAll(flag, "-", "_")
		if tool == "vars" && flag == "filter" {
			name = "only"
		}
		switch {
		case isFlag && slices.Contains(r.arguments[tool], name):
			return name + text[len(flag):]
		case isFlag && slices.Contains(serverFlags, flag):
			return found + " of the server"
		}
		return found
	})
}

// namingArguments returns an error of a command with the names of arguments, as withArguments does.
func (r *registry) namingArguments(tool string, err error) error {
	return hint.With(errors.New(r.withArguments(tool, err.Error())), r.withArguments(tool, hint.Of(err)))
}
