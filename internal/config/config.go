// Package config reads the environment into one validated struct.
//
// [Load] is the only reader. An empty variable counts as unset. The first bad
// value ends it with one line that names the variable and says what it takes;
// the value itself is never quoted, since a secret may have been pasted there.
package config

import (
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
// has no default are empty.
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

// defaults by dialect.
var defaults = map[string]map[string]string{
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
	c := Config{API: l.oneOf("INSTAGRAM_API", instagram.Graph, instagram.Legacy)}
	l.dialect = defaults[c.API]
	c.ClientID = l.matching("INSTAGRAM_CLIENT_ID", "", clientIDShape, takes["INSTAGRAM_CLIENT_ID"])
	c.Scopes = l.scopes("INSTAGRAM_SCOPES")
	c.AuthorizeURL = l.endpoint("INSTAGRAM_AUTHORIZE_URL", "")
	c.TokenURL = l.endpoint("INSTAGRAM_TOKEN_URL", "https://api.instagram.com/oauth/access_token")
	c.GraphURL = strings.TrimSuffix(l.endpoint("INSTAGRAM_GRAPH_URL", ""), "/")
	if strings.Contains(c.GraphURL, "?") {
		l.fail("INSTAGRAM_GRAPH_URL", "takes a URL without a query")
	}
	c.GraphVersion = l.matching("INSTAGRAM_GRAPH_VERSION", "v26.0", versionShape, "a version such as v26.0")
	c.ClientSecretID = l.matching("CLIENT_SECRET_ID", "", awsNameShape, takes["CLIENT_SECRET_ID"])
	c.TokenKeysSecretID = l.matching("TOKEN_KEYS_SECRET_ID", "", awsNameShape, takes["TOKEN_KEYS_SECRET_ID"])
	c.TableName = l.matching("TABLE_NAME", "", awsNameShape, takes["TABLE_NAME"])
	c.Words = l.words()
	c.Words.NoAccountChoice = c.API == instagram.Legacy // it knows no force_reauth
	if v := getenv("PUBLIC_URL"); v != "" {
		c.PublicURL = l.origin("PUBLIC_URL", v)
	}
	c.ReturnToOrigins = l.origins("RETURN_TO_ORIGINS")
	c.FlowTTL = l.duration("FLOW_TTL", "10m")
	if c.FlowTTL > maxFlowTTL {
		l.fail("FLOW_TTL", "takes at most 15m")
	}
	c.SessionIdle = l.duration("SESSION_IDLE", "168h")
	c.SessionMax = l.duration("SESSION_MAX", "720h")
	c.ProfileTTL = l.duration("PROFILE_TTL", "15m")
	c.ProfileMaxStale = l.duration("PROFILE_MAX_STALE", "24h")
	c.LogRetentionInDays = l.days("LOG_RETENTION_IN_DAYS")
	if c.SessionIdle > c.SessionMax {
		l.fail("SESSION_IDLE", "must not be longer than SESSION_MAX")
	}
	return c, l.err
}

// maxFlowTTL is time enough for any login. For as long as a flow lasts, its
// browser gets the same session again.
const maxFlowTTL = 15 * time.Minute

var (
	clientIDShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	versionShape  = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,3}$`)
	scopeShape    = regexp.MustCompile(`^[a-z_]{1,64}$`)
	awsNameShape  = regexp.MustCompile(`^[A-Za-z0-9/_+=.@:!-]{1,512}$`)
)

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

func (l *loader) value(name, fallback string) string {
	if v := l.getenv(name); v != "" {
		return v
	}
	if v := l.dialect[name]; v != "" {
		return v
	}
	return fallback
}

func (l *loader) oneOf(name string, values ...string) string {
	v := l.value(name, values[0])
	for _, known := range values {
		if v == known {
			return v
		}
	}
	l.fail(name, "takes "+strings.Join(values, " or "))
	return values[0]
}

func (l *loader) matching(name, fallback string, shape *regexp.Regexp, takes string) string {
	v := l.value(name, fallback)
	if v != "" && !shape.MatchString(v) {
		l.fail(name, "takes "+takes)
	}
	return v
}

func (l *loader) scopes(name string) []string {
	list := strings.FieldsFunc(l.value(name, ""), func(r rune) bool { return strings.ContainsRune(", +", r) })
	for _, s := range list {
		if !scopeShape.MatchString(s) {
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
	if w.Contact != "" && !isPublicPage(w.Contact) && !(len(w.Contact) <= maxContact && emailShape.MatchString(w.Contact)) {
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
	return err == nil && u.Scheme == "https" && u.User == nil && hostShape.MatchString(strings.ToLower(u.Host)) && pageShape.MatchString(v)
}

const (
	maxName    = 60
	maxContact = 254 // of an e-mail address (RFC 5321, section 4.5.3.1.3)
)

// emailShape takes what needs no quoting in a mailto URL (RFC 6068, section 2).
var (
	emailShape = regexp.MustCompile(`^[A-Za-z0-9._+-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$`)
	pageShape  = regexp.MustCompile(`^https://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]{1,504}$`)
)

func (l *loader) endpoint(name, fallback string) string {
	v := l.value(name, fallback)
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
		v != u.Scheme+"://"+strings.ToLower(u.Host) || !hostShape.MatchString(u.Host) ||
		u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		l.fail(name, "takes an origin such as https://example.com: https, lower case, no path, no trailing slash, no default port; http only for a loopback host or under sam local")
	}
	return v
}

var hostShape = regexp.MustCompile(`^([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\])(:[0-9]{1,5})?$`)

func (l *loader) schemeAllowed(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (l.localHTTP || loopback.Host(u.Hostname()))
}

func (l *loader) days(name string) int {
	v := l.value(name, "0")
	n, err := strconv.Atoi(v)
	if err != nil || v != strconv.Itoa(n) || n < 0 || n > 9999 {
		l.fail(name, "takes a number of days, such as 30")
	}
	return n
}

func (l *loader) duration(name, fallback string) time.Duration {
	d, err := time.ParseDuration(l.value(name, fallback))
	if err != nil || d <= 0 {
		l.fail(name, "takes a positive duration such as 10m or 168h")
	}
	return d
}
