//go:build !unix

package engine

import "syscall"

// ownProcessGroup is what the platform has by default.
func ownProcessGroup() *syscall.SysProcAttr { return nil }
