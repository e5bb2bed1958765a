// Command refresh is the Lambda function that keeps tokens alive. A schedule
// invokes it every hour.
package main

import (
	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/lambda"
)

func main() { lambda.Run(app.Refresh, awsclient.Open) }
