package main

// What the help says of each command beside its first line.
const (
	about = `It finds table and secrets by the outputs of a stack, and uses AWS's own settings,
such as AWS_PROFILE and AWS_REGION. No result holds a token (except that of token), a
session's cookie or a key.

An ID is the app-scoped id or the id of the professional account. Flags may stand
before or after a command and its arguments.

With -json a result is one JSON document on standard output, with the names of the
HTTP API, and an error is {"error": "..."} on standard error. The exit status is 0, 1
after an error, or 2 for a wrong command line.

Each command requires cloudformation:DescribeStacks unless flags name everything, and
what its own help lists. On a table or a secret under a KMS key of your own it requires
kms:Decrypt as well.`

	aboutSecretSet = `It asks for the secret without showing it, or reads it from standard input if that is
not a terminal. Running functions use the new secret within five minutes.

Requires secretsmanager:PutSecretValue. With GetSecretValue it also refuses to
overwrite a key ring.`

	aboutList = `This reads the whole table. -status, -cause and -older-than choose among the accounts,
and -count counts them instead, by status, cause or age:

  photopass accounts list -count age -status reconnect_required

An account's age is the time since it was connected.

Requires dynamodb:Scan.`

	aboutShow = `Requires dynamodb:GetItem and Query.`

	aboutDisconnect = `It removes the token, the profile and every session, and leaves a line in the audit log
(on standard error) for each account. If an account is gone already, it removes what an
interrupted deletion left, for which it needs the app-scoped id.

It asks first. -yes goes ahead without asking, and is required without a terminal. In a
FILE each line begins with an id; the rest of the line is ignored. With -file it goes on
after a failure, and -json prints a list.

Requires dynamodb:GetItem, Query, PutItem and DeleteItem.`

	aboutImport = `Each line of FILE, or of standard input, is a JSON object:

  {"id": "27640875392278831", "access_token": "IGAA...", "expires_at": "2027-01-22T12:00:00Z"}

access_token is a long-lived token of the same Instagram app. id may be either of the
account's ids, or missing; if it is there, it must be the account's. expires_at is
required for today's API.

Each token is checked by reading the profile from Instagram, sealed and stored. The
account has no session: the person gets one at the next login. Its only permission on
record is the basic one until then. The hourly sweep refreshes the token when half of its
60 days have passed.

Each line of the output says what became of one line of the input; -json prints it as a
JSON object. An account that is already connected stays as it is. So after a failure
or an interruption, import the same file again. An account that was deleted here is not
imported: only a login connects it again.

Requires dynamodb:GetItem, BatchGetItem, PutItem, UpdateItem and DeleteItem, and
secretsmanager:GetSecretValue on the key ring. This machine must reach Instagram.`

	aboutSessions = `A session's key names it; it opens nothing.

Requires dynamodb:GetItem and Query.`

	aboutEnd = `Name the sessions by their keys, or use -all. If one key is wrong, no session ends.

Requires dynamodb:GetItem, Query and DeleteItem.`

	aboutRotate = `It adds a key to the ring, waits six minutes until every running function has read it,
and makes it the current one, so no request fails meanwhile. Ctrl-C during the wait does
no harm: call it again, and it continues.

Tokens move to the new key as they are refreshed, which takes five weeks or so. Tokens of
the legacy API, which are never refreshed, move at the next login. Then keys retire
removes the old key.

Requires secretsmanager:GetSecretValue and PutSecretValue on the key ring.`

	aboutRetire = `It refuses while a stored token is sealed under the key, and says how many are left and
when the last of them is due. It also refuses if it can't tell which key sealed a token.
This reads the whole table twice. docs/operations.md says what it can't know, and how to
bring a ring back.

Requires dynamodb:Scan, and secretsmanager:GetSecretValue and PutSecretValue on the key
ring.`

	aboutToken = `It invokes the token function, which refreshes the token if that is due and records the
use in the audit log. The stack has that function if EnableTokenFunction is true.

With make run, it is TokenFunction at the address that serves the site:

  AWS_ENDPOINT_URL=http://localhost:8080 photopass token -function TokenFunction ID

It prints to a terminal only: a program gets tokens from the function itself, as
docs/backend.md shows. Whoever has the token can use the account until the token expires.

Requires lambda:InvokeFunction on the function.`

	aboutDoctor = `It looks at credentials, this machine's clock, the stack's state, both secrets, the table, overdue
tokens, the last sweep, and the site, and it asks Instagram for the consent page. It
changes nothing and requires no login; the site counts one flow that is started and never ends.

Faults come first, each with the command or the step that fixes it. The exit status is 1
if there is a fault; warnings don't count. A check that it lacks permission for is a
fault, so a script can't mistake "not visible" for "healthy".

It sees only what Instagram shows to a person who is not logged in, and can't tell whether
the client secret is the right one. What was changed by hand, CloudFormation finds better:
aws cloudformation detect-stack-drift.

-table, -client-secret-id, -token-keys-id and -site-url examine parts without a stack, such
as a restored table, or what make run serves:

  photopass doctor -site-url http://localhost:8080

Requires cloudformation:DescribeStacks and DescribeStackEvents,
secretsmanager:GetSecretValue on both secrets, dynamodb:DescribeTable,
DescribeTimeToLive, DescribeContinuousBackups and GetItem on the table, and Query on its
index due.`

	aboutRestore = `Call it before the stack uses the restored table, and once more after. It removes accounts
that were deleted since the backup, ends the sessions that came with it, copies what the
other table knows of deletions, and switches on time to live, point-in-time recovery and
deletion protection. It asks first. After an interruption, call it again.

Each line of a -deleted FILE has an id and the time of its deletion. docs/restore.md has the
whole procedure, and the permissions it requires.`

	aboutCompletion = `In bash:  source <(photopass completion bash)
In zsh:   source <(photopass completion zsh)
The one for bash requires the package bash-completion.`
)
