package environment

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func loaded(t *testing.T, name string) *Environment {
	t.Helper()
	e, err := Load("..", name)
	require.NoError(t, err)
	return e
}

func TestDecodeDeployedReversesEncode(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		e := loaded(t, name)
		values, err := e.Encode()
		require.NoError(t, err)
		read, err := DecodeDeployed(e.Stack, values)
		require.NoError(t, err)
		again, err := read.Encode()
		require.NoError(t, err)
		require.Equal(t, values, again)
		require.Equal(t, slices.Sorted(maps.Keys(e.Code().Tasks)), slices.Sorted(maps.Keys(read.Code().Tasks)))
		require.True(t, e.Code().Matches(read.Code()))

		values["later"] = true
		delete(values, "firewall")
		read, err = DecodeDeployed(e.Stack, values)
		require.NoError(t, err, "another version wrote it")
		require.Equal(t, defaults(e.Stack).Firewall, read.Firewall)
	}
	_, err := DecodeDeployed("staging", "nonsense")
	require.Error(t, err)
}

// code returns the code of e with every field changed.
func code(e *Environment) Code {
	c := e.Code()
	c.Architecture = ARM64
	c.Required, c.Optional = append([]string{"NEW_KEY"}, c.Required...), []string{"MAYBE"}
	c.Connections, c.PoolTimeout = c.Connections+1, c.PoolTimeout+time.Second
	for role, task := range c.Tasks {
		task.CPU, task.Memory, task.Command = task.CPU*2, task.Memory*2, []string{"run", string(role)}
		if role != Migration {
			task.HealthCheck = []string{"CMD", "true"}
		}
		c.Tasks[role] = task
	}
	return c
}

func TestWithCodeSetsAllCode(t *testing.T) {
	e := loaded(t, "staging")
	before := loaded(t, "staging")
	changed := e.WithCode(code(e))
	require.Equal(t, code(e), changed.Code())
	require.Equal(t, before, e, "the original stays")
	require.Equal(t, before, changed.WithCode(before.Code()), "there is nothing else in it")
}

func TestCodeMatches(t *testing.T) {
	e := loaded(t, "staging")
	same := e.Code()
	same.Optional = []string{}
	require.True(t, e.Code().Matches(same), "nothing and an empty list are the same")
	same.Architecture = ""
	require.True(t, e.Code().Matches(same), "a record of a version that knew x86_64 only")
	changed := e.WithCode(code(e))
	require.Equal(t, X86, changed.WithCode(same).Image.Architecture)
	delete(same.Tasks, Worker)
	require.True(t, e.Code().Matches(same), "a role that only one has makes no difference")
	require.False(t, e.Code().Matches(code(e)))
	for _, change := range []func(*Code){
		func(c *Code) { c.Required = c.Required[1:] },
		func(c *Code) { c.Optional = []string{"X"} },
		func(c *Code) { c.Architecture = ARM64 },
		func(c *Code) { c.Connections++ },
		func(c *Code) { c.PoolTimeout++ },
		func(c *Code) { c.Tasks[API] = TaskCode{CPU: 1} },
	} {
		other := e.Code()
		change(&other)
		require.False(t, e.Code().Matches(other))
	}
}

func TestWithCodeKeepsAServiceWithoutCode(t *testing.T) {
	e := loaded(t, "staging")
	c := code(e)
	delete(c.Tasks, Worker)
	changed := e.WithCode(c)
	require.Equal(t, *e.Services.Worker, *changed.Services.Worker)
	require.Equal(t, []string{"run", "scheduler"}, changed.Services.Scheduler.Command)
}

func TestDeployerSettingsKeepCodeAndInfrastructure(t *testing.T) {
	e := loaded(t, "staging")
	file := loaded(t, "staging")
	file.Protected, file.Image.CriticalFindings, file.Delivery.Branch = true, Fail, "other"
	file.Deployment.Rollback, file.Deployment.Rollout.Timeout = RollbackManual, time.Hour
	file.Deployment.Migrations.Timeout, file.Deployment.Migrations.Command = time.Hour, []string{"other"}
	file.Deployment.Rollout.Alarms, file.Deployment.Rollout.Bake = []string{"api-memory"}, time.Hour
	file.Services.API.CPU, file.Domain.Name, file.Monitoring.Level = 4096, "other.hyperchonk.com", Full
	changed := e.WithDeployerSettings(file)
	require.False(t, changed.Protected, "resources are protected by a deployment")
	require.Equal(t, Fail, changed.Image.CriticalFindings)
	require.Equal(t, "other", changed.Delivery.Branch)
	require.Equal(t, RollbackManual, changed.Deployment.Rollback)
	require.Equal(t, time.Hour, changed.Deployment.Rollout.Bake)
	require.Equal(t, e.Deployment.Rollout.Alarms, changed.Deployment.Rollout.Alarms, "the services have them")
	require.Equal(t, time.Hour, changed.Deployment.Migrations.Timeout)
	require.Equal(t, e.Code(), changed.Code())
	require.Equal(t, e.Domain, changed.Domain)
	require.Equal(t, e.Monitoring, changed.Monitoring)
}

func TestInfrastructureOfSomeSections(t *testing.T) {
	e := loaded(t, "staging")
	file := loaded(t, "staging")
	file.Database.InstanceClass, file.Database.Connections = "db.t3.large", 99
	file.Monitoring.Level, file.Network.Zones = Basic, 3
	file.Services.Scheduler, file.Services.API.CPU, file.Services.API.Tasks.Max = nil, 2048, 9

	only := e.WithInfrastructure(file, func(to, from *Environment) { to.Database = from.Database })
	require.Equal(t, "db.t3.large", only.Database.InstanceClass)
	require.Equal(t, e.Code(), only.Code(), "connections are code")
	require.Equal(t, e.Monitoring, only.Monitoring)

	services := e.WithInfrastructure(file, func(to, from *Environment) { to.Services = from.Services })
	require.Nil(t, services.Services.Scheduler)
	require.Equal(t, 9, services.Services.API.Tasks.Max)
	require.Equal(t, e.Services.API.CPU, services.Services.API.CPU)
}

func TestWithRoles(t *testing.T) {
	e, file := loaded(t, "staging"), loaded(t, "staging")
	e.Services.Scheduler = nil
	file.Services.Scheduler.CPU = 1024
	changed := e.WithRoles(map[Role]bool{API: true, Scheduler: true}, file)
	require.Nil(t, changed.Services.Worker)
	require.Equal(t, 1024, changed.Services.Scheduler.CPU)
	require.NotNil(t, e.Services.Worker, "the original stays")
}

// TestWhatAChangeNeedsIsDocumented compares WithCode and WithDeployerSettings with the table of the page.
func TestWhatAChangeNeedsIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/environment.md")
	require.NoError(t, err)
	table := regexp.MustCompile(`(?m)^\| (code|the deployer itself) \|[^|]*\| (.*) \|$`)
	documented := map[string][]string{}
	for _, row := range table.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = strings.Split(strings.Trim(row[2], "`"), "`, `")
	}
	base := loaded(t, "staging")
	base.Services.Worker, base.Services.Scheduler = nil, nil
	base.Services.API.Autoscaling = &Autoscaling{}
	found := map[string][]string{}
	for path, set := range setters(reflect.TypeFor[Environment](), "") {
		changed := base.Clone()
		changed.Services.API.Autoscaling = &Autoscaling{}
		set(reflect.ValueOf(changed).Elem())
		code, setting := !reflect.DeepEqual(base, base.WithCode(changed.Code())), !reflect.DeepEqual(base, base.WithDeployerSettings(changed))
		require.False(t, code && setting, path)
		path = strings.Replace(path, "services.api.", "services.*.", 1)
		switch {
		case code:
			found["code"] = append(found["code"], path)
		case setting:
			found["the deployer itself"] = append(found["the deployer itself"], path)
		}
	}
	for kind := range found {
		require.ElementsMatch(t, documented[kind], found[kind], kind)
	}
	require.Len(t, found, 2)
}

// setters returns, by the path of each key with a value, a function that changes it.
func setters(typ reflect.Type, path string) map[string]func(reflect.Value) {
	all := map[string]func(reflect.Value){}
	for i := range typ.NumField() {
		key := keyOf(typ.Field(i))
		if key == "" || typ.Field(i).Type == reflect.TypeFor[*Service]() {
			continue
		}
		here, field := path+key, typ.Field(i).Type
		inner := field
		if field.Kind() == reflect.Pointer {
			inner = field.Elem()
		}
		if inner.Kind() != reflect.Struct {
			all[here] = func(v reflect.Value) { v.Field(i).Set(another(field)) }
			continue
		}
		for below, set := range setters(inner, here+".") {
			all[below] = func(v reflect.Value) { set(reflect.Indirect(v.Field(i))) }
		}
	}
	return all
}

// another returns a value that no environment of the repository has.
func another(typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(987654321)
	case reflect.String:
		v.SetString("another")
	case reflect.Slice:
		v = reflect.Append(v, another(typ.Elem()))
	default:
		panic("a kind that has no other value: " + typ.String())
	}
	return v
}
