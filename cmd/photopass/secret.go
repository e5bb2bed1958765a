package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/secret"
)

// secretSet stores the client secret. It is checked for its shape before
// anything is sent, and never printed.
func (p program) secretSet(ctx context.Context, args []string) error {
	o := newOptions("secret set")
	o.withSecretID()
	if _, err := parse(o.FlagSet, args, 0, 0); err != nil {
		return err
	}
	config, err := configuration(ctx)
	if err != nil {
		return err
	}
	id, err := named(ctx, config, *o.secretID, *o.stack, "ClientSecretName")
	if err != nil {
		return err
	}
	clientSecret, err := p.readSecret(fmt.Sprintf("Instagram app secret for %s (not shown): ", id))
	if err != nil {
		return err
	}
	if secret.Unusual(clientSecret) {
		fmt.Fprintln(p.out, "Note: this is not 32 hexadecimal digits, as Meta's secrets are. Was it cut when it was copied?")
	}
	client := secretsmanager.NewFromConfig(config)
	if err := refuseKeyRing(ctx, client, id); err != nil {
		return err
	}
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     &id,
		SecretString: aws.String(clientSecret.Reveal()),
	})
	if err != nil {
		return fmt.Errorf("store secret in %s: %w", id, err)
	}
	fmt.Fprintf(p.out, "Stored in %s. Functions that are running use it within five minutes.\n", id)
	return nil
}

// refuseKeyRing fails when the secret holds a key ring: overwritten, it would
// take every stored token with it. A secret that can't be read is not refused,
// since storing needs no right to read.
func refuseKeyRing(ctx context.Context, client *secretsmanager.Client, id string) error {
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return nil
	}
	if _, err := secret.ParseRing([]byte(aws.ToString(out.SecretString))); err == nil {
		return fmt.Errorf("%s holds the key ring; the client secret's secret is what the stack's output ClientSecretName names", id)
	}
	return nil
}

// readSecret asks for a client secret without showing it.
func (t terminal) readSecret(prompt string) (secret.Value, error) {
	line, err := t.readHidden(prompt)
	switch {
	case errors.Is(err, errCancelled):
		return secret.Value{}, fmt.Errorf("%w; nothing was stored", err)
	case err != nil:
		return secret.Value{}, fmt.Errorf("read secret: %w", err)
	}
	s, err := secret.ParseClientSecret(line)
	if err != nil {
		return s, fmt.Errorf("the secret %w", err)
	}
	return s, nil
}
