package ecstasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

// cluster has so many tasks, of which one page lists perPage, and records its calls.
type cluster struct {
	tasks, perPage int
	listErr        error
	describeErr    error
	listed         []*ecs.ListTasksInput
	described      []int
}

func (c *cluster) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	c.listed = append(c.listed, in)
	if c.listErr != nil {
		return nil, c.listErr
	}
	from, _ := strconv.Atoi(aws.ToString(in.NextToken))
	to := min(from+c.perPage, c.tasks)
	out := &ecs.ListTasksOutput{}
	for i := from; i < to; i++ {
		out.TaskArns = append(out.TaskArns, fmt.Sprintf("task/%d", i))
	}
	if to < c.tasks {
		out.NextToken = aws.String(strconv.Itoa(to))
	}
	return out, nil
}

func (c *cluster) DescribeTasks(
	_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options),
) (*ecs.DescribeTasksOutput, error) {
	c.described = append(c.described, len(in.Tasks))
	if c.describeErr != nil {
		return nil, c.describeErr
	}
	out := &ecs.DescribeTasksOutput{}
	for _, arn := range in.Tasks {
		out.Tasks = append(out.Tasks, types.Task{TaskArn: aws.String(arn), ClusterArn: in.Cluster})
	}
	return out, nil
}

func TestFind(t *testing.T) {
	c := &cluster{tasks: 230, perPage: 60}
	tasks, err := Find(t.Context(), c, &ecs.ListTasksInput{Cluster: aws.String("dev"), DesiredStatus: types.DesiredStatusStopped})
	require.NoError(t, err)
	require.Len(t, tasks, 230)
	require.Equal(t, "task/229", *tasks[229].TaskArn, "the order of the list is kept")
	require.Equal(t, "dev", *tasks[0].ClusterArn)
	require.Len(t, c.listed, 4)
	require.Equal(t, types.DesiredStatusStopped, c.listed[3].DesiredStatus, "every page has the query")
	require.Equal(t, []int{100, 100, 30}, c.described)
}

func TestFindNothing(t *testing.T) {
	c := &cluster{perPage: 10}
	tasks, err := Find(t.Context(), c, &ecs.ListTasksInput{})
	require.NoError(t, err)
	require.Empty(t, tasks)
	require.Empty(t, c.described, "without tasks there is nothing to describe")
}

func TestErrors(t *testing.T) {
	missing := &types.ClusterNotFoundException{}
	_, err := Find(t.Context(), &cluster{listErr: missing}, &ecs.ListTasksInput{})
	require.True(t, IsNoCluster(err))

	denied := errors.New("AccessDeniedException")
	_, err = Find(t.Context(), &cluster{tasks: 1, perPage: 1, describeErr: denied}, &ecs.ListTasksInput{})
	require.ErrorIs(t, err, denied)
	require.False(t, IsNoCluster(err))
	require.False(t, IsNoCluster(nil))
}
