// Command callback is the Lambda function behind "/callback".
package main

import (
	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/lambda"
)

func main() { lambda.Serve(app.Callback, awsclient.Open) }
