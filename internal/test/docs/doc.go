// Package docs tests the documents: their links, and that each of their commands is
// run by a test or says why not.
package docs
