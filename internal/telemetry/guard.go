package telemetry

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// RequestTimeout bounds a request and an invocation of the token function. It is
// well below the 30 seconds that Lambda and the gateway allow, so that photopass
// itself answers when what it stands on is in trouble.
const RequestTimeout = 14 * time.Second

// Guard calls f with a context that ends after [RequestTimeout], and not when the
// caller goes away: by then a code is spent, or an account is half deleted. A panic
// of f becomes an error with its stack and without its value, which may quote
// anything. The runtime's own panics quote nothing, so their text is kept.
func Guard(ctx context.Context, f func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RequestTimeout)
	defer cancel()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w\n%s", v, debug.Stack())
		default:
			err = fmt.Errorf("panic with a value of type %T\n%s", v, debug.Stack())
		}
	}()
	return f(ctx)
}
