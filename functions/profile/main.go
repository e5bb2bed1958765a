// Command profile is the Lambda function behind "/profile", "/logout" and
// "/disconnect".
package main

import (
	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/lambda"
)

func main() { lambda.Serve(app.Profile, awsclient.Open) }
