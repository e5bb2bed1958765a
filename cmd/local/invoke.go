package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"photopass/internal/app"
	"photopass/internal/loopback"
)

// maxPayload is enough for every request of the token function. Lambda's own
// limit is 6 MB.
const maxPayload = 1 << 20

// invoker serves the path of Lambda's Invoke call for the token function, so that
// AWS's command line and SDKs work with localhost as their endpoint. All other
// requests go to site, and so do those that anyone but a program on this machine
// might have sent: nothing here checks a signature.
type invoker struct {
	token app.Invoke
	site  http.Handler
}

// invokePath holds the function's name or ARN (AWS, "Invoke", URI parameters).
var invokePath = regexp.MustCompile(`^/2015-03-31/functions/([^/]+)/invocations$`)

// ServeHTTP implements [http.Handler].
func (i invoker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := invokePath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method != http.MethodPost || !fromThisMachine(r) {
		i.site.ServeHTTP(w, r)
		return
	}
	i.invoke(w, r, m[1])
}

// fromThisMachine reports whether r comes from an AWS client on this machine. A
// page in a browser, its host's name rebound to loopback or not, can't send the
// Authorization header without a preflight, which is refused, and sends Origin
// and Fetch Metadata; a proxy that carries requests from elsewhere says so.
func fromThisMachine(r *http.Request) bool {
	if !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		return false
	}
	for name := range r.Header {
		switch {
		case name == "Origin", name == "Via", name == "Forwarded", name == "X-Real-Ip",
			strings.HasPrefix(name, "X-Forwarded-"), strings.HasPrefix(name, "Sec-Fetch-"):
			return false
		}
	}
	return true
}

// isLoopback reports whether address, with or without a port, is this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return loopback.Host(host)
}

var (
	// functionName is the name alone or the end of an ARN, whole or partial.
	functionName = regexp.MustCompile(`^((arn:aws[a-z-]*:lambda:)?([a-z0-9-]+:)?[0-9]{12}:)?(function:)?TokenFunction(:\$LATEST)?$`)
	qualifier    = regexp.MustCompile(`^(\$LATEST)?$`)
)

// invoke answers like Lambda (AWS, "Invoke", response syntax and errors).
func (i invoker) invoke(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !functionName.MatchString(name) || !qualifier.MatchString(r.URL.Query().Get("Qualifier")) {
		invokeError(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: there is TokenFunction alone, with no version but $LATEST.")
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		invokeError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "The payload is larger than 1 MiB.")
		return
	} else if err != nil {
		return // the client has gone
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		invokeError(w, http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json.")
		return
	}
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "", "RequestResponse":
		answer, err := i.token.Invoke(r.Context(), payload)
		if err != nil {
			invokeError(w, http.StatusInternalServerError, "ServiceException", "The function failed.")
			return
		}
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		w.Write(answer)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		invokeError(w, http.StatusBadRequest, "InvalidParameterValueException", "Only the invocation types RequestResponse and DryRun are served here.")
	}
}

func invokeError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct{ Type, Message string }{"User", message})
}
