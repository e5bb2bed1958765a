// Package openapi holds the tests that compare docs/openapi.yaml with what the
// service really answers, and nothing else: the YAML and JSON Schema modules that
// they need are linked into no executable.
package openapi
