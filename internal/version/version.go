// Package version is the version of this source.
package version

// Version is a semantic version, that of the newest entry of CHANGELOG.md.
const Version = "1.0.0"
