package command

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

// needle is a form of a secret, which must not be found.
type needle struct{ of, form, text string }

// needlesOf returns the forms of secrets, each text once.
func needlesOf(values map[string]string) []needle {
	var all []needle
	seen := map[string]bool{}
	for name, value := range values {
		for form, text := range formsOf(value) {
			if !seen[text] {
				all, seen[text] = append(all, needle{name, form, text}), true
			}
		}
	}
	return all
}

// formsOf returns the encodings in which programs may print or pass on a text.
func formsOf(value string) map[string]string {
	sum := sha256.Sum256([]byte(value))
	forms := map[string]string{
		"as it is": value, "quoted": strings.Trim(strconv.Quote(value), `"`), "escaped in ASCII": strings.Trim(strconv.QuoteToASCII(value), `"`),
		"escaped for a query": url.QueryEscape(value), "escaped for a path": url.PathEscape(value),
		"escaped for a URL's user": strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
		"in hex":                   hex.EncodeToString([]byte(value)), "as its SHA-256": hex.EncodeToString(sum[:]),
		"as its SHA-256 in base64": base64.RawStdEncoding.EncodeToString(sum[:]), "as its SHA-256 in base64 for URLs": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	once, _ := json.Marshal(value)
	twice, _ := json.Marshal(string(once))
	forms["in JSON"], forms["in JSON in JSON"] = strings.Trim(string(once), `"`), strings.Trim(string(twice), `\"`)
	for offset := range 3 {
		forms[fmt.Sprintf("in base64 after %d bytes", offset)] = inBase64(base64.RawStdEncoding, value, offset)
		forms[fmt.Sprintf("in base64 for URLs after %d bytes", offset)] = inBase64(base64.RawURLEncoding, value, offset)
	}
	for i, line := range strings.Split(value, "\n") {
		if line != value {
			forms[fmt.Sprintf("its line %d", i+1)] = line
		}
	}
	return forms
}

// inBase64 returns the base64 characters of a value at an offset in an encoded text: those that have only bits of the value.
func inBase64(encoding *base64.Encoding, value string, offset int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("x", offset) + value))
	return text[(offset*8+5)/6 : (offset+len(value))*8/6]
}

func TestForms(t *testing.T) {
	found := func(text string) (forms []string) {
		for form, needle := range formsOf("p%40s&w!rd\"ü") {
			if strings.Contains(text, needle) {
				forms = append(forms, form)
			}
		}
		return forms
	}
	whole, err := json.Marshal(map[string]string{"password": "p%40s&w!rd\"ü"})
	require.NoError(t, err)
	for _, text := range []string{
		string(whole), fmt.Sprintf("%q", whole), fmt.Sprintf("%+q", "-p%40s&w!rd\"ü-"), base64.StdEncoding.EncodeToString([]byte("-p%40s&w!rd\"ü-")),
		base64.URLEncoding.EncodeToString([]byte("user:p%40s&w!rd\"ü")), fmt.Sprintf("%x", "p%40s&w!rd\"ü"), fmt.Sprintf("%x", sha256.Sum256([]byte("p%40s&w!rd\"ü"))),
		"https://h/?x=" + url.QueryEscape("p%40s&w!rd\"ü"), (&url.URL{Host: "h", User: url.UserPassword("u", "p%40s&w!rd\"ü")}).String(),
	} {
		require.NotEmpty(t, found(text), text)
	}
	require.Empty(t, found("p%40s, w!rd and ********"))
}

// readSecrets reads every secret value that the simulated account has, by secret and key: those of the configurations,
// and the passwords that RDS manages and its list of secrets leaves out.
func readSecrets(ctx context.Context, root, state string) (map[string]string, error) {
	shared, err := environment.LoadShared(root)
	if err != nil {
		return nil, err
	}
	account, err := local.Open(ctx, local.Options{
		Dir: filepath.Join(state, "local"), AccountID: shared.Account, Region: shared.Region,
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = account.Close() }()
	client := secretsmanager.NewFromConfig(account.AWS())
	list, err := client.ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
	if err != nil {
		return nil, err
	}
	databases, err := rds.NewFromConfig(account.AWS()).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, secret := range list.SecretList {
		names = append(names, aws.ToString(secret.ARN))
	}
	for _, d := range databases.DBInstances {
		if d.MasterUserSecret != nil {
			names = append(names, aws.ToString(d.MasterUserSecret.SecretArn))
		}
	}
	values := map[string]string{}
	for _, name := range names {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return nil, err
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &object); err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		for key, value := range object {
			// Names of environments and users are no secrets, and occur in many places.
			if key != "NODE_ENV" && key != "username" {
				values[aws.ToString(out.Name)+"/"+key] = value
			}
		}
	}
	return values, nil
}
