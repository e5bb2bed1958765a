package lambdatest

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+([0-9]+) kB$`)

// PeakMemory returns the most resident memory, in bytes, that any of the
// running processes has had (proc(5), VmHWM).
func (f *Function) PeakMemory() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	peak := 0
	for _, in := range f.all {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", in.cmd.Process.Pid))
		if err != nil {
			continue
		}
		if m := peakLine.FindSubmatch(status); m != nil {
			kb, _ := strconv.Atoi(string(m[1]))
			peak = max(peak, kb<<10)
		}
	}
	return peak
}
