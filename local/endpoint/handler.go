package endpoint

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

func (s *Server) handler(find func(name string) (cloud.Listener, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l, found := find(hostOf(r))
		switch {
		case found && isBlocked(r, l.BlockingRules):
			writePage(w, http.StatusForbidden)
		case found && l.Redirect != nil:
			redirect(w, r, *l.Redirect)
		case !found || l.Target == nil:
			writeUnavailable(w)
		default:
			s.api(*l.Target).ServeHTTP(w, r)
		}
	})
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

func redirect(w http.ResponseWriter, r *http.Request, to cloud.Redirect) {
	protocol, port := "http", "80"
	if r.TLS != nil {
		protocol, port = "https", "443"
	}
	fill := strings.NewReplacer("#{protocol}", protocol, "#{host}", hostOf(r), "#{port}", port,
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	location := strings.ToLower(fill.Replace(to.Protocol)) + "://" + fill.Replace(to.Host) + ":" + fill.Replace(to.Port) + fill.Replace(to.Path)
	if query := fill.Replace(to.Query); query != "" {
		location += "?" + query
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", location)
	w.WriteHeader(to.Code)
}

// isBlocked reports whether a rule of the web ACL matches a request.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
func isBlocked(r *http.Request, rules []string) bool {
	const maxQueryString, maxBody = 2048, 8192
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		query = r.URL.RawQuery
	}
	return slices.ContainsFunc(rules, func(rule string) bool {
		switch rule {
		case "SizeRestrictions_QUERYSTRING":
			return len(r.URL.RawQuery) > maxQueryString
		case "SizeRestrictions_BODY":
			return r.ContentLength > maxBody
		case "CrossSiteScripting_QUERYARGUMENTS":
			return strings.Contains(strings.ToLower(query), "<script")
		case "GenericLFI_QUERYARGUMENTS":
			return strings.Contains(query, "../../")
		}
		return false
	})
}

// writeUnavailable writes the response of a load balancer without a target.
func writeUnavailable(w http.ResponseWriter) { writePage(w, http.StatusServiceUnavailable) }

// writePage writes a response of the load balancer itself.
func writePage(w http.ResponseWriter, code int) {
	title := map[int]string{
		http.StatusForbidden: "403 Forbidden", http.StatusServiceUnavailable: "503 Service Temporarily Unavailable",
	}[code]
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n</body>\r\n</html>\r\n", title)
}

// api returns the handler of the application in a task.
func (s *Server) api(task cloud.Target) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{
			// In whole seconds and megabytes, as the example application answers.
			"status": "healthy", "uptime": int64(s.account.Clock().Now().Sub(task.Started).Seconds()),
			"memory": map[string]int64{"used": task.Memory * 2 / 5 >> 20, "total": task.Memory >> 20},
		})
	})
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !task.Database {
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unavailable", "database": "disconnected"})
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready", "database": "connected"})
	})
	mux.HandleFunc("POST /graphql", graphql)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "Cannot " + r.Method + " " + r.URL.Path})
	})
	return mux
}

// maxQuery is the maximum size of a GraphQL request in bytes.
const maxQuery = 1 << 20

// graphql answers the one query that needs no data: { __typename }.
func graphql(w http.ResponseWriter, r *http.Request) {
	var request struct{ Query string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuery)).Decode(&request); err != nil {
		writeJSON(w, http.StatusBadRequest, graphQLError("the body is not a JSON object with a query"))
		return
	}
	switch strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimSpace(request.Query), "query")), "") {
	case "{__typename}":
		writeJSON(w, http.StatusOK, map[string]any{"data": map[string]string{"__typename": "Query"}})
	default:
		writeJSON(w, http.StatusOK, graphQLError("the simulated API answers only { __typename }"))
	}
}

func graphQLError(message string) map[string]any {
	return map[string]any{"errors": []map[string]string{{"message": message}}}
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
