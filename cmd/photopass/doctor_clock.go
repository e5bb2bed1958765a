package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// noteAWSTime makes each answer of AWS tell the time, a refusal as well: a clock
// that is wrong is a reason for one.
func (e *examination) noteAWSTime(stack *middleware.Stack) error {
	note := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if at, ok := awsmiddleware.GetServerTime(metadata); ok {
			e.noteTime("AWS", at)
		}
		return out, metadata, err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("NoteTime", note), middleware.After)
}

// noteDate compares the clocks by the Date of an answer.
func (e *examination) noteDate(whose string, h http.Header) {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		e.noteTime(whose, at)
	}
}

func (e *examination) noteTime(whose string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ahead[whose] = e.local().Sub(at)
}

// now is the time as AWS has it, by which the functions write theirs; without AWS
// it is this machine's.
func (e *examination) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.local().Add(-e.ahead["AWS"])
}

// maxAhead is how far clocks may lie apart. AWS refuses a request whose time is
// wrong by five minutes, and the callback a flow that begins a minute from now.
const maxAhead = time.Minute

// datePrecision is how well a Date tells the time: in whole seconds, and an answer
// takes some to arrive.
const datePrecision = 10 * time.Second

// checkClock waits for whoever tells the time, and compares.
func (e *examination) checkClock(context.Context) finding {
	if e.needsAWS() {
		e.identity()
	}
	e.authorize()
	e.consent()
	e.mu.Lock()
	defer e.mu.Unlock()
	var agree, differ []string
	for _, whose := range []string{"AWS", "the site", "Instagram"} {
		ahead, known := e.ahead[whose]
		switch {
		case !known:
		case ahead.Abs() <= maxAhead:
			agree = append(agree, whose)
		default:
			way := "ahead of"
			if ahead < 0 {
				way = "behind"
			}
			differ = append(differ, fmt.Sprintf("%v %s %s", ahead.Abs().Round(datePrecision), way, whose))
		}
	}
	switch {
	case len(agree)+len(differ) == 0:
		return skipped("there was no answer to read the time from")
	case len(differ) == 0:
		return well("this machine is within a minute of %s", strings.Join(agree, ", "))
	case len(agree) == 0:
		return fault("set this machine's clock: sudo timedatectl set-ntp true", "this machine is %s", strings.Join(differ, ", "))
	}
	return fault("set the clock of the one that is off; "+strings.Join(agree, " and ")+" and this machine agree",
		"this machine is %s", strings.Join(differ, ", "))
}
