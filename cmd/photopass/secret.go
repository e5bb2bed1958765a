package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/term"

	"photopass/internal/account"
	"photopass/internal/awsconfig"
	"photopass/internal/secrets"
)

// secretSet stores the client secret. It is checked for its shape before
// anything is sent, and never printed.
func secretSet(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("secret set", flag.ContinueOnError)
	stack := flags.String("stack", "photopass", "")
	id := flags.String("secret-id", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	config, err := awsconfig.Load(ctx)
	if err != nil {
		return err
	}
	if *id == "" {
		if *id, err = output(ctx, config, *stack, "ClientSecretName"); err != nil {
			return err
		}
	}
	clientSecret, err := t.readSecret(fmt.Sprintf("Instagram app secret for %s (not shown): ", *id))
	if err != nil {
		return err
	}
	if secrets.Unusual(clientSecret) {
		fmt.Fprintln(t.out, "Note: this is not 32 hexadecimal digits, as Meta's secrets are. Was it cut when it was copied?")
	}
	_, err = secretsmanager.NewFromConfig(config).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     id,
		SecretString: aws.String(clientSecret.Reveal()),
	})
	if err != nil {
		return fmt.Errorf("store secret in %s: %w", *id, err)
	}
	fmt.Fprintf(t.out, "Stored in %s. Functions that are running use it within five minutes.\n", *id)
	return nil
}

// output returns an output of a deployed stack.
func output(ctx context.Context, config aws.Config, stack, name string) (string, error) {
	out, err := cloudformation.NewFromConfig(config).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return "", fmt.Errorf("read stack %s: %w", stack, err)
	}
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			if aws.ToString(o.OutputKey) == name {
				return aws.ToString(o.OutputValue), nil
			}
		}
	}
	return "", fmt.Errorf("stack %s has no output %s; is it a stack of photopass?", stack, name)
}

// A terminal is where the operator types and reads.
type terminal struct {
	in  *os.File
	out io.Writer
}

// readSecret asks for a client secret without showing it. What is not a
// terminal is read to its first line's end.
func (t terminal) readSecret(prompt string) (account.Secret, error) {
	var line string
	if fd := int(t.in.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(t.out, prompt)
		typed, err := term.ReadPassword(fd)
		fmt.Fprintln(t.out)
		if err != nil {
			return account.Secret{}, fmt.Errorf("read secret: %w", err)
		}
		line = string(typed)
	} else {
		var err error
		line, err = bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return account.Secret{}, fmt.Errorf("read secret: %w", err)
		}
	}
	s, err := secrets.ParseClientSecret(line)
	if err != nil {
		return s, fmt.Errorf("the secret %w", err)
	}
	return s, nil
}
