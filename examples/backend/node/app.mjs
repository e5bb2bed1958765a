// An application that connects Instagram accounts through photopass: docs/backend.md as a program.
//
//     RETURN_TO_ORIGINS=http://localhost:3000 make run
//     cd examples/backend/node && npm ci && node app.mjs

import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const {
  ORIGIN = "http://localhost:3000", // ours, which RETURN_TO_ORIGINS lists
  PHOTOPASS = "http://localhost:8080",
  GRAPH = "http://localhost:8090", // with a real app: https://graph.instagram.com
  TOKEN_FUNCTION,
} = process.env;

// On AWS, region, credentials and endpoint come from the environment. Locally any credentials do.
const tokenFunction = new LambdaClient(
  TOKEN_FUNCTION
    ? {}
    : { endpoint: PHOTOPASS, region: "eu-central-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } },
);

const sessions = new Map(); // our own users; a real application has a database

// What photopass answered: its code, such as "reconnect_required".
class Refused extends Error {
  // Says what the person can do. Only two codes require a login; the others are outages.
  advice() {
    const again = ["reconnect_required", "not_found"].includes(this.message);
    return again ? "<p>Please connect again.</p>" : "<p>Please try again in a minute.</p>";
  }
}

// Asks for a token by connect_code or by id. The answer holds the token: it must not get into a log.
async function askPhotopass(request) {
  const { FunctionError, Payload } = await tokenFunction.send(
    new InvokeCommand({ FunctionName: TOKEN_FUNCTION ?? "TokenFunction", Payload: JSON.stringify(request) }),
  );
  if (FunctionError) throw new Error("photopass did not answer"); // such as a time-out: the payload is not photopass's
  const answer = JSON.parse(Buffer.from(Payload).toString());
  if (answer.error) throw new Refused(answer.error.code);
  return answer;
}

// Returns the captions of the account's posts.
async function posts(id) {
  let answer = await callInstagram((await askPhotopass({ id })).access_token);
  if (answer.error?.code === 190) {
    // Instagram does not accept the token: have photopass check it, and try once more.
    answer = await callInstagram((await askPhotopass({ id, check: true })).access_token);
  }
  if (answer.error) throw new Error(`Instagram: ${answer.error.code}`);
  return answer.data.map((post) => post.caption ?? "");
}

async function callInstagram(token) {
  const answer = await fetch(`${GRAPH}/me/media?fields=caption&limit=10`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  });
  return answer.json();
}

async function home(key, session) {
  let body = "";
  if (session.account) {
    try {
      const items = (await posts(session.account)).map((caption) => `<li>${escape(caption)}</li>`).join("");
      body = `<p>Connected: ${escape(session.account)}</p><ul>${items}</ul>`;
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      // not_found: the person has disconnected. Forget what was theirs.
      if (e.message === "not_found") delete session.account;
      body = e.advice();
    }
  }
  const state = random();
  session.states = [...session.states.slice(-4), state];
  const returnTo = `${ORIGIN}/connected?state=${state}`;
  const link = `${PHOTOPASS}/authorize?${new URLSearchParams({ return_to: returnTo })}`;
  body += `<p><a href="${escape(link)}">Connect Instagram</a></p>`;
  const secure = ORIGIN.startsWith("https:") ? "; Secure" : "";
  return [200, body, { "Set-Cookie": `app=${key}; HttpOnly; SameSite=Lax; Path=/${secure}` }];
}

async function connected(session, query) {
  const state = query.get("state");
  const code = query.get("connect_code");
  const used = session.used.has(state);
  if (!used && !session.states.includes(state)) return [400, "<p>This login was not begun here.</p>"];
  session.used.add(state); // whatever comes
  if (code && !used) { // a reload brings a used state
    try {
      session.account = (await askPhotopass({ connect_code: code })).id;
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      return [400, e.advice()];
    }
  }
  return [303, "", { Location: "/" }]; // without the code; after a refusal, too
}

async function answer(request) {
  const url = new URL(request.url, ORIGIN);
  const cookie = /(?:^|;\s*)app=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
  const key = sessions.has(cookie) ? cookie : random();
  // states: of the last five logins begun, as a person may have several tabs. used: those that came back.
  if (!sessions.has(key)) sessions.set(key, { states: [], used: new Set() });
  const session = sessions.get(key);
  if (url.pathname === "/") return home(key, session);
  if (url.pathname === "/connected") return connected(session, url.searchParams);
  return [404, "<p>There is nothing here.</p>"];
}

const random = () => randomBytes(32).toString("base64url");
const escape = (s) => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

createServer(async (request, response) => {
  const [status, body, headers] = await answer(request).catch((e) => {
    console.error(e.name); // its message may quote the token
    return [500, "<p>Something went wrong. Please try again in a minute.</p>"];
  });
  response.writeHead(status, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", ...headers });
  response.end(`<!doctype html><title>Example</title>${body}`);
}).listen(new URL(ORIGIN).port || 3000, "localhost", () => console.log(`Open ${ORIGIN}/`));
