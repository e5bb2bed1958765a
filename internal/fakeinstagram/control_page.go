package fakeinstagram

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

//go:embed control.html
var controlHTML string

var controlTemplate = template.Must(template.New("page").Parse(controlHTML))

const redacted = "[redacted]"

// redact takes the secrets out of q, which is a copy.
func redact(q *Request) {
	for _, values := range []url.Values{q.Query, q.Form} {
		for _, name := range []string{"code", "client_secret", "access_token", "code_verifier", "signed_request"} {
			for n := range values[name] {
				values[name][n] = redacted
			}
		}
	}
	// Cookies are not kept apart by port: a browser on localhost sends the fake
	// those of the app. Referer may be the app's callback, with its code.
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		if q.Header.Get(name) != "" {
			q.Header.Set(name, redacted)
		}
	}
}

func (i *Instagram) redactedRequests() []Request {
	requests := i.Requests()
	for n := range requests {
		redact(&requests[n])
	}
	return requests
}

func (i *Instagram) controlRequests(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.MarshalIndent(i.redactedRequests(), "", "  ")
	newAnswer(http.StatusOK, "application/json; charset=utf-8", append(body, '\n')).send(w, false)
}

// A controlView is what the page shows.
type controlView struct {
	API, Base, Now, Deauthorize string
	SignedIn                    Account
	Deletion                    deletionAnswer
	DeletionSet                 bool
	Faults                      []string
	Requests                    []Request // newest first, at most 30
	Controls                    map[string]controlForm
}

// A controlForm is a control as the page shows it.
type controlForm struct {
	control
	Base   string
	Fields []field
}

func (i *Instagram) controlPage(w http.ResponseWriter, r *http.Request) {
	v := i.view(r)
	v.Requests = i.redactedRequests()
	slices.Reverse(v.Requests)
	v.Requests = v.Requests[:min(len(v.Requests), 30)]
	pageAnswer(controlTemplate, v).send(w, false)
}

func (i *Instagram) view(r *http.Request) controlView {
	i.mu.Lock()
	defer i.mu.Unlock()
	signedIn, _ := i.account(i.signedIn)
	v := controlView{
		API:         i.config.API,
		Base:        i.origin(r),
		Now:         i.now().UTC().Format("2006-01-02 15:04:05 UTC"),
		SignedIn:    signedIn,
		Deauthorize: i.config.DeauthorizeURL,
		Deletion:    i.lastDeletion,
		DeletionSet: i.config.DeletionURL != "",
		Controls:    map[string]controlForm{},
	}
	for _, f := range i.faults {
		v.Faults = append(v.Faults, fmt.Sprintf("%s at %s, count %d", f.Kind, cmp.Or(f.Operation, anyOperation), f.Count))
	}
	for _, c := range controls() {
		v.Controls[c.Name] = controlForm{c, v.Base, c.fields(i)}
	}
	return v
}

// pageAnswer is the page that t makes of data.
func pageAnswer(t *template.Template, data any) answer {
	var page bytes.Buffer
	if err := t.Execute(&page, data); err != nil {
		return newAnswer(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()))
	}
	return htmlAnswer(http.StatusOK, page.Bytes())
}
