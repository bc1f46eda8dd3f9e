package configuration

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseDotenv(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"plain":                         {"A=b\n", "b"},
		"no newline at the end":         {"A=b", "b"},
		"carriage returns":              {"A=b\r\n", "b"},
		"byte order mark":               {"\uFEFFA=b\n", "b"},
		"comments and blank lines":      {"# one\n\n  # two\nA=b\n", "b"},
		"export":                        {"export A=b", "b"},
		"export and a tab":              {"  export\tA=b", "b"},
		"space around the =":            {"A = b ", "b"},
		"empty":                         {"A=", ""},
		"only space":                    {"A=   ", ""},
		"empty in quotes":               {`A=""`, ""},
		"= in the value":                {"A=b=c==", "b=c=="},
		"comment after the value":       {"A=b # c", "b"},
		"comment in place of the value": {"A= # c", ""},
		"# in quotes":                   {`A="#c"`, "#c"},
		"= in quotes":                   {`A="="`, "="},
		"# inside the value":            {"A=b#c", "b#c"},
		"$ is a character":              {"A=pa$word$1", "pa$word$1"},
		"backslash without quotes":      {`A=C:\new`, `C:\new`},
		"quotes inside the value":       {`A=b"c"`, `b"c"`},
		"single quotes":                 {`A='b \n ${C} # d'`, `b \n ${C} # d`},
		"backquotes":                    {"A=`it's \"b\"`", `it's "b"`},
		"double quotes":                 {`A="b\n\r\tc\\d\"e\$f\q" # g`, "b\n\r\tc\\d\"e$f\\q"},
		"escaped reference":             {`A="\${B}"`, "${B}"},
		"space in quotes":               {`A=" b "`, " b "},
		"several lines":                 {"A='b\n  c=d\n'\n", "b\n  c=d\n"},
		"several lines with returns":    {"A=\"b\r\nc\"\r\n", "b\nc"},
		"backslash at a line's end":     {"A=\"b\\\nc\"", "b\\\nc"},
		"other letters":                 {"A=größe→ünï", "größe→ünï"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := ParseDotenv("f", []byte(test.text))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"A": test.want}, settings.Values)
		})
	}
}

const pieceRemedy = `; put a value of several lines in quotes; write "" for an empty value, and "=" for the value =`
const piece = `looks like a piece of the value in line 1` + pieceRemedy

// TestSeveralEmptyVariables checks that empty variables in consecutive lines are not taken for a broken value.
func TestSeveralEmptyVariables(t *testing.T) {
	settings, err := ParseDotenv(".env", []byte("API_KEY=\nTOKENS2=\nnodeEnvs=\nmyKeyX1=\"\"\n\nmyKeyX2=\nsecrets=\nA=b\nmyKeyX3=\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"A", "API_KEY", "TOKENS2", "myKeyX1", "myKeyX2", "myKeyX3", "nodeEnvs", "secrets"}, settings.Names())
	settings, err = ParseDotenv(".env", []byte("A=aHVudGVyMmh1bnRlcjJo\nAPI_KEY=\nDSN=\nB=true\nsecrets=\nC=\"abcd\"\nmyKeyX1=\nD=postgresql://h/b\nmyKeyX2=\n"))
	require.NoError(t, err)
	require.Len(t, settings.Names(), 9)
	for _, text := range []string{
		"FOO=mainnet1mainnet1\nnetwork=", "FOO=mainnet1mainnet1\nchainId=", "TOKEN=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6JuG\nnetwork=",
		"TOKEN=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6JuG\nDSN=", "TOKEN='q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6JuG'\nOLD_TOKEN=\n", "A=staging\nmyKeyX123=",
		"A=\"\"\nmyKeyX1=",
	} {
		settings, err := ParseDotenv(".env", []byte(text))
		require.NoError(t, err, text)
		require.Len(t, settings.Names(), 2, text)
	}
}

func TestDotenvProblemsHaveALocation(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no =":                      {"A=b\nhunter2\n", ".env:2: there is no = in this line; write KEY=value, or # before a comment"},
		"no = in the only line":     {"hunter2", ".env:1: there is no = in this line; write KEY=value, or # before a comment"},
		"another form":              {"A: hunter2", ".env:1: there is no = in this line; write KEY=value, or # before a comment"},
		"no name":                   {"=hunter2", ".env:1: has a name that no variable can have; use letters, digits and _, with no digit first"},
		"a name with a digit":       {"2A=hunter2", ".env:1: has a name that no variable can have; use letters, digits and _, with no digit first"},
		"a name with a hyphen":      {"hunter2-b=c", ".env:1: has a name that no variable can have; use letters, digits and _, with no digit first"},
		"twice":                     {"A=b\nB=c\nA=hunter2", ".env:3: A is given twice, the first time in line 1; keep one of them"},
		"not closed":                {"B=c\nA='hunter2\n", ".env:2: A begins with a quote that is never closed; close it, or use quotes of another kind"},
		"escaped at the end":        {`A="hunter2\"`, ".env:1: A begins with a quote that is never closed; close it, or use quotes of another kind"},
		"text after the quote":      {`A="b"hunter2`, `.env:1: A has text after the closing quote; write \" for a quote in double quotes, or use quotes of another kind`},
		"# right after the =":       {"A=#hunter2", ".env:1: A begins with #, as a comment does; put the value in quotes, or space before a comment"},
		"the end of Base64":         {"A=\nhunter2A==", ".env:2: " + piece},
		"below a value":             {"A=QUJD\nhunter2A== \n", ".env:2: " + piece},
		"one = below a value":       {"A=aHVudGVyMmh1bnRlcjJo\nHunter2=\n", ".env:2: " + piece},
		"one =, and spaces":         {"A=aHVudGVyMmh1bnRlcjJo\r\nHunter2= \r\n", ".env:2: " + piece},
		"small below a long value":  {"A=aHVudGVyMmh1bnRlcjJo\nhunter2=\n", ".env:2: " + piece},
		"one = below a short value": {"A=QUJD\nHunter2=\n", ".env:2: " + piece},
		"below several lines": {"A=aHVudGVyMmh1bnRlcjJo\naHVudGVyMmh1bnRlcjJo\nHUNTER2=\n",
			".env:2: there is no = in this line; write KEY=value, or # before a comment\n.env:3: looks like a piece of the value in line 2" + pieceRemedy},
		"a key without quotes": {"A=-----BEGIN PRIVATE KEY-----\nhunter2=\n-----END PRIVATE KEY-----\n",
			".env:2: " + piece + "\n.env:3: there is no = in this line; write KEY=value, or # before a comment"},
		"too short alone":           {"A=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\nuGf4QiRz0NtKx=", ".env:2: " + piece},
		"after a scheme":            {"A=base64:q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\nuGf4QiRz0NtKx=", ".env:2: " + piece},
		"after a quote":             {"A='q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J'\nuGf4QiRz0NtKx=", ".env:2: " + piece},
		"after two lines in quotes": {"A='x\nq7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J'\nuGf4QiRz0NtKx=", ".env:3: " + piece},
		"after a quote that is not closed": {"A=\"q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\nuGf4QiRz0NtKx=",
			".env:1: A begins with a quote that is never closed; close it, or use quotes of another kind\n.env:2: " + piece},
		"with a comment":      {"A=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J # c\nuGf4QiRz0NtKx= # d", ".env:2: " + piece},
		"with a blank line":   {"A=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\n\n# c\nuGf4QiRz0NtKx=", ".env:4: " + piece},
		"with a backslash":    {"A=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\\\nuGf4QiRz0NtKx=", ".env:2: " + piece},
		"Base64 for URLs":     {"A=q7Zp1mXo9kLr3TnVb5WcYd2Ea8Hs6J\nuGf4_iRz0NtKx=", ".env:2: " + piece},
		"two = and a comment": {"A=QUJD\nhunter2A== # c", ".env:2: " + piece},
		"nothing above":       {"hunter2A==", ".env:1: looks like a piece of a value" + pieceRemedy},
		"no piece below one": {"A=QUJD\nhunter2A==\nPASSWORD=\nB=#c\n", ".env:2: " + piece +
			"\n.env:4: B begins with #, as a comment does; put the value in quotes, or space before a comment"},
		"with one =":                {"A=\nHunter2=\nhunter2B=c", ".env:2: " + piece},
		"reference":                 {"A=${hunter2}/b", ".env:1: A refers to another variable, and nothing is expanded here; " + referenceRemedy},
		"reference in quotes":       {`A="hunter2${B}"`, ".env:1: A refers to another variable, and nothing is expanded here; " + referenceRemedy},
		"control character":         {"A=hunter2\x01", `.env:1: A contains a control character; put it in double quotes, with \n, \r or \t for it`},
		"old Macintosh":             {"A=hunter2\rB=c", `.env:1: A contains a control character; put it in double quotes, with \n, \r or \t for it`},
		"NUL in quotes":             {"A='hunter2\x00'", ".env:1: A contains a NUL byte, which no variable can have; remove it"},
		"not UTF-8":                 {"A=hunter2\xC3\n", ".env: is not UTF-8; save it as UTF-8"},
		"UTF-16":                    {"\xFF\xFEA\x00=\x00b\x00", ".env: is UTF-16; save it as UTF-8"},
		"everything at once":        {"hunter2\nA=b\nA=hunter2\n", ".env:1: there is no = in this line; write KEY=value, or # before a comment\n.env:3: A is given twice, the first time in line 2; keep one of them"},
		"below a quote, not closed": {"A=\"hunter2\nhunter2\n", ".env:1: A begins with a quote that is never closed; close it, or use quotes of another kind\n.env:2: there is no = in this line; write KEY=value, or # before a comment"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDotenv(".env", []byte(test.text))
			require.EqualError(t, err, test.want)
		})
	}
}

func TestLocationsOfSettings(t *testing.T) {
	settings, err := ParseDotenv(".env", []byte("\nB=c\nA='d\n\n'\nE=hunter2"))
	require.NoError(t, err)
	require.Equal(t, []string{"A", "B", "E"}, settings.Names())
	require.Equal(t, ".env:6", settings.Location("E"))
	require.Equal(t, ".env", settings.Location("Z"))
	require.Empty(t, settings.Warnings)
}

func TestParseFile(t *testing.T) {
	settings, err := ParseFile("f", []byte("\uFEFF\n{\"A\": \"b\",\r\n\"C\": 1}"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "b", "C": "1"}, settings.Values)
	require.Equal(t, "f:3", settings.Location("C"))
	settings, err = ParseFile("f", []byte("A={b}"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "{b}"}, settings.Values)
	for text, want := range map[string]string{
		" \n\uFEFF":     "there is no =",
		"":              "f: has no variable; give KEY=value lines or a JSON object",
		"\xFF\xFE{\x00": "f: is UTF-16",
	} {
		_, err := ParseFile("f", []byte(text))
		require.ErrorContains(t, err, want)
	}
}

// FuzzParseDotenv checks that no input crashes the reader, that no problem quotes a value, and that what was read can be
// written in single quotes and read again.
func FuzzParseDotenv(f *testing.F) {
	for _, seed := range []string{
		"A=b\n", "export A = 'b\nc' # d\r\n", `A="\n\"${B}"`, "\uFEFFA=`b`", "A='b", "A=b#c\n\n#d", "=", "\x00", "A=\xff", "A=\"\\",
		"A=1\nA=2", "A=\nQUJDREVGRw==", "A=\nAbcdefg=", "A=#b", "export\nexport=1", "A=${B}", "A='\r\n'",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := ParseDotenv(".env", []byte(text))
		if err != nil {
			requireProblems(t, err, text)
			return
		}
		var again strings.Builder
		for _, name := range settings.Names() {
			value := settings.Values[name]
			if strings.Contains(value, "'") || strings.Contains(value, "\r\n") {
				return
			}
			again.WriteString(name + "='" + value + "'\n")
		}
		reread, err := ParseDotenv(".env", []byte(again.String()))
		require.NoError(t, err)
		require.Equal(t, settings.Values, reread.Values)
	})
}
