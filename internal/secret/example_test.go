package secret_test

import (
	"fmt"
	"log"

	"photopass/internal/secret"
)

// What is sealed for one account does not open for another.
func ExampleRing() {
	ring, err := secret.ParseRing([]byte(`{"current":"k1","k1":"a secret of 32 characters or more"}`))
	if err != nil {
		log.Fatal(err)
	}
	sealed := ring.Seal([]byte("IGAA-access-token"), "27640875392278831", "token")

	plaintext, err := ring.Open(sealed, "27640875392278831", "token")
	fmt.Printf("%s %v\n", plaintext, err)
	_, err = ring.Open(sealed, "17841405793187219", "token")
	fmt.Println(err)
	// Output:
	// IGAA-access-token <nil>
	// secret: value does not open
}
