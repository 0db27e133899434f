// Package buildinfo tells which build is running, from what the Go toolchain and the
// release's linker flags left in the binary.
package buildinfo

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// version and commit are set by -ldflags "-X" for builds outside of a checkout, as in
// a container image.
var (
	version string
	commit  string
)

// Version is the released version, "devel" for a build from a checkout.
func Version() string {
	if version != "" {
		return version
	}
	return "devel"
}

// Commit is the commit that was built, with -dirty behind it for a changed checkout, and
// "unknown" where nobody noted it.
func Commit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(stamped(info.Settings), "unknown")
	}
	return "unknown"
}

// String is version, commit and Go release, as "devel (0123456789ab-dirty, go1.26.0)".
func String() string {
	revision, goVersion := commit, "unknown Go"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if revision == "" {
			revision = stamped(info.Settings)
		}
	}
	return fmt.Sprintf("%s (%s, %s)", Version(), cmp.Or(revision, "commit unknown"), goVersion)
}

// stamped is the commit that `go build` left in a binary built from a checkout.
func stamped(settings []debug.BuildSetting) string {
	revision, dirty := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
