//go:build !unix

package main

import "time"

// cpuTime is not known here; figures that need it are left out.
func cpuTime() time.Duration { return 0 }
