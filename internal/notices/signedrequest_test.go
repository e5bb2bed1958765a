package notices_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// vector is the signed_request that Meta's documentation is checked with, under
// the secret "key": user 0, issued on 21 June 2021.
const vector = "Mf_s6nTb38UYqioBmPqu0Ewm9souPZB9I2fIGwV729U.eyJ1c2VyX2lkIjoiMCIsImFsZ29yaXRobSI6IkhNQUMtU0hBMjU2IiwiaXNzdWVkX2F0IjoxNjI0MjQ0MTU2fQ"

func TestVector(t *testing.T) {
	signature, message, _ := strings.Cut(vector, ".")
	for _, tt := range []struct {
		name, signedRequest string
		want                int
	}{
		{"as it is", vector, 200},
		{"signature padded", signature + "=." + message, 200},
		{"first character changed", "N" + vector[1:], 400},
		{"last character changed", vector[:len(vector)-1] + "A", 400},
		{"halves swapped", message + "." + signature, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.secrets.Current = secret.New("key")
			b.now = time.Date(2021, 6, 21, 2, 56, 0, 0, time.UTC)
			b.login("0", "", "k1")
			if r := b.post(deauthorize, tt.signedRequest); r.Status != tt.want {
				t.Errorf("POST: got status %d, want %d", r.Status, tt.want)
			}
			if tt.want == 200 {
				b.wantAccounts("afterwards")
			} else {
				b.wantAccounts("afterwards", "0")
			}
		})
	}
}

// Whatever is signed with a secret that counts is obeyed, and nothing else is.
func TestSecrets(t *testing.T) {
	until := start.Add(time.Hour)
	for _, tt := range []struct {
		name     string
		signedBy string
		previous secret.Value
		until    time.Time
		after    time.Duration // on the clock
		want     int
	}{
		{"current", apptest.ClientSecret, secret.Value{}, time.Time{}, 0, 200},
		{"current, with a previous one", apptest.ClientSecret, secret.New(previousSecret), until, 0, 200},
		{"previous without end", previousSecret, secret.New(previousSecret), time.Time{}, 0, 200},
		{"previous before its end", previousSecret, secret.New(previousSecret), until, time.Hour - 1, 200},
		{"previous at its end", previousSecret, secret.New(previousSecret), until, time.Hour, 400},
		{"previous long after", previousSecret, secret.New(previousSecret), until, 48 * time.Hour, 400},
		{"another", "0123456789abcdef0123456789abcdee", secret.New(previousSecret), until, 0, 400},
		{"empty, no previous one", "", secret.Value{}, time.Time{}, 0, 400},
		{"empty, previous one empty", "", secret.New(""), time.Time{}, 0, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.secrets.Previous, b.secrets.PreviousUntil = tt.previous, tt.until
			b.login(acmeID, acmeUserID, "k1")
			b.now = b.now.Add(tt.after)
			payload := fmt.Sprintf(`{"user_id":%q,"algorithm":"HMAC-SHA256","issued_at":%d}`, acmeID, start.Unix())
			r := b.post(deauthorize, sign(tt.signedBy, payload))
			if tt.want == 200 {
				wantDone(t, "POST", r)
				wantGone(t, "POST", b.memory)
				return
			}
			wantProblem(t, "POST", r, 400, "invalid_request")
			b.wantCalls("POST", "ClientSecrets")
			b.wantAccounts("POST", acmeID)
		})
	}
}

// What an authentic signed_request must say. Ids exceed what a float64 holds.
func TestPayload(t *testing.T) {
	const begin = `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256"`
	for _, tt := range []struct {
		name, payload string
		want          int
	}{
		{"string", `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795521600}`, 200},
		{"number", `{"user_id":27640875392278831,"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 200},
		{"space, order, unknown members", "\n{ \"issued_at\" : 1795521600, \"x\":[{}], \"algorithm\":\"HMAC-SHA256\", \"user_id\":\"27640875392278831\" }\n", 200},
		{"expired", begin + `,"issued_at":1795521600,"expires":1}`, 200},
		{"odd expires", begin + `,"issued_at":1795521600,"expires":"never"}`, 200},
		{"five minutes ahead", begin + `,"issued_at":1795521900}`, 200},
		{"more than five minutes ahead", begin + `,"issued_at":1795521901}`, 400},
		{"far ahead", begin + `,"issued_at":9223372036854775807}`, 400},
		{"beyond int64", begin + `,"issued_at":9223372036854775808}`, 400},
		{"no issued_at", begin + `}`, 400},
		{"issued_at is null", begin + `,"issued_at":null}`, 400},
		{"issued_at is a string", begin + `,"issued_at":"1795521600"}`, 400},
		{"issued_at is a fraction", begin + `,"issued_at":1795521600.5}`, 400},
		{"issued_at in milliseconds", begin + `,"issued_at":1795521600000}`, 400},
		{"no algorithm", `{"user_id":"27640875392278831","issued_at":1795521600}`, 400},
		{"algorithm none", `{"user_id":"27640875392278831","algorithm":"none","issued_at":1795521600}`, 400},
		{"algorithm in lower case", `{"user_id":"27640875392278831","algorithm":"hmac-sha256","issued_at":1795521600}`, 400},
		{"another algorithm", `{"user_id":"27640875392278831","algorithm":"HMAC-SHA1","issued_at":1795521600}`, 400},
		{"algorithm is a list", `{"user_id":"27640875392278831","algorithm":["HMAC-SHA256"],"issued_at":1795521600}`, 400},
		{"no user_id", `{"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id is empty", `{"user_id":"","algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id is null", `{"user_id":null,"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id is a fraction", `{"user_id":27640875392278831.0,"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id has an exponent", `{"user_id":2e3,"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id is negative", `{"user_id":-1,"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id is an object", `{"user_id":{},"algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id with a key in it", `{"user_id":"1#SESSION","algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"user_id too long", `{"user_id":"` + strings.Repeat("1", 41) + `","algorithm":"HMAC-SHA256","issued_at":1795521600}`, 400},
		{"no object", `"HMAC-SHA256"`, 400},
		{"null", `null`, 400},
		{"cut", begin, 400},
		{"text behind", begin + `,"issued_at":1795521600} x`, 400},
		{"no JSON", `user_id=27640875392278831`, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			b.login("27640875392278832", "", "k2") // what a float64 makes of acme's id
			r := b.post(deauthorize, sign(apptest.ClientSecret, tt.payload))
			if tt.want == 200 {
				wantDone(t, "POST", r)
				b.wantAccounts("POST", "27640875392278832")
				return
			}
			wantProblem(t, "POST", r, 400, "invalid_request")
			b.wantCalls("POST", "ClientSecrets")
			b.wantAccounts("POST", acmeID, "27640875392278832")
		})
	}
}

// The signature is over the message as sent, its padding included.
func TestMessagePadding(t *testing.T) {
	for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding} {
		for pad := range 3 {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			payload := `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795521600}` + strings.Repeat(" ", pad)
			op := fmt.Sprintf("POST of %d bytes", len(payload))
			wantDone(t, op, b.post(deauthorize, signMessage(apptest.ClientSecret, encoding.EncodeToString([]byte(payload)))))
			wantGone(t, op, b.memory)
		}
	}
}

// A message that is signed and yet not base64url.
func TestMessageIsNotBase64URL(t *testing.T) {
	b := newBench(t)
	wantProblem(t, "POST", b.post(deauthorize, signMessage(apptest.ClientSecret, "abcde")), 400, "invalid_request")
	b.wantCalls("POST", "ClientSecrets")
}

const form = "application/x-www-form-urlencoded"

// What is malformed is refused before anything is called.
func TestMalformedBodies(t *testing.T) {
	good := notice(start)
	field := url.Values{"signed_request": {good}}.Encode()
	signature, message, _ := strings.Cut(good, ".")
	value := func(s string) string { return url.Values{"signed_request": {s}}.Encode() }
	for _, tt := range []struct {
		name, target, contentType, body string
		want                            int
	}{
		{"good", deauthorize, form, field, 200},
		{"with a charset", deauthorize, form + "; charset=UTF-8", field, 200},
		{"Content-Type in upper case", deauthorize, strings.ToUpper(form), field, 200},
		{"other fields", deauthorize, form, "a=b&" + field + "&c", 200},
		{"the query is not looked at", deauthorize + "?signed_request=x&%zz", form, field, 200},
		{"as large as may be", deauthorize, form, field + "&x=" + strings.Repeat("x", 65536-len(field)-3), 200},
		{"too large", deauthorize, form, field + "&x=" + strings.Repeat("x", 65536-len(field)-2), 400},
		{"in the query alone", deauthorize + "?" + field, form, "", 400},
		{"empty", deauthorize, form, "", 400},
		{"another field", deauthorize, form, "signedrequest=" + good, 400},
		{"twice the same", deauthorize, form, field + "&" + field, 400},
		{"twice, one empty", deauthorize, form, field + "&signed_request=", 400},
		{"field empty", deauthorize, form, "signed_request=", 400},
		{"bad escape", deauthorize, form, field + "&x=%zz", 400},
		{"semicolon", deauthorize, form, field + ";a=b", 400},
		{"no Content-Type", deauthorize, "", field, 400},
		{"JSON", deauthorize, "application/json", `{"signed_request":"` + good + `"}`, 400},
		{"text", deauthorize, "text/plain", field, 400},
		{"multipart", deauthorize, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"signed_request\"\r\n\r\n" + good + "\r\n--b--\r\n", 400},
		{"malformed Content-Type", deauthorize, form + "; =", field, 400},
		{"no dot", deauthorize, form, value(signature), 400},
		{"dot alone", deauthorize, form, value("."), 400},
		{"no signature", deauthorize, form, value("." + message), 400},
		{"no message", deauthorize, form, value(signature + "."), 400},
		{"three parts", deauthorize, form, value(good + "." + message), 400},
		{"signature too short", deauthorize, form, value(good[1:]), 400},
		{"signature too long", deauthorize, form, value("A" + good), 400},
		{"signature padded twice", deauthorize, form, value(signature + "==." + message), 400},
		{"base64 of another alphabet", deauthorize, form, value("+/" + good[2:]), 400},
		{"line feed in the signature", deauthorize, form, value(signature[:10] + "\n" + signature[10:] + "." + message), 400},
		{"line feed behind", deauthorize, form, value(good + "\n"), 400},
		{"space in front", deauthorize, form, value(" " + good), 400},
		{"NUL", deauthorize, form, value(good + "\x00"), 400},
		{"not UTF-8", deauthorize, form, value(good + "\xff"), 400},
		{"hexadecimal signature", deauthorize, form, value(strings.Repeat("a", 64) + "." + message), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			header := []string{"Content-Type", tt.contentType}
			if tt.contentType == "" {
				header = nil
			}
			r := b.do("POST", tt.target, tt.body, header...)
			if tt.want == 200 {
				wantDone(t, "POST", r)
				wantGone(t, "POST", b.memory)
				return
			}
			wantProblem(t, "POST", r, 400, "invalid_request")
			b.wantCalls("POST")
			b.wantAccounts("POST", acmeID)
			b.wantAudit("POST")
		})
	}
}

// Nothing is wrong with a notice whose secret can't be had, so it is not refused.
func TestSecretUnreadable(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		code string
	}{
		{"misconfigured", fmt.Errorf("read: %w", secret.ErrMisconfigured), "app_misconfigured"},
		{"unreachable", errUnreachable, "internal"},
	} {
		for _, path := range []string{deauthorize, deletion} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				b := newBench(t)
				b.login(acmeID, acmeUserID, "k1")
				b.before["ClientSecrets"] = func() error { return tt.err }
				wantProblem(t, "POST", b.post(path, notice(start)), 500, tt.code)
				b.wantCalls("POST", "ClientSecrets")
				b.wantAccounts("POST", acmeID)
				if !strings.Contains(b.log.String(), tt.err.Error()) {
					t.Error("log: does not say why")
				}
			})
		}
	}
}

// The log says why a call was refused, so that an operator with a wrong secret
// finds out.
func TestRefusalIsLogged(t *testing.T) {
	for _, tt := range []struct{ name, signedRequest, want string }{
		{"shape", "x", "signed_request is malformed"},
		{"signature", sign("another secret", "{}"), "signed_request is signed with neither the client secret nor the one before it"},
		{"payload", sign(apptest.ClientSecret, "{}"), "signed_request lacks the algorithm HMAC-SHA256, a user_id or an issued_at that is not ahead"},
	} {
		b := newBench(t)
		b.post(deauthorize, tt.signedRequest)
		if want := `"level":"INFO","msg":"request"`; !strings.Contains(b.log.String(), want) || !strings.Contains(b.log.String(), `"err":"`+tt.want+`"`) {
			t.Errorf("%s: log: got %s, want %q", tt.name, b.log.String(), tt.want)
		}
	}
}

// Whatever is sent is answered with 400 and touches nothing, unless it is signed.
func FuzzSignedRequest(f *testing.F) {
	good := notice(start)
	for _, seed := range []string{
		good, vector, "", ".", "a.b", strings.Replace(good, ".", "=.", 1), good + "=", good + ".", strings.ToLower(good),
		sign(previousSecret, `{"user_id":"1"}`), sign("", `{}`), sign(apptest.ClientSecret, `{"algorithm":"HMAC-SHA256"}`),
		strings.Repeat("A", 43) + ".e30", "\n" + good, "%00", "ä.ö",
	} {
		f.Add(seed, true)
		f.Add("signed_request="+seed, false)
	}
	b := newBench(f)
	b.login(acmeID, acmeUserID, "k1")
	for _, method := range []string{"Receipt", "Account", "AccountByUserID", "Delete", "DeleteWithReceipt", "PutReceipt"} {
		b.before[method] = func() error { return errors.New(method + " was called") }
	}
	signed := map[string]bool{good: true, strings.Replace(good, ".", "=.", 1): true}
	f.Fuzz(func(t *testing.T, text string, isValue bool) {
		body := text
		if isValue {
			body = url.Values{"signed_request": {text}}.Encode()
		}
		b.log.Reset()
		b.Calls()
		r := b.postBody(deletion, body)
		if form, err := url.ParseQuery(body); err == nil && signed[form.Get("signed_request")] && r.Status == 500 {
			return // it got as far as the store
		}
		if r.Status != 400 || !strings.Contains(r.Body, `"code":"invalid_request"`) {
			t.Errorf("POST: got status %d, want 400 invalid_request", r.Status)
		}
		if len(text) > 20 && (strings.Contains(r.Body, text) || strings.Contains(b.log.String(), text)) {
			t.Error("POST: answer or log quote what was sent")
		}
	})
}
