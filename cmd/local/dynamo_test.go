package main_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/account"
	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

// With a table, a login outlives the process.
func TestDataInDynamoDB(t *testing.T) {
	table, keys := "photopass-"+account.RandomID(), "token-keys-"+account.RandomID()
	if err := dynamotest.CreateTable(t.Context(), dynamodb.NewFromConfig(mototest.Config(t)), table); err != nil {
		t.Fatalf("create table: %v", err)
	}
	_, err := secretsmanager.NewFromConfig(mototest.Config(t)).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: &keys, SecretString: aws.String(`{"current":"k1","k1":"a key ring entry of more than 32 characters"}`),
	})
	if err != nil {
		t.Fatalf("create secret: %v", err)
	}
	env := append(mototest.Environment(t), "TABLE_NAME="+table, "TOKEN_KEYS_SECRET_ID="+keys)

	first := program.Start(t, localprocess.Options{Env: env})
	if want := "Data is kept in the DynamoDB table " + table + "."; !strings.Contains(first.Banner, want) {
		t.Errorf("banner: got %s, want it to say %s", first.Banner, want)
	}
	b := apptest.NewBrowser(t, first.URL)
	b.Login()
	session := b.Cookie("__Host-session")
	first.Interrupt()
	first.Wait()

	second := program.Start(t, localprocess.Options{Env: env})
	b = apptest.NewBrowser(t, second.URL)
	b.SetCookie("__Host-session", session)
	if r := b.Get("/profile"); r.Status != 200 || !strings.Contains(r.Body, `"id":"27640875392278831"`) {
		t.Errorf("profile after a restart: got status %d, want 200 with the id", r.Status)
	}
}
