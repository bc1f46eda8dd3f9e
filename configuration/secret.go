package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// SecretLimit is the maximum size of a secret's value in bytes.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const SecretLimit = 65536

const objectRemedy = `write {"KEY": "value", …}`

// ParseSecret reads a configuration secret: one JSON object, whose keys are names of variables and whose values are
// strings. A number is read as it is written, true and false as these words, null as an empty value. ECS passes single
// keys of a secret to containers as well; where it would convert a value in another way, there is a warning, and the value
// in Settings.Converted. Objects and lists as values, invalid names, duplicate names, NUL bytes, anything beside the object,
// and what prevents ECS from reading the secret at all, such as a byte order mark, are problems.
// Source: https://github.com/aws/amazon-ecs-agent/blob/master/agent/asm/asm.go
func ParseSecret(source, text string) (*Settings, error) {
	text, marked := strings.CutPrefix(text, byteOrderMark)
	r := newReader(source, text)
	if marked {
		r.addProblem(0, "", "begins with a byte order mark (U+FEFF), with which ECS starts no task",
			"write it again without the mark: `deployer secrets set KEY` does, whichever key is set")
	}
	if encoding, wrong := notUTF8([]byte(text)); wrong {
		r.addProblem(0, "", encoding, "write it as UTF-8")
		return r.result()
	}
	object := &objectReader{reader: r, text: text, decoder: json.NewDecoder(strings.NewReader(text)), seen: map[string]int{}}
	object.decoder.UseNumber()
	object.read()
	return r.result()
}

// WithoutByteOrderMark returns the text of a secret without the mark at its beginning, to read a secret that is to be repaired.
func WithoutByteOrderMark(text string) string { return strings.TrimPrefix(text, byteOrderMark) }

// objectReader reads a JSON object key by key, since a map would hide duplicate keys.
type objectReader struct {
	*reader
	text    string
	decoder *json.Decoder
	seen    map[string]int
}

func (o *objectReader) read() {
	begin, err := o.decoder.Token()
	if err != nil || begin != json.Delim('{') {
		o.addProblem(o.lineOf(err), "", "is not a JSON object", objectRemedy)
		return
	}
	for o.decoder.More() {
		if err := o.readMember(); err != nil {
			o.addProblem(o.lineOf(err), "", "is not JSON from here on", "look for a missing comma or quote")
			return
		}
	}
	if _, err := o.decoder.Token(); err != nil {
		o.addProblem(o.lineOf(err), "", "is JSON that does not end", "look for a missing } or quote")
		return
	}
	if _, err := o.decoder.Token(); !errors.Is(err, io.EOF) {
		o.addProblem(o.lineOf(err), "", "has something after the JSON object", "remove it")
	}
}

func (o *objectReader) readMember() error {
	key, err := o.decoder.Token()
	if err != nil {
		return err
	}
	line := o.lineOf(nil)
	var raw json.RawMessage
	if err := o.decoder.Decode(&raw); err != nil {
		return err
	}
	name, _ := key.(string)
	if !o.checkName(line, name, o.seen) {
		return nil
	}
	switch raw[0] {
	case '{':
		o.addProblem(line, name, "is an object", "write its value as a string; JSON in a string is one too")
	case '[':
		o.addProblem(line, name, "is a list", "write its value as a string; JSON in a string is one too")
	case '"':
		o.setString(line, name, raw)
	case 'n':
		o.addWarning(line, name, "is null: it counts as empty, but ECS would pass it on as <nil>", `write ""`)
		o.set(line, name, "")
		o.settings.Converted[name] = "<nil>"
	case 't', 'f':
		o.set(line, name, string(raw))
	default:
		o.setNumber(line, name, string(raw))
	}
	return nil
}

// setNumber adds a number as it is written. ECS reads a number as a 64-bit float and formats that.
func (o *objectReader) setNumber(line int, name, number string) {
	float, err := strconv.ParseFloat(number, 64)
	if err != nil {
		o.addProblem(line, name, "is a number that is too large for ECS, which then starts no task", "put it in quotes")
		return
	}
	if converted := fmt.Sprint(float); converted != number {
		o.addWarning(line, name, "is a number that ECS would pass on in another form", "put it in quotes")
		o.settings.Converted[name] = converted
	}
	o.set(line, name, number)
}

// setString adds a string, unless decoding it would change it.
func (o *objectReader) setString(line int, name string, raw json.RawMessage) {
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		o.addProblem(line, name, "is a string that cannot be read", "write it again")
		return
	}
	// The decoder replaces what it cannot decode with U+FFFD.
	const unknown = "\uFFFD"
	if strings.Contains(value, unknown) && !strings.Contains(string(raw), unknown) && !strings.Contains(strings.ToLower(string(raw)), `\ufffd`) {
		o.addProblem(line, name, "contains half of a surrogate pair", "write the character itself")
		return
	}
	o.set(line, name, value)
}

// lineOf returns the line of a syntax error, or else the current line.
func (o *objectReader) lineOf(err error) int {
	offset := o.decoder.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	return 1 + strings.Count(o.text[:min(int(offset), len(o.text))], "\n")
}

// EncodeSecret returns variables as a configuration secret: a JSON object in alphabetical order, not larger than
// SecretLimit. What ParseSecret would not read back is a problem.
func EncodeSecret(source string, values map[string]string) (string, error) {
	r := newReader(source, "")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, wrong := notUTF8([]byte(values[name])); wrong {
			r.addProblem(0, name, "is not UTF-8", "write it as UTF-8, or as base64")
		} else if r.checkName(0, name, map[string]int{}) {
			r.set(0, name, values[name])
		}
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.settings.Values); err != nil {
		return "", fmt.Errorf("write %s as JSON: %w", source, err)
	}
	encoded := strings.TrimSuffix(text.String(), "\n")
	if len(encoded) > SecretLimit {
		r.addProblem(0, "", fmt.Sprintf("has %d bytes, but the limit of a secret is %d", len(encoded), SecretLimit),
			"store large values elsewhere, such as in a bucket")
	}
	_, err := r.result()
	return encoded, err
}
