package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTraces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		over map[string]string
		want Traces
	}{
		{"nobody asked", nil, Traces{}},
		{"none", map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, Traces{}},
		{"disabled", map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, Traces{}},
		{"endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"},
			Traces{On: true, URL: "http://c:4318/v1/traces", ServiceName: "schemacast-worker"}},
		{"exporter alone", map[string]string{"OTEL_TRACES_EXPORTER": "otlp"},
			Traces{On: true, URL: "http://127.0.0.1:4318/v1/traces", ServiceName: "schemacast-worker"}},
		{"endpoint of traces", map[string]string{
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/otlp", "OTEL_SERVICE_NAME": "blue", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20eA%3D%3D, x=1",
		}, Traces{On: true, URL: "https://c/otlp", ServiceName: "blue", Headers: map[string]Secret{
			"Authorization": NewSecret("Basic eA=="), "x": NewSecret("1"),
		}}},
		{"further variables of the SDK", map[string]string{"OTEL_TRACES_SAMPLER": "always_off", "OTEL_BSP_MAX_QUEUE_SIZE": "9"}, Traces{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, tc.over).Traces
			if len(got.Headers) == 0 {
				got.Headers = nil
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("traces (-want +got):\n%s", diff)
			}
		})
	}
}
