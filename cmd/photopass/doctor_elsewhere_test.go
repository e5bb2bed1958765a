package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"photopass/internal/instagram"
)

// Without AWS nothing else is blamed.
func TestDoctorWithoutAWS(t *testing.T) {
	t.Parallel()
	const stack = "not checked  stack                 AWS could not be asked\n"
	const rest = `not checked  client secret         the stack could not be read
not checked  previous secret       the stack could not be read
not checked  key ring              the stack could not be read
not checked  table                 the stack could not be read
not checked  index due             the stack could not be read
not checked  time to live          the stack could not be read
not checked  recovery              the stack could not be read
not checked  delete protection     the stack could not be read
not checked  encryption            the stack could not be read
not checked  due tokens            the stack could not be read
not checked  sweep                 the stack could not be read
not checked  /authorize            the stack could not be read
not checked  HSTS                  the stack could not be read
not checked  redirect URI          the stack could not be read
not checked  client id             the stack could not be read
not checked  scopes                the stack could not be read
not checked  /profile              the stack could not be read
not checked  /callback             the stack could not be read
not checked  /notices/deauthorize  the stack could not be read
not checked  /notices/deletion     the stack could not be read
not checked  consent page          the stack could not be read
`
	const signIn = "             remedy: sign in to AWS, name the profile in AWS_PROFILE and the stack's region in AWS_REGION, until `aws sts get-caller-identity` answers\n"
	d := newDeployed(t, "")
	d.refuse = "GetCallerIdentity"
	d.deploy(t)
	status, out, progress := d.doctor(t, "-stack", d.name)
	want := "fault        credentials           AWS could not be asked: access denied at sts:GetCallerIdentity: ordered by a test\n" + signIn +
		stack + "ok           clock                 this machine is within a minute of AWS\n" + rest
	if out != want {
		t.Errorf("doctor: got\n%s\nwant\n%s", out, want)
	}
	if want := "photopass: 1 fault, 0 warnings, 22 not checked\n"; status != 1 || progress != want {
		t.Errorf("doctor: got exit status %d, said %q; want 1, %q", status, progress, want)
	}

	cmd := exec.Command(program, "doctor")
	cmd.Env = []string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "PATH=" + os.Getenv("PATH")}
	text, _ := cmd.Output()
	want = "fault        credentials           AWS could not be asked: no AWS region is set; name that of the stack with AWS_REGION\n" + signIn +
		stack + "not checked  clock                 there was no answer to read the time from\n" + rest
	if string(text) != want || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("doctor without a region: got exit status %d and\n%s\nwant 1 and\n%s", cmd.ProcessState.ExitCode(), text, want)
	}
}

// A stack that can't be used is the one fault, and the parts are not blamed.
func TestDoctorWithoutStack(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.refuse = "DescribeStacks"
	d.deploy(t)
	other := newStack(t)
	for _, tt := range []struct{ name, endpoint, stack, want string }{
		{"not there", "", "not-there", "not-there: Stack with id not-there does not exist\n" +
			"             remedy: name the stack with -stack and its region with AWS_REGION; `aws cloudformation list-stacks --region eu-central-1` lists what there is\n"},
		{"denied", d.endpoint, d.name, "photopass: access denied at cloudformation:DescribeStacks: ordered by a test\n" +
			"             remedy: name the stack with -stack and its region with AWS_REGION; `aws cloudformation list-stacks --region eu-central-1` lists what there is\n"},
		{"another kind of stack", "", other.name, other.name + " is no stack of photopass, or an older one: the stack has no output SiteUrl\n" +
			"             remedy: name a stack of photopass with -stack, or deploy it again with `make deploy`\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := *d
			inner := *d.stack
			s.stack = &inner
			if s.endpoint = tt.endpoint; s.endpoint == "" {
				s.endpoint = other.endpoint
			}
			status, out, _ := s.doctor(t, "-stack", tt.stack)
			if want := "\nfault        stack                 " + tt.want; status != 1 || !strings.Contains(out, want) || strings.Count(out, "fault ") != 1 && tt.name != "another kind of stack" {
				t.Errorf("doctor: got exit status %d and\n%s\nwant 1 and the fault\n%s", status, out, want)
			}
		})
	}
}

// The clock of this machine, of the site and of Instagram: which is off by how
// much.
func TestDoctorClock(t *testing.T) {
	const ntp = "set this machine's clock: sudo timedatectl set-ntp true"
	late := func(h http.Handler, d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Add(d).Format(http.TimeFormat))
			h.ServeHTTP(w, r)
		}
	}
	for _, tt := range []struct {
		name            string
		machine         time.Duration
		site, instagram time.Duration
		mark, want      string
		remedy          string
	}{
		{"this machine ahead", 5 * time.Minute, 0, 0, "fault", "this machine is 5m0s ahead of AWS, 5m0s ahead of the site, 5m0s ahead of Instagram", ntp},
		{"this machine behind", -3 * time.Hour, 0, 0, "fault", "this machine is 3h0m0s behind AWS, 3h0m0s behind the site, 3h0m0s behind Instagram", ntp},
		{"the site behind", 0, -10 * time.Minute, 0, "fault", "this machine is 10m0s ahead of the site", "set the clock of the one that is off; AWS and Instagram and this machine agree"},
		{"Instagram ahead", 0, 0, 2 * time.Hour, "fault", "this machine is 2h0m0s behind Instagram", "set the clock of the one that is off; AWS and the site and this machine agree"},
		{"a little", 50 * time.Second, 0, 0, "ok", "this machine is within a minute of AWS, the site, Instagram", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeployed(t, "")
			d.handler = late(d.handler, tt.site)
			instagramThat(late(d.app.Fake, tt.instagram))(t, d)
			d.deploy(t)
			now := func() time.Time { return time.Now().Add(tt.machine) }
			out, _, err := d.inProcessAt(t.Context(), t, now, noWait, "doctor", "-json")
			var got struct {
				Checks []struct{ Check, Result, Found, Remedy string }
				Faults int
			}
			if e := json.Unmarshal([]byte(out), &got); e != nil {
				t.Fatalf("doctor -json: got %q: %v", out, e)
			}
			c := got.Checks[2]
			if c.Check != "clock" || c.Result != tt.mark || c.Found != tt.want || c.Remedy != tt.remedy {
				t.Errorf("doctor: got %+v, want %s: %s (%s)", c, tt.mark, tt.want, tt.remedy)
			}
			// Ages go by AWS's clock, whatever this machine's says.
			if faults := got.Faults; tt.mark == "fault" && faults != 1 || tt.mark == "ok" && faults != 0 || (err != nil) != (faults > 0) {
				t.Errorf("doctor: got %d faults and error %v, want none but the clock's\n%s", faults, err, out)
			}
		})
	}
}

// A site that is not on this machine sends HSTS.
func TestDoctorHSTS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, strip string
		want        []string
	}{
		{"there", "", []string{"ok           HSTS                  max-age=63072000; includeSubDomains", ""}},
		{"taken out on the way", "Strict-Transport-Security", []string{
			"fault        HSTS                  the site's answer lacks Strict-Transport-Security", "let what stands in front of the API pass its headers on",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeployed(t, "")
			behind, err := url.Parse(d.outputs["SiteUrl"])
			wantNoErr(t, "parse site", err)
			forward := httputil.NewSingleHostReverseProxy(behind)
			forward.ModifyResponse = func(r *http.Response) error { r.Header.Del(tt.strip); return nil }
			proxy := httptest.NewServer(forward)
			t.Cleanup(proxy.Close)
			d.env = []string{"HTTP_PROXY=" + proxy.URL} // loopback addresses go past it
			d.outputs["SiteUrl"], d.outputs["RedirectUri"] = "http://connect.example", "http://connect.example/callback"
			d.client.RedirectURI = "http://connect.example/callback"
			instagramThat(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<p>consent") })(t, d)
			d.deploy(t)
			status, out, progress := d.doctor(t, "-stack", d.name)
			wantFindings(t, status, out, progress, tt.want)
		})
	}
}

// The dialect of 2018 has other words.
func TestDoctorLegacy(t *testing.T) {
	t.Parallel()
	same := []string{
		"ok           /authorize            leads to https://instagram.example/oauth/authorize/", "",
		"ok           scopes                basic", "",
	}
	for _, tt := range []struct {
		name   string
		change func(*deployed)
		want   []string
	}{
		{"all well", func(*deployed) {}, nil},
		{"a client id that Instagram does not know", func(d *deployed) { d.client.ClientID, d.parameters["InstagramClientId"] = "1234", "1234" }, []string{
			"ok           client id             the site sends 1234", "",
			`fault        consent page          Instagram says "You must include a valid client_id, response_type, and redirect_uri parameters": the client id is no Instagram app id`,
			"take the Instagram app id from Meta's App Dashboard for the parameter InstagramClientId, and deploy again",
		}},
		{"a redirect URI that is not registered", func(d *deployed) {
			d.client.RedirectURI, d.outputs["RedirectUri"] = "https://new.example/callback", "https://new.example/callback"
		}, []string{
			"ok           redirect URI          the site sends https://new.example/callback", "",
			`fault        consent page          Instagram says "Redirect URI does not match registered redirect URI": the redirect URI is not registered`,
			"register https://new.example/callback with Meta as OAuth redirect URI (business login settings), character for character",
		}},
		{"a permission that Instagram does not know", func(d *deployed) { d.client.Scopes = []string{"basic", "user_profile"} }, []string{
			"ok           scopes                basic, user_profile", "",
			`fault        consent page          Instagram says "Invalid scope field(s): user_profile": a permission is none of Instagram's, or not this app's`,
			"correct the parameter InstagramScopes and deploy again",
		}},
		{"no basic permission", func(d *deployed) { d.client.Scopes = []string{"likes"} }, []string{
			"fault        scopes                likes: no one can connect without basic", "add basic to the parameter InstagramScopes, or leave that empty, and deploy again",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeployed(t, instagram.Legacy)
			tt.change(d)
			d.deploy(t)
			status, out, progress := d.doctor(t, "-stack", d.name)
			wantFindings(t, status, out, progress, append(same[:len(same):len(same)], tt.want...))
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
	want := strings.Replace(allWell, "ok           stack                 photopass is CREATE_COMPLETE", "not checked  stack                 flags name the parts, so no stack is read", 1)
	want = strings.Replace(want, "1 not checked", "2 not checked", 1)
	if status != 0 || progress != "" || out != want {
		t.Errorf("doctor: got exit status %d, said %q, and\n%s\nwant 0, nothing, and\n%s", status, progress, out, want)
	}

	status, out, progress = d.doctor(t, "-site-url", d.outputs["SiteUrl"], "-client-id", "1234")
	want = `not checked  credentials           the flags name nothing at AWS
not checked  stack                 flags name the parts, so no stack is read
ok           clock                 this machine is within a minute of the site, Instagram
not checked  client secret         no flag names it
not checked  previous secret       no flag names it
not checked  key ring              no flag names it
not checked  table                 no flag names it
not checked  index due             no flag names it
not checked  time to live          no flag names it
not checked  recovery              no flag names it
not checked  delete protection     no flag names it
not checked  encryption            no flag names it
not checked  due tokens            no flag names it
not checked  sweep                 no flag names it
ok           /authorize            leads to https://instagram.example/oauth/authorize
not checked  HSTS                  the site is on this machine
ok           redirect URI          the site sends https://site.example/callback
fault        client id             the site sends 990602627938098, not 1234
             remedy: ` + redeploy + `
ok           scopes                instagram_business_basic
ok           /profile              GET answers 401 unauthenticated
ok           /callback             POST answers 405 method_not_allowed
ok           /notices/deauthorize  GET answers 405 method_not_allowed
ok           /notices/deletion     GET answers 405 method_not_allowed
ok           consent page          Instagram shows a page that names no error
`
	if status != 1 || progress != "photopass: 1 fault, 0 warnings, 14 not checked\n" || out != want {
		t.Errorf("doctor -site-url: got exit status %d, said %q, and\n%s\nwant 1, one fault, and\n%s", status, progress, out, want)
	}
}

// The JSON has the same findings.
func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.expire(t, "ttl", false)
	d.protect(t, false)
	d.deploy(t)
	status, out, _ := d.doctor(t, "-stack", d.name, "-json")
	for _, want := range []string{
		"{\n  \"checks\": [\n    {\n      \"check\": \"credentials\",\n      \"result\": \"ok\",\n      \"found\": \"arn:aws:sts::123456789012:user/moto, region eu-central-1\"\n    },\n",
		`      "check": "time to live",
      "result": "fault",
      "found": "it is DISABLED, as in every restored table: what has expired stays",
      "remedy": "aws dynamodb update-time-to-live --table-name photopass-Table --time-to-live-specification Enabled=true,AttributeName=ttl --region eu-central-1"
`,
		"\n  ],\n  \"faults\": 1,\n  \"warnings\": 1\n}\n",
	} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("doctor -json: got exit status %d and\n%s\nwant 1 and in it\n%s", status, out, want)
		}
	}
}

func TestDoctorUsage(t *testing.T) {
	for _, args := range [][]string{{"doctor", "all"}, {"doctor", "-secret-id", "x"}, {"doctor", "-stack"}} {
		if status, out := photopass(t, "", args...); status != 2 || !strings.Contains(out, "photopass doctor\n") {
			t.Errorf("%q: got exit status %d, output %q; want 2, the usage", args, status, out)
		}
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
			"warning      due tokens            1 token overdue by more than 2h, as the backup has it\n",
			"warning      sweep                 the last one ended at 2026-11-24T12:00:00Z, as the backup has it\n",
			"remedy: wait two hours from when the stack uses the table and call doctor again\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("doctor %s: got\n%s\nwant in it\n%s", args[0], out, want)
			}
		}
	}
}
