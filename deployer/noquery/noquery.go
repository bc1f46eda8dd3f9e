// Package noquery keeps a library from talking to the terminal behind our back.
//
// The engine's SDK links github.com/charmbracelet/bubbletea, which asks the terminal for its background's colour as soon
// as the program starts, whatever the command, and waits up to five seconds for an answer. A program that has set the colour is not
// asked. It has to be set before bubbletea is initialised: Go initialises packages in the order of their import
// paths as far as their own imports allow, and this one needs nothing of the SDK.
//
// Source: https://go.dev/ref/spec#Program_initialization
package noquery

import "github.com/charmbracelet/lipgloss"

// Dark is the background that is set for bubbletea. Nothing that it draws is used.
var Dark = setBackground(true)

func setBackground(dark bool) bool {
	lipgloss.SetHasDarkBackground(dark)
	return dark
}
