// Package interleaving holds tests alone. They take all that changes an account
// (refresh, profile write, login, disconnect, notice, session extension) in
// pairs, stop the one at each place where it matters, let the other run to its
// end there, and then look at what is stored and at what the browsers are told.
package interleaving
