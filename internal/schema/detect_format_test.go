package schema

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestStringFormats(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"email": {
			"a@example.com", "First.Last+tag@sub.example.co.uk", "o'brien@example.org", "josé@exämple.de",
		},
		"url": {
			"https://example.com", "http://localhost:8080/a?b=c#d", "ftp://host/file", "s3://bucket/key",
			"postgres://u:p@host/db", "http://[::1]/",
		},
		"uuid": {"a0000001-5eed-4000-8000-000000000002", "A0000001-5EED-4000-8000-00000000000F"},
		"json": {`{"a":1}`, `[]`, ` [1,2] `, `{}`},
		"date": {
			"2025-01-31", "2024-02-29", "2025/01/31", "2025.01.31", "31/01/2025", "01/31/2025", "1/2/2025",
			"31.01.2025", "31-01-2025", "31 Jan 2025", "31-Jan-2025", "Jan 31, 2025", "January 31, 2025", "0001-01-01",
		},
		"datetime": {
			"2025-01-31T10:15:30Z", "2025-01-31T10:15:30.123456789+02:00", "2025-01-31 10:15:30", "2025-01-31 10:15",
			"2025-01-31T10:15:30-0700", "2025-01-31 10:15:30+00", "2025-01-31 10:15:30 UTC", "31.01.2025 10:15",
			"01/31/2025 3:04 PM", "2016-12-31T23:59:60Z", "Mon, 02 Jan 2006 15:04:05 GMT", "20250131T101530Z",
			"Mon, 02 Jan 2006 15:04:05 -0700", "2025-01-31t10:15:30,5z",
		},
		"phone": {
			"+44 20 7185 2723", "+442071852723", "+1 (555) 123-4567", "+49.1711234567", "0044 20 7946 0958",
			"(555) 123-4567", "555-123-4567", "555.123.4567", "1-800-555-0199", "030 1234567", "0171/1234567",
			"020 7946 0958", "(020) 7946-0958", "01 23 45 67 89", "+1-555-123-4567 x12", "555-123-4567 ext. 9",
		},
		"string": {
			"x", "Tom Chen", "n/a 0",
			// no e-mail
			"a@b", "@example.com", "a@", "a b@example.com", "a@example..com", ".a@example.com", "a@-x.com",
			"Al <a@example.com>", "a@@example.com", "a@1.2.3.4", "@handle", "a@example.c",
			// no address
			"www.example.com", "mailto:a@example.com", "http://", "https://a b.com", "C:\\dir", "://x", "not a url http://x.com",
			// no uuid
			"a0000001-5eed-4000-8000-00000000000", "g0000001-5eed-4000-8000-000000000002", "a0000001x5eed-4000-8000-000000000002",
			// no json
			"{", "[draft]", "{x}", "true", "1", `"x"`, "{]",
			// no date
			"2025-02-30", "2025-13-01", "32/01/2025", "13/13/2025", "01.31.2025", "2025-1-31", "20250131", "2025-01",
			"10:15:30", "1.2.3", "0000-00-00", "31/01/25", "01/02/3025", "01-02/2025", "2025-01-312", "May", "May 2025",
			// no date and time
			"2025-01-31T", "2025-01-31T25:00:00Z", "2025-01-31 10", "2025-01-31T10:60:00", "2025-01-31 10:15:30+25:00",
			"2025-01-31x10:15", "2025-01-31T10:15:30.Z", "2025-01-31T10:15:61Z", "2025-01-31 13:00 PM", "2025-02-30T10:00:00Z",
			"2025-01-31 0:15 AM", "2025-01-31T10:1", "2025-01-31T10:15 z9",
			// no phone: cards, ids, social security, postal codes, amounts, addresses, versions
			"4111 1111 1111 1111", "4111111111111111", "5551234567", "1700000000", "123-45-6789", "12345-6789",
			"12345.678", "192.168.100.200", "978-3-16-148410-0", "+5", "+1.5", "+12345678.90", "0.123456789",
			"01-2025-000123", "1234567", "007", "1 000 000 000", "555--123-4567", "(555 123-4567", "+44 20 7185 2723 1234567",
			"+0123456789", "+1234567890123456", "555-123-4567-", ")555( 123-4567", "12-34-56-78", "+", "00 0 123 456 789", "555-123-4567 x",
		},
	}
	for want, values := range tests {
		for _, value := range values {
			quoted, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			s := shapeOf(quoted, "a", false)
			if got := s.word(); got != want {
				t.Errorf("type of %q = %s, want %s", value, got, want)
			}
		}
	}
}

func TestTimestampNeedsANameAndARange(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"created_at", "1700000000", "timestamp"},
		{"createdAt", "1700000000123", "timestamp"},
		{"meta.ts", "1700000000", "timestamp"},
		{"EventTime", "1700000000", "timestamp"},
		{"unix-epoch", "4102444799", "timestamp"},
		{"ts", "4102444800", "string"},   // the year 2100
		{"ts", "0700000000", "string"},   // no number starts with 0
		{"ts", "170000000", "string"},    // nine digits
		{"ts", "17000000001", "string"},  // eleven
		{"ts", "1700000000.5", "string"}, // a fraction
		{"order_no", "1700000000", "string"},
		{"at", "1700000000", "string"},
		{"look_at_me", "1700000000", "string"},
		{"ts.id", "1700000000", "string"},
		{"sometimes", "1700000000", "string"},
	}
	for _, tt := range tests {
		s := shapeOf([]byte(`"`+tt.value+`"`), tt.name, false)
		if got := s.word(); got != tt.want {
			t.Errorf("type of %s = %q is %s, want %s", tt.name, tt.value, got, tt.want)
		}
	}
	// A JSON number stays what it is, whatever its name.
	s := shapeOf([]byte("1700000000"), "created_at", false)
	if got := s.word(); got != "float" {
		t.Errorf("type of a number = %s, want float", got)
	}
}

func TestFormatsOfLongText(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		strings.Repeat("a", 1<<20), strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 1000) + "com",
		strings.Repeat("1", 1<<16), "+" + strings.Repeat("1", 40),
	} {
		if got := formatOf(value, "at"); got != bitText {
			t.Errorf("format of %.20q (%d bytes) = %b, want text", value, len(value), got)
		}
	}
}
