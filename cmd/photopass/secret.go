package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/urfave/cli/v3"

	"photopass/internal/secret"
)

// secretSet stores the client secret. It is checked for its shape before
// anything is sent, and never printed.
func (p program) secretSet(ctx context.Context, c *cli.Command) error {
	d, err := open(ctx, c)
	if err != nil {
		return err
	}
	id, err := d.named("secret-id", "ClientSecretName")
	if err != nil {
		return err
	}
	clientSecret, err := p.readSecret(fmt.Sprintf("Instagram app secret for %s (not shown): ", id))
	if err != nil {
		return err
	}
	if secret.Unusual(clientSecret) {
		p.say("%s", "Note: this is not 32 hexadecimal digits, as Meta's secrets are. Was it cut when it was copied?")
	}
	client := secretsmanager.NewFromConfig(d.Config)
	if err := refuseKeyRing(ctx, client, id); err != nil {
		return err
	}
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     &id,
		SecretString: aws.String(clientSecret.Reveal()),
	})
	if err != nil {
		return fmt.Errorf("store secret in %s: %w", id, reduce(err))
	}
	return p.print(c, map[string]string{"secret_id": id}, []string{
		fmt.Sprintf("Stored in %s. Functions that are running use it within five minutes.", id),
	})
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
