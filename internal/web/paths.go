package web

// The paths of photopass. Package app says which function has which.
const (
	StartPath          = "/"
	AuthorizePath      = "/authorize"
	CallbackPath       = "/callback"
	ProfilePath        = "/profile"
	LogoutPath         = "/logout"
	DisconnectPath     = "/disconnect"
	DeauthorizePath    = "/notices/deauthorize"
	DeletionPath       = "/notices/deletion"
	DeletionStatusPath = DeletionPath + "/{code}" // any one segment stands in for {code}
)

// everyRoute names each of the paths above, without answers: it finds the path's
// pattern for requests that are answered before the routes of a function are there.
var everyRoute = Routes{
	StartPath: {}, AuthorizePath: {}, CallbackPath: {}, ProfilePath: {}, LogoutPath: {}, DisconnectPath: {},
	DeauthorizePath: {}, DeletionPath: {}, DeletionStatusPath: {},
}

// Pattern returns the one of the paths above that p belongs to, or
// [telemetry.Unmatched].
func Pattern(p string) string {
	pattern, _, _ := everyRoute.find(p)
	return pattern
}
