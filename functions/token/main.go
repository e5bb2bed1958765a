// Command token is the Lambda function that gives the application's backend a
// live token. It has no route: IAM decides who may invoke it.
package main

import (
	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/lambda"
)

func main() { lambda.Run(app.Token, awsclient.Open) }
