// Package openapi holds tests alone. They compare documents with what the service
// really answers: docs/openapi.yaml, and the table of mistakes in
// docs/meta-app.md. The YAML and JSON Schema modules that they need are linked
// into no executable.
package openapi
