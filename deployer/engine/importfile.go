package engine

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// ImportFile is the input of `pulumi import --file`.
// Source: https://www.pulumi.com/docs/iac/guides/migration/import/
type ImportFile struct {
	// NameTable has the URNs of what the resources refer to and the file does not import.
	NameTable map[string]string `json:"nameTable,omitempty"`
	// ProviderInputs configure the providers that the state lacks, by their names in NameTable.
	ProviderInputs map[string]map[string]any `json:"providerInputs,omitempty"`
	Resources      []ImportEntry             `json:"resources"`
}

// ImportEntry is a resource to import, or a component that is a parent of one.
type ImportEntry struct {
	Type string `json:"type"`
	// Name is unique in the file; LogicalName is the program's name, if it is another one.
	Name        string `json:"name"`
	LogicalName string `json:"logicalName,omitempty"`
	// ID identifies the resource to the provider; a Component has none.
	ID        string `json:"id,omitempty"`
	Parent    string `json:"parent,omitempty"`
	Provider  string `json:"provider,omitempty"`
	Component bool   `json:"component,omitempty"`
}

// NewImportFile returns the file that imports the candidates that the state lacks, parents first. Parents are the components
// and providers that the state lacks.
func NewImportFile(parents []PlannedResource, candidates []ImportCandidate, state State) ImportFile {
	f := fileBuilder{file: ImportFile{Resources: []ImportEntry{}}, names: map[string]string{}, taken: map[string]bool{}, newParents: map[string]PlannedResource{}}
	for _, c := range parents {
		f.newParents[c.URN] = c
	}
	for _, r := range state.Resources {
		delete(f.newParents, r.URN)
	}
	for _, r := range candidates {
		if !slices.ContainsFunc(state.Resources, func(known Resource) bool { return known.URN == r.URN }) {
			f.add(r)
		}
	}
	return f.file
}

// fileBuilder builds an ImportFile.
type fileBuilder struct {
	file ImportFile
	// names are the names in the file by URN; taken is the set of them.
	names map[string]string
	taken map[string]bool
	// newParents are the components and providers to create, by URN.
	newParents map[string]PlannedResource
}

func (f *fileBuilder) add(r ImportCandidate) {
	parent, provider := f.parent(r.Parent), f.provider(r.Provider)
	entry := f.entry(r.PlannedResource)
	entry.ID, entry.Parent, entry.Provider = r.ID, parent, provider
	f.file.Resources = append(f.file.Resources, entry)
}

// entry returns an entry with a name that is free.
func (f *fileBuilder) entry(c PlannedResource) ImportEntry {
	name := f.name(c)
	f.names[c.URN] = name
	entry := ImportEntry{Type: c.Type, Name: name}
	if name != c.Name {
		entry.LogicalName = c.Name
	}
	return entry
}

// name returns the program's name if it is free, else one with the type, else one with a number, too.
func (f *fileBuilder) name(c PlannedResource) string {
	name := c.Name
	if f.taken[name] {
		_, typ, _ := cutLast(c.Type, ":")
		name += "-" + typ
	}
	for base, n := name, 2; f.taken[name]; n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	f.taken[name] = true
	return name
}

// parent returns the name of a parent, and adds it to the file if the state lacks it; "" is the stack.
func (f *fileBuilder) parent(urn string) string {
	if urn == "" || resource.URN(urn).Type() == resource.RootStackType {
		return ""
	}
	if name := f.names[urn]; name != "" {
		return name
	}
	c, missing := f.newParents[urn]
	if !missing {
		return f.reference(urn)
	}
	grandparent := f.parent(c.Parent)
	entry := f.entry(c)
	entry.Component, entry.Parent = true, grandparent
	f.file.Resources = append(f.file.Resources, entry)
	return entry.Name
}

// provider returns the name of a provider; "" is the engine's default provider of the package.
func (f *fileBuilder) provider(reference string) string {
	urn, _, _ := cutLast(reference, "::")
	if urn == "" || isDefaultProvider(urn) {
		return ""
	}
	name := f.reference(urn)
	if c, missing := f.newParents[urn]; missing {
		if f.file.ProviderInputs == nil {
			f.file.ProviderInputs = map[string]map[string]any{}
		}
		f.file.ProviderInputs[name] = c.Inputs
	}
	return name
}

// reference returns the name of a resource that the file only refers to.
func (f *fileBuilder) reference(urn string) string {
	if name := f.names[urn]; name != "" {
		return name
	}
	typ, name := typeAndName(urn)
	name = f.name(PlannedResource{Type: typ, Name: name})
	f.names[urn] = name
	if f.file.NameTable == nil {
		f.file.NameTable = map[string]string{}
	}
	f.file.NameTable[name] = urn
	return name
}

// isDefaultProvider reports whether the engine creates the provider by itself.
func isDefaultProvider(urn string) bool {
	name := resource.URN(urn).Name()
	return name == "default" || strings.HasPrefix(name, "default_")
}
