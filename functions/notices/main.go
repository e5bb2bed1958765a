// Command notices is the Lambda function behind "/notices/deauthorize" and
// "/notices/deletion", which Meta calls, and the status page of a deletion.
package main

import (
	"photopass/internal/app"
	"photopass/internal/awsclient"
	"photopass/internal/lambda"
)

func main() { lambda.Serve(app.Notices, awsclient.Open) }
