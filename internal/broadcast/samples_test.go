package broadcast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStripSamples(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"first":               {`[{"sample_value":1,"name":"a"}]`, `[{"name":"a"}]`},
		"middle":              {`[{"name":"a","sample_value":"x","type":"string"}]`, `[{"name":"a","type":"string"}]`},
		"last":                {`[{"name":"a","sample_value":null}]`, `[{"name":"a"}]`},
		"only":                {`[{"sample_value":{"a":[1,{"b":"}"}]}}]`, `[{}]`},
		"twice":               {`[{"sample_value":1,"sample_value":2,"name":"a"}]`, `[{"name":"a"}]`},
		"twice, apart":        {`[{"sample_value":1,"name":"a","sample_value":2}]`, `[{"name":"a"}]`},
		"nested":              {`[{"name":"a","fields":[{"name":"b","sample_value":"x"}]}]`, `[{"name":"a","fields":[{"name":"b"}]}]`},
		"escaped key":         {`[{"sample\u005fvalue":"x","name":"a"}]`, `[{"name":"a"}]`},
		"other escaped key":   {`[{"sample\\_value":"x"}]`, `[{"sample\\_value":"x"}]`},
		"as a value":          {`[{"name":"sample_value","x":["sample_value",1]}]`, `[{"name":"sample_value","x":["sample_value",1]}]`},
		"other keys":          {`[{"sample_values":[1],"Sample_value":2}]`, `[{"sample_values":[1],"Sample_value":2}]`},
		"braces in strings":   {`[{"name":"}],{\"","sample_value":"\\\"}","type":"a\\"}]`, `[{"name":"}],{\"","type":"a\\"}]`},
		"numbers stay":        {`[{"n":1.0,"e":-1E+2,"sample_value":-1.5e3,"t":true}]`, `[{"n":1.0,"e":-1E+2,"t":true}]`},
		"empty":               {`[]`, `[]`},
		"no objects":          {`[1,"a",[null],{}]`, `[1,"a",[null],{}]`},
		"comma inside a list": {`[[1,2],{"a":[1,2],"sample_value":[1,2]},3]`, `[[1,2],{"a":[1,2]},3]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, ok := cleanFields(json.RawMessage(tt.in))
			if !ok {
				t.Fatalf("%s is no list", tt.in)
			}
			if diff := cmp.Diff(tt.want, string(stripSamples(list))); diff != "" {
				t.Errorf("stripSamples(%s) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// FuzzStripSamples compares with decoding, removing the key and encoding again.
func FuzzStripSamples(f *testing.F) {
	for _, seed := range []string{
		`[{"name":"a","sample_value":{"sample_value":[1]},"type":"b"}]`, `[{"sample\u005fvalue":1}]`, `[{"":"\\"},[],{}]`,
		"[{\"name\":\"\xff\"}]", `[1.50,-0,"\ud800"]`, `{"a":1}`, ` [ { "sample_value" : 1 , "a" : 2 } ] `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, ok := cleanFields(raw)
		if !ok {
			return
		}
		got := stripSamples(list)
		if want := slowStrip(t, list); !bytes.Equal(canonical(t, got), want) {
			t.Errorf("stripSamples(%s) = %s, want the meaning of %s", list, got, want)
		}
	})
}

func slowStrip(t *testing.T, list []byte) []byte {
	t.Helper()
	var remove func(value any) any
	remove = func(value any) any {
		switch v := value.(type) {
		case map[string]any:
			delete(v, sampleKey)
			for key := range v {
				v[key] = remove(v[key])
			}
		case []any:
			for i := range v {
				v[i] = remove(v[i])
			}
		}
		return value
	}
	out, err := json.Marshal(remove(decodeNumbers(t, list)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func canonical(t *testing.T, list []byte) []byte {
	t.Helper()
	out, err := json.Marshal(decodeNumbers(t, list))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decodeNumbers(t *testing.T, list []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(list))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("decode %s: %v", list, err)
	}
	return value
}

// wideFields is a list like that of a wide schema.
func wideFields(n int) json.RawMessage {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"name":"field_%d","type":"string","sample_value":"a value of %d characters or so","required":true}`, i, i)
	}
	return json.RawMessage("[" + strings.TrimPrefix(b.String(), ",") + "]")
}

func BenchmarkStripSamples(b *testing.B) {
	list := wideFields(5000)
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		stripSamples(list)
	}
}
