package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// operation is a simulated call of the AWS API.
type operation struct {
	input  reflect.Type
	writes bool
	// anywhere reports that a write in another region than the account's is simulated.
	anywhere bool
	handle   func(m model, in any) (any, error)
}

// readOp returns an operation that only reads the account.
func readOp[In, Out any](handle func(model, *In) (*Out, error)) operation {
	return operation{input: reflect.TypeFor[*In](), handle: func(m model, in any) (any, error) {
		out, err := handle(m, in.(*In))
		if err != nil {
			return nil, err
		}
		return out, nil
	}}
}

// writeOp returns an operation that changes the account.
func writeOp[In, Out any](handle func(model, *In) (*Out, error)) operation {
	o := readOp(handle)
	o.writes = true
	return o
}

// anywhere returns an operation that is simulated in every region.
func anywhere(o operation) operation {
	o.anywhere = true
	return o
}

// operations returns the table of all simulated operations, by input type.
func operations() map[reflect.Type]operation {
	table := map[reflect.Type]operation{}
	for _, o := range slices.Concat(
		stsOperations(), ecrOperations(), ecsOperations(), elbOperations(), acmOperations(), route53Operations(),
		rdsOperations(), sqsOperations(), secretsOperations(), logsOperations(), ec2Operations(), instanceOperations(), cloudwatchOperations(),
		scalingOperations(), iamOperations(), wafOperations(), budgetsOperations(), s3Operations(),
		snsOperations(), quotaOperations(), ssmOperations(),
	) {
		table[o.input] = o
	}
	return table
}

// request is a call on its way through the SDK.
type request struct {
	operation
	in any
	// throttled is set while the call is to fail with an error that the SDK retries.
	throttled bool
}

// requestKey is the key of the request among the SDK's stack values.
type requestKey struct{}

// Config returns an SDK configuration whose clients talk to the account instead of AWS. An operation that is not
// simulated is an error that names it; nothing reaches the network. Regions other than the account's have nothing but alarms and topics.
//
// The typed input is captured after the SDK has validated it, and answered where the SDK would send it, so that the
// SDK's own retries apply.
func (a *Account) Config(region string) aws.Config {
	table := operations()
	capture := middleware.InitializeMiddlewareFunc("SimulatedRequest", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
		if err := ctx.Err(); err != nil {
			return out, metadata, &aws.RequestCanceledError{Err: err}
		}
		o, found := table[reflect.TypeOf(in.Parameters)]
		if !found {
			return out, metadata, unsimulated(in.Parameters)
		}
		r := &request{operation: o, in: in.Parameters, throttled: a.throttleNext()}
		return next.HandleInitialize(middleware.WithStackValue(ctx, requestKey{}, r), in)
	})
	respond := middleware.FinalizeMiddlewareFunc("SimulatedAnswer", func(
		ctx context.Context, _ middleware.FinalizeInput, _ middleware.FinalizeHandler,
	) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
		r := middleware.GetStackValue(ctx, requestKey{}).(*request)
		if r.throttled {
			r.throttled = false
			return out, metadata, apiError("ThrottlingException", "Rate exceeded")
		}
		out.Result, err = a.call(r.operation, r.in, awsmiddleware.GetRegion(ctx))
		return out, metadata, err
	})
	return aws.Config{
		Region:      region,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCALMODE0000000", "local-mode", ""),
		HTTPClient:  downloads{a},
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return errors.Join(
				stack.Initialize.Add(capture, middleware.After),
				stack.Finalize.Insert(respond, "Retry", middleware.After),
			)
		}},
	}
}

// call runs an operation on the account.
func (a *Account) call(o operation, in any, region string) (out any, err error) {
	elsewhere := region != "" && region != a.Region() && !global(o.input)
	if elsewhere && o.writes && !o.anywhere {
		return nil, apiError("InvalidRegion", "local mode simulates only %s, not %s", a.Region(), region)
	}
	if err := a.injectedError(o.input); err != nil {
		return nil, err
	}
	run := func(s *State) (err error) {
		m := a.model(s)
		if a.credentialsExpired(s) {
			return apiError("ExpiredTokenException", "The security token included in the request is expired")
		}
		if elsewhere {
			m.State = s.elsewhere(region)
		}
		out, err = o.handle(m, in)
		return err
	}
	if o.writes {
		return out, a.Update(run)
	}
	return out, a.View(run)
}

func global(input reflect.Type) bool {
	service, _, _ := strings.Cut(strings.TrimPrefix(input.String(), "*"), ".")
	return slices.Contains([]string{"sts", "iam", "route53", "budgets"}, service)
}

func unsimulated(input any) error {
	name := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", input), "*"), "Input")
	return apiError("NotSimulated", "local mode does not simulate %s", name)
}

func apiError(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// downloads answers what is not a call to AWS's API.
type downloads struct{ account *Account }

// Do implements aws.HTTPClient.
func (d downloads) Do(in *http.Request) (*http.Response, error) { return d.account.download(in) }

// page returns one page of a list, as a paginated operation does. A token is the number of items already returned.
func page[T any](items []T, token *string, limit *int32, maxSize int) (part []T, next *string, err error) {
	from := 0
	if deref(token) != "" {
		if from, err = strconv.Atoi(*token); err != nil || from < 0 || from > len(items) {
			return nil, nil, apiError("InvalidParameterException", "Invalid token: %s", *token)
		}
	}
	size := maxSize
	if limit != nil && *limit > 0 {
		size = min(int(*limit), maxSize)
	}
	to := min(from+size, len(items))
	if to < len(items) {
		next = aws.String(strconv.Itoa(to))
	}
	return items[from:to], next, nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// selectResources returns the resources of a type whose ID or one of whose properties is among the names, or all of
// them if no name is given. missing are the names without a resource.
func (s *State) selectResources(typ string, names []string, properties ...string) (found []*Resource, missing []string) {
	if len(names) == 0 {
		return s.ByType(typ), nil
	}
	for _, name := range names {
		if r := s.findByName(typ, name, properties...); r != nil {
			found = append(found, r)
		} else {
			missing = append(missing, name)
		}
	}
	return found, missing
}

// findByName returns the resource of a type whose ID or one of whose properties is the name, or nil.
func (s *State) findByName(typ, name string, properties ...string) *Resource {
	if r := s.Get(typ, name); r != nil {
		return r
	}
	for _, property := range properties {
		if r := s.Find(typ, property, name); r != nil {
			return r
		}
	}
	return nil
}

func int32p(n int) *int32 { return aws.Int32(int32(n)) }

func blockText(block map[string]any, property string) string {
	value, _ := block[property].(string)
	return value
}

func blockNumber(block map[string]any, property string) int {
	value, _ := block[property].(float64)
	return int(value)
}

func blockBool(block map[string]any, property string) bool {
	value, _ := block[property].(bool)
	return value
}

// blockStrings returns the strings in a list property of several blocks.
func blockStrings(blocks []map[string]any, property string) []string {
	var all []string
	for _, block := range blocks {
		list, _ := block[property].([]any)
		for _, item := range list {
			if s, ok := item.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}
