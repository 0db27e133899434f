package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadCSV(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content string
		want    []string
	}{
		"semicolon with decimal commas": {"a;b\n1,5;2,5\n", []string{`{"a":"1,5","b":"2,5"}`}},
		"tab with stray quotes":         {"size\tname\n5\"\t\n\tx", []string{`{"size":"5\"","name":null}`, `{"size":null,"name":"x"}`}},
		"pipe":                          {"a|b, c\n1|2\n", []string{`{"a":1,"b, c":2}`}},
		"comma wins among equals":       {"a,b;c\n1,2;3\n", []string{`{"a":1,"b;c":"2;3"}`}},
		"consistent delimiter wins":     {"a,b;c\n1,2,2;3\n4,4,4;5\n", []string{`{"a,b":"1,2,2","c":3}`, `{"a,b":"4,4,4","c":5}`}},
		"quotes":                        {"a,b\n\"x, \"\"y\"\"\n\",\"1\"\n", []string{`{"a":"x, \"y\"","b":1}`}},
		"quotes after spaces":           {"a, b\n1, \"x, y\"\n", []string{`{"a":1,"b":"x, y"}`}},
		"header is trimmed":             {" a ,\"First\n\u00a0 Name\"\n1,2\n", []string{`{"a":1,"First Name":2}`}},
		"duplicate names":               {"n,n,n_2,n,n\n1,2,3,4,5\n", []string{`{"n":1,"n_3":2,"n_2":3,"n_4":4,"n_5":5}`}},
		"empty names":                   {"a,, \n1,2,3\n", []string{`{"a":1,"column_2":2,"column_3":3}`}},
		"empty name that is taken":      {"column_2,\n1,2\n", []string{`{"column_2":1,"column_2_2":2}`}},
		"short rows":                    {"a,b,c\n1\n1,2\n", []string{`{"a":1}`, `{"a":1,"b":2}`}},
		"delimiters at the end":         {"a,b\n1,2,,\n", []string{`{"a":1,"b":2}`}},
		"rows without values":           {"a,b\n,\n1,2\n\n,\n", []string{`{"a":1,"b":2}`}},
		"dotted names stay flat":        {"a.b,c\n1,2\n", []string{`{"a.b":1,"c":2}`}},
		"one column":                    {"name\nJosé\n", []string{`{"name":"José"}`}},
		"windows line ends":             {"a,b\r\n1,2\r\n", []string{`{"a":1,"b":2}`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, tt.content, "a.csv", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadWideCSV(t *testing.T) {
	t.Parallel()
	columns := strings.Repeat("n,", 4999) + "n\n"
	got, err := readAll(t, columns+columns, "a.csv", Options{})
	if err != nil || len(got) != 1 || !strings.HasSuffix(got[0], `,"n_5000":"n"}`) {
		t.Errorf("5,000 columns of one name: %d records, error %v", len(got), err)
	}
	if _, err = readAll(t, "n,"+columns+columns, "a.csv", Options{}); err == nil {
		t.Error("5,001 columns: no error")
	}
}

func TestAppendValue(t *testing.T) {
	t.Parallel()
	verbatim := []string{
		"0", "-1", "42", "10.0", "0.30000000000000004", "123456789012345", "-12.50",
		"1.5E+10", "1234567890123456789.25", "true", "false",
	}
	for _, value := range verbatim {
		if got := string(appendValue(nil, value, false)); got != value {
			t.Errorf("value %s = %s, want it as it is", value, got)
		}
	}
	text := []string{
		"007", "+5", "1,5", "1.000,00", "12E4", "1e5", "1234567890123456", "5.", ".5", "-", "--1", "0x10",
		"1.5E+999", "NaN", "Infinity", "null", "NULL", "yes", "1 000", "{}", "[1]", "4111 1111 1111 1111",
	}
	for _, value := range text {
		if got := string(appendValue(nil, value, false)); got != `"`+value+`"` {
			t.Errorf("value %s = %s, want text", value, got)
		}
	}
	for value, want := range map[string]string{"": "null", "TRUE": "true", "False": "false"} {
		if got := string(appendValue(nil, value, true)); got != want {
			t.Errorf("value %q = %s, want %s", value, got, want)
		}
	}
}

func TestIsTextColumn(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"phone": true, "PhoneNumber": true, "mobile_1": true, "Zip Code": true, "zip": true, "tel.": true,
		"postalCode": true, "PLZ": true, "hotel_id": false, "zipped": false, "amount": false, "id": false,
	}
	for name, want := range tests {
		if got := isTextColumn(name); got != want {
			t.Errorf("isTextColumn(%q) = %v, want %v", name, got, want)
		}
	}
}
