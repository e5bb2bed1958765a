package main

import (
	"context"
	"io"
	"os"
	"time"
)

// Run carries out a command line without a terminal, with another clock and
// another way to wait.
func Run(ctx context.Context, args []string, out, progress io.Writer, now func() time.Time, wait func(context.Context, time.Duration) error) error {
	in, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer in.Close()
	return program{terminal{in, out, progress}, now, wait}.run(ctx, args)
}
