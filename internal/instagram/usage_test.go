package instagram_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"photopass/internal/instagram"
	"photopass/internal/secret"
)

// X-App-Usage says what the app has used, in a success and in an error.
func TestAppUsage(t *testing.T) {
	for _, tt := range []usageTest{
		{"as documented", `{"call_count":12,"total_cputime":3,"total_time":4}`, 12},
		{"as captured", `{"call_volume":7,"cpu_time":9}`, 9},
		{"largest in the middle", `{"call_count":1,"total_cputime":80,"total_time":2}`, 80},
		{"fraction", `{"call_count":79.9}`, 79},
		{"zero", `{"call_count":0}`, 0},
		{"the whole", `{"call_count":100}`, 100},
		{"above the whole", `{"call_count":180}`, 180},
		{"huge", `{"call_count":1e300}`, 1000},
		{"negative", `{"call_count":-90}`, 0},
		{"negative beside a number", `{"call_count":-90,"total_time":5}`, 5},
		{"string", `{"call_count":"90"}`, 0},
		{"string beside a number", `{"call_count":"90","total_time":5}`, 5},
		{"object, list, true and null beside a number", `{"a":{"call_count":99},"b":[99],"c":true,"d":null,"e":5}`, 5},

		{"empty", ``, 0},
		{"empty object", `{}`, 0},
		{"null", `null`, 0},
		{"number", `90`, 0},
		{"list", `[{"call_count":90}]`, 0},
		{"cut", `{"call_count":90`, 0},
		{"text behind", `{"call_count":90} x`, 0},
		{"no JSON", `call_count=90`, 0},
		{"not a number", `{"call_count":NaN}`, 0},
		{"beyond every number", `{"call_count":1e999}`, 0},
	} {
		tt.run(t, "X-App-Usage", instagram.Usage{App: tt.want})
	}
}

// The lists of X-Business-Use-Case-Usage count for the account, and say nothing
// of the app.
func TestAccountUsage(t *testing.T) {
	for _, tt := range []usageTest{
		{"largest of an entry", `{"1":[{"type":"instagram","call_count":7,"total_cputime":95,"total_time":8}]}`, 95},
		{"several entries", `{"1":[{"call_count":7},{"call_count":81},{"call_count":9}]}`, 81},
		{"several ids", `{"1":[{"call_count":7}],"2":[{"call_count":70}],"3":[]}`, 70},
		{"fraction", `{"1":[{"call_count":79.9}]}`, 79},
		{"beyond all bounds", `{"1":[{"call_count":1e300}]}`, 1000},
		{"minutes are no percentage", `{"1":[{"call_count":3,"estimated_time_to_regain_access":90}]}`, 3},
		{"texts beside a number", `{"1":[{"type":"95","call_count":"95","total_time":6}]}`, 6},

		{"empty", ``, 0},
		{"empty object", `{}`, 0},
		{"null", `null`, 0},
		{"null in the list", `{"1":[null]}`, 0},
		{"negative", `{"1":[{"call_count":-90}]}`, 0},
		{"object without lists", `{"1":{"call_count":90}}`, 0},
		{"list of numbers", `{"1":[90]}`, 0},
		{"as of the app", `{"call_count":90}`, 0},
		{"cut", `{"1":[{"call_count":90}]`, 0},
		{"no JSON", `call_count=90`, 0},
	} {
		tt.run(t, "X-Business-Use-Case-Usage", instagram.Usage{Account: tt.want})
	}
}

// A usageTest is a header's value and the percentage that it says.
type usageTest struct {
	name, value string
	want        int
}

func (tt usageTest) run(t *testing.T, header string, want instagram.Usage) {
	for _, status := range []int{200, 400} {
		t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
			s := serve(t, operation{instagram.Graph, "profile"}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(header, tt.value)
				w.WriteHeader(status)
				io.WriteString(w, map[int]string{200: `{"id":"1"}`, 400: `{"error":{"code":9999}}`}[status])
			})
			_, got, err := s.client(t).Profile(t.Context(), secret.New(longToken))
			if status != 200 {
				got = asError(t, err).Usage
			} else if err != nil {
				t.Fatalf("Profile: got error %v, want none", err)
			}
			wantEqual(t, "Usage", got, want)
		})
	}
}
