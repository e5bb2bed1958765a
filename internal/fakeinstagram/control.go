package fakeinstagram

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An input is what a control's form says.
type input struct {
	Advance time.Duration `json:"advance"`
	Account string        `json:"account"`
	Fault
	Shape
}

// A control is a POST below /_fake/, and a form of the page.
type control struct {
	Name, Button string
	Example      string // of curl's arguments; empty: the fields as they are
	fields       func(*Instagram) []field
	run          func(*Instagram, context.Context, input) (any, error)
}

// controls returns the table of all controls.
func controls() []control {
	return []control{
		{"clock", "Advance the clock", "", advanceField, (*Instagram).controlClock},
		{"signin", "Sign in", "", accountField, (*Instagram).controlSignIn},
		{"revoke", "Remove the app", "", accountField, (*Instagram).controlRevoke},
		{"deletion", "Request deletion", "", accountField, (*Instagram).controlDeletion},
		{"fail", "Order the fault", "-d operation=profile -d code=190 -d subcode=460", faultFields, (*Instagram).controlFail},
		{"clear", "Clear all faults", "-X POST", noFields, (*Instagram).controlClear},
		{"shape", "Set the shape", "-d token_wrapped=true -d permissions=comma", shapeFields, (*Instagram).controlShape},
		{"requests/reset", "Forget the requests", "-X POST", noFields, (*Instagram).controlReset},
	}
}

func noFields(*Instagram) []field { return nil }

func advanceField(*Instagram) []field {
	return []field{{Name: "advance", Value: "25h", kind: duration}}
}

// accountField and the fields below are called with mu held.
func accountField(i *Instagram) []field {
	f := field{Name: "account", Value: i.signedIn}
	for _, a := range i.accounts {
		f.Choices = append(f.Choices, choice{a.ID, a.Username + " (" + a.ID + ")"})
	}
	return []field{f}
}

func faultFields(*Instagram) []field {
	operation := oneOf("operation", "", OpAuthorize, OpExchange, OpExtend, OpRefresh, OpProfile, OpMedia)
	operation.Choices[0].Label = anyOperation
	return []field{
		operation,
		oneOf("kind", KindError, KindSlow, KindResetBefore, KindResetAfter, KindTruncated, KindHTML, KindRedirect, KindHuge, KindEmpty),
		{Name: "code", kind: number}, {Name: "subcode", kind: number}, {Name: "status", kind: number},
		{Name: "message"}, {Name: "error_type"},
		boolean("graph"), boolean("is_transient"),
		{Name: "delay", kind: duration}, {Name: "retry_after", kind: duration},
		{Name: "usage"},
		{Name: "count", kind: number},
	}
}

func shapeFields(i *Instagram) []field {
	return withValues(i.shape, []field{
		boolean("token_wrapped"),
		oneOf("token_user_id", "number", "string"),
		oneOf("permissions", "array", "comma", "absent"),
		oneOf("expires_in", "number", "string", "float", "absent", "null", "zero", "negative"),
		boolean("profile_wrapped"),
		oneOf("profile_ids", "string", "number"),
		{Name: "reject_fields", kind: list},
		{Name: "omit_fields", kind: list},
		boolean("rotate_on_refresh"),
		boolean("invalidate_on_rotate"),
		boolean("burn_on_attempt"),
		boolean("enforce_pkce"),
		{Name: "drop_permissions", kind: list},
		boolean("pending_tester"),
	})
}

// A badInput says what a field accepts.
type badInput string

func (e badInput) Error() string { return string(e) }

// serveControl serves /_fake/ to people and programs on this machine. The peer
// must be this machine: a listener may be open to others, who can claim any
// Host. The Host must be a loopback name, so that a page elsewhere that points its
// own name here gets nothing, and a browser must not be acting for another site.
func (i *Instagram) serveControl(w http.ResponseWriter, r *http.Request) {
	if !loopbackHost(r.RemoteAddr) || !loopbackHost(r.Host) {
		pageNotFound().send(w, false)
		return
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		i.controls.ServeHTTP(w, r)
	default:
		jsonError(http.StatusForbidden, "the controls are not for requests from other sites").send(w, false)
	}
}

// loopbackHost reports whether a Host header or a peer's address names this
// machine: localhost, a name under it (RFC 6761, section 6.3), or a loopback
// address.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// newControls returns the routes under /_fake/.
func (i *Instagram) newControls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_fake/{$}", i.controlPage)
	mux.HandleFunc("GET /_fake/requests", i.controlRequests)
	for _, c := range controls() {
		mux.HandleFunc("POST /_fake/"+c.Name, func(w http.ResponseWriter, r *http.Request) { i.runControl(w, r, c) })
	}
	return mux
}

// runControl answers the outcome of c: JSON, or the way back to the page for the
// page's own forms.
func (i *Instagram) runControl(w http.ResponseWriter, r *http.Request, c control) {
	in, err := i.decodeInput(c, r.PostForm)
	var result any
	if err == nil {
		result, err = c.run(i, r.Context(), in)
	}
	if bad, ok := errors.AsType[badInput](err); ok {
		jsonError(http.StatusBadRequest, string(bad)).send(w, false)
		return
	}
	if err != nil {
		jsonError(http.StatusBadGateway, err.Error()).send(w, false)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/_fake/", http.StatusSeeOther)
		return
	}
	jsonAnswer(http.StatusOK, result).send(w, false)
}

func jsonError(status int, message string) answer {
	return jsonAnswer(status, map[string]any{"error": message})
}

// decodeInput returns what the form says, and of what it leaves out the account
// that is signed in and the shape as it is.
func (i *Instagram) decodeInput(c control, form url.Values) (input, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	in := input{Account: i.signedIn, Shape: i.shape}
	if err := decodeForm(form, c.fields(i), &in); err != nil {
		return input{}, err
	}
	in.Account = cmp.Or(in.Account, i.signedIn)
	return in, nil
}

func (i *Instagram) controlClock(_ context.Context, in input) (any, error) {
	if in.Advance == 0 {
		return nil, badInput("advance must be more than 0")
	}
	i.Advance(in.Advance)
	return map[string]any{"now": i.Now().UTC().Format(time.RFC3339)}, nil
}

func (i *Instagram) controlSignIn(_ context.Context, in input) (any, error) {
	i.SignIn(in.Account)
	return map[string]any{"account": in.Account}, nil
}

func (i *Instagram) controlRevoke(ctx context.Context, in input) (any, error) {
	return map[string]any{"account": in.Account, "revoked": true}, i.Revoke(ctx, in.Account)
}

func (i *Instagram) controlDeletion(ctx context.Context, in input) (any, error) {
	page, confirmation, err := i.RequestDeletion(ctx, in.Account)
	return deletionAnswer{page, confirmation}, err
}

func (i *Instagram) controlFail(_ context.Context, in input) (any, error) {
	if in.Status != 0 && (in.Status < 200 || in.Status > 599) {
		return nil, badInput("status must be an HTTP status from 200 to 599")
	}
	i.Order(in.Fault)
	i.mu.Lock()
	defer i.mu.Unlock()
	return map[string]any{"queued": len(i.faults)}, nil
}

func (i *Instagram) controlClear(context.Context, input) (any, error) {
	i.ClearFaults()
	return map[string]any{"cleared": true}, nil
}

// controlShape answers the whole shape as form values.
func (i *Instagram) controlShape(_ context.Context, in input) (any, error) {
	i.SetShape(in.Shape)
	i.mu.Lock()
	defer i.mu.Unlock()
	values := map[string]string{}
	for _, f := range shapeFields(i) {
		values[f.Name] = f.Value
	}
	return values, nil
}

func (i *Instagram) controlReset(context.Context, input) (any, error) {
	i.ResetRequests()
	return map[string]any{"reset": true}, nil
}
