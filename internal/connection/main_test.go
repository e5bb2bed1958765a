package connection_test

import (
	"os"
	"testing"

	"photopass/internal/test/mototest"
)

// TestMain also plays one of the processes of [TestKeepOnceAcrossProcesses].
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		os.Exit(keepInProcess())
	}
	os.Exit(mototest.Main(m))
}
