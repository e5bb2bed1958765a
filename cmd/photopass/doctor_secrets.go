package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"photopass/internal/secret"
)

// readSecret returns the value of a secret that is in use, or the fault that it has none.
func (e *examination) readSecret(ctx context.Context, id, remedy string) (string, *finding) {
	out, err := newRingStore(e.aws, id).value(ctx)
	if err == nil {
		return aws.ToString(out.SecretString), nil
	}
	return "", new(faultOf(remedy, id+": ", errors.Unwrap(err)))
}

// checkClientSecret looks at the client secret, and at the one before, by which
// Meta's notices count for a while.
func (e *examination) checkClientSecret(ctx context.Context, id string) finding {
	set := e.photopass("secret set -secret-id " + id)
	value, f := e.readSecret(ctx, id, set)
	if f != nil {
		return *f
	}
	if _, err := secret.ParseRing([]byte(value)); err == nil {
		return fault("move the key ring to the secret that the output TokenKeysName names, if it is not there; then "+set, "%s holds a key ring", id)
	}
	c, err := secret.ParseClientSecretValue(value)
	switch {
	case err != nil:
		return fault(set, "%s %v", id, err)
	case secret.Unusual(c.Current):
		return warning("compare it with the Instagram app secret at Meta; "+set, "%s does not hold 32 hexadecimal digits, as Meta's secrets do: it may have been cut when it was copied", id)
	case c.Previous.Reveal() != "" && c.PreviousUntil.IsZero():
		return warning("give it an end with previous_until, or store the client secret alone: "+set, "notices signed by the previous secret count forever")
	case c.Previous.Reveal() != "":
		return well("%s holds 32 hexadecimal digits; notices signed by the previous secret count until %s", id, stamp(c.PreviousUntil))
	}
	return well("%s holds 32 hexadecimal digits", id)
}

func (e *examination) checkRing(ctx context.Context, id string) finding {
	versions := e.command("secretsmanager list-secret-version-ids --secret-id %s", id) +
		" lists what there was; docs/operations.md says how to bring an earlier version back"
	value, f := e.readSecret(ctx, id, versions)
	if f != nil {
		return *f
	}
	r, err := parseRing(value)
	if err != nil {
		return fault(versions, "%s holds no key ring: %v", id, err)
	}
	if name := r.newest(); name != "" {
		return warning(e.photopass("keys rotate -secret-id "+id)+" continues it", "a rotation of %s stopped half-way: %s is there and %s still current", id, printable(name), printable(r.current))
	}
	return well("%s holds %s, %s is current", id, count(len(r.entries), "key"), printable(r.current))
}

// photopass returns a command of this program.
func (e *examination) photopass(arguments string) string {
	return fmt.Sprintf("AWS_REGION=%s photopass %s", e.aws.Region, arguments)
}
