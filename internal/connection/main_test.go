package connection_test

import (
	"os"
	"testing"

	"photopass/internal/test/mototest"
)

// TestMain also plays one of the processes of [TestRefreshOnceAcrossProcesses].
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		os.Exit(refreshInProcess())
	}
	os.Exit(mototest.Main(m))
}
