// A front end of photopass, without a framework. It asks photopass who is
// connected in this browser; no one is remembered here.
"use strict";

const photopass = document.querySelector("meta[name=photopass]").content;
const $ = id => document.getElementById(id);

// After a login the address has a connect_code, and after one that failed an
// error: of a denial at once, of others on the way back from photopass's page about it.
const returned = new URL(location.href);
const failure = returned.searchParams.get("error");

// Both leave the address bar at once, so that neither is bookmarked, shared or
// handed on.
//
// A page like this one has no use for the code: the session is in photopass's
// cookie. It is for a backend, which learns by it whom this browser has
// connected, and can then ask for access tokens. An application that has one
// names an address of the backend in return_to and lets it redeem the code
// there, at photopass's token function, before a page is shown; a page that gets
// the code posts it to its backend at once, with the backend's own state. It
// works once and for a minute. docs/backend.md has the whole way.
returned.searchParams.delete("connect_code");
returned.searchParams.delete("error");
if (returned.hash === "") returned.hash = ""; // the bare "#" that photopass's redirects end in
history.replaceState(null, "", returned);

// A plain link, so that the person sees where it leads. It brings them back to
// this page; state of the application's own, such as the view they were in,
// would go into the query of return_to.
const back = location.origin + location.pathname;
const connect = photopass + "/authorize?" + new URLSearchParams({ return_to: back });
$("connect").href = $("reconnect-link").href = connect;
$("manage").href = photopass + "/profile";
$("logout").addEventListener("click", logOut);
$("again").addEventListener("click", () => retry());
$("picture").addEventListener("error", () => { $("picture").hidden = true; });

// What a failed login means to a person who has come back here. Codes that need
// no words of their own get the last ones.
const failures = {
  access_denied: "You cancelled. Nothing has changed.",
  permission_missing: "Reading your profile requires the basic permission. Please leave it ticked on Instagram's page.",
  account_unsupported: "Instagram offers this for business and creator accounts only.",
  flow_expired: "This link has expired. Please connect again.",
  flow_used: "This login was finished before; if you are connected, your profile is below.",
  rate_limited: "Instagram asks us to wait. Please try again later.",
  instagram_unavailable: "Instagram does not answer. Please try again in a moment.",
};
if (failure !== null) {
  // Anyone can write a link with an error in it: it chooses words and is not one.
  $("notice").textContent = Object.hasOwn(failures, failure) ? failures[failure] : "The connection was not made.";
}

showProfile();
// A page that comes back from the browser's memory shows what was true then.
addEventListener("pageshow", event => { if (event.persisted) refresh(); });

function refresh() {
  $("notice").textContent = "";
  showProfile();
}

async function showProfile() {
  $("main").setAttribute("aria-busy", "true");
  const answer = await ask("/profile");
  $("main").setAttribute("aria-busy", "false");
  switch (answer.status) {
    case 200:
      // A person who is connected is not told that it failed, unless the words fit that.
      if (failure !== "flow_used") $("notice").textContent = "";
      fill(answer.body);
      return show("profile");
    case 401: // this browser has no session
      return show("signed-out");
    case 409: // reconnect_required, and the last profile is too old to show
      $("notice").textContent = "Instagram no longer accepts the connection. Please connect again.";
      return show("signed-out");
  }
  trouble(answer);
}

async function logOut() {
  $("logout").disabled = true;
  const answer = await ask("/logout", { method: "POST" });
  $("logout").disabled = false;
  if (answer.status !== 204) {
    return trouble(answer, logOut); // the person is still logged in, and wants not to be
  }
  show("signed-out");
  $("notice").textContent = "You are logged out.";
  $("connect").focus(); // the button that had the focus is gone
}

// ask sends a request with photopass's cookie. Status 0 stands for no answer
// that may be read: no network, or an origin that is not in RETURN_TO_ORIGINS.
async function ask(path, options) {
  try {
    const response = await fetch(photopass + path, { credentials: "include", ...options });
    const type = response.headers.get("Content-Type") ?? "";
    return {
      status: response.status,
      retryAfter: Number(response.headers.get("Retry-After")),
      body: /[/+]json\b/.test(type) ? await response.json() : {},
    };
  } catch {
    return { status: 0, retryAfter: 0, body: {} };
  }
}

// fill puts the profile into the page, by textContent alone: what people write
// about themselves is never markup. Members that Instagram did not send are
// missing.
function fill(p) {
  $("name").textContent = p.name ?? p.username ?? "Your profile";
  $("username").textContent = p.username === undefined ? "" : "@" + p.username;
  $("biography").textContent = p.biography ?? "";
  for (const [id, count] of [["media", p.media_count], ["followers", p.followers_count], ["follows", p.follows_count]]) {
    $(id).textContent = count?.toLocaleString() ?? "";
    $(id).parentElement.hidden = count === undefined;
  }
  $("picture").hidden = p.profile_picture_url === undefined;
  if (p.profile_picture_url !== undefined) {
    $("picture").src = p.profile_picture_url; // https, which photopass sees to
  }
  $("fetched").textContent = new Date(p.fetched_at).toLocaleString();
  $("fetched").dateTime = p.fetched_at;
  $("reconnect").hidden = p.connection.status !== "reconnect_required";
}

let countdown;
let retry = refresh; // what Try again does

// trouble says what went wrong, and offers to try that again once it makes sense.
function trouble({ status, retryAfter, body }, again = refresh) {
  retry = again;
  $("trouble-text").textContent = {
    0: "The service could not be reached.",
    429: "Instagram asks us to wait.",
    503: "Instagram does not answer at present.",
  }[status] ?? body.detail ?? "Something went wrong.";
  $("trouble-id").textContent = body.id ? "Please quote " + body.id + " when you ask for help." : "";
  show("trouble");

  clearInterval(countdown);
  let seconds = retryAfter > 0 ? retryAfter : 0;
  const tick = () => {
    $("again").disabled = seconds > 0;
    $("again").textContent = seconds > 0 ? `Try again in ${seconds} s` : "Try again";
    if (seconds-- <= 0) clearInterval(countdown);
  };
  countdown = setInterval(tick, 1000);
  tick();
}

function show(id) {
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.id !== id;
  }
}
