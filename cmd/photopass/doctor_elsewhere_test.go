package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/instagram"
	"photopass/internal/test/mototest"
)

// What was not checked is one line, and faults come first.
func TestDoctorFoldsWhatWasNotChecked(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.refuse = "GetCallerIdentity"
	d.deploy(t)
	status, out, progress := d.doctor(t, "-stack", d.name)
	want := "fault    credentials     access denied at sts:GetCallerIdentity: ordered by a test\n                         remedy: " + permit + `
not checked: stack (AWS could not be asked); client secret, key ring, table, table settings, due tokens, sweep, /authorize, request, consent page, /profile, /callback, /notices (the stack could not be read)
`
	if out != want || status != 1 || progress != "photopass: 1 fault, 0 warnings\n" {
		t.Errorf("doctor: got exit status %d, said %q, and\n%s\nwant 1, one fault, and\n%s", status, progress, out, want)
	}
}

// A stack that can't be used is the one fault, and the parts are not blamed.
func TestDoctorWithoutStack(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.refuse = "DescribeStacks"
	d.deploy(t)
	d.wantFindings(t, []string{"fault stack: access denied at cloudformation:DescribeStacks: ordered by a test => " + permit}, "-stack", d.name)
	d.endpoint = mototest.URL(t)
	d.wantFindings(t, []string{"fault stack: Stack with id not-there does not exist in region eu-central-1 => " +
		"list the stacks with `aws cloudformation list-stacks --region eu-central-1` and name one with -stack, or another region in AWS_REGION"}, "-stack", "not-there")
	_, out, _ := d.doctor(t, "-stack", strings.TrimSuffix(d.name, "-doctor")) // which has two outputs
	if want := "has no output SiteUrl, so it is no stack of photopass or an older one\n                         remedy: name another with -stack, or deploy it again with `make deploy`\n"; !strings.Contains(out, want) {
		t.Errorf("doctor of another kind of stack: got\n%s\nwant in it\n%s", out, want)
	}
}

// Ages go by AWS's clock, whatever this machine's says.
func TestDoctorClock(t *testing.T) {
	for _, tt := range []struct {
		ahead  time.Duration
		want   string
		faults int
	}{
		{5 * time.Minute, `"found": "this machine's clock is 5m0s ahead of AWS's"`, 1},
		{-3 * time.Hour, `"found": "this machine's clock is -3h0m0s ahead of AWS's"`, 1},
		{50 * time.Second, `"found": "arn:aws:sts::123456789012:user/moto, region eu-central-1"`, 0},
	} {
		d := newDeployed(t, "")
		d.deploy(t)
		now := func() time.Time { return time.Now().Add(tt.ahead) }
		out, _, err := d.inProcessAt(t.Context(), t, now, noWait, "doctor", "-json")
		if !strings.Contains(out, tt.want) || !strings.Contains(out, fmt.Sprintf(`"faults": %d`, tt.faults)) || (err != nil) != (tt.faults > 0) {
			t.Errorf("doctor of a machine %v ahead: got error %v and\n%s\nwant %d faults and %s", tt.ahead, err, out, tt.faults, tt.want)
		}
	}
}

// A site that is not on this machine sends HSTS.
func TestDoctorHSTS(t *testing.T) {
	t.Parallel()
	for strip, want := range map[string][]string{
		"":                          nil,
		"Strict-Transport-Security": {"fault /authorize: the answer lacks Strict-Transport-Security => let what stands in front of the API pass its headers on"},
	} {
		d := newDeployed(t, "")
		behind, err := url.Parse(d.outputs["SiteUrl"])
		wantNoErr(t, "parse site", err)
		forward := httputil.NewSingleHostReverseProxy(behind)
		forward.ModifyResponse = func(r *http.Response) error { r.Header.Del(strip); return nil }
		proxy := httptest.NewServer(forward)
		t.Cleanup(proxy.Close)
		d.env = []string{"HTTP_PROXY=" + proxy.URL} // loopback addresses go past it
		d.outputs["SiteUrl"], d.outputs["RedirectUri"] = "http://connect.example", "http://connect.example/callback"
		d.client.RedirectURI = "http://connect.example/callback"
		instagramThat(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<p>consent") })(t, d)
		d.deploy(t)
		d.wantFindings(t, want, "-stack", d.name)
	}
}

// The dialect of 2018 has other words.
func TestDoctorLegacy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*deployed)
		want   []string
	}{
		{"all well", func(*deployed) {}, nil},
		{"a client id that Instagram does not know", func(d *deployed) { d.client.ClientID, d.parameters["InstagramClientId"] = "1234", "1234" }, []string{
			`fault consent page: Instagram says "You must include a valid client_id, response_type, and redirect_uri parameters" => ` + appID}},
		{"a redirect URI that is not registered", func(d *deployed) {
			d.client.RedirectURI, d.outputs["RedirectUri"] = "https://new.example/callback", "https://new.example/callback"
		}, []string{`fault consent page: Instagram says "Redirect URI does not match registered redirect URI" => ` + register}},
		{"a permission that Instagram does not know", func(d *deployed) { d.client.Scopes = []string{"basic", "user_profile"} }, []string{
			`fault consent page: Instagram says "Invalid scope field(s): user_profile" => correct the parameter InstagramScopes and deploy again`}},
		{"no basic permission", func(d *deployed) { d.client.Scopes = []string{"likes"} }, []string{
			"fault request: the site asks for likes: no one can connect without basic => add basic to the parameter InstagramScopes, or leave that empty, and deploy again"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeployed(t, instagram.Legacy)
			tt.change(d)
			d.deploy(t)
			d.wantFindings(t, tt.want, "-stack", d.name)
		})
	}
}

// Parts can be examined without a stack, which is not read then.
func TestDoctorByFlags(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.client.RedirectURI = d.outputs["SiteUrl"] + "/callback"
	instagramThat(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<p>consent") })(t, d)
	d.refuse = "DescribeStacks"
	d.deploy(t)
	status, out, progress := d.doctor(t, "-table", d.table, "-client-secret-id", d.clientSecret, "-token-keys-id", d.ring, "-site-url", d.outputs["SiteUrl"], "-client-id", "990602627938098")
	want := strings.Replace(allWell, "ok       stack           photopass is CREATE_COMPLETE\n", "", 1)
	want = strings.Replace(want, "0 faults", "not checked: stack (flags name the parts)\n0 faults", 1)
	if status != 0 || progress != "" || out != want {
		t.Errorf("doctor: got exit status %d, said %q, and\n%s\nwant 0, nothing, and\n%s", status, progress, out, want)
	}

	status, out, progress = d.doctor(t, "-site-url", d.outputs["SiteUrl"], "-client-id", "1234")
	want = `fault    request         the site sends the client id 990602627938098, not 1234
                         remedy: ` + redeploy + `
ok       /authorize      leads to https://instagram.example/oauth/authorize
ok       consent page    Instagram names no error before the login
ok       /profile        GET answers 401 unauthenticated
ok       /callback       POST answers 405 method_not_allowed
ok       /notices        GET answers 405 method_not_allowed
not checked: credentials, stack (flags name the parts); client secret, key ring, table, table settings, due tokens, sweep (no flag names it)
`
	if status != 1 || progress != "photopass: 1 fault, 0 warnings\n" || out != want {
		t.Errorf("doctor -site-url: got exit status %d, said %q, and\n%s\nwant 1, one fault, and\n%s", status, progress, out, want)
	}
}

// A restored table has the sweeps of the backup. That none has come since is no
// fault of a table that is not in use yet, or only just.
func TestDoctorOfARestoredTable(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.swept = time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
	d.sweep(t)
	d.dueAt(t, "1111", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	d.restore(t)
	d.created = time.Now().Add(-119 * time.Minute)
	d.deploy(t)
	for _, args := range [][]string{{"-table", d.table}, {"-stack", d.name}} {
		_, out, _ := d.doctor(t, args...)
		for _, want := range []string{
			"warning  due tokens      1 token overdue by more than 2h, as the backup has it\n",
			"warning  sweep           none has ended since the stack uses this table\n",
			"remedy: wait two hours from when the stack uses the table and call doctor again\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("doctor %s: got\n%s\nwant in it\n%s", args[0], out, want)
			}
		}
	}
}

// A terminal that has colors shows what is how bad by a color as well.
func TestDoctorColors(t *testing.T) {
	for noColor, want := range map[string]string{"": "\x1b[31mfault  \x1b[0m  /authorize", "1": "fault    /authorize"} {
		t.Setenv("NO_COLOR", noColor)
		if screen, err := onTerminal(t, "never", "", "doctor", "-site-url", "http://127.0.0.1:1"); err == nil || !strings.Contains(screen, "\n"+want) {
			t.Errorf("doctor with NO_COLOR=%q: got error %v, screen %q; want %q in it", noColor, err, screen, want)
		}
	}
}
