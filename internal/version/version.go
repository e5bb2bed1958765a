// Package version says which photopass this is.
package version

// Version is the version that every executable is built as, and the newest one in
// CHANGELOG.md. It counts by Semantic Versioning 2.0.0, without a leading v.
//
// It is a constant, and no stamp of time or commit, so that the same source makes
// the same executable to the bit wherever it is built.
const Version = "1.0.0"
