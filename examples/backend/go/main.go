// This program is an application that connects Instagram accounts through photopass:
// docs/backend.md as a program.
//
//	RETURN_TO_ORIGINS=http://localhost:3000 make run
//	go run -C examples/backend/go .
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var (
	origin    = cmp.Or(os.Getenv("ORIGIN"), "http://localhost:3000") // ours, which RETURN_TO_ORIGINS lists
	photopass = cmp.Or(os.Getenv("PHOTOPASS"), "http://localhost:8080")
	graph     = cmp.Or(os.Getenv("GRAPH"), "http://localhost:8090") // with a real app: https://graph.instagram.com
	function  = os.Getenv("TOKEN_FUNCTION")
)

// newClient returns the client of the token function. On AWS, region, credentials and
// endpoint come from the environment. Locally any credentials do.
func newClient(ctx context.Context) (*lambda.Client, error) {
	if function != "" {
		c, err := config.LoadDefaultConfig(ctx)
		return lambda.NewFromConfig(c), err
	}
	function = "TokenFunction"
	return lambda.New(lambda.Options{
		BaseEndpoint: &photopass, Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}), nil
}

// An account is what photopass answers. Token is a secret: it must not get into a log.
type account struct {
	ID    string `json:"id"`
	Token string `json:"access_token"`
	Error *struct{ Code string }
}

// A refusal is the code that photopass answered, such as "reconnect_required".
type refusal string

func (r refusal) Error() string { return "photopass: " + string(r) }

// Advice says what the person can do. Only two codes require a login; the others are outages.
func (r refusal) Advice() string {
	if r == "reconnect_required" || r == "not_found" {
		return "Please connect again."
	}
	return "Please try again in a minute."
}

// An app has our own users; a real application has a database.
type app struct {
	tokens *lambda.Client

	mu       sync.Mutex
	sessions map[string]*session
}

type session struct {
	states  []string        // of the last five logins begun: a person may have several tabs
	used    map[string]bool // the states that came back
	account string          // the id that photopass vouched for
}

// ask asks for a token by "connect_code" or by "id", with "check" or without.
func (a *app) ask(ctx context.Context, request map[string]any) (account, error) {
	payload, err := json.Marshal(request)
	if err != nil {
		return account{}, err
	}
	out, err := a.tokens.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return account{}, err
	}
	var answer account
	switch err := json.Unmarshal(out.Payload, &answer); {
	case out.FunctionError != nil || err != nil: // err may quote the token
		return account{}, errors.New("photopass did not answer: " + aws.ToString(out.FunctionError))
	case answer.Error != nil:
		return account{}, refusal(answer.Error.Code)
	}
	return answer, nil
}

// posts returns the captions of the account's posts.
func (a *app) posts(ctx context.Context, id string) ([]string, error) {
	c, err := a.ask(ctx, map[string]any{"id": id})
	if err != nil {
		return nil, err
	}
	captions, code, err := callInstagram(ctx, c.Token)
	if code == 190 { // Instagram does not accept the token: have photopass check it, and try once more
		if c, err = a.ask(ctx, map[string]any{"id": id, "check": true}); err != nil {
			return nil, err
		}
		captions, code, err = callInstagram(ctx, c.Token)
	}
	if code != 0 {
		err = fmt.Errorf("Instagram: code %d", code)
	}
	return captions, err
}

// callInstagram returns the captions, or the code of Instagram's error.
func callInstagram(ctx context.Context, token string) (captions []string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, graph+"/me/media?fields=caption&limit=10", nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data  []struct{ Caption string }
		Error struct{ Code int }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, 0, err
	}
	for _, post := range answer.Data {
		captions = append(captions, post.Caption)
	}
	return captions, answer.Error.Code, nil
}

var page = template.Must(template.New("").Parse(`<!doctype html><title>Example</title>
{{if .Refused}}<p>{{.Refused.Advice}}</p>
{{else if .Account}}<p>Connected: {{.Account}}</p><ul>{{range .Captions}}<li>{{.}}</li>{{end}}</ul>{{end}}
<p><a href="{{.Link}}">Connect Instagram</a></p>
`))

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	s := a.session(w, r)
	var shown struct {
		Account, Link string
		Captions      []string
		Refused       refusal
	}
	a.update(func() { shown.Account = s.account })
	if shown.Account != "" {
		var err error
		shown.Captions, err = a.posts(r.Context(), shown.Account)
		if errors.As(err, &shown.Refused) {
			if shown.Refused == "not_found" { // the person has disconnected: forget what was theirs
				a.update(func() { s.account = "" })
			}
		} else if err != nil {
			log.Print(err)
			http.Error(w, "Something went wrong. Please try again in a minute.", http.StatusInternalServerError)
			return
		}
	}
	state := rand.Text()
	a.update(func() { s.states = append(s.states[max(0, len(s.states)-4):], state) })
	back := origin + "/connected?state=" + state
	shown.Link = photopass + "/authorize?" + url.Values{"return_to": {back}}.Encode()
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, shown)
}

func (a *app) connected(w http.ResponseWriter, r *http.Request) {
	s := a.session(w, r)
	state, code := r.FormValue("state"), r.FormValue("connect_code")
	var begun, used bool
	a.update(func() {
		begun, used = slices.Contains(s.states, state), s.used[state]
		if begun {
			s.used[state] = true // whatever comes
		}
	})
	if !begun && !used {
		http.Error(w, "This login was not begun here.", http.StatusBadRequest)
		return
	}
	if code != "" && !used { // a reload brings a used state
		c, err := a.ask(r.Context(), map[string]any{"connect_code": code})
		var refused refusal
		if errors.As(err, &refused) {
			http.Error(w, refused.Advice(), http.StatusBadRequest)
			return
		}
		if err != nil {
			log.Print(err)
			http.Error(w, "Something went wrong. Please try again in a minute.", http.StatusInternalServerError)
			return
		}
		a.update(func() { s.account = c.ID })
	}
	http.Redirect(w, r, "/", http.StatusSeeOther) // without the code; after a refusal, too
}

// session returns the session of the browser, which may be new.
func (a *app) session(w http.ResponseWriter, r *http.Request) (s *session) {
	a.update(func() {
		if c, err := r.Cookie("app"); err == nil && a.sessions[c.Value] != nil {
			s = a.sessions[c.Value]
			return
		}
		key := rand.Text()
		s = &session{used: map[string]bool{}}
		a.sessions[key] = s
		http.SetCookie(w, &http.Cookie{Name: "app", Value: key, Path: "/", HttpOnly: true,
			SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(origin, "https:")})
	})
	return s
}

func (a *app) update(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func main() {
	client, err := newClient(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	a := &app{tokens: client, sessions: map[string]*session{}}
	http.HandleFunc("GET /{$}", a.home)
	http.HandleFunc("GET /connected", a.connected)
	u, err := url.Parse(origin)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "localhost:"+cmp.Or(u.Port(), "3000"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Open " + origin + "/")
	log.Fatal(http.Serve(l, nil))
}
