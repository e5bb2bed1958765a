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
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/term"

	"photopass/internal/account"
	"photopass/internal/seal"
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
	config, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load AWS configuration: %w", err)
	}
	if config.Region == "" {
		return errors.New("no AWS region is set; name that of the stack with AWS_REGION")
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
	client := secretsmanager.NewFromConfig(config)
	if err := refuseKeyRing(ctx, client, *id); err != nil {
		return err
	}
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     id,
		SecretString: aws.String(clientSecret.Reveal()),
	})
	if err != nil {
		return fmt.Errorf("store secret in %s: %w", *id, err)
	}
	fmt.Fprintf(t.out, "Stored in %s. Functions that are running use it within five minutes.\n", *id)
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
	if _, err := seal.ParseRing([]byte(aws.ToString(out.SecretString))); err == nil {
		return fmt.Errorf("%s holds the key ring; the client secret's secret is what the stack's output ClientSecretName names", id)
	}
	return nil
}

// output returns an output of a deployed stack.
func output(ctx context.Context, config aws.Config, stack, name string) (string, error) {
	out, err := cloudformation.NewFromConfig(config).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return "", fmt.Errorf("read stack %s in region %s (AWS_REGION chooses another): %w", stack, config.Region, err)
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
	line, err := t.readLine(prompt)
	if err != nil {
		return account.Secret{}, err
	}
	s, err := secrets.ParseClientSecret(line)
	if err != nil {
		return s, fmt.Errorf("the secret %w", err)
	}
	return s, nil
}

// readLine reads a line. On a terminal the echo is off before the prompt
// appears, so that nothing typed or pasted early is shown; Ctrl-C and Ctrl-D
// cancel.
func (t terminal) readLine(prompt string) (string, error) {
	fd := int(t.in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read secret: %w", err)
		}
		return line, nil
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("switch off the terminal's echo: %w", err)
	}
	defer term.Restore(fd, before)
	screen := struct {
		io.Reader
		io.Writer
	}{t.in, t.out}
	line, err := term.NewTerminal(screen, "").ReadPassword(prompt)
	if errors.Is(err, io.EOF) {
		return "", errors.New("cancelled; nothing was stored")
	}
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return line, nil
}
