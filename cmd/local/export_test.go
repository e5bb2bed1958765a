package main

// KeepAlive lets a test run the sweeps by a clock of its own.
var KeepAlive = keepAlive
