//go:build unix

package engine

import "syscall"

// ownProcessGroup keeps the terminal's signals from the child.
func ownProcessGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
