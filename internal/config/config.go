// Package config reads the environment into one validated struct.
//
// [Load] is the only reader. An empty variable counts as unset. The first bad
// value ends it with one line that names the variable and says what it takes;
// the value itself is never quoted, since a secret may have been pasted there.
package config

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"photopass/internal/instagram"
	"photopass/internal/loopback"
)

// A Config is the validated environment. Members whose variable is unset and
// has no default are empty: ClientID, ClientSecretID, TokenKeysSecretID, TableName,
// Words, PublicURL, ReturnToOrigins. Callers of [Load] name those that they require.
type Config struct {
	API          string   // INSTAGRAM_API: instagram.Graph or instagram.Legacy
	ClientID     string   // INSTAGRAM_CLIENT_ID
	Scopes       []string // INSTAGRAM_SCOPES
	AuthorizeURL string   // INSTAGRAM_AUTHORIZE_URL
	TokenURL     string   // INSTAGRAM_TOKEN_URL
	GraphURL     string   // INSTAGRAM_GRAPH_URL, no trailing slash
	GraphVersion string   // INSTAGRAM_GRAPH_VERSION

	ClientSecretID    string // CLIENT_SECRET_ID
	TokenKeysSecretID string // TOKEN_KEYS_SECRET_ID
	TableName         string // TABLE_NAME

	Words           Words
	PublicURL       string   // PUBLIC_URL: the origin that browsers use
	ReturnToOrigins []string // RETURN_TO_ORIGINS

	FlowTTL         time.Duration // FLOW_TTL
	SessionIdle     time.Duration // SESSION_IDLE
	SessionMax      time.Duration // SESSION_MAX
	ProfileTTL      time.Duration // PROFILE_TTL
	ProfileMaxStale time.Duration // PROFILE_MAX_STALE

	LogRetentionInDays int // LOG_RETENTION_IN_DAYS; 0: not known
}

// Words are what the settings make of the pages. All may be empty.
type Words struct {
	AppName          string // APP_NAME
	PrivacyPolicyURL string // PRIVACY_POLICY_URL
	Contact          string // CONTACT: an e-mail address or an https URL
	NoAccountChoice  bool   // the dialect offers no choice of another account
}

// RedirectURI returns the one redirect URI, as it must be registered with Meta.
func (c Config) RedirectURI() string { return c.PublicURL + "/callback" }

// Instagram returns the configuration of the client of Instagram.
func (c Config) Instagram() instagram.Config {
	return instagram.Config{
		API:          c.API,
		ClientID:     c.ClientID,
		Scopes:       c.Scopes,
		AuthorizeURL: c.AuthorizeURL,
		TokenURL:     c.TokenURL,
		GraphURL:     c.GraphURL,
		GraphVersion: c.GraphVersion,
		RedirectURI:  c.RedirectURI(),
	}
}

// WithPublicURL returns c at another public URL. It fails when v is no origin.
func (c Config) WithPublicURL(v string) (Config, error) {
	l := loader{}
	c.PublicURL = l.origin("PUBLIC_URL, unset, or else the stage variable BaseUrl", v)
	return c, l.err
}

// defaults are the values of variables that are not set. dialects are those that
// depend on INSTAGRAM_API.
var (
	defaults = map[string]string{
		"INSTAGRAM_TOKEN_URL":     "https://api.instagram.com/oauth/access_token",
		"INSTAGRAM_GRAPH_VERSION": "v26.0",
		"FLOW_TTL":                "10m",
		"SESSION_IDLE":            "168h",
		"SESSION_MAX":             "720h",
		"PROFILE_TTL":             "15m",
		"PROFILE_MAX_STALE":       "24h",
		"LOG_RETENTION_IN_DAYS":   "0",
	}
	dialects = map[string]map[string]string{
		instagram.Graph: {
			"INSTAGRAM_SCOPES":        "instagram_business_basic",
			"INSTAGRAM_AUTHORIZE_URL": "https://www.instagram.com/oauth/authorize",
			"INSTAGRAM_GRAPH_URL":     "https://graph.instagram.com",
		},
		instagram.Legacy: {
			"INSTAGRAM_SCOPES":        "basic",
			"INSTAGRAM_AUTHORIZE_URL": "https://api.instagram.com/oauth/authorize/",
			"INSTAGRAM_GRAPH_URL":     "https://api.instagram.com/v1",
		},
	}
)

// Load reads the environment through getenv. The variables named in required
// must be set.
func Load(getenv func(string) string, required ...string) (Config, error) {
	l := loader{getenv: getenv}
	for _, name := range required {
		if getenv(name) == "" {
			l.fail(name, "must be set"+missing(name))
		}
	}
	l.localHTTP = getenv("AWS_SAM_LOCAL") == "true"
	c := Config{API: cmp.Or(getenv("INSTAGRAM_API"), instagram.Graph)}
	if l.dialect = dialects[c.API]; l.dialect == nil {
		l.fail("INSTAGRAM_API", "takes graph or legacy")
	}
	c.ClientID = l.matching("INSTAGRAM_CLIENT_ID", `^[A-Za-z0-9_-]{1,64}$`, takes["INSTAGRAM_CLIENT_ID"])
	c.Scopes = l.scopes("INSTAGRAM_SCOPES")
	c.AuthorizeURL = l.endpoint("INSTAGRAM_AUTHORIZE_URL")
	c.TokenURL = l.endpoint("INSTAGRAM_TOKEN_URL")
	c.GraphURL = strings.TrimSuffix(l.endpoint("INSTAGRAM_GRAPH_URL"), "/")
	if strings.Contains(c.GraphURL, "?") {
		l.fail("INSTAGRAM_GRAPH_URL", "takes a URL without a query")
	}
	c.GraphVersion = l.matching("INSTAGRAM_GRAPH_VERSION", `^v[0-9]{1,3}\.[0-9]{1,3}$`, "a version such as v26.0")
	c.ClientSecretID = l.nameInAWS("CLIENT_SECRET_ID")
	c.TokenKeysSecretID = l.nameInAWS("TOKEN_KEYS_SECRET_ID")
	c.TableName = l.nameInAWS("TABLE_NAME")
	c.Words = l.words()
	c.Words.NoAccountChoice = c.API == instagram.Legacy // it knows no force_reauth
	if v := getenv("PUBLIC_URL"); v != "" {
		c.PublicURL = l.origin("PUBLIC_URL", v)
	}
	c.ReturnToOrigins = l.origins("RETURN_TO_ORIGINS")
	c.FlowTTL = l.duration("FLOW_TTL")
	if c.FlowTTL > maxFlowTTL {
		l.fail("FLOW_TTL", "takes at most 15m")
	}
	c.SessionIdle = l.duration("SESSION_IDLE")
	c.SessionMax = l.duration("SESSION_MAX")
	c.ProfileTTL = l.duration("PROFILE_TTL")
	c.ProfileMaxStale = l.duration("PROFILE_MAX_STALE")
	c.LogRetentionInDays = l.days("LOG_RETENTION_IN_DAYS")
	if c.SessionIdle > c.SessionMax {
		l.fail("SESSION_IDLE", "must not be longer than SESSION_MAX")
	}
	return c, l.err
}

// maxFlowTTL is time enough for any login. For as long as a flow lasts, its
// browser gets the same session again.
const maxFlowTTL = 15 * time.Minute

// takes is what the variables take that may be required.
var takes = map[string]string{
	"INSTAGRAM_CLIENT_ID":  "the Instagram app id: 1 to 64 letters, digits, - or _",
	"CLIENT_SECRET_ID":     "the name or ARN of the secret with the Instagram app secret",
	"TOKEN_KEYS_SECRET_ID": "the name or ARN of the secret with the key ring",
	"TABLE_NAME":           "the name of a DynamoDB table",
}

func missing(name string) string {
	if v := takes[name]; v != "" {
		return "; it takes " + v
	}
	return ""
}

// A loader remembers the first error, so that Load reads as a list.
type loader struct {
	getenv    func(string) string
	dialect   map[string]string
	localHTTP bool // sam local: services on the host are reached by http
	err       error
}

func (l *loader) fail(name, takes string) {
	if l.err == nil {
		l.err = fmt.Errorf("%s %s", name, takes)
	}
}

func (l *loader) value(name string) string {
	return cmp.Or(l.getenv(name), l.dialect[name], defaults[name])
}

func (l *loader) matching(name, shape, takes string) string {
	v := l.value(name)
	if v != "" && !matches(shape, v) {
		l.fail(name, "takes "+takes)
	}
	return v
}

// matches compiles shape at each use, since most processes use few of them, and once.
func matches(shape, v string) bool { return regexp.MustCompile(shape).MatchString(v) }

func (l *loader) nameInAWS(name string) string {
	return l.matching(name, `^[A-Za-z0-9/_+=.@:!-]{1,512}$`, takes[name])
}

func (l *loader) scopes(name string) []string {
	list := strings.FieldsFunc(l.value(name), func(r rune) bool { return strings.ContainsRune(", +", r) })
	for _, s := range list {
		if !matches(`^[a-z_]{1,64}$`, s) {
			l.fail(name, "takes permissions separated by comma, space or +")
		}
	}
	if len(list) == 0 {
		l.fail(name, "takes at least one permission")
	}
	// The default is the permission without which no profile can be read: every
	// login would end in permission_missing.
	if basic := l.dialect[name]; !slices.Contains(list, basic) {
		l.fail(name, "takes permissions of which one is "+basic)
	}
	return list
}

func (l *loader) words() Words {
	w := Words{AppName: l.getenv("APP_NAME"), PrivacyPolicyURL: l.getenv("PRIVACY_POLICY_URL"), Contact: l.getenv("CONTACT")}
	if w.AppName != "" && !isName(w.AppName) {
		l.fail("APP_NAME", "takes 1 to 60 printable characters without a space at either end")
	}
	if w.PrivacyPolicyURL != "" && !isPublicPage(w.PrivacyPolicyURL) {
		l.fail("PRIVACY_POLICY_URL", "takes an https URL of at most 512 characters")
	}
	if w.Contact != "" && !isPublicPage(w.Contact) && !(len(w.Contact) <= maxContact && matches(emailShape, w.Contact)) {
		l.fail("CONTACT", "takes an e-mail address or an https URL of at most 512 characters")
	}
	return w
}

// isName reports whether v is short, of one line, and without controls, those
// that turn the text around them included. The template's pattern says the same.
func isName(v string) bool {
	unseen := func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	}
	return utf8.ValidString(v) && utf8.RuneCountInString(v) <= maxName && strings.Trim(strings.TrimSpace(v), "\u200b") == v && !strings.ContainsFunc(v, unseen)
}

// isPublicPage reports whether people everywhere can open v.
func isPublicPage(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Scheme == "https" && u.User == nil && matches(hostShape, strings.ToLower(u.Host)) && matches(pageShape, v)
}

const (
	maxName    = 60
	maxContact = 254 // of an e-mail address (RFC 5321, section 4.5.3.1.3)
)

const (
	// emailShape is what needs no quoting in a mailto URL (RFC 6068, section 2).
	emailShape = `^[A-Za-z0-9._+-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$`
	pageShape  = `^https://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]{1,504}$`
	hostShape  = `^([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\])(:[0-9]{1,5})?$`
)

func (l *loader) endpoint(name string) string {
	v := l.value(name)
	u, err := url.Parse(v)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || v != u.String() || !l.schemeAllowed(u) {
		l.fail(name, "takes an https URL; http only to a loopback host or under sam local")
	}
	return v
}

func (l *loader) origins(name string) []string {
	var list []string
	for _, v := range strings.Split(l.getenv(name), ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, l.origin(name, v))
		}
	}
	return list
}

// origin accepts v only in the form in which browsers send it, so that it can
// be compared as a string (RFC 6454, section 6.2).
func (l *loader) origin(name, v string) string {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || !l.schemeAllowed(u) ||
		v != u.Scheme+"://"+strings.ToLower(u.Host) || !matches(hostShape, u.Host) ||
		u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		l.fail(name, "takes an origin such as https://example.com: https, lower case, no path, no trailing slash, no default port; http only for a loopback host or under sam local")
	}
	return v
}

func (l *loader) schemeAllowed(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (l.localHTTP || loopback.Host(u.Hostname()))
}

func (l *loader) days(name string) int {
	v := l.value(name)
	n, err := strconv.Atoi(v)
	if err != nil || v != strconv.Itoa(n) || n < 0 || n > 9999 {
		l.fail(name, "takes a number of days, such as 30")
	}
	return n
}

func (l *loader) duration(name string) time.Duration {
	d, err := time.ParseDuration(l.value(name))
	if err != nil || d <= 0 {
		l.fail(name, "takes a positive duration such as 10m or 168h")
	}
	return d
}
