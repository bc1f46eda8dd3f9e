package kms

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

// client returns a client that is configured by the environment alone, as the engine's is.
func client(t *testing.T, server *Server) *kms.Client {
	t.Helper()
	for name, value := range server.Env() {
		t.Setenv(name, value)
	}
	loaded, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	require.NoError(t, err)
	return kms.NewFromConfig(loaded)
}

func serve(t *testing.T, secret string) *Server {
	t.Helper()
	server, err := Serve(t.Context(), secret)
	require.NoError(t, err)
	return server
}

func encrypt(t *testing.T, c *kms.Client, purpose map[string]string) []byte {
	t.Helper()
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/x"), Plaintext: []byte("data key"), EncryptionContext: purpose})
	require.NoError(t, err)
	require.NotContains(t, string(out.CiphertextBlob), "data key")
	return out.CiphertextBlob
}

func TestTheKeySurvivesTheServer(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	first, err := Serve(ctx, "secret")
	require.NoError(t, err)
	purpose := map[string]string{"b": "2", "a": "1"}
	blob := encrypt(t, client(t, first), purpose)
	require.NotEqual(t, blob, encrypt(t, client(t, first), purpose))
	stop()

	out, err := client(t, serve(t, "secret")).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: purpose})
	require.NoError(t, err)
	require.Equal(t, "data key", string(out.Plaintext))
}

func TestWhatAnotherKeyEncryptedIsInvalid(t *testing.T) {
	blob := encrypt(t, client(t, serve(t, "secret")), nil)
	for name, c := range map[string]struct {
		secret string
		in     *kms.DecryptInput
	}{
		"another key":     {"another", &kms.DecryptInput{CiphertextBlob: blob}},
		"another context": {"secret", &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "1"}}},
		"truncated":       {"secret", &kms.DecryptInput{CiphertextBlob: blob[:4]}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, serve(t, c.secret)).Decrypt(t.Context(), c.in)
			require.ErrorAs(t, err, new(*types.InvalidCiphertextException))
		})
	}
}

func TestOnlyTheEngineMayUseTheKey(t *testing.T) {
	server := serve(t, "secret")
	c := client(t, server)
	_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/x")})
	require.ErrorContains(t, err, "local mode does not simulate TrentService.DescribeKey")

	t.Setenv("AWS_ACCESS_KEY_ID", serve(t, "secret").accessKey)
	loaded, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	require.NoError(t, err)
	_, err = kms.NewFromConfig(loaded).Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/x"), Plaintext: []byte("data key")})
	failure := smithy.APIError(nil)
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "UnrecognizedClientException", failure.ErrorCode())
}
