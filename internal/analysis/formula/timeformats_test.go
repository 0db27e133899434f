package formula

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestTimeFormats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rows []string
		want []string
	}{
		{[]string{`{"d":{"at":"03/04/2024"}}`}, []string{"D/M/YYYY", "M/D/YYYY"}},
		{[]string{`{"d":{"at":"03/04/2024"}}`, `{"d":{"at":"25/12/2024"}}`, `{"d":{"at":null}}`}, []string{"D/M/YYYY"}},
		{[]string{`{"d":{"at":"12/25/2024 1:05 PM"}}`}, []string{"M/D/YYYY h:mm A"}},
		{[]string{`{"d":{"at":"03.04.2024 10:00"}}`}, []string{"D.M.YYYY H:mm"}},
		{[]string{`{"d.at":"2024-03-04"}`}, []string{"YYYY-MM-DD"}},
		{[]string{`{"d":{"at":"2024-03-04T10:00:00Z"}}`}, []string{"iso"}},
		{[]string{`{"d":{"at":"4 Feb 2024"}}`}, []string{"D MMM YYYY"}},
		{[]string{`{"d":{"at":"4 May 2024"}}`}, []string{"D MMM YYYY"}},
		{[]string{`{"d":{"at":"4 FEB 2024"}}`}, nil},
		{[]string{`{"d":{"at":"2024-02-30"}}`}, nil},
		{[]string{`{"d":{"at":"2024-03-04T10:00:00"}}`}, []string{"iso"}},
		{[]string{`{"d":{"at":1706659200}}`}, []string{"epoch_s"}},
		{[]string{`{"d":{"at":"1706659200000"}}`}, []string{"epoch_ms"}},
		{[]string{`{"d":{"at":"2024-03-04"}}`, `{"d":{"at":"soon"}}`}, nil},
		{[]string{`{"d":[{"at":"2024-03-04"}]}`}, nil},
		{[]string{`{"d":{"at":null}}`, `{}`}, nil},
	} {
		v := NewVerifier(rowsOf(tt.rows...))
		got := v.TimeFormats("d.at")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("TimeFormats of %v (-want +got):\n%s", tt.rows, diff)
		}
		for _, format := range got {
			source, target := schema.Field{Name: "d.at"}, schema.Field{Name: "t", Type: "datetime"}
			expr, err := v.Render(schema.OpFormatConversion, []schema.Field{source}, target, Args{InFormat: format})
			if err != nil {
				t.Errorf("Render of %s: %v", format, err)
				continue
			}
			if report, err := v.Verify(t.Context(), expr, []string{"d.at"}, target); err != nil || report.Produced != report.Rows-report.Absent {
				t.Errorf("%s of %v: %+v, %v", format, tt.rows, report, err)
			}
		}
	}
}
