// Package s3sim simulates the part of S3 that a lock and a Pulumi backend in a bucket use, for tests: conditional writes and
// deletes, strong consistency, ETags that are MD5 sums. It holds one bucket in memory.
package s3sim

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Write is a change of an object.
type Write struct {
	Key string
	// Client is the access key of the request.
	Client string
	// Before and After are the contents; nil where the object does not exist.
	Before, After []byte
	Metadata      map[string]string
}

// A Server is a bucket.
type Server struct {
	Bucket string
	// Written receives each change before the response, one at a time; nil if no one needs it.
	Written func(Write)
	// Intercept handles a request in place of the server if it returns true, as for a network that is down; nil if nothing does.
	// It is called before a request acts, and, with acted, between its action and the response.
	Intercept func(w http.ResponseWriter, r *http.Request, acted bool) bool
	// Now returns the server's time; nil means the machine's.
	Now func() time.Time

	mu      sync.Mutex
	objects map[string]stored
}

type stored struct {
	content  []byte
	header   http.Header
	modified time.Time
}

func (s stored) etag() string {
	sum := md5.Sum(s.content)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// Client returns the access key of a request.
func Client(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}

// Content returns the content of an object, or nil if it does not exist.
func (s *Server) Content(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[key].content
}

// Keys returns the keys of all objects in order.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Put writes an object without a condition, as a program beside the deployer does.
func (s *Server) Put(key string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(key, stored{content: content, header: http.Header{}, modified: s.now()}, "", nil)
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(r.Body)
	if err != nil || s.Intercept != nil && s.Intercept(w, r, false) {
		return
	}
	key, inside := strings.CutPrefix(r.URL.Path, "/"+s.Bucket)
	if !inside {
		fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	answer := s.act(r, strings.TrimPrefix(key, "/"), body)
	if s.Intercept != nil && s.Intercept(w, r, true) {
		return
	}
	answer(w)
}

// act executes a request, and returns what writes its response.
func (s *Server) act(r *http.Request, key string, body []byte) func(http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, exists := s.objects[key]
	switch {
	case key == "":
		return s.list(r.URL.Query())
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return read(found, exists, r.Method)
	}
	if status, code := condition(r.Header, found, exists); status != 0 {
		return func(w http.ResponseWriter) { fail(w, status, code) }
	}
	if r.Method == http.MethodDelete {
		if exists {
			s.written(Write{Key: key, Client: Client(r), Before: found.content})
		}
		delete(s.objects, key)
		return func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
	}
	header := http.Header{}
	for name, values := range r.Header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz-Meta-") {
			header[name] = values
		}
	}
	copied := r.Header.Get("X-Amz-Copy-Source")
	if copied != "" {
		path, _ := url.PathUnescape(copied)
		source, exists := s.objects[strings.TrimPrefix(strings.TrimPrefix(path, "/"), s.Bucket+"/")]
		if !exists {
			return func(w http.ResponseWriter) { fail(w, http.StatusNotFound, "NoSuchKey") }
		}
		body, header = source.content, source.header
	}
	now := stored{content: body, header: header, modified: s.now()}
	s.store(key, now, Client(r), header)
	return func(w http.ResponseWriter) {
		w.Header().Set("ETag", now.etag())
		if copied != "" {
			_, _ = io.WriteString(w, "<CopyObjectResult><ETag>"+now.etag()+"</ETag></CopyObjectResult>")
		}
	}
}

func (s *Server) store(key string, now stored, client string, header http.Header) {
	metadata := map[string]string{}
	for name, values := range header {
		metadata[name] = values[0]
	}
	if s.objects == nil {
		s.objects = map[string]stored{}
	}
	s.written(Write{Key: key, Client: client, Before: s.objects[key].content, After: now.content, Metadata: metadata})
	s.objects[key] = now
}

func (s *Server) written(w Write) {
	if s.Written != nil {
		s.Written(w)
	}
}

// condition returns why a write is refused; 0 if it is not.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func condition(header http.Header, found stored, exists bool) (status int, code string) {
	match := header.Get("If-Match")
	switch {
	case match != "" && !exists:
		return http.StatusNotFound, "NoSuchKey"
	case match != "" && strings.Trim(match, `"`) != strings.Trim(found.etag(), `"`), header.Get("If-None-Match") == "*" && exists:
		return http.StatusPreconditionFailed, "PreconditionFailed"
	}
	return 0, ""
}

func read(found stored, exists bool, method string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if !exists {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		maps.Copy(w.Header(), found.header)
		w.Header().Set("ETag", found.etag())
		w.Header().Set("Last-Modified", found.modified.UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(found.content)))
		if method == http.MethodGet {
			_, _ = io.Copy(w, bytes.NewReader(found.content))
		}
	}
}

// list lists the objects of the bucket.
func (s *Server) list(query url.Values) func(http.ResponseWriter) {
	type content struct {
		Key, LastModified, ETag string
		Size                    int
	}
	var result struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		Contents       []content
		CommonPrefixes []struct{ Prefix string }
	}
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		rest, matches := strings.CutPrefix(key, prefix)
		if !matches {
			continue
		}
		if dir, _, below := strings.Cut(rest, delimiter); delimiter != "" && below {
			common := struct{ Prefix string }{prefix + dir + delimiter}
			if !slices.Contains(result.CommonPrefixes, common) {
				result.CommonPrefixes = append(result.CommonPrefixes, common)
			}
			continue
		}
		o := s.objects[key]
		result.Contents = append(result.Contents, content{key, o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), o.etag(), len(o.content)})
	}
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/xml")
		_ = xml.NewEncoder(w).Encode(result)
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}{Code: code})
}
