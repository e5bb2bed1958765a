package fakeinstagram

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"
)

//go:embed control.html
var controlHTML string

var controlTemplate = template.Must(template.New("control").Parse(controlHTML))

// A shownRequest is a Request fit to be shown.
type shownRequest struct {
	Time             time.Time   `json:"time"`
	Operation        Operation   `json:"operation,omitempty"`
	Method           string      `json:"method"`
	Path             string      `json:"path"`
	Query            url.Values  `json:"query,omitempty"`
	Form             url.Values  `json:"form,omitempty"`
	Header           http.Header `json:"header"`
	Status           int         `json:"status"`
	FollowedRedirect bool        `json:"followed_redirect,omitempty"`
}

const redacted = "[redacted]"

// show redacts q. Requests returns copies, which are changed in place.
func show(q Request) shownRequest {
	redactValues(q.Query)
	redactValues(q.Form)
	// Cookies are not kept apart by port: a browser on localhost sends the fake
	// those of the app. Referer may be the app's callback, with its code.
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		if q.Header.Get(name) != "" {
			q.Header.Set(name, redacted)
		}
	}
	return shownRequest{q.Time.UTC(), q.Operation, q.Method, q.Path, q.Query, q.Form, q.Header, q.Status, q.FollowedRedirect}
}

func redactValues(v url.Values) {
	for _, name := range []string{"code", "client_secret", "access_token", "code_verifier", "signed_request"} {
		for n := range v[name] {
			v[name][n] = redacted
		}
	}
}

func (i *Instagram) shownRequests() []shownRequest {
	shown := []shownRequest{} // never null
	for _, q := range i.Requests() {
		shown = append(shown, show(q))
	}
	return shown
}

func (i *Instagram) controlRequests(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(i.shownRequests(), "", "  ")
	if err != nil {
		jsonError(http.StatusInternalServerError, err.Error()).send(w, false)
		return
	}
	newAnswer(http.StatusOK, "application/json; charset=utf-8", append(body, '\n')).send(w, false)
}

// A controlView is what the page shows.
type controlView struct {
	API, Base, Now, SignedIn, Deauthorize string
	Deletion                              deletionAnswer
	DeletionSet                           bool
	Accounts                              []Account
	Operations                            []Operation
	Kinds                                 []Kind
	Faults                                []string
	Shape                                 []shapeField
	Requests                              []shownRequest // newest first, at most 30
}

func (i *Instagram) controlPage(w http.ResponseWriter, r *http.Request) {
	v := i.view(r)
	v.Requests = i.shownRequests()
	slices.Reverse(v.Requests)
	v.Requests = v.Requests[:min(len(v.Requests), 30)]
	var page bytes.Buffer
	if err := controlTemplate.Execute(&page, v); err != nil {
		jsonError(http.StatusInternalServerError, err.Error()).send(w, false)
		return
	}
	htmlAnswer(http.StatusOK, page.Bytes()).send(w, false)
}

func (i *Instagram) view(r *http.Request) controlView {
	i.mu.Lock()
	defer i.mu.Unlock()
	shape := i.shape
	v := controlView{
		API:         i.config.API,
		Base:        i.origin(r),
		Now:         i.now().UTC().Format("2006-01-02 15:04:05 UTC"),
		SignedIn:    i.signedIn,
		Deauthorize: i.config.DeauthorizeURL,
		Deletion:    i.lastDeletion,
		DeletionSet: i.config.DeletionURL != "",
		Accounts:    slices.Clone(i.accounts),
		Operations:  operations(),
		Kinds:       kinds(),
		Shape:       shapeFields(&shape),
	}
	for _, f := range i.faults {
		v.Faults = append(v.Faults, fmt.Sprintf("%s at %s, count %d", f.Kind, orAny(f.Operation), f.Count))
	}
	return v
}

func orAny(op Operation) string {
	if op == "" {
		return "any call but authorize"
	}
	return string(op)
}
