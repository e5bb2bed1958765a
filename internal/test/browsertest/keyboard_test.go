package browsertest_test

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
)

func TestKeyboard(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	tab.Open(s.URL + "/")
	tab.Enter(landing, deny)
	tab.Enter(deny, problem)
	refused(t, tab, "403")
	tab.Enter("#action", allow)
	tab.Enter(allow, profile)
	tab.Enter("#logout", landing)
	if v.Cookies(t)[sessionCookie] != nil {
		t.Error("session cookie after log-out: it is still there")
	}
	tab.Enter(landing, allow)
	tab.Enter(allow, profile)
	tab.Enter("#leave", "#disconnect")
	tab.Enter("#disconnect", landing)
	tab.Open(s.URL + "/profile")
	wantDisconnected(t, tab)
}

// describe gives the function that names an element.
const describe = `const describe = e => e.tagName.toLowerCase() + (e.id && "#" + e.id) + (e.value ? "=" + e.value : "");`

// controls are what the Tab key must lead to, in this order. Of radio buttons
// that is the one that is chosen.
const controls = `(() => { ` + describe + `
	return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
		.filter(e => !e.disabled && e.checkVisibility() && !(e.type == "radio" && !e.checked)).map(describe);
})()`

// focused says what has the focus, and whether a person sees that as soon as the
// page has been drawn.
const focused = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => { ` + describe + `
	const e = document.activeElement, style = getComputedStyle(e), at = e.getBoundingClientRect();
	return {
		Name: e == document.body ? "" : describe(e),
		Marked: style.outlineStyle != "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow != "none",
		InView: at.top > -1 && at.left > -1 && at.bottom < innerHeight + 1 && at.right < innerWidth + 1,
	};
})`

// wantTabOrder goes once around the page with the Tab key.
func wantTabOrder(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	want := browsertest.Eval[[]string](tab, controls)
	for !browsertest.Eval[bool](tab, "document.activeElement == document.body") { // from what was clicked to the end
		tab.Press(kb.Tab)
	}
	var got []string
	for range len(want) + 1 {
		tab.Press(kb.Tab)
		at := browsertest.Value(tab, "what has the focus", chromedp.Evaluate[struct {
			Name           string
			Marked, InView bool
		}](focused, chromedp.EvalAwaitPromise))
		if at.Name == "" {
			break
		}
		got = append(got, at.Name)
		if !at.Marked || !at.InView {
			t.Errorf("focus on %s: marked %t, in view %t, want true, true", at.Name, at.Marked, at.InView)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Tab key: got %q, want %q", got, want)
	}
}
