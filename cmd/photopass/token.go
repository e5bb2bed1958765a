package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/urfave/cli/v3"

	"photopass/internal/account"
)

// tokenFunctionName is an output that a stack has only with EnableTokenFunction.
const tokenFunctionName = "TokenFunctionName"

// A tokenAnswer is what the token function answers.
type tokenAnswer struct {
	ID          string    `json:"id"`
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Error       *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// token prints a live token, which it has from the token function. So the operator
// needs no right to the key ring, and the use is in the function's audit log.
func (p program) token(ctx context.Context, c *cli.Command) error {
	id := c.Args().First()
	switch {
	case !account.ValidID(id):
		return errNoID(id)
	case !p.onTerminal():
		return errors.New("a token is printed to a terminal only; a program asks the token function, as docs/backend.md shows")
	}
	d, err := open(ctx, c)
	if err != nil {
		return err
	}
	function, err := d.named("function", tokenFunctionName)
	if err != nil {
		return err
	}
	client := lambda.NewFromConfig(d.Config)
	a, err := invokeToken(ctx, client, function, "id", id)
	if err == nil && a.Error != nil && a.Error.Code == "not_found" {
		a, err = invokeToken(ctx, client, function, "user_id", id)
	}
	switch {
	case err != nil:
		return fmt.Errorf("invoke %s: %w", function, reduce(err))
	case a.Error != nil:
		return fmt.Errorf("no token: %s", printable(a.Error.Message))
	}
	p.say("Warning: whoever has this token can use the account until it expires (%s). It stays in this terminal's history.", stamp(a.ExpiresAt))
	return p.print(c, a, []string{printable(a.AccessToken)})
}

func invokeToken(ctx context.Context, client *lambda.Client, function, member, id string) (a tokenAnswer, err error) {
	payload, err := json.Marshal(map[string]string{member: id})
	if err != nil {
		return a, err
	}
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return a, err
	}
	if out.FunctionError != nil || json.Unmarshal(out.Payload, &a) != nil || a.Error == nil && a.AccessToken == "" {
		return a, errors.New("the function failed; its log says why") // the answer may hold the token
	}
	return a, nil
}
