package main

// FromThisMachine and KeepAlive let tests choose what can't be had from outside:
// where a request comes from, and the time.
var (
	FromThisMachine = fromThisMachine
	KeepAlive       = keepAlive
)
