package fakeinstagram

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A badInput is a form value that a control does not take. Its text says what
// the field takes.
type badInput string

func (e badInput) Error() string { return string(e) }

// A command is what a POST to a control does with the form. What it returns is
// answered as JSON.
type command func(ctx context.Context, form url.Values) (any, error)

// newControls returns the routes under /_fake/.
func (i *Instagram) newControls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_fake/{$}", i.controlPage)
	mux.HandleFunc("GET /_fake/requests", i.controlRequests)
	for name, c := range map[string]command{
		"clock":          i.controlClock,
		"revoke":         i.controlRevoke,
		"deletion":       i.controlDeletion,
		"fail":           i.controlFail,
		"clear":          i.controlClear,
		"shape":          i.controlShape,
		"signin":         i.controlSignIn,
		"requests/reset": i.controlReset,
	} {
		mux.HandleFunc("POST /_fake/"+name, func(w http.ResponseWriter, r *http.Request) { runCommand(w, r, c) })
	}
	return mux
}

// serveControl serves /_fake/ to people and programs on this machine. The peer
// must be this machine: a listener may be open to others, and they can claim any
// Host. The Host must be a loopback name, so that a page elsewhere that points its
// own name here gets nothing, and a browser must not be acting for another site.
func (i *Instagram) serveControl(w http.ResponseWriter, r *http.Request) {
	if !loopbackHost(r.RemoteAddr) || !loopbackHost(r.Host) {
		i.mu.Lock()
		a := i.notFound(hostRole(r.Host), r)
		i.mu.Unlock()
		a.send(w, false)
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

// runCommand answers the outcome of c: JSON, or a way back to the page for the
// page's own forms.
func runCommand(w http.ResponseWriter, r *http.Request, c command) {
	result, err := c(r.Context(), r.PostForm)
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

func (i *Instagram) controlClock(_ context.Context, form url.Values) (any, error) {
	d, err := time.ParseDuration(form.Get("advance"))
	if err != nil || d <= 0 {
		return nil, badInput("advance takes a positive Go duration, such as 25h or 90m")
	}
	i.Advance(d)
	return map[string]any{"now": i.Now().UTC().Format(time.RFC3339)}, nil
}

func (i *Instagram) controlRevoke(ctx context.Context, form url.Values) (any, error) {
	id, err := i.formAccount(form)
	if err != nil {
		return nil, err
	}
	if err := i.Revoke(ctx, id); err != nil {
		return nil, err
	}
	return map[string]any{"account": id, "revoked": true}, nil
}

func (i *Instagram) controlDeletion(ctx context.Context, form url.Values) (any, error) {
	id, err := i.formAccount(form)
	if err != nil {
		return nil, err
	}
	page, confirmation, err := i.RequestDeletion(ctx, id)
	if err != nil {
		return nil, err
	}
	return deletionAnswer{page, confirmation}, nil
}

func (i *Instagram) controlSignIn(_ context.Context, form url.Values) (any, error) {
	id, err := i.formAccount(form)
	if err != nil {
		return nil, err
	}
	i.SignIn(id)
	return map[string]any{"account": id}, nil
}

// formAccount is the account field, or the account that is signed in.
func (i *Instagram) formAccount(form url.Values) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := form.Get("account")
	if id == "" {
		return i.signedIn, nil
	}
	if _, ok := i.account(id); !ok {
		ids := make([]string, len(i.accounts))
		for n, a := range i.accounts {
			ids[n] = a.ID
		}
		return "", badInput("account takes one of " + strings.Join(ids, ", "))
	}
	return id, nil
}

func (i *Instagram) controlClear(context.Context, url.Values) (any, error) {
	i.ClearFaults()
	return map[string]any{"cleared": true}, nil
}

func (i *Instagram) controlReset(context.Context, url.Values) (any, error) {
	i.ResetRequests()
	return map[string]any{"reset": true}, nil
}
