package ecsexec

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// ForwardDocument is the document of Session Manager that forwards a port to a host behind the target.
// Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html#sessions-remote-port-forwarding
const ForwardDocument = "AWS-StartPortForwardingSessionToRemoteHost"

// A Forwarding is a port of this machine and where its connections end: a port of a host that the task reaches.
type Forwarding struct {
	LocalPort int
	Host      string
	Port      int
}

// StartForwarding requests a session that forwards a port. Its errors are the SDK's. The plugin listens on loopback alone.
// Source: https://github.com/aws/session-manager-plugin/blob/mainline/src/sessionmanagerplugin/session/portsession/muxportforwarding.go
func StartForwarding(ctx context.Context, client *ssm.Client, t Target, f Forwarding) (Session, error) {
	out, err := client.StartSession(ctx, &ssm.StartSessionInput{
		Target: aws.String(t.Name()), DocumentName: aws.String(ForwardDocument), Parameters: map[string][]string{
			"host": {f.Host}, "portNumber": {strconv.Itoa(f.Port)}, "localPortNumber": {strconv.Itoa(f.LocalPort)},
		},
	})
	if err != nil {
		return Session{}, err
	}
	return Session{aws.ToString(out.SessionId), aws.ToString(out.StreamUrl), aws.ToString(out.TokenValue)}, nil
}
