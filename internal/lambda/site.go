package lambda

import (
	"net/http"
	"sync"

	"photopass/internal/app"
	"photopass/internal/web"
)

// AtPublicURL returns what [Adapt] needs to serve f at its public URL: that of the
// settings, else the stage variable BaseUrl of the event. (A function can't have the
// gateway's own address in its environment: the template would go round in a
// circle.) The host that a request names is never believed. With neither,
// every answer is "app_misconfigured".
//
// A handler whose public URL is in the settings is built at once, so that its
// errors end the start.
func AtPublicURL(f app.Function, p app.Parts) (func(baseURL string) http.Handler, error) {
	if p.Config.PublicURL != "" {
		h, err := f.New(p)
		return func(string) http.Handler { return h }, err
	}
	s := sites{function: f, parts: p, built: map[string]http.Handler{}}
	return s.at, nil
}

// sites are the handlers of a function by base URL. There is one for each stage
// that the function is behind, so the map stays small.
type sites struct {
	function app.Function
	parts    app.Parts

	mu    sync.Mutex // guards built
	built map[string]http.Handler
}

func (s *sites) at(baseURL string) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.built[baseURL]; ok {
		return h
	}
	h, err := s.build(baseURL)
	if err != nil {
		p := &web.Problem{Code: web.AppMisconfigured, Err: err}
		return web.Site{Words: web.Words(s.parts.Config.Words), Log: s.parts.Log}.Failing(p, s.function.Ended)
	}
	s.built[baseURL] = h
	return h
}

func (s *sites) build(baseURL string) (http.Handler, error) {
	c, err := s.parts.Config.WithPublicURL(baseURL)
	if err != nil {
		return nil, err
	}
	p := s.parts
	p.Config = c
	return s.function.New(p)
}
