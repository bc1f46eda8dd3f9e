// Package kms simulates the part of KMS that the Pulumi engine uses: it encrypts and decrypts the data keys of stacks.
//
// The engine reaches it over HTTP with the AWS SDK, as it reaches KMS for a real account.
package kms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// maxRequest is the maximum size of a request in bytes. KMS encrypts at most 4,096 bytes.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
const maxRequest = 64 << 10

// Server is a KMS with one key, which listens on loopback.
type Server struct {
	sealer cipher.AEAD
	// accessKey is the ID of the only access key that may use the server: other processes of the machine can reach it, too.
	accessKey, address string
}

// Serve starts a server whose key is derived from a secret that cannot be guessed. It serves until ctx ends.
func Serve(ctx context.Context, secret string) (*Server, error) {
	key := sha256.Sum256([]byte(secret))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the simulated KMS: %w", err)
	}
	s := &Server{sealer: sealer, accessKey: rand.Text(), address: listener.Addr().String()}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return s, nil
}

// Env returns the environment in which the AWS SDK of another process uses the server, whatever the user has configured.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func (s *Server) Env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_KMS": "http://" + s.address, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
		"AWS_ACCESS_KEY_ID": s.accessKey, "AWS_SECRET_ACCESS_KEY": "local-mode", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_CA_BUNDLE": "",
		"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "false",
	}
}

// request has the parameters of both operations. JSON encodes bytes as base64, as KMS does.
type request struct {
	KeyID             string `json:"KeyId"`
	Plaintext         []byte
	CiphertextBlob    []byte
	EncryptionContext map[string]string
}

// apiError is an error in the form of KMS.
type apiError struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// ServeHTTP answers a call of KMS's JSON protocol.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, failure := s.answer(http.MaxBytesReader(w, r.Body, maxRequest), r.Header)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if failure != nil {
		w.WriteHeader(http.StatusBadRequest)
		result = failure
	}
	// A client that has gone away gets no answer.
	_ = json.NewEncoder(w).Encode(result)
}

func (s *Server) answer(body io.Reader, header http.Header) (any, *apiError) {
	if !strings.Contains(header.Get("Authorization"), "Credential="+s.accessKey+"/") {
		return nil, &apiError{"UnrecognizedClientException", "The security token included in the request is invalid."}
	}
	var in request
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		return nil, &apiError{"SerializationException", "the request is no JSON"}
	}
	bound, err := json.Marshal(in.EncryptionContext) // maps are encoded in the order of their keys
	if err != nil {
		return nil, &apiError{"SerializationException", err.Error()}
	}
	switch target := header.Get("X-Amz-Target"); target {
	case "TrentService.Encrypt":
		return map[string]any{"KeyId": in.KeyID, "CiphertextBlob": s.sealer.Seal(nil, nil, in.Plaintext, bound)}, nil
	case "TrentService.Decrypt":
		plaintext, err := s.sealer.Open(nil, nil, in.CiphertextBlob, bound)
		if err != nil {
			return nil, &apiError{"InvalidCiphertextException", "another key, or another context, has encrypted it"}
		}
		return map[string]any{"KeyId": in.KeyID, "Plaintext": plaintext}, nil
	default:
		return nil, &apiError{"UnknownOperationException", "local mode does not simulate " + target}
	}
}
