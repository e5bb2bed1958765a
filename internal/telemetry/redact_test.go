package telemetry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

const (
	longToken = "IGAAZAr8mTq0dBZAFBkTHBOb2JqVzl3-_xYz0123456789Wm5cQ2vJtR8kLp4sXe7uYh1nGd6fBo3zA9iKqTjVrZw"
	code      = "AQBx-hBsH3abcdefghijklmnopqrstuvwxyz0123456789"
	flowPart  = "plY19EDBlL2KAtFSBeHUJ657_K3Tcbe8NdztVpsJICs"
	oddSecret = `p"1\<&>%41+/'s=`                               // any 8 printable characters are a client secret
	ringEntry = `Zx3 vQ,pT8;m"N1k\R5w:Y7b{C2d}F6g<H9>jL0&sA+e%` // and any 32 a key
)

// The kinds of secret that there are.
var secrets = map[string]string{
	"short-lived token": "IGAAJx0QmZC9nBZAE1Tb3Z2aVlkd0Rxc0pMUk5GaVhtQ2hEdEZA5c0w",
	"long-lived token":  longToken,
	"legacy token":      "1574083.9906026.47a0479900504cb3ab4a1f626d174d2d",
	"code":              code,
	"client secret":     "6dc1787668c64c939929c17683d7cb74",
	"odd client secret": oddSecret,
	"long odd secret":   "correct.horse.battery.staple",
	"key ring entry":    ringEntry,
	"session cookie":    "27640875392278831." + flowPart,
	"flow cookie":       flowPart + ".1795521600.L2FwcA",
	"connect code":      "8vTqYbWn3RzKc0FgLs5HdJxUe9MpAi2oQ7tXkEwZrC4",
	"signed_request":    "vlXgu64BQGFSQrY0ZcJBZASMvYvTHu9GQ0YM9rjPSso.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsInVzZXJfaWQiOiIyNzY0MDg3NTM5MjI3ODgzMSJ9",
	"PKCE verifier":     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
}

// shapeless are the kinds that no shape describes. The log is told of them.
var shapeless = []string{"client secret", "odd client secret", "long odd secret", "key ring entry", "connect code", "PKCE verifier"}

// newLogger returns a log that was told of the secrets of these kinds.
func newLogger(w io.Writer, format string, kinds ...string) *telemetry.Logger {
	l := telemetry.NewLogger(w, getenv(format, ""))
	for _, kind := range kinds {
		l.Hide(secret.New(secrets[kind]))
	}
	return l
}

// pieces are what may not survive of a secret: 16 characters in a row, or the
// whole of a shorter one. Of the parts of a cookie or legacy token only the
// secret one counts: the others are ids and times.
func pieces(secret string) []string {
	var list []string
	for _, part := range strings.Split(secret, ".") {
		if isDigits(part) {
			continue
		}
		n := min(16, len(part))
		if n < 8 {
			continue
		}
		for i := 0; i+n <= len(part); i++ {
			list = append(list, part[i:i+n])
		}
	}
	return list
}

func isDigits(s string) bool { return strings.Trim(s, `0123456789"\%`) == "" }

// survives reports whether a piece of secret is in line, in any case.
func survives(line, secret string) bool {
	line = strings.ToLower(line)
	for _, p := range pieces(secret) {
		if strings.Contains(line, strings.ToLower(p)) {
			return true
		}
	}
	return false
}

// encodings are how a secret is written. What is looked for in a line is the
// secret so encoded.
var encodings = map[string]func(string) string{
	"plain":                 func(s string) string { return s },
	"percent-encoded":       url.QueryEscape,
	"percent-encoded twice": func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"path-escaped":          url.PathEscape,
	"quoted by Go":          func(s string) string { return fmt.Sprintf("%q", s) },
	"JSON":                  asJSON,
	"JSON in JSON":          func(s string) string { return asJSON(asJSON(s)) },
	"JSON with slashes":     func(s string) string { return strings.ReplaceAll(asJSON(s), "/", `\/`) },
	"base64":                func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url":             func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 escaped":        func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 within":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a=" + s + "&b=c")) },
	"base64 within by one":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("client_id:" + s)) },
	"base64 within by two":  func(s string) string { return base64.URLEncoding.EncodeToString([]byte("x:990602:" + s + "?")) },
	"hexadecimal":           func(s string) string { return hex.EncodeToString([]byte(s)) },
	"capitals":              strings.ToUpper,
	"small letters":         strings.ToLower,
	"glued behind a word":   func(s string) string { return "wordsBeforeIt" + s },
	"glued before a word":   func(s string) string { return s + "andWordsBehind" },
	"between signs":         func(s string) string { return "a/b-c_" + s + "_d/e" },
	"behind a percent":      func(s string) string { return "100%" + s },
	"in a query":            func(s string) string { return "https://graph.instagram.com/me?fields=id&x=" + s + "&y=1" },
}

func asJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", v.s)) }

type stringer struct{ s string }

func (v stringer) String() string { return v.s }

type panicker struct{ s string }

func (v panicker) String() string { panic(v.s) }

type jsoner struct{ s string }

func (v jsoner) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{"v": v.s}) }

type wrapped struct {
	Inner *wrapped `json:",omitempty"`
	A     string
	b     []byte
}

// ways are all ways into a line.
var ways = map[string]func(*telemetry.Logger, string){
	"message":   func(l *telemetry.Logger, s string) { l.Info("got " + s + " here") },
	"attribute": func(l *telemetry.Logger, s string) { l.Info("m", "k", s) },
	"key":       func(l *telemetry.Logger, s string) { l.Info("m", s, 1) },
	"error chain": func(l *telemetry.Logger, s string) {
		l.Error("m", "err", fmt.Errorf("a: %w", fmt.Errorf("b %w", errors.New(s))))
	},
	"joined errors": func(l *telemetry.Logger, s string) {
		l.Error("m", "err", errors.Join(errors.New("first"), errors.New(s), errors.New("last")))
	},
	"struct":            func(l *telemetry.Logger, s string) { l.Info("m", "k", wrapped{&wrapped{A: s}, s, []byte(s)}) },
	"pointer":           func(l *telemetry.Logger, s string) { l.Info("m", "k", &wrapped{A: s}) },
	"map":               func(l *telemetry.Logger, s string) { l.Info("m", "k", map[string]any{"a": []string{s}, s: 1}) },
	"form":              func(l *telemetry.Logger, s string) { l.Info("m", "k", url.Values{"a": {s}}) },
	"header":            func(l *telemetry.Logger, s string) { l.Info("m", "k", http.Header{"X-A": {s}}) },
	"slice":             func(l *telemetry.Logger, s string) { l.Info("m", "k", []any{1, s, nil}) },
	"slice of bytes":    func(l *telemetry.Logger, s string) { l.Info("m", "k", [][]byte{[]byte(s)}) },
	"printed bytes":     func(l *telemetry.Logger, s string) { l.Info(fmt.Sprint([]byte(s))) },
	"printed Go bytes":  func(l *telemetry.Logger, s string) { l.Info(fmt.Sprintf("%#v", []byte(s))) },
	"printed Go struct": func(l *telemetry.Logger, s string) { l.Info(fmt.Sprintf("%#v %+v", wrapped{A: s}, wrapped{A: s})) },
	"printed bytes in hex": func(l *telemetry.Logger, s string) {
		l.Info(fmt.Sprintf("% x", s), "k", fmt.Sprintf("% X, %# x", s, s))
	},
	"numbers": func(l *telemetry.Logger, s string) {
		l.Info("m", "k", numbers(s), "g", map[string]any{"a": numbers(s)})
	},
	"printed hex": func(l *telemetry.Logger, s string) { l.Info(fmt.Sprintf("%x %X % x", s, s, s)) },
	"group": func(l *telemetry.Logger, s string) {
		l.Info("m", slog.Group("g", slog.Group("h", slog.String("k", s))))
	},
	"with":       func(l *telemetry.Logger, s string) { l.WithGroup("g").With("k", s).Info("m") },
	"group name": func(l *telemetry.Logger, s string) { l.WithGroup(s).Info("m", "k", 1) },
	"valuer":     func(l *telemetry.Logger, s string) { l.Info("m", "k", valuer{s}) },
	"stringer":   func(l *telemetry.Logger, s string) { l.Info("m", "k", fmt.Sprint(stringer{s})) },
	"panic":      func(l *telemetry.Logger, s string) { l.Info("m", "k", panicker{s}); l.Info(fmt.Sprint(panicker{s})) },
	"marshaler":  func(l *telemetry.Logger, s string) { l.Info("m", "k", jsoner{s}) },
	"raw JSON":   func(l *telemetry.Logger, s string) { l.Info("m", "k", json.RawMessage(asJSON(s))) },
	"bytes":      func(l *telemetry.Logger, s string) { l.Info("m", "k", []byte(s)) },
	"several":    func(l *telemetry.Logger, s string) { l.Info(s+s, "a", s, "b", s+","+s) },
	"lines":      func(l *telemetry.Logger, s string) { l.Info("first\n" + s + "\n\tlast") },
}

// numbers are the bytes of s, which slog writes as a JSON array.
func numbers(s string) []int {
	var list []int
	for _, b := range []byte(s) {
		list = append(list, int(b))
	}
	return list
}

// listed reports whether line has the beginning of s as a list of numbers.
func listed(line, s string) bool {
	begin := []byte(s)[:8]
	return strings.Contains(line, strings.Trim(fmt.Sprint(begin), "[]")) ||
		strings.Contains(line, strings.Trim(fmt.Sprintf("%#v", begin), "[]byte{}")) ||
		strings.Contains(line, strings.ReplaceAll(strings.Trim(fmt.Sprint(begin), "[]"), " ", ",")) ||
		strings.Contains(line, fmt.Sprintf("% x", begin)) || strings.Contains(line, fmt.Sprintf("% X", begin))
}

// One of these is in each combination that is tried. So all ways, kinds and encodings
// meet in pairs, and a secret of each sort, told of and by shape, meets all ways in
// all encodings.
var (
	usualWays      = []string{"attribute", "lines"}
	usualKinds     = []string{"odd client secret", "long-lived token"}
	usualEncodings = []string{"plain", "JSON", "percent-encoded"}
)

// Every way into a line, with every kind of secret, in every encoding and both
// formats.
func TestRedaction(t *testing.T) {
	tried := 0
	for _, format := range []string{"JSON", "TEXT"} {
		var b bytes.Buffer
		log := newLogger(&b, format, shapeless...)
		for way, write := range ways {
			for kind, secret := range secrets {
				for encoding, encode := range encodings {
					if !slices.Contains(usualWays, way) && !slices.Contains(usualKinds, kind) && !slices.Contains(usualEncodings, encoding) {
						continue
					}
					tried++
					if kind == "code" && encoding == "small letters" {
						continue // it opens nothing, and "aq" begins many a name
					}
					b.Reset()
					encoded := encode(secret)
					write(log, encoded)
					where := fmt.Sprintf("%s, %s, %s, %s", format, way, kind, encoding)
					if survives(b.String(), secret) || encoding != "in a query" && !strings.Contains(encoding, " word") && encoding != "between signs" && survives(b.String(), encoded) {
						t.Errorf("%s: the line holds the secret", where)
					}
					if listed(b.String(), encoded) {
						t.Errorf("%s: the line holds the secret's bytes", where)
					}
					if !strings.Contains(b.String(), "[redacted]") {
						t.Errorf("%s: got a line without [redacted]", where)
					}
					if format == "JSON" {
						wantJSONLines(t, where, b.Bytes())
					}
				}
			}
		}
	}
	if tried < 5000 {
		t.Errorf("combinations: got %d, want more than 5000", tried)
	}
}

func wantJSONLines(t *testing.T, where string, lines []byte) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		if !json.Valid(line) {
			t.Errorf("%s: got a line that is no JSON", where)
		}
	}
}

// A secret that the log was told of and that is cut over attributes, lines or
// writes is taken out of each.
func TestRedactionOfCutSecrets(t *testing.T) {
	for _, kind := range []string{"long-lived token", "client secret", "key ring entry", "signed_request", "code"} {
		secret := secrets[kind]
		for cut := 16; cut <= len(secret)-16; cut++ {
			var b bytes.Buffer
			l := newLogger(&b, "JSON", kind)
			l.Info("m", "a", secret[:cut], "b", secret[cut:])
			l.Info(secret[:cut])
			l.Info(secret[cut:])
			if survives(b.String(), secret) {
				t.Errorf("%s, cut at %d: the lines hold a piece", kind, cut)
			}
		}
	}
}

// Behind its name a secret goes, whatever it is.
func TestRedactionByName(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"GET /callback?code=short&state=S1", "GET /callback?code=[redacted]&state=S1"},
		{`"rawQueryString":"code=short&state=S1"`, `"rawQueryString":"code=[redacted]&state=S1"`},
		{`{"SecretAccessKey":"a/b+c","SessionToken":"x"}`, `{"SecretAccessKey":"[redacted]","SessionToken":"[redacted]"}`},
		{"client_secret=x&grant_type=y", "client_secret=[redacted]&grant_type=y"},
		{"%2Fcallback%3Fcode%3Dabc", "%2Fcallback%3Fcode%3D[redacted]"},
		{"%252Fcallback%253Fcode%253Dabc", "%252Fcallback%253Fcode%253D[redacted]"},
		{"next=%2Fx%3Fa%3D1%26access_token%3Dabc", "next=%2Fx%3Fa%3D1%26access_token%3D[redacted]"},
		{`"url":"/x?a=1\u0026token=abc"`, `"url":"/x?a=1\u0026token=[redacted]"`},
		{`{"client_secret":"my-odd-secret","x":1}`, `{"client_secret":"[redacted]","x":1}`},
		{`"err":"{\"access_token\":\"zzTOKENzz\",\"expires_in\":1}"`, `"err":"{\"access_token\":\"[redacted]\",\"expires_in\":1}"`},
		{`"err":"\"{\\\"access_token\\\":\\\"zz\\\"}\""`, `"err":"\"{\\\"access_token\\\":\\\"[redacted]\\\"}\""`},
		{`client_secret="my odd secret"`, `client_secret="[redacted]"`},
		{"CLIENT_SECRET='odd'", "CLIENT_SECRET='[redacted]'"},
		{"map[client_secret:[my odd secret] code:[abc]]", "map[client_secret:[redacted]] code:[redacted]]]"},
		{"{ClientSecret:odd Other:x}", "{ClientSecret:[redacted] Other:x}"},
		{`{"current":"k1","k1":"a key ring entry of more than 32 characters"}`, `{"current":"k1","k1":"[redacted]"}`},
		{"Authorization: Bearer abcdefgh1234", "Authorization: Bearer [redacted]"},
		{"Authorization:[OAuth abcdefgh1234]", "Authorization:[OAuth [redacted]]"},
		{"Cookie: __Host-session=1.abc; a=b", "Cookie: __Host-[redacted]; a=b"},
		{"__Host-flow-AbC_-9=xyz.1.", "__Host-[redacted]"},
		{`{"message":"parse client_secret:","a":1}`, `{"message":"parse client_secret:","a":1}`},
		{fmt.Sprint([]byte("client_secret=x y")), "[[redacted]]"},
		{fmt.Sprintf("%#v", []byte("?code=x y")), "[]byte{[redacted]}"},
		{fmt.Sprintf("% x", "?code=x y"), "[redacted]"},
		{`{"a":[63,99,111,100,101,61,120],"b":"[63,99,111,100,101,61,120]"}`, `{"a":[63,99,111,100,101,61,120],"b":"[63,99,111,100,101,61,120]"}`},
		{`{"a":[63,99,111,100,101,61,120,121,32],"b":"[63,99,111,100,101,61,120,121,32]"}`, `{"a":["[redacted]"],"b":"[[redacted]]"}`},
	} {
		var b bytes.Buffer
		n, err := telemetry.NewRedactor(&b).Write([]byte(tt.in))
		if err != nil || n != len(tt.in) {
			t.Errorf("Write(%q): got %d, %v; want %d, nil", tt.in, n, err, len(tt.in))
		}
		if got := b.String(); got != tt.want {
			t.Errorf("Write(%q): got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// The shapes, at their least length and one character below it.
func TestRedactionByShape(t *testing.T) {
	const hash = "8vTqYbWn3RzKc0FgLs5HdJxUe9MpAi2oQ7tXkEwZrC4"
	for _, tt := range []struct{ in, want string }{
		{"IGQVJwordsandwordsandwords", "[redacted]"},
		{"IGAA" + hash[:20], "[redacted]"},
		{"IGAA" + hash[:19], "IGAA" + hash[:19]},
		{"EAA" + hash[:30], "[redacted]"},
		{"EAA" + hash[:29], "EAA" + hash[:29]},
		{"AQ" + hash[:40], "[redacted]"},
		{"AQ" + hash[:39], "AQ" + hash[:39]},
		{"1574083.9906026.47a0479900504cb3ab4a1f626d174d2d", "[redacted]"},
		{"1574083.9906026.47a0479900504cb3ab4a1f626d174d2", "1574083.9906026.47a0479900504cb3ab4a1f626d174d2"},
		{"27640." + hash, "[redacted]"},
		{"27640." + hash[:42], "27640." + hash[:42]},
		{hash + ".1795521600000.", "[redacted]"},
		{hash[:42] + ".1795521600000.", hash[:42] + ".1795521600000."},
		{hash + ".eyJ1c2VyX2lkIjoiMSJ9", "[redacted]"},
		{hash, hash}, // a state, a hash of a key
		{`\n27640%2E` + hash + `\tat`, `\n[redacted]\tat`},
	} {
		var b bytes.Buffer
		fmt.Fprint(telemetry.NewRedactor(&b), tt.in)
		if got := b.String(); got != tt.want {
			t.Errorf("Write(%q): got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// A line of JSON stays JSON when a secret of digits is a number in it.
func TestRedactionOfNumbers(t *testing.T) {
	var b bytes.Buffer
	fmt.Fprint(telemetry.NewKnowing(&b, "12345678"), `{"a":12345678,"b":-123456789e3,"c":[12345678],"d":"no. 123456789"}`)
	if got, want := b.String(), `{"a":"[redacted]","b":"[redacted]","c":["[redacted]"],"d":"no. [redacted]9"}`; got != want {
		t.Errorf("Write: got %s, want %s", got, want)
	}
}

// What operators need survives.
func TestOrdinaryLines(t *testing.T) {
	for _, line := range []string{
		`{"timestamp":"2026-11-24T12:00:00.123456789Z","level":"INFO","message":"problem","id":"AQZRLVN2QXJ4WDTA7H3MBEYCGU","code":"flow_expired","status":400,"err":"cookie is from the future","requestId":"8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11"}`,
		`{"message":"request","route":"/notices/deletion/{code}","method":"GET","status":200,"outcome":"reconnect_required","duration_ms":12.345678901234567,"instagram_calls":3,"aws_calls":2,"flow":"AbC_-9dEfGhI","version":"1.10.0"}`,
		`{"_aws":{"Timestamp":1795521600123,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"ExchangeFailures","Unit":"Count"},{"Name":"ReconnectsRequired","Unit":"Count"},{"Name":"DaysToExpiry","Unit":"None"}]}]},"Stack":"photopass-prod","ExchangeFailures":1}`,
		`{"message":"audit","event":"token_refreshed","account":"27640875392278831","cause":"instagram: refresh: throttled, status 429, code 4/0, \"Application request limit reached\", trace AbCdEfGhIjKlMnOpQrStUvW"}`,
		`{"message":"sweep","report":{"Due":12,"Refreshed":10,"Deferred":1,"Dead":1},"err":null,"elapsed":"1m2.345678912s"}`,
		`timestamp=2026-11-24T12:00:00.000Z level=WARN message="serving the last profile" code=instagram_unavailable err="instagram: profile: unavailable, status 500" requestId=8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11 id=K5ZRLVN2QXJ4WDTA7H3MBEYCGU flow=AbC_-9dEfGhI`,
		`instagram: exchange: rejected, status 400, code 190/463, "Error validating access token: Session has expired on Tuesday, 24-Nov-26 12:00:00 PST.", trace A7b_CdEfGhI-KlMnOpQrStU`,
		`(#10) To use Instagram Graph API, your use of this endpoint must be reviewed and approved by Facebook. instagram_business_manage_insights, IGApiException, OAuthAccessTokenException`,
		`operation error DynamoDB: TransactWriteItems, https response error StatusCode: 400, RequestID: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG, TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None]`,
		`operation error Secrets Manager: GetSecretValue, https response error StatusCode: 400, RequestID: 8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11, api error AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/photopass-CallbackRole-1ABC2DEF3GHIJ/photopass-CallbackFunction-AbC1dEf2GhI3 is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-central-1:123456789012:secret:photopass/3e4f5a60-aa11-11ef-9e9a-0c7d2f6b1a11/TokenKeys-AbC1dE`,
		`the client secret (photopass/3e4f5a60-aa11-11ef-9e9a-0c7d2f6b1a11/ClientSecret) operation error: ProvisionedThroughputExceededException; store it with ` + "`photopass secret set`",
		`arn:aws:dynamodb:eu-central-1:123456789012:table/photopass-Table-1ABC2DEF3GHIJ/index/due arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/photopass-RefreshFunction-AbC1dEf2GhI3:*`,
		`Post "https://dynamodb.eu-central-1.amazonaws.com/": dial tcp: lookup dynamodb.eu-central-1.amazonaws.com on 169.254.100.5:53: no such host; exceeded maximum number of attempts, 3`,
		`Get "https://graph.instagram.com/v26.0/me?fields=id%2Cuser_id%2Cusername%2Cprofile_picture_url": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
		`https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/callback, redirect to https%3A%2F%2Fconnect.photopass.example%2Fcallback%3Fa%3D1 and https:\/\/photopass.example\/callback`,
		`"err":"panic with a value of type runtime.boundsError\ngoroutine 34 [running]:\nruntime/debug.Stack()\n\truntime/debug/stack.go:26 +0x5e\nphotopass/internal/web.(*Site).guard.func1()\n\tphotopass/internal/web/web.go:138 +0x1d4\npanic({0x9a5e40?, 0xc0001a2b40?})\n\truntime/panic.go:860 +0x13a\nphotopass/internal/login.(*Callback).ServeHTTP(0xc000123456, {0xb3f0e8, 0xc000012abc}, 0xffffffffffffffff)\n\tphotopass/internal/login/callback.go:77 +0x2c\nnet/http.HandlerFunc.ServeHTTP(...)\n\tnet/http/server.go:2322\ngithub.com/aws/aws-sdk-go-v2/service/dynamodb.(*awsAwsjson10_serializeOpTransactWriteItems).HandleSerialize(...)\n\tgithub.com/aws/aws-sdk-go-v2/service/dynamodb@v1.57.0/serializers.go:4321 +0x1a0\ngithub.com/aws/smithy-go/middleware.decoratedInitializeHandler.HandleInitialize({{0xb3a1c0, 0xc0}})\ngithub.com/aws/aws-lambda-go/lambda.(*handlerOptions).handleRequest(...)\ncreated by main.main in goroutine 1\n"`,
		`INSTAGRAM_CLIENT_SECRET is not 32 hexadecimal digits, as Meta's secrets are; TOKEN_KEYS_SECRET_ID must be set; RETURN_TO_ORIGINS takes an origin such as https://example.com: https, lower case, no path, no trailing slash`,
		`parse client_secret: takes 8 to 256 printable characters; code=flow_used "code":"flow_expired" "status_code":190 token: not there; Bearer of a token`,
		`AWS SDK says Response has no supported checksum. Not validating response payload. x86_64 arm64 go1.26.1 amzn2023 provided.al2023`,
		`took [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20], {0, 0, 1, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4}, 49 47 41 41 00 00 01 7f 45 4c 46 02 01 01 00 00 00 ff`,
		`errors a b c d e f 1 2 3 4 5 6 7 8 9, []byte{0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e, 0x31, 0x20, 0x34, 0x30, 0x30, 0x20, 0x42, 0x61, 0x64, 0x20}`,
		// What looks random and is no secret.
		`stack MyApp, table MyApp-Table-1QZ7ABCDEFGHI, photopass-dev-CallbackFunction-AbC1dEf2GhI3, acme-ApiGatewayCustomDomainRole-1HX2YQ3PLTABC, Aq1-CodeDeployServiceRole-9ZK0QWERTYUI`,
		`arn:aws:cloudformation:eu-central-1:123456789012:stack/MyApp/3e4f5a60-aa11-11ef-9e9a-0c7d2f6b1a11 arn:aws:lambda:eu-central-1:123456789012:function:MyApp-TokenFunction-x9Yz8Wv7Ut6S:live arn:aws:secretsmanager:eu-central-1:123456789012:secret:MyApp/TokenKeys-a1B2c3 arn:aws:iam::123456789012:role/MyApp-SomeoneElsesRole-AbC1dEf2GhI3`,
		`X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2 _X_AMZN_TRACE_ID`,
		`traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 x-amzn-requestid c6af9ac6-7b61-11e6-9a41-93e8deadbeef apigw-requestid JKJaXmPLvHcESHA= extended b8Kq2XYzABCDEFGHIJ==`,
		`version d3c617d4f0a0636a065f092cab3ce5c8a9b0d1e2 (a0d636a) sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`,
		`RequestID: 4KBNVRAQ25RG1KEO9UT4V3EAAJVV4KQNSO5AEMVJF66Q9ASUAAJG, AQBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG`,
		`TransactionInProgressException TransactionConflictException TransactionCanceledException ItemCollectionSizeLimitExceededException IdempotentParameterMismatchException ProvisionedThroughputExceededException RequestLimitExceeded ThrottlingException UnrecognizedClientException IncompleteSignatureException InvalidSignatureException ExpiredTokenException MissingAuthenticationTokenException DecryptionFailure InternalServiceErrorException ResourceNotFoundException`,
		`exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post "https://dynamodb.eu-central-1.amazonaws.com/": read tcp 169.254.76.1:40234->52.94.5.100:443: read: connection reset by peer`,
		`failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata; api error UnrecognizedClientException: The security token included in the request is invalid.`,
		`confirmation code KQ7ZRLVN2QXJ4WDTA7H3MBEYCGUABCDE, /notices/deletion/KQ7ZRLVN2QXJ4WDTA7H3MBEYCGUABCDE, state Yk3mVw9ZpQ1rT6xB8nC2dF4gH7jL0sAeKuXiOyPvGzE`,
		`AKIAIOSFODNN7EXAMPLE AROAIOSFODNN7EXAMPLE:photopass-CallbackFunction-AbC1dEf2GhI3 d-a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com vpce-0a1b2c3d4e5f67890`,
		`signed by another secret than the client secret; algorithm HMAC-SHA256; redirect_uri; instagram_business_basic+instagram_business_manage_comments basic+public_content+follower_list`,
	} {
		var b bytes.Buffer
		newLogger(&b, "JSON", shapeless...).Info(line)
		var logged struct{ Message string }
		if err := json.Unmarshal(b.Bytes(), &logged); err != nil || logged.Message != line {
			t.Errorf("got  %s, %v\nwant %s", logged.Message, err, line)
		}
		b.Reset()
		fmt.Fprint(telemetry.NewKnowing(&b, oddSecret, ringEntry), line)
		if got := b.String(); got != line {
			t.Errorf("got  %s\nwant %s", got, line)
		}
	}
}

// The list of Hide is bounded: the newest values count.
func TestHide(t *testing.T) {
	var b bytes.Buffer
	l := telemetry.NewLogger(&b, getenv("TEXT", ""))
	l.Hide(secret.New("words!"), secret.New("oldest of all!"))
	for i := range 40 {
		s := secret.New(fmt.Sprintf("secret number %02d", i))
		l.Hide(s, s)
	}
	for i := range 100 { // those of requests are in a list of their own
		l.HideRecent(secret.New(fmt.Sprintf("recent number %02d", i)))
	}
	l.With("a", 1).WithGroup("g").Info("words! oldest of all! SECRET number 08, secret%20number%2009; %73ecret number 10. recent number 67, recent number 68.")
	if got, want := b.String(), "words! oldest of all! [redacted], [redacted]; [redacted]. recent number 67, [redacted]."; !strings.Contains(got, want) {
		t.Errorf("log: got %q, want %q", got, want)
	}
}

// What one logger was told of is nothing to another, and nothing breaks where
// there is no redaction.
func TestHideIsOfOneLogger(t *testing.T) {
	var one, other bytes.Buffer
	told, plain := telemetry.NewLogger(&one, getenv("JSON", "")), telemetry.Wrap(slog.New(slog.NewTextHandler(&other, nil)))
	told.Hide(secret.New(oddSecret))
	plain.Hide(secret.New(oddSecret))
	telemetry.NewLogger(&other, getenv("TEXT", "")).Info("correct.horse.battery.staple")
	told.Info("m", "k", oddSecret)
	if survives(one.String(), oddSecret) || !strings.Contains(other.String(), "correct.horse.battery.staple") {
		t.Errorf("logs: got %s and %s, want the first redacted alone", one.String(), other.String())
	}
}

// Hidden values are found however they are written, and lines stay JSON.
func TestHideInEveryForm(t *testing.T) {
	const short, percent, escapes, last = "a,b;c.d!", "41,odd;value", `"quoted, and \ ends in\`, `more than sixteen\`
	for _, hidden := range []string{
		short, "A,B;C.D!", "a%2Cb%3Bc%2Ed%21", "a%252Cb;c.d!", "612c623b632e6421",
		"YSxiO2MuZCE=", "eGEsYjtjLmQh", "eHlhLGI7Yy5kIQ==", // alone, behind one character, behind two
		"%" + percent, "41%2codd%3bvalue", `41\u002codd\u003Bvalue`,
		escapes, asJSON(escapes), asJSON(asJSON(escapes)), url.QueryEscape(escapes), "ends \\" + escapes + "\n", last,
	} {
		for _, format := range []string{"JSON", "TEXT"} {
			var b bytes.Buffer
			l := telemetry.NewLogger(&b, getenv(format, ""))
			for _, s := range []string{short, percent, escapes, last} {
				l.Hide(secret.New(s))
			}
			l.Info(hidden, "k", hidden+`"`)
			if got := strings.Count(b.String(), "[redacted]"); got != 2 {
				t.Errorf("%s, %q: got %s, want two redacted values", format, hidden, b.String())
			}
			if format == "JSON" {
				wantJSONLines(t, hidden, b.Bytes())
			}
		}
	}
}

// The processor time that a line takes grows with its length and no faster, even if a
// stranger made the line up: eight times the text takes about eight times as long,
// where each byte looking at all others would make it sixty-four.
func TestRedactionOfLongLines(t *testing.T) {
	r := telemetry.NewKnowing(&discard{}, strings.Repeat("a", 32), ringEntry)
	cost := func(line string) time.Duration {
		least := time.Hour
		for range 3 {
			begin := processorTime(t)
			fmt.Fprint(r, line)
			least = min(least, processorTime(t)-begin)
		}
		return max(least, 100*time.Microsecond) // below that the clock is too coarse
	}
	nested := func(n int) string {
		text := strings.Repeat("a", n*3/10)
		for range 4 {
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		return text
	}
	of := func(piece string) func(int) string {
		return func(n int) string { return strings.Repeat(piece, n/len(piece)) }
	}
	lines := map[string]func(int) string{"nested base64": nested}
	for _, piece := range []string{`\`, "%25", "a", "41", "QUFB", "1 ", ".eyJ", "1.", "client_secret", "343134313431", "49 32 ", "0x61, "} {
		lines[piece] = of(piece)
	}
	for name, line := range lines {
		short, long := cost(line(1024)), cost(line(8*1024))
		if long > 40*short {
			t.Errorf("a line of %s: eight times the length takes %d times as long, want about 8", name, long/short)
		}
	}
}

// processorTime returns what this process has used. Unlike the time on a clock it does
// not depend on what else the machine does.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatalf("getrusage: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A line is written while a secret is read again.
func TestHideWhileWriting(t *testing.T) {
	l := telemetry.NewLogger(&bytes.Buffer{}, getenv("JSON", ""))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			l.Hide(secret.New(fmt.Sprintf("secret of reading %d", i)))
		}
	}()
	for range 100 {
		l.Info("a line")
	}
	<-done
}

// Text that looks like the start of one secret does not hide another behind it.
func TestSecretBehindTheBeginningOfAnother(t *testing.T) {
	for _, before := range []string{
		"80010.", "12345.9906026.",
		"IGAA-0123456789-0123456789", "AQ0123456789-0123456789-0123456789-0123456789",
		"0123456789-0123456789-0123456789-0123456789.",
	} {
		for seed := range uint64(50) {
			hidden, shapeless := randomSecret(seed)
			if shapeless {
				continue
			}
			var b bytes.Buffer
			telemetry.NewLogger(&b, getenv("TEXT", "")).Info(before + hidden)
			if survives(b.String(), hidden) {
				t.Errorf("%s before %s: a piece survived in %s", before, hidden, b.String())
			}
		}
	}
}

// FuzzRedaction puts random secrets between any text. The secrets are not the
// fuzzer's to choose: it would find those that consist of words.
func FuzzRedaction(f *testing.F) {
	f.Add(uint64(1), "before ", " behind", uint8(0))
	f.Add(uint64(2), "/callback?code=", "&state=x", uint8(1))
	f.Add(uint64(3), `{"a":"\n`, `\n"}`, uint8(2))
	f.Add(uint64(4), "photopass/internal/web-", "/web", uint8(3))
	f.Add(uint64(5), "%", "%41", uint8(4))
	f.Add(uint64(6), " ", "\\u0\xaa0", uint8(5))
	f.Add(uint64(7), `\`, `\u0026`, uint8(5))
	f.Add(uint64(66), "A", "\x02", uint8(0xc3)) // \u0002 before digits
	encode := exactEncodings()
	f.Fuzz(func(t *testing.T, seed uint64, before, behind string, how uint8) {
		hidden, shapeless := randomSecret(seed)
		encoded := encode[int(how)%len(encode)](hidden)
		for _, format := range []string{"JSON", "TEXT"} {
			var b bytes.Buffer
			l := telemetry.NewLogger(&b, getenv(format, ""))
			if shapeless {
				l.HideRecent(secret.New(hidden))
			}
			l.Info(before+encoded+behind, "k"+before, behind+encoded)
			if survives(b.String(), hidden) {
				t.Fatalf("%s: a piece of %s survived in %s", format, hidden, b.String())
			}
			if format == "JSON" {
				wantJSONLines(t, "JSON", b.Bytes())
			}
		}
	})
}

// exactEncodings are the encodings, but for another letter case, which leaves a
// random secret useless.
func exactEncodings() []func(string) string {
	var list []func(string) string
	for _, name := range slices.Sorted(maps.Keys(encodings)) {
		if name != "capitals" && name != "small letters" {
			list = append(list, encodings[name])
		}
	}
	return list
}

// randomSecret returns a secret of one of the random kinds, and whether that has
// no shape. The same seed makes the same.
func randomSecret(seed uint64) (secret string, shapeless bool) {
	random := rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, seed)))
	bytes := func(n int) []byte {
		b := make([]byte, n)
		random.Read(b)
		return b
	}
	switch random.Uint64() % 7 {
	case 0:
		return "IGAA" + base64.RawURLEncoding.EncodeToString(bytes(100)), false
	case 1:
		return "AQ" + base64.RawURLEncoding.EncodeToString(bytes(120)), false
	case 2:
		return hex.EncodeToString(bytes(16)), true // a client secret
	case 3:
		return "1574083.9906026." + hex.EncodeToString(bytes(16)), false // a token of 2018
	case 4:
		return base64.StdEncoding.EncodeToString(bytes(36)), true // a key
	case 5:
		return "27640875392278831." + base64.RawURLEncoding.EncodeToString(bytes(32)), false // a session's cookie
	}
	return base64.RawURLEncoding.EncodeToString(bytes(32)), true // a connect code, a verifier
}

// BenchmarkRedactor writes a usual line, with a client secret and two keys known.
func BenchmarkRedactor(b *testing.B) {
	r := telemetry.NewKnowing(&discard{}, "6dc1787668c64c939929c17683d7cb74", "Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe", "q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5")
	line := []byte(`{"timestamp":"2026-11-24T12:00:00.123456789Z","level":"INFO","message":"request","route":"/callback","method":"GET","status":303,"outcome":"connected","duration_ms":412,"instagram_calls":3,"aws_calls":3,"flow":"AbC_-9dEfGhI","version":"1.0.0","requestId":"8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11"}` + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Write(line); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }
