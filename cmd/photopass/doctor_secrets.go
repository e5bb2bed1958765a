package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"photopass/internal/secret"
)

// readSecret returns the value of a secret that is in use.
func (e *examination) readSecret(ctx context.Context, id string) (string, error) {
	out, err := secretsmanager.NewFromConfig(e.aws).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

// unread is the finding of a secret that can't be read.
func (e *examination) unread(id, remedy string, err error) finding {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "InvalidRequestException" {
		// A read has no other reason for it.
		return fault(e.command("secretsmanager restore-secret --secret-id %s", id), "%s is marked for deletion", id)
	}
	err = reduce(err)
	if strings.HasPrefix(err.Error(), "access denied") {
		remedy = "give your IAM identity secretsmanager:GetSecretValue on it"
	}
	return fault(remedy, "%s: %s", id, brief(err))
}

func (e *examination) checkClientSecret(ctx context.Context, id string) finding {
	set := e.photopass("secret set -secret-id " + id)
	value, err := e.readSecret(ctx, id)
	if err != nil {
		return e.unread(id, set, err)
	}
	if _, err := secret.ParseRing([]byte(value)); err == nil {
		return fault("move the key ring to the secret that the output TokenKeysName names, if it is not there; then "+set, "%s holds a key ring", id)
	}
	c, err := secret.ParseClientSecretValue(value)
	if err != nil {
		return fault(set, "%s %v", id, err)
	}
	if secret.Unusual(c.Current) {
		return warning("compare it with the Instagram app secret at Meta; "+set, "%s holds no 32 hexadecimal digits, as Meta's secrets are: it may have been cut when it was copied", id)
	}
	return well("%s holds 32 hexadecimal digits", id)
}

// checkPreviousSecret looks at the secret before, by which Meta's notices count
// for a while.
func (e *examination) checkPreviousSecret(ctx context.Context, id string) finding {
	value, err := e.readSecret(ctx, id)
	if err != nil {
		return skipped("the client secret can't be read")
	}
	c, err := secret.ParseClientSecretValue(value)
	switch {
	case err != nil:
		return skipped("the client secret is not sound")
	case c.Previous.Reveal() == "":
		return well("none: notices count by the client secret alone")
	case c.PreviousUntil.IsZero():
		return warning("give it an end with previous_until, or store the client secret alone: "+e.photopass("secret set -secret-id "+id),
			"notices signed by the secret before count without end")
	case c.PreviousUntil.Before(e.now()):
		return well("notices signed by the secret before counted until %s", stamp(c.PreviousUntil))
	}
	return well("notices signed by the secret before count until %s", stamp(c.PreviousUntil))
}

func (e *examination) checkRing(ctx context.Context, id string) finding {
	versions := e.command("secretsmanager list-secret-version-ids --secret-id %s", id) +
		" lists what there was; docs/operations.md says how an earlier version comes back"
	value, err := e.readSecret(ctx, id)
	if err != nil {
		return e.unread(id, versions, err)
	}
	r, err := parseRing(value)
	if err != nil {
		return fault(versions, "%s holds no key ring: %v", id, err)
	}
	if name := r.newest(); name != "" {
		return warning(e.photopass("keys rotate -secret-id "+id)+" goes on with it", "a rotation of %s stopped half-way: %s is there and %s still current", id, printable(name), printable(r.current))
	}
	return well("%s holds %s, %s is current", id, count(len(r.entries), "key"), printable(r.current))
}

// photopass returns a command of this program.
func (e *examination) photopass(arguments string) string {
	return fmt.Sprintf("AWS_REGION=%s photopass %s", e.aws.Region, arguments)
}
