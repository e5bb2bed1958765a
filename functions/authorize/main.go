// Command authorize is the Lambda function behind "/", "/authorize" and every
// path that no other function has. It calls nothing outside its process and links no
// client of AWS.
package main

import (
	"photopass/internal/app"
	"photopass/internal/lambda"
)

func main() { lambda.Serve(app.Authorize, lambda.Nothing) }
