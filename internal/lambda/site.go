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
	var built sync.Map // handlers by base URL: one for each stage that f is behind
	return func(baseURL string) http.Handler {
		if h, ok := built.Load(baseURL); ok {
			return h.(http.Handler)
		}
		h, err := at(baseURL, f, p)
		if err != nil {
			site := web.Site{Words: p.Config.Words, Log: p.Log}
			return site.Failing(&web.Problem{Code: web.AppMisconfigured, Err: err}, f.Ended)
		}
		built.Store(baseURL, h)
		return h
	}, nil
}

func at(baseURL string, f app.Function, p app.Parts) (h http.Handler, err error) {
	if p.Config, err = p.Config.WithPublicURL(baseURL); err != nil {
		return nil, err
	}
	return f.New(p)
}
