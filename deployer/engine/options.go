package engine

import (
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
)

// The Automation API has one type of options for each command. An Update sets the fields that they share.

type upOption struct {
	Update
	events eventStream
}

type destroyOption upOption
type refreshOption upOption
type previewOption upOption

func (u Update) up(f eventStream) optup.Option           { return upOption{u, f} }
func (u Update) destroy(f eventStream) optdestroy.Option { return destroyOption{u, f} }
func (u Update) refresh(f eventStream) optrefresh.Option { return refreshOption{u, f} }
func (u Update) preview(f eventStream) optpreview.Option { return previewOption{u, f} }

func (u upOption) ApplyOption(o *optup.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u destroyOption) ApplyOption(o *optdestroy.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u refreshOption) ApplyOption(o *optrefresh.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message = u.Message
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u previewOption) ApplyOption(o *optpreview.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}
