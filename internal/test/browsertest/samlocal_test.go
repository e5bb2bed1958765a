package browsertest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/testtool"
)

// TestSAMLocal is the whole of photopass as Lambda runs it: what make local-api
// starts, in a real browser. It takes a minute or two, a Docker engine or a Debian,
// and root there, so it runs when make sam-local asks for it.
func TestSAMLocal(t *testing.T) {
	testtool.Long(t, "Docker")
	if os.Getenv("PHOTOPASS_SAM_LOCAL") != "true" {
		if os.Getenv("CI") == "true" {
			t.Fatal("with CI=true nothing is left out: `make sam-local` runs this test, and `make race` names it as one that it does not")
		}
		t.Skip("left out: it needs Docker; `make sam-local` runs it")
	}
	newVisitor(t) // skips or fails without a browser
	t.Run("graph", func(t *testing.T) {
		front := serveSPA(t)
		s := startSAM(t, "INSTAGRAM_API=graph", "RETURN_TO_ORIGINS="+front.URL)
		front.photopass = s.URL
		tab := s.visitor.Tab(t)
		s.deny(tab)
		s.login(tab)
		s.wantAcme(tab)
		s.tokenByCode(front)
		s.logout(tab)
		s.revoke(tab)
		s.deletion(tab)
		s.login(tab)
		s.refresh() // last: from then on the fake's notices come from tomorrow
		s.wantLog(tab, "GET /callback?... HTTP", `"event":"deauthorize"`, `"event":"token_use"`, `"message":"sweep"`)
		s.stop(syscall.SIGINT, 130)
	})
	t.Run("legacy", func(t *testing.T) {
		s := startSAM(t, "INSTAGRAM_API=legacy", "INSTAGRAM_SCOPES=basic+public_content")
		tab := s.visitor.Tab(t)
		s.login(tab)
		for selector, want := range map[string]string{"#id": "1574083", "#username": "snoopdogg", "#followers": "3,410"} {
			wantText(t, tab, selector, want)
		}
		if token := s.token(`{"id":"1574083"}`); token.ID != "1574083" || token.AccessToken == "" {
			t.Errorf("token function: got id %q, error %q, want a token of 1574083", token.ID, token.Error.Code)
		}
		if got, want := s.report(), `{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0,"stopped":"nothing_to_refresh"}`; got != want {
			t.Errorf("refresh function: got %s, want %s", got, want)
		}
		s.logout(tab)
		s.wantLog(tab, "GET /callback?... HTTP", `"event":"token_use"`)
		s.stop(syscall.SIGTERM, 143)
	})
}

// A samRun is make local-api, running, and the person who tries it.
type samRun struct {
	*localprocess.Process
	visitor *browsertest.Visitor

	t         *testing.T
	lambdaURL string     // of sam local start-lambda
	aws       aws.Config // moto's
	mark      string     // in the environment of every process that it starts
	secrets   []string   // what no log may hold
	stopped   bool       // by stop
}

// startSAM runs what make local-api runs, on free ports.
func startSAM(t *testing.T, env ...string) *samRun {
	t.Helper()
	ports := freePorts(t, 3)
	s := &samRun{
		t: t, visitor: browser.Visitor(t), lambdaURL: "http://localhost:" + ports[1],
		mark: fmt.Sprintf("PHOTOPASS_SAM_LOCAL_RUN=%d-%d", os.Getpid(), time.Now().UnixNano()),
	}
	cmd := exec.Command("scripts/with-docker", "scripts/local-api")
	cmd.Dir = "../../.."
	cmd.Env = slices.Concat(os.Environ(), env, []string{s.mark, "PORT=" + ports[0], "LAMBDA_PORT=" + ports[1], "INSTAGRAM_PORT=" + ports[2]})
	// Where SIGINT is ignored, as in the background of a script, the command would
	// inherit that.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	begin := time.Now()
	s.Process = localprocess.Start(t, cmd)
	signal.Stop(interrupts)
	t.Logf("%s is running after %.0f s", env[0], time.Since(begin).Seconds())
	t.Cleanup(func() { // a test that fails leaves nothing behind either
		if !s.stopped {
			s.Signal(syscall.SIGTERM)
			s.wait()
		}
	})
	moto := regexp.MustCompile(`(?m)Table, secrets +(http://\S+)/moto-api/$`).FindStringSubmatch(s.Banner)
	if moto == nil {
		t.Fatalf("banner: got %q, want it to name moto's address", s.Banner)
	}
	s.aws = aws.Config{Region: "eu-central-1", BaseEndpoint: &moto[1], Credentials: credentials.NewStaticCredentialsProvider("moto", "moto", "")}
	for _, id := range []string{"photopass/ClientSecret", "photopass/TokenKeys"} {
		v, err := secretsmanager.NewFromConfig(s.aws).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil {
			t.Fatalf("read secret: %v", err)
		}
		s.secrets = append(s.secrets, secretParts(*v.SecretString)...)
	}
	return s
}

// secretParts returns a client secret, or the keys of a key ring.
func secretParts(value string) []string {
	var ring map[string]string
	if json.Unmarshal([]byte(value), &ring) != nil {
		return []string{value}
	}
	return []string{ring[ring["current"]]}
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "localhost:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

// deny goes from the landing page to the fake's consent and says no.
func (s *samRun) deny(tab *browsertest.Tab) {
	s.t.Helper()
	tab.Open(s.URL + "/")
	tab.Click(landing, deny)
	tab.Click(deny, problem)
	wantText(s.t, tab, "h1", "You cancelled")
	refused(s.t, tab, "403")
}

func (s *samRun) login(tab *browsertest.Tab) {
	s.t.Helper()
	login(tab, s.Process)
	// sam local drops the "#" at the end of our redirect, so Instagram's "#_" stays on.
	if got, want := strings.TrimSuffix(tab.URL(), "#_"), s.URL+"/profile"; got != want {
		s.t.Errorf("address bar: got another address than %s", want)
	}
	s.keepSecrets(tab)
}

// keepSecrets remembers what the browser has got to know.
func (s *samRun) keepSecrets(tab *browsertest.Tab) {
	s.t.Helper()
	for _, c := range s.visitor.Cookies(s.t) {
		s.secrets = append(s.secrets, c.Value)
	}
	for _, address := range tab.Documents() {
		u, err := url.Parse(address)
		if err != nil {
			s.t.Fatal("login: an address is none")
		}
		for _, name := range []string{"code", "state", "connect_code", "code_challenge"} {
			if v := u.Query().Get(name); v != "" {
				s.secrets = append(s.secrets, v)
			}
		}
	}
}

// wantAcme checks the profile as a page, with its picture, and as JSON.
func (s *samRun) wantAcme(tab *browsertest.Tab) {
	s.t.Helper()
	wantText(s.t, tab, "h1", "Acme")
	wantText(s.t, tab, "#id", acme)
	if width := browsertest.Eval[int](tab, `document.querySelector("img").naturalWidth`); width == 0 {
		s.t.Error("picture: it was not loaded")
	}
	r := s.profileJSON(s.visitor.Cookies(s.t)[sessionCookie].Value)
	var got struct {
		ID         string
		Username   string
		Connection struct{ Status string }
	}
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil || r.Status != http.StatusOK {
		s.t.Fatalf("GET /profile as JSON: got status %d, decode error %v, want 200", r.Status, err)
	}
	if got.ID != acme || got.Username != "acme" || got.Connection.Status != "active" {
		s.t.Errorf("GET /profile as JSON: got %+v, want %s, acme, active", got, acme)
	}
}

func (s *samRun) profileJSON(session string) apptest.Response {
	s.t.Helper()
	b := apptest.NewBrowser(s.t, s.URL)
	b.SetCookie(sessionCookie, session)
	return b.Get("/profile", "Accept", "application/json")
}

// tokenByCode logs in by the example front end, whose backend redeems the code of
// the redirect, once.
func (s *samRun) tokenByCode(front *frontEnd) {
	s.t.Helper()
	tab := s.visitor.Tab(s.t)
	tab.Open(front.URL + "/")
	tab.Wait(spaProfile) // by the session that is there
	tab.Open(s.URL + "/profile")
	tab.Click("#logout", landing)
	loginSPA(s.t, tab, front)
	s.keepSecrets(tab)
	var code string
	for _, address := range tab.Documents() {
		if u, err := url.Parse(address); err == nil && strings.HasPrefix(address, front.URL) && u.Query().Has("connect_code") {
			code = u.Query().Get("connect_code")
		}
	}
	if code == "" {
		s.t.Fatal("front end: the redirect brought no connect_code")
	}
	if got := s.token(`{"connect_code":"` + code + `"}`); got.ID != acme || got.AccessToken == "" {
		s.t.Errorf("token function by code: got id %q, error %q, want a token of %s", got.ID, got.Error.Code, acme)
	}
	if got, want := s.token(`{"connect_code":"`+code+`"}`).Error.Code, "not_found"; got != want {
		s.t.Errorf("token function by a used code: got %q, want %q", got, want)
	}
}

// A tokenAnswer is what the token function answers.
type tokenAnswer struct {
	ID          string
	AccessToken string `json:"access_token"`
	Error       struct{ Code string }
}

func (s *samRun) token(payload string) tokenAnswer {
	s.t.Helper()
	var a tokenAnswer
	if err := json.Unmarshal(s.invoke("TokenFunction", payload), &a); err != nil {
		s.t.Fatal("token function: its answer is no JSON")
	}
	if a.AccessToken != "" {
		s.secrets = append(s.secrets, a.AccessToken)
	}
	return a
}

// report invokes the refresh function and returns its report without spaces, which
// sam puts in.
func (s *samRun) report() string {
	s.t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, s.invoke("RefreshFunction", "{}")); err != nil {
		s.t.Fatalf("refresh function: %v", err)
	}
	return b.String()
}

// invoke does what aws lambda invoke does.
func (s *samRun) invoke(function, payload string) []byte {
	s.t.Helper()
	resp, err := http.Post(s.lambdaURL+"/2015-03-31/functions/"+function+"/invocations", "application/json", strings.NewReader(payload))
	if err != nil {
		s.t.Fatalf("invoke %s: %v", function, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("X-Amz-Function-Error") != "" {
		s.t.Fatalf("invoke %s: got status %d, function error %q, error %v, want an answer", function, resp.StatusCode, resp.Header.Get("X-Amz-Function-Error"), err)
	}
	return body
}

// refresh lets the account's token grow old: at Instagram by its clock, in the table
// by its item, since the clock of a container can't be moved.
func (s *samRun) refresh() {
	s.t.Helper()
	s.Control("clock", url.Values{"advance": {"25h"}})
	seconds := func(ago time.Duration) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(-ago).Unix(), 10)}
	}
	_, err := dynamodb.NewFromConfig(s.aws).UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("photopass"), Key: acmeKey(),
		UpdateExpression:          aws.String("SET token_issued_at = :issued, token_refresh_at = :due"),
		ConditionExpression:       aws.String("attribute_exists(token_sealed)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":issued": seconds(25 * time.Hour), ":due": seconds(time.Minute)},
	})
	if err != nil {
		s.t.Fatalf("make the token due: %v", err)
	}
	if got, want := s.report(), `{"refreshed":1,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0}`; got != want {
		s.t.Errorf("refresh function: got %s, want %s", got, want)
	}
	if got := s.token(`{"id":"` + acme + `"}`); got.ID != acme || got.AccessToken == "" {
		s.t.Errorf("token function after the refresh: got id %q, error %q, want a token of %s", got.ID, got.Error.Code, acme)
	}
}

func acmeKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "ACCOUNT#" + acme}, "sk": &types.AttributeValueMemberS{Value: "ACCOUNT"},
	}
}

// logout leaves by the profile's button. The session has ended on the server then.
func (s *samRun) logout(tab *browsertest.Tab) {
	s.t.Helper()
	session := s.visitor.Cookies(s.t)[sessionCookie].Value
	tab.Open(s.URL + "/profile")
	tab.Click("#logout", landing)
	s.wantNoSession(tab, session)
}

func (s *samRun) wantNoSession(tab *browsertest.Tab, session string) {
	s.t.Helper()
	tab.Open(s.URL + "/profile")
	wantText(s.t, tab, "h1", "You are not connected")
	refused(s.t, tab, "401")
	if got, want := s.profileJSON(session).Status, http.StatusUnauthorized; got != want {
		s.t.Errorf("GET /profile with the old cookie: got status %d, want %d", got, want)
	}
}

// revoke connects, and removes the app on the fake's page. Meta's notice arrives.
func (s *samRun) revoke(tab *browsertest.Tab) {
	s.t.Helper()
	s.login(tab)
	session := s.visitor.Cookies(s.t)[sessionCookie].Value
	controls := s.visitor.Tab(s.t)
	controls.Open(s.FakeURL + "/_fake/")
	controls.Click(`form[action="/_fake/revoke"] button`, "body")
	s.wantGone(tab, session)
}

// wantGone checks that nothing of the account is left. The fake has posted the
// notice by the time it answers, but the page that shows the answer may take a while.
func (s *samRun) wantGone(tab *browsertest.Tab, session string) {
	s.t.Helper()
	client := dynamodb.NewFromConfig(s.aws)
	until(s.t, "the account is gone", func() bool {
		out, err := client.GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: aws.String("photopass"), Key: acmeKey(), ConsistentRead: aws.Bool(true)})
		if err != nil {
			s.t.Fatalf("read account: %v", err)
		}
		return out.Item == nil
	})
	s.wantNoSession(tab, session)
	if got, want := s.token(`{"id":"`+acme+`"}`).Error.Code, "not_found"; got != want {
		s.t.Errorf("token function after the account is gone: got %q, want %q", got, want)
	}
}

// deletion connects, asks for deletion on the fake's page, and looks at the page
// about it that photopass names.
func (s *samRun) deletion(tab *browsertest.Tab) {
	s.t.Helper()
	s.login(tab)
	session := s.visitor.Cookies(s.t)[sessionCookie].Value
	status := `a[href^="` + s.URL + `/notices/deletion/"]`
	controls := s.visitor.Tab(s.t)
	controls.Open(s.FakeURL + "/_fake/")
	controls.Click(`form[action="/_fake/deletion"] button`, status)
	s.wantGone(tab, session)
	controls.Click(status, "main")
	if text := controls.Text("main"); !strings.Contains(text, "deleted") {
		s.t.Errorf("page about the deletion: got %q, want it to say that the data is deleted", text)
	}
}

// wantLog checks that sam's logs tell what has happened, and hold no secret.
func (s *samRun) wantLog(tab *browsertest.Tab, want ...string) {
	s.t.Helper()
	s.keepSecrets(tab)
	var log strings.Builder
	for _, name := range []string{"sam", "lambda"} {
		text, err := os.ReadFile(filepath.Join("../../../.aws-sam/local", name+".log"))
		if err != nil {
			s.t.Fatalf("read log: %v", err)
		}
		log.Write(text)
	}
	for _, w := range want {
		if !strings.Contains(log.String(), w) {
			s.t.Errorf("logs of sam: they lack %s", w)
		}
	}
	for _, secret := range s.secrets {
		if secret != "" && strings.Contains(log.String()+s.Output(), secret) {
			s.t.Error("logs of sam: they hold a code, a cookie, a token or a secret")
		}
	}
}

// stop sends a signal and checks the exit code, and that nothing is left.
func (s *samRun) stop(signal syscall.Signal, code int) {
	s.t.Helper()
	s.Signal(signal)
	s.stopped = true
	if got := s.wait(); got != code {
		s.t.Errorf("exit code after %s: got %d, want %d; output: %s", signal, got, code, s.Output())
	}
	until(s.t, "no process of it is left", func() bool { return len(s.processes()) == 0 })
	engine := regexp.MustCompile(`/var/tmp/photopass-engine\.\w+`).FindString(s.Banner)
	if engine == "" {
		s.wantNoContainer()
		return
	}
	if _, err := os.Stat(engine); !os.IsNotExist(err) {
		s.t.Errorf("directory of the engine: got %v, want it gone", err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		s.t.Fatalf("read mounts: %v", err)
	}
	if strings.Contains(string(mounts), engine) {
		s.t.Error("mounts: those of the engine are left")
	}
	if _, err := net.InterfaceByName("pp-" + strings.TrimPrefix(filepath.Ext(engine), ".")); err == nil {
		s.t.Error("network: the engine's bridge is left")
	}
}

// wantNoContainer asks the engine that was there before for our containers, and for
// the stand-in for Lambda's image.
func (s *samRun) wantNoContainer() {
	s.t.Helper()
	build, err := filepath.Abs("../../../.aws-sam/local/build")
	if err != nil {
		s.t.Fatal(err)
	}
	mounts, err := exec.Command("docker", "ps", "--all", "--no-trunc", "--format", "{{.Mounts}}").CombinedOutput()
	if err != nil || strings.Contains(string(mounts), build) {
		s.t.Errorf("docker ps: got error %v, mounts %s, want none of ours", err, mounts)
	}
	images, err := exec.Command("docker", "images", "--quiet", "photopass/lambda-stand-in").CombinedOutput()
	if err != nil || len(images) > 0 {
		s.t.Errorf("docker images: got error %v, %s, want no stand-in", err, images)
	}
}

// wait waits for the end, and no longer than the scripts may take for it.
func (s *samRun) wait() int {
	s.t.Helper()
	ended := make(chan int, 1)
	go func() { ended <- s.Process.Wait() }()
	select {
	case code := <-ended:
		return code
	case <-time.After(3 * time.Minute):
		s.t.Fatalf("end of local-api: it takes more than three minutes; output: %s", s.Output())
		return 0
	}
}

// processes returns the ids of the processes that were started with the mark.
func (s *samRun) processes() []string {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && bytes.Contains(env, []byte(s.mark)) {
			ids = append(ids, filepath.Base(filepath.Dir(file)))
		}
	}
	return ids
}

// until waits until something is true, for half a minute.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("wait until %s: it takes more than half a minute", what)
		}
	}
}
