package awsclient_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/awsclient"
	"photopass/internal/secret"
)

// newReader returns a Reader of a service that always answers status and body,
// and what was asked of it.
func newReader(t *testing.T, status int, body string) (awsclient.SecretReader, *string) {
	t.Helper()
	asked := new(string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*asked = string(b)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-RequestId", "11111111-2222-3333-4444-555555555555")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return awsclient.NewSecretReader(sdk.New(sdk.Options{
		Region:           "eu-central-1",
		Credentials:      credentials.NewStaticCredentialsProvider("x", "x", ""),
		BaseEndpoint:     aws.String(s.URL),
		RetryMaxAttempts: 1,
	})), asked
}

func TestRead(t *testing.T) {
	r, asked := newReader(t, 200, `{"SecretString":"a value"}`)
	got, err := r.Read(t.Context(), "photopass/ClientSecret")
	if err != nil || got != "a value" {
		t.Errorf("Read: got another value or error %v", err)
	}
	if want := `{"SecretId":"photopass/ClientSecret","VersionStage":"AWSCURRENT"}`; *asked != want {
		t.Errorf("Read: asked %s, want %s", *asked, want)
	}
}

func TestReadErrors(t *testing.T) {
	const id = " (request 11111111-2222-3333-4444-555555555555)"
	for _, tt := range []struct {
		code, want    string
		misconfigured bool
	}{
		{"ResourceNotFoundException", "has no value" + id + ": misconfigured secret", true},
		{"AccessDeniedException", "may not be read: the function's role needs secretsmanager:GetSecretValue on it" + id + ": misconfigured secret", true},
		{"InvalidRequestException", "is marked for deletion: restore it" + id + ": misconfigured secret", true},
		{"DecryptionFailure", "can't be decrypted: its KMS key is disabled or does not allow it" + id + ": misconfigured secret", true},
		{"InternalServiceError", "read: InternalServiceError" + id, false},
		{"ThrottlingException", "read: ThrottlingException" + id, false},
	} {
		t.Run(tt.code, func(t *testing.T) {
			r, _ := newReader(t, 400, fmt.Sprintf(`{"__type":%q,"message":"it holds SECRETVALUE"}`, tt.code))
			_, err := r.Read(t.Context(), "x")
			if err == nil || err.Error() != tt.want {
				t.Errorf("Read: got error %v, want %q", err, tt.want)
			}
			if got := errors.Is(err, secret.ErrMisconfigured); got != tt.misconfigured {
				t.Errorf("Read: misconfigured %t, want %t", got, tt.misconfigured)
			}
		})
	}
}

// What the SDK says of an answer that it can't decode quotes the answer.
func TestReadErrorsDoNotQuote(t *testing.T) {
	for _, body := range []string{
		`{"CreatedDate":"SECRETVALUE","SecretString":"SECRETVALUE"}`,
		`{"SecretString":"SECRETVALUE`,
		`SECRETVALUE`,
	} {
		r, _ := newReader(t, 200, body)
		if _, err := r.Read(t.Context(), "x"); err == nil || strings.Contains(err.Error(), "SECRETVALUE") {
			t.Errorf("Read of %d bytes: got no error, or one that quotes the answer", len(body))
		}
	}
}
