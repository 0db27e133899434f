//go:build race

package formula

// slowdown is how much longer the race detector lets everything take.
const slowdown = 15
