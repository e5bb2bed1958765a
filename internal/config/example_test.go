package config_test

import (
	"fmt"

	"photopass/internal/config"
)

func ExampleLoad() {
	env := map[string]string{
		"INSTAGRAM_CLIENT_ID": "990602627938098",
		"PUBLIC_URL":          "https://photopass.example",
		"SESSION_IDLE":        "24h",
	}
	c, err := config.Load(func(name string) string { return env[name] }, "INSTAGRAM_CLIENT_ID")
	fmt.Println(c.RedirectURI(), c.SessionIdle, c.SessionMax, err)

	env["PUBLIC_URL"] = "https://photopass.example/"
	_, err = config.Load(func(name string) string { return env[name] })
	fmt.Println(err)
	// Output:
	// https://photopass.example/callback 24h0m0s 720h0m0s <nil>
	// PUBLIC_URL takes an origin such as https://example.com: https, lower case, no path, no trailing slash, no default port; http only for a loopback host or under sam local
}
