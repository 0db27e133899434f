//go:build !linux

package testenv

import (
	"errors"
	"os/exec"
	"os/user"
)

// dieWithParent does nothing: only Linux has a way to ask for it.
func dieWithParent(*exec.Cmd) {}

// runAs is for root, as whom nobody tests there.
func runAs(*exec.Cmd, *user.User) error {
	return errors.New("run the tests as another user than root")
}
