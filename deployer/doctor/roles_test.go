package doctor

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
)

// The boundaries of all roles with the prefix are compared, on every page of the list. A role that cannot be read is unknown.
func TestReadRoles(t *testing.T) {
	boundaries := map[string]string{
		"p-dev-task-role": "arn:aws:iam::1:policy/p-boundary", "p-dev-other": "arn:aws:iam::1:policy/admin", "p-extra": "",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		role := func(name string) string {
			return "<RoleName>" + name + "</RoleName><Path>/</Path><RoleId>x</RoleId><Arn>x</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
		}
		answer := ""
		switch name := r.FormValue("RoleName"); {
		case r.FormValue("Action") == "GetRole":
			boundary, known := boundaries[name]
			if !known {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
				return
			}
			if answer = role(name); boundary != "" {
				answer += "<PermissionsBoundary><PermissionsBoundaryArn>" + boundary + "</PermissionsBoundaryArn></PermissionsBoundary>"
			}
			answer = "<GetRoleResult><Role>" + answer + "</Role></GetRoleResult>"
		case r.FormValue("Marker") == "":
			answer = "<ListRolesResult><Roles><member>" + role("p-dev-task-role") + "</member><member>" + role("other") + "</member><member>" +
				role("p-dev-other") + "</member></Roles><IsTruncated>true</IsTruncated><Marker>2</Marker></ListRolesResult>"
		default:
			answer = "<ListRolesResult><Roles><member>" + role("p-extra") + "</member><member>" + role("production") +
				"</member></Roles><IsTruncated>false</IsTruncated></ListRolesResult>"
		}
		_, _ = fmt.Fprintf(w, "<%[1]sResponse>%[2]s</%[1]sResponse>", r.FormValue("Action"), answer)
	}))
	defer server.Close()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	found := ReadRoles(t.Context(), cfg, "p", "1")
	require.Equal(t, checks.Warning, found.Status, found.Message)
	require.Equal(t, "not within the boundary p-boundary, although a deployment may pass roles of these names to its tasks: p-dev-other, p-extra", found.Message)
	delete(boundaries, "p-extra")
	found = ReadRoles(t.Context(), cfg, "p", "1")
	require.Equal(t, checks.Unknown, found.Status)
	require.Contains(t, found.Message, "AccessDenied")
	boundaries = map[string]string{"p-dev-task-role": boundaries["p-dev-task-role"]}
	require.Equal(t, checks.Healthy, ReadRoles(t.Context(), cfg, "none", "1").Status)
}
