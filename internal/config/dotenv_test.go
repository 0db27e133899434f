package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The expectations are what Laravel's reader (phpdotenv 5) makes of the same lines.
func TestParseDotEnv(t *testing.T) {
	t.Parallel()
	environment := map[string]string{"HOST": "from-process", "EMPTY": ""}
	for _, tt := range []struct {
		name, in string
		want     map[string]string
	}{
		{"nothing", "\n # comment\n\n", map[string]string{}},
		{"plain", "A=1\nB = two \nC=", map[string]string{"A": "1", "B": "two", "C": ""}},
		{"byte order mark, CRLF, export", "\ufeffA=1\r\nexport B=2\r\n", map[string]string{"A": "1", "B": "2"}},
		{"dollar in a password", "A=pa$5wo$RD$", map[string]string{"A": "pa$5wo$RD$"}},
		{"hash ends an unquoted value", "A=pass#word\nB=x # comment\nC='#1'\nD=\"#2\" # comment", map[string]string{"A": "pass", "B": "x", "C": "#1", "D": "#2"}},
		{"backslash stays unquoted", `A=C:\temp\n`, map[string]string{"A": `C:\temp\n`}},
		{"single quotes keep everything", `A='${HOST} \n "x"'`, map[string]string{"A": `${HOST} \n "x"`}},
		{"double quotes", `A="a \"b\" \\ \$x \n\t."`, map[string]string{"A": "a \"b\" \\ $x \n\t."}},
		{"lines in double quotes", "A=\"one\ntwo\"\nB=3", map[string]string{"A": "one\ntwo", "B": "3"}},
		{"quotes inside", `A=it's`, map[string]string{"A": "it's"}},
		{"from the process", "A=${HOST}:1\nHOST=from-file\nB=\"${HOST}\"\nC=${EMPTY}.", map[string]string{
			"A": "from-process:1", "HOST": "from-file", "B": "from-process", "C": ".",
		}},
		{"nested", "A=1\nB=${A}2\nC=\"${B}3\"", map[string]string{"A": "1", "B": "12", "C": "123"}},
		{"unknown and later ones stay", "A=${B}\nB=2\nC=${}x${B", map[string]string{"A": "${B}", "B": "2", "C": "${}x${B"}},
		{"values are not expanded again", "A='${HOST}'\nB=${A}", map[string]string{"A": "${HOST}", "B": "${HOST}"}},
		{"escaped reference", `A="\${HOST}"`, map[string]string{"A": "${HOST}"}},
		{"the last one counts", "A=1\nA=2", map[string]string{"A": "2"}},
		{"words of Laravel come later", "A=null\nB=(empty)", map[string]string{"A": "null", "B": "(empty)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDotEnv(tt.in, environment)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDotEnvErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"A=1\nhunter2":              `line 2 has no "="`,
		"A=1\n\nB B=hunter2":        "line 3 has a name with other characters",
		"=hunter2":                  "line 1 has a name with other characters",
		"A=hunter2 hunter2":         "line 1 (A) has text after the value; put the whole value in double quotes",
		"A='hunter2":                "line 1 (A) has no closing single quote",
		"A=1\nB=\"hunter2\n\nC=3":   "line 2 (B) has no closing double quote",
		"A=\"hunter2\\":             "line 1 (A) has no closing double quote",
		`A="C:\hunter2"`:            "line 1 (A) has an escape that is none",
		"A=\"x\n\ny\" hunter2":      "line 3 (A) has text after",
		"A='x\ny'\nB='z' hunter2\n": "line 3 (B) has text after",
	} {
		_, err := parseDotEnv(in, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got error %v, want %q and no value", in, err, want)
		}
	}
}

func TestLaravelValue(t *testing.T) {
	t.Parallel()
	type value struct {
		Text string
		Set  bool
	}
	for raw, want := range map[string]value{
		"": {"", true}, "null": {"", false}, "(NULL)": {"", false}, "empty": {"", true}, "(Empty)": {"", true},
		"TRUE": {"true", true}, "(true)": {"true", true}, "(false)": {"false", true}, `"quoted"`: {"quoted", true}, "'x'": {"x", true},
		`'x"`: {`'x"`, true}, `"`: {`"`, true}, "nullable": {"nullable", true}, " null": {" null", true},
	} {
		text, set := laravelValue(raw)
		if diff := cmp.Diff(want, value{text, set}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
	}
}

// A value in single quotes is read back unchanged, whatever it holds; and no text
// makes the reader fall over or loop.
func FuzzParseDotEnv(f *testing.F) {
	for _, seed := range []string{"A=1", "A=\"${A}\\n\"", "A='", "export A=${B}#", "\"=", "A=\\", "A=\"\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseDotEnv(text, map[string]string{"A": "${A}"}); err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Fatalf("%q: error without a line: %v", text, err)
		}
		plain := strings.NewReplacer("'", "", "\r", "").Replace(text)
		got, err := parseDotEnv("X='"+plain+"' # comment\nY=1", nil)
		if diff := cmp.Diff(map[string]string{"X": plain, "Y": "1"}, got); err != nil || diff != "" {
			t.Fatalf("%q: %v (-want +got):\n%s", plain, err, diff)
		}
	})
}
