// Package rdspending reads which changes of an RDS instance wait for its maintenance window.
package rdspending

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// Change is a change that was requested and that RDS applies in the maintenance window.
type Change struct {
	// Property is the name of the property in the program.
	Property string
	// Present is what the instance has, Requested what it will have: a string, a bool or a float64, as in Pulumi's state.
	Present, Requested any
	// Window is the instance's maintenance window in RDS's form, such as tue:08:30-tue:09:30, in UTC.
	Window string
}

// Present returns the properties that RDS may change later, as the instance has them now: strings, bools and float64s, as in
// Pulumi's state.
func Present(instance *types.DBInstance) map[string]any {
	return map[string]any{
		"instanceClass": aws.ToString(instance.DBInstanceClass), "multiAz": aws.ToBool(instance.MultiAZ),
		"allocatedStorage": float64(aws.ToInt32(instance.AllocatedStorage)), "storageType": aws.ToString(instance.StorageType),
		"engineVersion": aws.ToString(instance.EngineVersion),
	}
}

// Of returns the changes that wait, in a fixed order.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PendingModifiedValues.html
func Of(instance *types.DBInstance) []Change {
	if instance == nil || instance.PendingModifiedValues == nil {
		return nil
	}
	var all []Change
	present := Present(instance)
	add := func(property string, requested any) {
		all = append(all, Change{property, present[property], requested, aws.ToString(instance.PreferredMaintenanceWindow)})
	}
	p := instance.PendingModifiedValues
	if p.DBInstanceClass != nil {
		add("instanceClass", *p.DBInstanceClass)
	}
	if p.MultiAZ != nil {
		add("multiAz", *p.MultiAZ)
	}
	if p.AllocatedStorage != nil {
		add("allocatedStorage", float64(*p.AllocatedStorage))
	}
	if p.StorageType != nil {
		add("storageType", *p.StorageType)
	}
	if p.EngineVersion != nil {
		add("engineVersion", *p.EngineVersion)
	}
	return all
}

// String returns the change and when RDS applies it: instanceClass db.t3.medium → db.t3.large waits for the maintenance window (Tue 08:30 UTC).
func (c Change) String() string {
	return fmt.Sprintf("%s %v → %v waits for the maintenance window (%s)", c.Property, c.Present, c.Requested, Start(c.Window))
}

// Start returns when a window begins: Tue 08:30 UTC of tue:08:30-tue:09:30.
func Start(window string) string {
	start, _, _ := strings.Cut(window, "-")
	day, clock, found := strings.Cut(start, ":")
	if !found || day == "" {
		return "its time is not known"
	}
	return strings.ToUpper(day[:1]) + day[1:] + " " + clock + " UTC"
}
