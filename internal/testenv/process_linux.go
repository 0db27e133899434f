package testenv

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end cmd when the test binary dies without clean-up,
// as it does after -timeout or kill -9.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
