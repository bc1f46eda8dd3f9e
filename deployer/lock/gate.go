package lock

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// A gate is an endpoint of S3 on loopback through which the engine reaches the bucket of its state. It signs each request again,
// with the credentials of the lock. The engine's own writes have no condition; the gate adds one to each write of the stack's
// state, so that only the holder of the lock succeeds, and refuses every write when the holder's permit is over or the lock is
// lost.
//
// The history, backups and locks of the engine are objects with unique names, which no one overwrites; a copy of the state
// (.bak) is read by people alone. These have no condition.
type gate struct {
	Bucket
	watch *watch
	// secret begins the paths of requests: other users of the machine can reach the port.
	secret string
	// http sends the requests, without a time limit of its own: the size of a request decides.
	http s3.HTTPClient

	// mu is held for a read or write of the state, so that no read overtakes a write.
	mu sync.Mutex
	// views are the objects of the state that the holder has fenced or written; fenced is false where a write had no known
	// outcome.
	views map[string]*fencedView

	skewMu sync.Mutex
	// skew is by how much the clock of the bucket is ahead: signatures have its time.
	skew time.Duration
}

// A fencedView is what a holder knows about one object of the state.
type fencedView struct {
	view
	fenced bool
}

const (
	// gateTimeout bounds a request, besides the transfer of its content by the slowest rate, so that an engine which has ended does
	// not leave a write of unknown outcome.
	gateTimeout = 30 * time.Second
	// slowestRate is that of a slow uplink, in bytes a second.
	slowestRate = 256 << 10
	// holderMetadata is the header with the ID of the lock's holder that wrote an object of the state.
	holderMetadata = "X-Amz-Meta-Deployer-Lock"
	// markBits is the length of the mark that makes the bytes of a state, and with them its ETag, unique.
	markBits = 64
)

func newGate(b Bucket, w *watch) *gate {
	client := b.Client.Options().HTTPClient
	if limited, is := client.(*awshttp.BuildableClient); is {
		client = limited.WithTimeout(0)
	}
	return &gate{Bucket: b, watch: w, secret: rand.Text(), http: client, views: map[string]*fencedView{}}
}

// serve starts the gate until ctx ends, and returns the address for the engine.
func (g *gate) serve(ctx context.Context) (endpoint string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the engine: %w", err)
	}
	server := &http.Server{Handler: g, ReadHeaderTimeout: gateTimeout}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/" + g.secret, nil
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, allowed := g.keyOf(r)
	if !allowed {
		refuse(w, http.StatusForbidden, "AccessDenied", errors.New("this endpoint is for the engine of its deployer"))
		return
	}
	body, err := readBody(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody", err)
		return
	}
	transfer := len(body)
	if g.isState(key) && r.Method == http.MethodGet {
		transfer = maxState // which is written again where it is fenced
	}
	// A request that has begun ends with a known outcome, also where the engine has ended.
	ctx, done := context.WithTimeout(context.WithoutCancel(r.Context()), timeoutOf(transfer))
	defer done()
	response, err := g.handle(ctx, call{method: r.Method, key: key, query: r.URL.RawQuery, header: forwarded(r.Header), body: body})
	if err != nil {
		if isLost(err) {
			g.watch.lose(err)
			refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", err)
			return
		}
		if rejected := (rejectedError{}); errors.As(err, &rejected) {
			refuse(w, http.StatusBadRequest, "InvalidRequest", err)
			return
		}
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", err)
		return
	}
	maps.Copy(w.Header(), response.header)
	w.WriteHeader(response.status)
	_, _ = w.Write(response.body) // the engine notices a body that ends early
}

// timeoutOf returns the time limit of a request that transfers a number of bytes.
func timeoutOf(transfer int) time.Duration {
	return gateTimeout + time.Duration(transfer)*time.Second/slowestRate
}

// keyOf returns the key of a request's object without escapes, and reports whether the request is the engine's.
func (g *gate) keyOf(r *http.Request) (key string, allowed bool) {
	secret, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	bucket, key, _ := strings.Cut(rest, "/")
	same := subtle.ConstantTimeCompare([]byte(secret), []byte(g.secret)) == 1
	return key, same && bucket == g.Name
}

// isState reports whether the object is the state of the lock's stack. Its key ends with .pulumi/stacks/[PROJECT/]STACK.json: the
// prefix before that is the engine's, which escapes and cleans PULUMI_BACKEND_URL in its own way.
// Source: StackBasePath in https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/store.go
func (g *gate) isState(key string) bool {
	const stacks = ".pulumi/stacks/"
	dir, file := path.Split(key)
	at := strings.LastIndex(dir, stacks)
	extension, named := strings.CutPrefix(file, g.watch.stack)
	return at >= 0 && strings.Count(dir[at+len(stacks):], "/") <= 1 &&
		named && slices.Contains([]string{".json", ".json.gz", ".json.zst"}, extension)
}

// A call is a request of S3. Its key has no escapes.
type call struct {
	method, key, query string
	header             http.Header
	body               []byte
}

// putsObject reports whether the call writes an object with its body. The parts of an upload have the checksums that its begin chose.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (c call) putsObject() bool {
	return c.method == http.MethodPut && (c.query == "" || strings.HasPrefix(c.query, "x-id=PutObject")) && c.header.Get("X-Amz-Copy-Source") == ""
}

// An answer is a response of S3.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// handle answers a request of the engine. The error is a *LostError if this process must not write the state any more.
func (g *gate) handle(ctx context.Context, c call) (*answer, error) {
	reads := c.method == http.MethodGet || c.method == http.MethodHead
	if !reads {
		if err := g.watch.check(ctx); err != nil {
			return nil, err
		}
	}
	if !reads && c.key == "" {
		return nil, rejectedError{errors.New("objects are deleted one by one while the lock of their state is in a bucket")}
	}
	if !g.isState(c.key) {
		return g.send(ctx, c)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.query != "" && !strings.HasPrefix(c.query, "x-id=") {
		// The SDK uploads in parts from 16 MiB on.
		return nil, rejectedError{fmt.Errorf("the state of stack %s has more than 16 MiB, which cannot be written under a lock in a bucket: "+
			"set PULUMI_DIY_BACKEND_GZIP=true, so that the engine compresses it", g.watch.stack)}
	}
	if reads {
		return g.readState(ctx, c)
	}
	if c.method == http.MethodDelete {
		return g.deleteState(ctx, c)
	}
	return g.writeState(ctx, c)
}

// A rejectedError reports a request that fails however often it is repeated.
type rejectedError struct{ error }

// deleteState deletes the state. One that does not exist is deleted: the response to an earlier request may have been lost.
func (g *gate) deleteState(ctx context.Context, c call) (*answer, error) {
	deleted := &answer{status: http.StatusNoContent}
	known, err := g.fenced(ctx, c.key)
	if err != nil || known.etag == "" {
		return deleted, err
	}
	if response, err := g.writeState(ctx, c); err != nil || known.etag != "" {
		return response, err
	}
	return deleted, nil
}

// fenced returns what the holder knows about an object of the state, which it fences before.
func (g *gate) fenced(ctx context.Context, key string) (*fencedView, error) {
	if known := g.views[key]; known != nil && known.fenced {
		return known, nil
	}
	if err := g.fence(ctx, key); err != nil {
		return nil, err
	}
	return g.views[key], nil
}

// readState reads the state. The first read of a holder, and one after a write of unknown outcome, fences it.
func (g *gate) readState(ctx context.Context, c call) (*answer, error) {
	known, err := g.fenced(ctx, c.key)
	if err != nil {
		return nil, err
	}
	response, err := g.send(ctx, c)
	if err != nil {
		return nil, err
	}
	exists := response.status/100 == 2
	if exists && response.header.Get("Etag") != known.etag || response.status == http.StatusNotFound && known.etag != "" {
		return nil, g.replaced()
	}
	return response, nil
}

func (g *gate) replaced() *LostError {
	return &LostError{g.watch.name(""), "another process has written the state"}
}

// fence replaces the object by the same content with another ETag, so that no write of an earlier holder succeeds from now on.
func (g *gate) fence(ctx context.Context, key string) error {
	var found *answer
	for e := newFence(g.watch.id); ; {
		switch e.phase {
		case readObject:
			var err error
			if found, err = g.send(ctx, call{method: http.MethodGet, key: key, header: http.Header{}}); err != nil {
				return err
			}
			o, err := objectOf(found)
			if err != nil {
				return err
			}
			e = e.afterRead(o)
		case readLock:
			owned, err := g.watch.verify(ctx)
			if err != nil {
				return err
			}
			e = e.afterLock(owned)
			if owned != nil {
				return owned
			}
		case write:
			var err error
			same := call{method: http.MethodPut, key: key, header: describing(found.header), body: found.body}
			if e, _, err = g.put(ctx, e, same); err != nil {
				return err
			}
		case done:
			g.views[key] = &fencedView{e.base, true}
			return nil
		default:
			return fmt.Errorf("the state of stack %s could not be fenced", g.watch.stack)
		}
	}
}

// writeState writes or deletes the state under the condition of the holder's view.
func (g *gate) writeState(ctx context.Context, c call) (*answer, error) {
	known := g.views[c.key]
	if known == nil { // the engine has not read it
		known = &fencedView{}
		g.views[c.key] = known
	}
	var response *answer
	e := newWrite(known.view, g.watch.id)
	for e.remove = c.method == http.MethodDelete; ; {
		switch e.phase {
		case readLock:
			owned, err := g.watch.verify(ctx)
			if err != nil {
				known.fenced = false
				return nil, err
			}
			e = e.afterLock(owned)
			if owned != nil {
				return nil, owned
			}
		case write:
			next, answered, err := g.put(ctx, e, c)
			if err != nil {
				known.fenced = false
				return nil, err
			}
			e, response = next, answered
		case examine:
			now, err := g.send(ctx, call{method: http.MethodHead, key: c.key, header: http.Header{}})
			if err != nil {
				return nil, err
			}
			o, err := objectOf(now)
			if err != nil {
				return nil, err
			}
			e = e.afterExamine(o)
		case done:
			known.view, known.fenced = e.base, true
			return response, nil
		case lost:
			return nil, g.replaced()
		default:
			known.fenced = false
			if response != nil && !isRefusal(response.status) {
				return response, nil
			}
			return nil, fmt.Errorf("the state of stack %s was not written: try again", g.watch.stack)
		}
	}
}

// put sends a write of the state under the condition of the exchange, in bytes that no other write has.
func (g *gate) put(ctx context.Context, e exchange, c call) (exchange, *answer, error) {
	c.header = c.header.Clone()
	name, value := e.base.condition()
	c.header.Set(name, value)
	if c.method == http.MethodPut {
		c.header.Set(holderMetadata, g.watch.id)
		c.body = mark(c.body)
	}
	response, err := g.send(ctx, c)
	if err != nil {
		return e, nil, err
	}
	etag := response.header.Get("Etag")
	if c.method == http.MethodDelete {
		etag = ""
	}
	return e.afterWrite(response.status, etag), response, nil
}

// mark returns the content of a state with an end that makes it unique and that readers skip: white space after JSON, an empty
// member after gzip, a skippable frame after Zstandard.
// Source: https://www.rfc-editor.org/rfc/rfc1952#section-2.2 and https://www.rfc-editor.org/rfc/rfc8878#section-3.1.2
func mark(content []byte) []byte {
	var random [markBits / 8]byte
	_, _ = rand.Read(random[:])
	marked := bytes.NewBuffer(slices.Clone(content))
	switch {
	case bytes.HasPrefix(content, []byte{0x1f, 0x8b}):
		member := gzip.NewWriter(marked)
		member.Comment = hex.EncodeToString(random[:])
		_ = member.Close() // a buffer takes all
	case bytes.HasPrefix(content, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		const skippable = 0x184D2A50
		_ = binary.Write(marked, binary.LittleEndian, []uint32{skippable, uint32(len(random))})
		marked.Write(random[:])
	default:
		marked = bytes.NewBuffer(slices.Clone(bytes.TrimRight(content, " \t\r\n")))
		marked.WriteByte('\n')
		for i := range markBits {
			marked.WriteByte(" \t"[random[i/8]>>(i%8)&1])
		}
	}
	return marked.Bytes()
}

// objectOf returns the version of the object in a response to GET or HEAD.
func objectOf(response *answer) (object, error) {
	switch {
	case response.status/100 == 2:
		return object{response.header.Get("Etag"), response.header.Get(holderMetadata)}, nil
	case response.status == http.StatusNotFound:
		return object{}, nil
	}
	return object{}, fmt.Errorf("read the state: S3 responded with status %d", response.status)
}

// describing returns the headers of an object that a rewrite has to keep.
func describing(found http.Header) http.Header {
	kept := http.Header{}
	for name, values := range found {
		if name == "Content-Type" || name == "Content-Encoding" || strings.HasPrefix(name, "X-Amz-Meta-") ||
			strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") {
			kept[name] = values
		}
	}
	return kept
}

// forwarded returns the headers of a request that do not belong to its signature, its checksum or its connection.
func forwarded(all http.Header) http.Header {
	kept := http.Header{}
	for name, values := range all {
		switch {
		case strings.HasPrefix(name, "X-Amz-Checksum-"), strings.HasPrefix(name, "Amz-Sdk-"):
		case name == "Content-Encoding":
			if encoding := strings.Trim(strings.ReplaceAll(values[0], "aws-chunked", ""), ", "); encoding != "" {
				kept.Set(name, encoding)
			}
		case slices.Contains([]string{
			"Authorization", "Connection", "Content-Length", "Content-Md5", "Expect", "If-Match", "If-None-Match", "Te", "Trailer",
			"Transfer-Encoding", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Security-Token", "X-Amz-Trailer",
		}, name):
		default:
			kept[name] = values
		}
	}
	return kept
}

const (
	// maxState is the size from which on the SDK uploads in parts; each part is smaller.
	maxState = 16 << 20
	// maxBody is the largest body that is read.
	maxBody = 2 * maxState
)

// readBody reads the content of a request, which the SDK may send in chunks with a trailer.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body, err
	}
	var content []byte
	for {
		line, rest, found := bytes.Cut(body, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";")
		length, err := strconv.ParseInt(size, 16, 64)
		switch {
		case err != nil || !found || length < 0 || length > int64(len(rest)):
			return nil, errors.New("the body has an incomplete chunk")
		case length == 0:
			if expected := r.Header.Get("X-Amz-Decoded-Content-Length"); expected != strconv.Itoa(len(content)) {
				return nil, fmt.Errorf("the body has %d bytes instead of %s", len(content), expected)
			}
			return content, nil
		}
		content = append(content, rest[:length]...)
		body = bytes.TrimPrefix(rest[length:], []byte("\r\n"))
	}
}

// send signs a request and sends it to the bucket.
func (g *gate) send(ctx context.Context, c call) (*answer, error) {
	options := g.Client.Options()
	address, err := options.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: &g.Name, Region: &options.Region, Endpoint: options.BaseEndpoint, ForcePathStyle: &options.UsePathStyle,
		UseFIPS:      aws.Bool(options.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(options.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return nil, fmt.Errorf("find the endpoint of the bucket %s: %w", g.Name, err)
	}
	target, err := url.Parse(strings.TrimSuffix(address.URI.String(), "/") + "/" + httpbinding.EscapePath(c.key, false))
	if err != nil {
		return nil, err
	}
	target.RawQuery = c.query
	r, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	r.Header = c.header.Clone()
	if r.Header.Get("Accept-Encoding") == "" {
		r.Header.Set("Accept-Encoding", "identity") // else the client decompresses
	}
	hash := sha256.Sum256(c.body)
	payload := hex.EncodeToString(hash[:])
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if c.putsObject() { // required by buckets with Object Lock
		r.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(hash[:]))
	}
	credentials, err := options.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign a request to the bucket %s: %w", g.Name, err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, credentials, r, payload, "s3", options.Region, g.serverTime()); err != nil {
		return nil, fmt.Errorf("sign a request to the bucket %s: %w", g.Name, err)
	}
	response, err := g.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("reach the bucket %s: %w", g.Name, sanitize.WithoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reach the bucket %s: %w", g.Name, err)
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		g.skewMu.Lock()
		g.skew = date.Sub(g.Clock.Now())
		g.skewMu.Unlock()
	}
	return &answer{response.StatusCode, response.Header, content}, nil
}

// serverTime returns the time by the clock of the bucket.
func (g *gate) serverTime() time.Time {
	g.skewMu.Lock()
	defer g.skewMu.Unlock()
	return g.Clock.Now().Add(g.skew)
}

// refuse responds with an error in the form of S3.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func refuse(w http.ResponseWriter, status int, code string, reason error) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: reason.Error()})
}
