package browsertest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/config"
	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest"
	"photopass/internal/test/testtool"
)

// The ids of the fake's accounts.
const (
	acme   = "27640875392278831" // is signed in at the start
	lima   = "17841405793187219" // has no picture
	casual = "27640875392278833" // is of a kind that can't be connected
)

// A stage is a photopass that one visitor sees all pages of. It runs in this
// process, since a page may need an account, a fault or a notice that the
// program's controls don't offer; its clock makes the pictures repeatable.
type stage struct {
	*apptest.App
	visitor *browsertest.Visitor
}

func newStage(t *testing.T, o apptest.Options) *stage {
	t.Helper()
	visitor := newVisitor(t)
	return &stage{apptest.New(t, o), visitor}
}

// A way leads a tab to a page, or checks what the tab shows there.
type way func(*testing.T, *browsertest.Tab)

func inTurn(ways ...way) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		t.Helper()
		for _, w := range ways {
			w(t, tab)
		}
	}
}

func click(selector, until string) way {
	return func(_ *testing.T, tab *browsertest.Tab) { tab.Click(selector, until) }
}

func (s *stage) open(path string) way {
	return func(_ *testing.T, tab *browsertest.Tab) { tab.Open(s.URL + path) }
}

func (s *stage) consent(_ *testing.T, tab *browsertest.Tab) {
	toConsent(tab, s.URL)
}

func (s *stage) denial(t *testing.T, tab *browsertest.Tab) {
	s.consent(t, tab)
	tab.Click(deny, problem)
}

// failedLogin leads to the problem that a login ends with when this is so.
func (s *stage) failedLogin(while func()) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		s.consent(t, tab)
		while()
		tab.Click(allow, problem)
	}
}

// refusedLogin leads to what becomes of a refused exchange.
func (s *stage) refusedLogin(f fakeinstagram.Fault) way {
	f.Operation = fakeinstagram.OpExchange
	return s.failedLogin(func() { s.Fake.Order(f) })
}

// disconnected leads from the profile to what the start page then tells.
func disconnected(_ *testing.T, tab *browsertest.Tab) {
	tab.Click("#leave", "#disconnect")
	tab.Click("#disconnect", "#done")
}

func (s *stage) profile(id string) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		s.Fake.SignIn(id)
		s.consent(t, tab)
		tab.Click(allow, profile)
	}
}

// changedProfile is the profile of lima while the account is like a.
func (s *stage) changedProfile(a fakeinstagram.Account) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		was := fakeinstagram.Account{
			ID: lima, UserID: "17841405793187221", Username: "lima_tests", Name: "Lima",
			AccountType: "MEDIA_CREATOR", Followers: 7, Follows: 8, Media: 9, NoPicture: true,
		}
		a.ID, a.UserID, a.AccountType = was.ID, was.UserID, was.AccountType
		s.Fake.SignIn(lima)
		s.consent(t, tab)
		s.Fake.PutAccount(a) // only now, since the consent page shows all accounts
		tab.Click(allow, profile)
		s.Fake.PutAccount(was)
	}
}

func (s *stage) withoutPermission(t *testing.T, tab *browsertest.Tab) {
	s.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
	s.failedLogin(func() {})(t, tab)
	s.Fake.SetShape(fakeinstagram.Shape{})
}

// usedFlow repeats a login whose session has ended since. One that has failed is
// answered as before.
func (s *stage) usedFlow(t *testing.T, tab *browsertest.Tab) {
	s.profile(acme)(t, tab)
	tab.Click("#logout", landing)
	tab.Open(callbackOf(t, tab, s.URL))
}

func (s *stage) formElsewhere(t *testing.T, tab *browsertest.Tab) {
	tab.Open("http://localhost" + elsewhere(t, `<form method="post" action="`+s.URL+`/logout"><button id="go">go</button></form>`) + "/")
	tab.Click("#go", problem)
}

func (s *stage) brokenConnection(t *testing.T, tab *browsertest.Tab) {
	s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190, Subcode: 460})
	s.Clock.Advance(time.Hour)
	tab.Open(s.URL + "/profile")
	tab.Wait("#reconnect")
}

func (s *stage) forgottenProfile(_ *testing.T, tab *browsertest.Tab) {
	s.Clock.Advance(25 * time.Hour)
	tab.Open(s.URL + "/profile")
}

func (s *stage) deletion(t *testing.T, tab *browsertest.Tab) {
	status, _, err := s.Fake.RequestDeletion(t.Context(), acme)
	if err != nil {
		t.Fatalf("RequestDeletion: %v", err)
	}
	tab.Open(status)
}

// supersededDeletion posts a notice that is older than the last login.
func (s *stage) supersededDeletion(t *testing.T, tab *browsertest.Tab) {
	resp, err := http.PostForm(s.URL+"/notices/deletion", url.Values{"signed_request": {s.Fake.SignedRequest(map[string]any{
		"user_id": acme, "algorithm": "HMAC-SHA256", "issued_at": s.Clock.Now().Add(-time.Hour).Unix(),
	})}})
	if err != nil {
		t.Fatalf("post notice: %v", err)
	}
	defer resp.Body.Close()
	var answer struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("post notice: got status %d, error %v, want 200", resp.StatusCode, err)
	}
	tab.Open(answer.URL)
}

// internal leads to the problem of a login that nothing can be recorded of.
func (s *stage) internal(store *apptest.Spy) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		broken := apptest.On("UseState", func() error { return errors.New("the store is broken") })
		s.failedLogin(func() { store.Before = broken })(t, tab)
		store.Before = nil
	}
}

// wantInitials checks that a picture which can't be had leaves the initials to
// be seen: the page looks as it does without the picture's element, which lies
// over them, and other than without the initials.
func wantInitials(want string) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		t.Helper()
		tab.Until(`document.querySelector(".picture img").complete`)
		if width := browsertest.Eval[int](tab, `document.querySelector(".picture img").naturalWidth`); width != 0 {
			t.Errorf("width of the picture: got %d, want 0", width)
		}
		wantText(t, tab, ".picture span", want)
		without := func(selector string) []byte {
			hide := fmt.Sprintf("document.querySelector(%q).hidden = ", selector)
			browsertest.Eval[bool](tab, hide+"true")
			defer browsertest.Eval[bool](tab, hide+"false")
			return tab.Picture()
		}
		picture := tab.Picture()
		if !bytes.Equal(without(".picture img"), picture) {
			t.Error("initials: something of the picture that is gone hides them")
		}
		if bytes.Equal(without(".picture span"), picture) {
			t.Error("initials: they can't be seen")
		}
	}
}

// wantLink checks the text and the target of a link.
func wantLink(selector, text, href string) way {
	return func(t *testing.T, tab *browsertest.Tab) {
		t.Helper()
		wantText(t, tab, selector, text)
		if got := browsertest.Eval[string](tab, fmt.Sprintf("document.querySelector(%q).getAttribute('href')", selector)); got != href {
			t.Errorf("link of %s: got %q, want %q", selector, got, href)
		}
	}
}

// What an operator may say at the most, and the front end of theirs.
const (
	longName      = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW" // 60 characters
	privacyPolicy = "https://acme.example/privacy?lang=en"
	contact       = "first.last+photopass_1@mail.a-rather-long-name-of-a-studio.example"
	app           = "https://app.a-rather-long-name-of-a-studio.example:8443"
)

// wantOperator checks what every page says of that operator.
func wantOperator(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	wantText(t, tab, "header", longName)
	wantLink("#privacy-policy", "Privacy policy", privacyPolicy)(t, tab)
	wantLink("#contact", contact, "mailto:"+contact)(t, tab)
	wantText(t, tab, "footer", "Privacy policy\n"+contact)
}

// A page is one that a person may see.
type page struct {
	name, status string // empty: 200
	visit        way
}

// TestPages visits what people see when all goes well. The pages come in this
// order because time, cookies and the account go on.
func TestPages(t *testing.T) {
	s := newStage(t, apptest.Options{})
	s.lookAt(t, []page{
		{"landing", "", s.open("/")},
		{"consent", "", s.consent},
		{"profile-without-picture", "", s.profile(lima)},
		{"profile-hostile", "", s.changedProfile(fakeinstagram.Account{
			Username:  strings.Repeat("w", 300),
			Name:      `"><script>alert(1)</script>` + strings.Repeat("W\u202e\u0646", 100) + "\U0001f468\u200d\U0001f469\u200d\U0001f467",
			Biography: strings.Repeat("word\n", 30) + strings.Repeat("W", 1000) + "<img src=x onerror=alert(1)>",
			Website:   "javascript:alert(1)//" + strings.Repeat("w", 500),
			Followers: 9007199254740993, Follows: 1204, Media: 1,
		})},
		{"profile-picture-gone", "404", inTurn(s.changedProfile(fakeinstagram.Account{ // the status is the picture's
			Username: "faceless", Name: "Nobody There", Picture: s.FakeURL + "/picture/gone.png",
		}), wantInitials("NT"))},
		{"profile", "", s.profile(acme)},
		{"profile-disconnect", "", inTurn(s.open("/profile"), click("#leave", "#disconnect"))},
		{"profile-details", "", inTurn(s.open("/profile"), click("#details", "#user-id"))},
		{"landing-with-session", "", s.open("/")},
		{"deletion-superseded", "", s.supersededDeletion},
		{"profile-reconnect", "", s.brokenConnection},
		{"reconnect-required", "409", s.forgottenProfile},
		{"logged-out", "", inTurn(s.profile(lima), click("#logout", "#done"))},
		{"disconnected", "", inTurn(s.profile(lima), disconnected)},
		{"deletion", "", s.deletion},
		{"fake-controls", "", func(_ *testing.T, tab *browsertest.Tab) { tab.Open(s.FakeURL + "/_fake/") }},
	})
}

// TestProblemPages visits the pages of what can go wrong, and those of an
// operator who has much to say.
func TestProblemPages(t *testing.T) {
	store := &apptest.Spy{}
	s := newStage(t, apptest.Options{
		Words:           config.Words{AppName: longName, PrivacyPolicyURL: privacyPolicy, Contact: contact},
		ReturnToOrigins: []string{app},
		Store:           store.Around,
	})
	const returning = "/authorize?return_to=https%3A%2F%2Fapp.a-rather-long-name-of-a-studio.example%3A8443%2Fa%3Fb%3Dc%23d"
	s.lookAt(t, []page{
		{"operator-landing", "", inTurn(s.open("/"), wantOperator)},
		{"not-found", "404", s.open("/nothing")},
		{"method-not-allowed", "405", s.open("/logout")},
		{"unauthenticated", "401", s.open("/profile")},
		{"invalid-request", "400", s.open("/callback")},
		{"forbidden-origin", "403", s.formElsewhere},
		{"access-denied", "403", s.denial},
		{"flow-used", "409", s.usedFlow},
		{"flow-expired", "400", s.failedLogin(func() { s.Clock.Advance(11 * time.Minute) })},
		{"flow-mismatch", "400", s.failedLogin(func() { s.visitor.DeleteCookies(t, "__Host-flow-") })},
		{"exchange-rejected", "400", s.refusedLogin(fakeinstagram.Fault{Code: 400})},
		{"app-misconfigured", "500", inTurn(
			s.refusedLogin(fakeinstagram.Fault{Code: 400, ErrorType: "OAuthForbiddenException"}),
			wantOperator, wantLink("#action", "Contact the operator", "mailto:"+contact),
		)},
		{"internal", "500", inTurn(s.internal(store), wantOperator, wantLink("#action", "Go to the start page", "/"))},
		{"back-to-front-end", "400", inTurn(
			s.open(returning), func(*testing.T, *browsertest.Tab) {
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Code: 400})
			}, click(allow, problem),
			wantOperator, wantLink("#back", "Back to "+app, app+"/a?b=c&error=exchange_rejected#d"),
		)},
		{"rate-limited", "429", s.refusedLogin(fakeinstagram.Fault{Code: 429})},
		{"instagram-unavailable", "503", s.refusedLogin(fakeinstagram.Fault{Kind: fakeinstagram.KindHTML})},
		{"permission-missing", "403", s.withoutPermission},
		{"account-unsupported", "403", func(t *testing.T, tab *browsertest.Tab) {
			s.Fake.SignIn(casual)
			s.failedLogin(func() {})(t, tab)
		}},
		{"operator-profile", "", inTurn(s.profile(acme), wantOperator, wantLink("#back", "Back to "+longName, app+"/"))},
		{"operator-disconnected", "", inTurn(s.open("/profile"), disconnected, wantOperator, wantLink("#back", "Back to "+longName, app+"/"))},
	})
}

// lookAt visits pages on a telephone and on a desk, in light and in dark, goes
// through them with the Tab key, and has axe-core look once at each width and once at
// each scheme. The directory that PHOTOPASS_SCREENSHOTS names gets their pictures.
// Nothing must be wider than the screen, even at 320 pixels and at 200 % zoom.
func (s *stage) lookAt(t *testing.T, pages []page) {
	t.Helper()
	dir := screenshots(t)
	for _, tt := range pages {
		t.Run(tt.name, func(t *testing.T) {
			tab := s.visitor.Tab(t)
			tt.visit(t, tab)
			lookAt(t, tab, filepath.Join(dir, tt.name))
			if tt.status != "" {
				refused(t, tab, tt.status)
			}
		})
	}
	if axe == nil {
		t.Run("axe-core", func(t *testing.T) {
			testtool.Need(t, "axe-core", missingAxe)
		})
	}
}

// screenshotsVariable names the directory for the pictures; empty: none are taken.
const screenshotsVariable = "PHOTOPASS_SCREENSHOTS"

// screenshots returns the directory for the pictures.
func screenshots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(screenshotsVariable)
	if dir == "" {
		return ""
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lookAt checks the page that a tab shows. name is the path of the pictures
// without what they differ in.
func lookAt(t *testing.T, tab *browsertest.Tab, name string) {
	t.Helper()
	for _, tt := range []struct {
		name   string
		screen browsertest.Screen
		axe    bool // colours are those of any width, and sizes those of either scheme
	}{
		{"390-light", browsertest.Screen{Width: 390, Height: 844, Mobile: true}, true},
		{"390-dark", browsertest.Screen{Width: 390, Height: 844, Mobile: true, Dark: true}, false},
		{"1280-light", browsertest.Screen{Width: 1280, Height: 800}, false},
		{"1280-dark", browsertest.Screen{Width: 1280, Height: 800, Dark: true}, true},
	} {
		tab.Show(tt.screen)
		wantNoScrolling(t, tab, tt.screen.Width)
		if os.Getenv(screenshotsVariable) != "" {
			if err := os.WriteFile(name+"-"+tt.name+".png", tab.Picture(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if tt.screen.Mobile && isDark(t, tab.Thumbnail()) != tt.screen.Dark {
			t.Errorf("%s: the page is dark: %t, want %t", tt.name, !tt.screen.Dark, tt.screen.Dark)
		}
		if axe == nil || !tt.axe {
			continue
		}
		for _, v := range tab.Violations(axe) {
			t.Errorf("%s: %s", tt.name, v)
		}
	}
	// 1280 pixels at 200 % zoom are laid out as 640.
	for _, screen := range []browsertest.Screen{{Width: 640, Height: 400}, {Width: 320, Height: 568}} {
		tab.Show(screen)
		wantNoScrolling(t, tab, screen.Width)
	}
	wantTabOrder(t, tab)
}

// isDark reports whether most of a picture is.
func isDark(t *testing.T, picture []byte) bool {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	dark, all := 0, 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			all++
			if color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y < 128 {
				dark++
			}
		}
	}
	return 2*dark > all
}

// wantNoScrolling checks that nothing sticks out to the side.
func wantNoScrolling(t *testing.T, tab *browsertest.Tab, width int64) {
	t.Helper()
	got := browsertest.Eval[struct{ Scroll, Client int64 }](tab,
		`(e => ({Scroll: e.scrollWidth, Client: e.clientWidth}))(document.documentElement)`)
	if got.Scroll > got.Client || got.Scroll > width {
		t.Errorf("at %d pixels: the page is %d wide in a window of %d", width, got.Scroll, got.Client)
	}
}

// callbackOf returns the address of the callback that the tab has visited.
func callbackOf(t *testing.T, tab *browsertest.Tab, base string) string {
	t.Helper()
	n := slices.IndexFunc(tab.Documents(), func(u string) bool { return strings.HasPrefix(u, base+"/callback?") })
	if n < 0 {
		t.Fatal("login: no visit of the callback was seen")
	}
	return tab.Documents()[n]
}
