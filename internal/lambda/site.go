package lambda

import (
	"net/http"
	"sync"

	"photopass/internal/app"
	"photopass/internal/web"
)

// AtPublicURL returns the handler of f at the public URL: that of the settings,
// else the stage variable BaseUrl of the event. (A function can't have the
// gateway's own address in its environment: the template would go round in a
// circle.) The host that a request names is never believed. With neither,
// every answer is "app_misconfigured".
//
// A handler whose public URL is in the settings is built at once, so that its
// errors end the start.
func AtPublicURL(f app.Function, p app.Parts) (http.Handler, error) {
	if p.Config.PublicURL != "" {
		return f.New(p)
	}
	return &sites{function: f, parts: p, built: map[string]http.Handler{}}, nil
}

type sites struct {
	function app.Function
	parts    app.Parts

	mu    sync.Mutex // guards built
	built map[string]http.Handler
}

// ServeHTTP implements [http.Handler].
func (s *sites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := s.at(StageVariable(r.Context(), "BaseUrl"))
	if err != nil {
		h = web.Site{Words: s.parts.Config.Words, Log: s.parts.Log}.Failing(&web.Problem{Code: web.AppMisconfigured, Err: err})
	}
	h.ServeHTTP(w, r)
}

// at returns the handler for a base URL. There is one for each stage that the
// function is behind, so the map stays small.
func (s *sites) at(baseURL string) (http.Handler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.built[baseURL]; ok {
		return h, nil
	}
	p := s.parts
	var err error
	if p.Config, err = p.Config.WithPublicURL(baseURL); err != nil {
		return nil, err
	}
	h, err := s.function.New(p)
	if err != nil {
		return nil, err
	}
	s.built[baseURL] = h
	return h, nil
}
