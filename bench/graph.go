package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// resource is the part of the engine's state that describes a resource's place in the graph.
type resource struct {
	URN                  string
	Custom               bool
	Parent               string
	Dependencies         []string
	PropertyDependencies map[string][]string
}

// graph prints the longest chain of resources that depend on each other, and the number of resources.
func (f fixture) graph() error {
	resources, err := f.resources("staging")
	if err != nil {
		return err
	}
	chain := longest(resources)
	custom := 0
	for _, r := range resources {
		if r.Custom {
			custom++
		}
	}
	fmt.Printf("the graph of staging: %d resources, the longest chain has %d\n", custom, len(chain))
	for _, urn := range chain {
		fmt.Println("   " + urn[strings.LastIndex(urn, "$")+1:])
	}
	return nil
}

// resources reads the stack's state.
func (f fixture) resources(stack string) ([]resource, error) {
	files, _ := filepath.Glob(filepath.Join(f.state(), "local", "state", ".pulumi", "stacks", "*", stack+".json"))
	if len(files) != 1 {
		return nil, fmt.Errorf("find the state of %s: %d files match", stack, len(files))
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", stack, err)
	}
	var state struct {
		Checkpoint struct {
			Latest struct{ Resources []resource }
		}
	}
	if err := json.Unmarshal(content, &state); err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", stack, err)
	}
	return state.Checkpoint.Latest.Resources, nil
}

// longest returns the longest chain of custom resources that depend on each other. The state lists a resource after its
// dependencies.
func longest(resources []resource) []string {
	chains := map[string][]string{}
	var best []string
	for _, r := range resources {
		var before []string
		waitsFor := append([]string{r.Parent}, r.Dependencies...)
		for _, urns := range r.PropertyDependencies {
			waitsFor = append(waitsFor, urns...)
		}
		for _, urn := range waitsFor {
			if len(chains[urn]) > len(before) {
				before = chains[urn]
			}
		}
		chains[r.URN] = before
		if r.Custom && !strings.Contains(r.URN, "pulumi:providers:") {
			chains[r.URN] = append(append([]string(nil), before...), r.URN)
		}
		if len(chains[r.URN]) > len(best) {
			best = chains[r.URN]
		}
	}
	return best
}
