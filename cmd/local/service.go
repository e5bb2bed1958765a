package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/loopback"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/version"
	"photopass/internal/web"
)

// A service is photopass with what it stands on, listening.
type service struct {
	config   config.Config
	tls      *tls.Config // nil: plain http
	listener net.Listener
	fakeAt   net.Listener // nil: a real Instagram
	fake     *fakeinstagram.Instagram
	tokens   *connection.Service
	handler  http.Handler
	log      *telemetry.Logger
}

// newService builds everything and begins to listen.
func newService(ctx context.Context, o options, getenv func(string) string, log *telemetry.Logger) (*service, error) {
	s := &service{log: log}
	env, err := s.listen(o, getenv)
	if err == nil {
		err = s.wire(ctx, env)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen opens the ports, and returns the environment with defaults that name them.
func (s *service) listen(o options, getenv func(string) string) (env environment, err error) {
	if o.tls {
		if s.tls, err = newCertificate(time.Now()); err != nil {
			return env, err
		}
	}
	if s.listener, err = listen(o.addr, "-addr"); err != nil {
		return env, err
	}
	env = environment{getenv, map[string]string{"PUBLIC_URL": s.localURL()}}
	if getenv("INSTAGRAM_CLIENT_ID") == "" {
		if s.fakeAt, err = listen(o.instagramAddr, "-instagram-addr"); err != nil {
			return env, err
		}
		env.useFake(fakeURL(s.fakeAt))
	}
	return env, nil
}

// wire reads the settings and builds what answers.
func (s *service) wire(ctx context.Context, env environment) (err error) {
	required := []string{"INSTAGRAM_CLIENT_ID", "INSTAGRAM_CLIENT_SECRET"}
	if env.get("TABLE_NAME") != "" {
		required = append(required, "TOKEN_KEYS_SECRET_ID")
	}
	if s.config, err = config.Load(env.get, required...); err != nil {
		return err
	}
	clientSecret, err := secret.ParseClientSecret(env.get("INSTAGRAM_CLIENT_SECRET"))
	if err != nil {
		return fmt.Errorf("INSTAGRAM_CLIENT_SECRET %w", err)
	}
	s.log.Hide(clientSecret)
	now := time.Now
	if s.fakeAt != nil {
		if s.fake, err = s.newFake(clientSecret); err != nil {
			return err
		}
		now = s.fake.Now // one clock, so that moving the fake's moves the service's
	} else if secret.Unusual(clientSecret) {
		s.log.Warn("INSTAGRAM_CLIENT_SECRET is not 32 hexadecimal digits, as Meta's secrets are; was it cut when it was copied?")
	}
	parts, err := newParts(ctx, s.config, clientSecret, now, s.log)
	if err != nil {
		return err
	}
	if s.tokens, err = parts.Connections(); err != nil {
		return err
	}
	s.handler, err = newHandler(parts)
	return err
}

// newParts returns what photopass is built from, in memory or, when there is a
// table, in DynamoDB with the key ring in Secrets Manager.
func newParts(ctx context.Context, c config.Config, clientSecret secret.Value, now func() time.Time, log *telemetry.Logger) (app.Parts, error) {
	plain := secret.Plain{Client: clientSecret}
	c.ClientSecretID = "" // the secret is given
	p := app.Parts{Config: c, Store: memory.New(now), Log: log}
	var err error
	if c.TableName != "" {
		aws, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return p, fmt.Errorf("load AWS configuration: %w", err)
		}
		if p, err = awsclient.OpenWith(ctx, aws, c, log); err != nil {
			return p, err
		}
	} else {
		// The tokens live in memory only, so their key may as well.
		plain.Keys, err = secret.ParseRing(fmt.Appendf(nil, `{"current":"k1","k1":%q}`, rand.Text()+rand.Text()))
		p.Keys = plain
	}
	p.ClientSecret, p.ClientSecrets, p.Now = plain, plain, now
	return p, err
}

func listen(addr, option string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s; choose another address, such as make run ARGS=\"%s localhost:9000\": %w", addr, option, err)
	}
	return l, nil
}

// localURL is where the service listens, and its public URL by default.
func (s *service) localURL() string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://localhost:%d", scheme, port(s.listener))
}

func fakeURL(l net.Listener) string { return fmt.Sprintf("http://localhost:%d", port(l)) }

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// An environment is the process's, with defaults of this program's own.
type environment struct {
	getenv   func(string) string
	defaults map[string]string
}

func (e environment) get(name string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return e.defaults[name]
}

// useFake points the defaults at the fake, with an app of its own.
func (e environment) useFake(base string) {
	secret := make([]byte, 16)
	rand.Read(secret)
	e.defaults["INSTAGRAM_CLIENT_ID"] = "990602627938098"
	e.defaults["INSTAGRAM_CLIENT_SECRET"] = hex.EncodeToString(secret)
	e.defaults["INSTAGRAM_AUTHORIZE_URL"] = base + "/oauth/authorize"
	e.defaults["INSTAGRAM_TOKEN_URL"] = base + "/oauth/access_token"
	e.defaults["INSTAGRAM_GRAPH_URL"] = base
	if e.getenv("INSTAGRAM_API") == instagram.Legacy {
		e.defaults["INSTAGRAM_AUTHORIZE_URL"] = base + "/oauth/authorize/"
		e.defaults["INSTAGRAM_GRAPH_URL"] = base + "/v1"
	}
}

// newFake returns a fake whose notices go to where the service listens: its
// public URL may lead elsewhere.
func (s *service) newFake(clientSecret secret.Value) (*fakeinstagram.Instagram, error) {
	c := fakeinstagram.Config{
		API:            s.config.API,
		ClientID:       s.config.ClientID,
		ClientSecret:   clientSecret.Reveal(),
		RedirectURIs:   []string{s.config.RedirectURI()},
		PublicURL:      fakeURL(s.fakeAt),
		DeauthorizeURL: s.localURL() + web.DeauthorizePath,
		DeletionURL:    s.localURL() + web.DeletionPath,
	}
	if s.tls != nil {
		c.HTTP = trusting(s.tls)
	}
	return fakeinstagram.New(c)
}

// newHandler returns every route, and Lambda's Invoke call.
func newHandler(p app.Parts) (http.Handler, error) {
	site, err := app.Site(p)
	if err != nil {
		return nil, err
	}
	token, err := app.Token.New(p)
	return invoker{token, site}, err
}

// maxHeaderBytes is what an HTTP API takes of request line and headers.
const maxHeaderBytes = 10240

// stopTimeout is longer than any request takes, a whole callback included.
const stopTimeout = 20 * time.Second

// serve answers until ctx is done, then lets the requests under way finish.
func (s *service) serve(ctx context.Context) error {
	defer s.close()
	app := &http.Server{Handler: s.handler, MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: 10 * time.Second}
	servers := []*http.Server{app}
	failed := make(chan error, 2)
	if s.tls != nil {
		app.TLSConfig = s.tls
		go func() { failed <- app.ServeTLS(s.listener, "", "") }()
	} else {
		go func() { failed <- app.Serve(s.listener) }()
	}
	if s.fakeAt != nil {
		fake := &http.Server{Handler: s.fake, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, fake)
		go func() { failed <- fake.Serve(s.fakeAt) }()
	}
	var sweeps sync.WaitGroup
	sweeps.Go(func() { keepAlive(ctx, s.tokens, s.log) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	sweeps.Wait()
	stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for _, server := range servers {
		errs = append(errs, server.Shutdown(stopping))
	}
	return errors.Join(errs...)
}

func (s *service) close() {
	for _, l := range []net.Listener{s.listener, s.fakeAt} {
		if l != nil {
			l.Close()
		}
	}
}

// banner says what to open and how to play.
func (s *service) banner() string {
	c := s.config
	if s.fakeAt == nil {
		text := fmt.Sprintf("photopass %s is running. Open %s/\nRegister this redirect URI with Meta, character for character: %s\n", version.Version, c.PublicURL, c.RedirectURI())
		if u, err := url.Parse(c.PublicURL); err == nil && u.Scheme == "http" && !s.talksToLoopback() {
			text += "Meta accepts https redirect URIs only, on localhost too: stop this and start it with -tls.\n"
		}
		return text + "Live tokens: " + s.tokenCommand("ID") + "\n" +
			"Data is kept in " + s.keptIn() + ". Stop with Ctrl-C.\n"
	}
	fake := fakeURL(s.fakeAt)
	return fmt.Sprintf(`photopass %s is running beside a fake Instagram. No account is needed.

  Open             %s/
  Play with fake   %s/_fake/

  Move the clock   curl -d advance=25h %[3]s/_fake/clock
  Remove the app   curl -X POST %[3]s/_fake/revoke
  Fail one login   curl -d operation=exchange -d kind=html %[3]s/_fake/fail
  Get a token      %[5]s
                   (acme's, once connected)
  Graph API        %[3]s

Data is kept in %[4]s. Stop with Ctrl-C.
`, version.Version, c.PublicURL, fake, s.keptIn(), s.tokenCommand("27640875392278831"))
}

// tokenCommand asks for a token without the AWS command line. With -tls the certificate
// is the program's own.
func (s *service) tokenCommand(id string) string {
	insecure := ""
	if s.tls != nil {
		insecure = "-k "
	}
	return fmt.Sprintf(`curl %s--user local:local --aws-sigv4 aws:amz:eu-central-1:lambda -d '{"id":"%s"}' %s/2015-03-31/functions/TokenFunction/invocations`, insecure, id, s.localURL())
}

func (s *service) keptIn() string {
	if s.config.TableName != "" {
		return "the DynamoDB table " + s.config.TableName
	}
	return "memory"
}

func (s *service) talksToLoopback() bool {
	u, err := url.Parse(s.config.AuthorizeURL)
	return err == nil && loopback.Host(u.Hostname())
}
