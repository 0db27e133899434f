//go:build !linux

package testenv

import "os/exec"

// dieWithParent does nothing: only Linux has a way to ask for it.
func dieWithParent(*exec.Cmd) {}
