package match

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, want string }{
		{"customer_id", "customer id"},
		{"customerId", "customer id"},
		{"CustomerID", "customer id"},
		{"CUSTOMER-ID", "customer id"},
		{"customerid", "customer id"},
		{"cust_no", "customer number"},
		{"order.customer.email", "order customer email"},
		{"URLPath", "url path"},
		{"firstname", "first name"},
		{"fname", "first name"},
		{"DOB", "birth date"},
		{"zip", "postal code"},
		{"zip_code", "postal code"},
		{"cust_given_name", "customer first name"},
		{"product_family", "product family"},
		{"E-Mail Addr", "email"},
		{"address.email", "address email"},
		{"date_of_birth", "birth date"},
		{"bornOn", "birth date"},
		{"qty", "quantity"},
		{"addr1", "address 1"},
		{"company_6", "company 6"},
		{"order items", "order item"},
		{"categories", "category"},
		{"status", "status"},
		{"address", "address"},
		{"buses", "buse"}, // a rule, not a dictionary: both sides are treated alike
		{"straße", "straße"},
		{"Größe", "größe"},
		{"名稱", "名稱"},
		{"商品名稱", "商品 品名 名稱"},
		{"電影(英)", "電影 英"},
		{"data", "data"},
		{"", ""},
		{"__", ""},
		{"\xff\xfe", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(Words(tt.name), " "); got != tt.want {
			t.Errorf("Words(%q) is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTokenWeights(t *testing.T) {
	t.Parallel()
	want := []Token{
		{Text: "order", Concept: "order", Weight: parentWeight},
		{Text: "mobile", Concept: "phone", Weight: 1},
		{Text: "2", Concept: "2", Weight: digitWeight},
	}
	if diff := cmp.Diff(want, Tokens("order.mobile_2")); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, want string }{
		{"custNm", "customer_name"},
		{"tags", "tags"},
		{"mobile_1", "mobile"},
		{"address_2_line", "address_2_line"},
		{"2024", "2024"},
		{"orderdate", "order_date"},
		{"order.total", "order_total"},
		{"address.postal_code", "address_postal_code"},
	}
	for _, tt := range tests {
		if got := strings.Join(Canonical(tt.name), "_"); got != tt.want {
			t.Errorf("Canonical(%q) is %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzTokens: names come from strangers; whatever they are, the words are bounded,
// not empty and valid.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"customer_id", "a.b.c", "名稱X9", "\xff", "ǅfoo", strings.Repeat("aB", 500), "firstnamelastname"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		tokens := Tokens(name)
		if len(tokens) > maxTokens {
			t.Errorf("%d tokens", len(tokens))
		}
		for _, token := range tokens {
			if token.Text == "" || token.Concept == "" || !utf8.ValidString(token.Text) || token.Weight <= 0 || token.Weight > 1 {
				t.Errorf("token is %+v", token)
			}
		}
		for _, word := range Canonical(name) {
			if word == "" || !utf8.ValidString(word) {
				t.Errorf("canonical word is %q", word)
			}
		}
	})
}
