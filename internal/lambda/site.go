package lambda

import (
	"log/slog"
	"net/http"
	"sync"

	"photopass/internal/config"
	"photopass/internal/web"
)

// AtPublicURL returns the handler that build makes for the public URL: that of
// c, else the stage variable BaseUrl of the event. (A function can't have the
// gateway's own address in its environment: the template would go round in a
// circle.) The host that a request names is never believed. With neither,
// every answer is "app_misconfigured".
//
// A public URL in c is built at once, so that its errors end the start.
func AtPublicURL(c config.Config, log *slog.Logger, build func(config.Config) (http.Handler, error)) (http.Handler, error) {
	if c.PublicURL != "" {
		return build(c)
	}
	s := &sites{config: c, log: log, build: build, built: map[string]http.Handler{}}
	return s, nil
}

type sites struct {
	config config.Config
	log    *slog.Logger
	build  func(config.Config) (http.Handler, error)

	mu    sync.Mutex // guards built
	built map[string]http.Handler
}

// ServeHTTP implements [http.Handler].
func (s *sites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := s.at(StageVariable(r.Context(), "BaseUrl"))
	if err != nil {
		h = web.Site{Words: web.Words(s.config.Words), Log: s.log}.Failing(&web.Problem{Code: web.AppMisconfigured, Err: err})
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
	c, err := s.config.WithPublicURL(baseURL)
	if err != nil {
		return nil, err
	}
	h, err := s.build(c)
	if err != nil {
		return nil, err
	}
	s.built[baseURL] = h
	return h, nil
}
