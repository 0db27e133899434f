package config

import "strings"

// problems are configurations with mistakes: what they change in base, and what the
// error says, problem by problem.
var problems = []struct {
	name string
	over map[string]string
	want []string
}{
	{"mysql", pairs("DB_CONNECTION=mysql"), []string{`DB_CONNECTION is "mysql", where the app's own migrations fail; use pgsql`}},
	{"unknown database", pairs("DB_CONNECTION=oracle"), []string{`DB_CONNECTION is "oracle"; choose pgsql or sqlite`}},
	{"traces' exporter", pairs("OTEL_TRACES_EXPORTER=jaeger"), []string{`OTEL_TRACES_EXPORTER is "jaeger"; choose otlp or none`}},
	{"collector", pairs("OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"), []string{"OTEL_EXPORTER_OTLP_ENDPOINT is"}},
	{"collector of traces", pairs("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector:4318"), []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is"}},
	{"collector's password", pairs("OTEL_EXPORTER_OTLP_ENDPOINT=http://me:hunter2@c:4318"), []string{"OTEL_EXPORTER_OTLP_ENDPOINT has a user"}},
	{"collector's headers", pairs("OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_HEADERS=hunter2"),
		[]string{"OTEL_EXPORTER_OTLP_HEADERS is no list of headers"}},
	{"traces switched off", pairs("OTEL_SDK_DISABLED=maybe"), []string{"OTEL_SDK_DISABLED is"}},
	{"port", pairs("DB_PORT=70000"), []string{"DB_PORT is 70000; choose 1 to 65535"}},
	{"port text", pairs("REDIS_PORT=x"), []string{`REDIS_PORT is "x"; write a whole number`}},
	{"ssl", pairs("DB_SSLMODE=on"), []string{`DB_SSLMODE is "on"; choose disable, allow, prefer, require, verify-ca or verify-full`}},
	{"host is an address", pairs("DB_HOST=pgsql://app:hunter2@db/lake"), []string{"DB_HOST is ********; write the host alone, or"}},
	{"sqlite in memory", pairs("DB_CONNECTION=sqlite", "DB_DATABASE=:memory:"), []string{`DB_DATABASE is ":memory:"`}},
	{"sqlite with options", pairs("DB_CONNECTION=sqlite", "DB_DATABASE=a?b.db"), []string{`DB_DATABASE is "a?b.db", where the driver takes`}},
	{
		"address and variables differ", pairs("DB_URL=pgsql://admin:hunter3@db:5433/other", "DB_HOST=other", "DB_PORT=1"),
		[]string{
			`DB_HOST is "other" and DB_URL says "db"; keep one of them`,
			`DB_PORT is "1" and DB_URL says "5433"`,
			`DB_DATABASE is "lake" and DB_URL says "other"`,
			`DB_USERNAME is "app" and DB_URL says "admin"`,
			`DB_PASSWORD and DB_URL have different passwords; keep one of them`,
		},
	},
	{"two addresses", pairs("DB_URL=pgsql://db/lake", "DATABASE_URL=pgsql://db2/lake"), []string{"DATABASE_URL and DB_URL are both set and differ"}},
	{"address without scheme", pairs("DB_URL=hunter2@db"), []string{"DB_URL is no address; write pgsql://"}},
	{"address of another database", pairs("DB_URL=mysql://app:hunter2@db/lake"), []string{`DB_URL starts with "mysql://"; write pgsql://`}},
	{"slash in the password", pairs("DB_URL=pgsql://app:12/hunter2@db/lake"), []string{"DB_URL is no address; write pgsql://user:password@host:5432/database, with %40"}},
	{"no address", pairs("DB_URL=pgsql://app:hunter2@db:x/lake"), []string{"DB_URL is no address"}},
	{"parameter", pairs("DB_URL=pgsql://db/lake?charset=utf8&password=hunter2"), []string{`DB_URL has the parameter "password", which is not known`}},

	{"redis host with port", pairs("REDIS_HOST=cache:6379"), []string{`REDIS_HOST is "cache:6379"; write the host alone, the port into REDIS_PORT`}},
	{"redis host is an address", pairs("REDIS_HOST=redis://:hunter2@cache"), []string{"REDIS_HOST is ********; write the host alone"}},
	{"redis address", pairs("REDIS_URL=http://cache"), []string{`REDIS_URL starts with "http://"; write redis://`}},
	{"redis address, slash in the password", pairs("REDIS_URL=redis://h:12/hunter2@cache"), []string{"REDIS_URL is no address"}},
	{"redis path", pairs("REDIS_URL=redis://cache/first"), []string{`REDIS_URL has the path "/first"`}},
	{"redis differs", pairs("REDIS_URL=redis://cache/1", "REDIS_HOST=other", "REDIS_DB=2"), []string{
		`REDIS_HOST is "other" and REDIS_URL says "cache"`, `REDIS_DB is "2" and REDIS_URL says "1"`,
	}},
	{"redis TLS off and on", pairs("REDIS_URL=rediss://cache", "REDIS_TLS=false"), []string{`REDIS_TLS is "false" and REDIS_URL asks for TLS`}},
	{"redis TLS word", pairs("REDIS_TLS=maybe"), []string{`REDIS_TLS is "maybe"; write on or off`}},
	{"redis negative database", pairs("REDIS_DB=-1"), []string{"REDIS_DB is -1; choose 0 or more"}},
	{"sentinel address", pairs("REDIS_SENTINEL_ADDRS=a:1, b"), []string{`REDIS_SENTINEL_ADDRS has "b"; write host:port`}},
	{"sentinel and cluster", pairs("REDIS_SENTINEL_ADDRS=a:1", "REDIS_CLUSTER_ADDRS=b:1"), []string{
		"REDIS_CLUSTER_ADDRS and REDIS_SENTINEL_ADDRS are both set",
	}},
	{"cluster with a database", pairs("REDIS_URL=redis://a/3?addr=b:6379"), []string{"REDIS_DB is 3, but a cluster has only database 0"}},
	{"certificate without TLS", pairs("REDIS_CA_FILE=/nowhere"), []string{"REDIS_CA_FILE is set, but TLS is off", "REDIS_CA_FILE can not be read"}},

	{"redis key alone", pairs("REDIS_TLS=on", "REDIS_KEY_FILE=/nowhere"), []string{"REDIS_CERT_FILE is not set and REDIS_KEY_FILE is; set it to the file"}},
	{"redis certificate alone", pairs("REDIS_SCHEME=tls", "REDIS_CERT_FILE=/nowhere"), []string{"REDIS_KEY_FILE is not set and REDIS_CERT_FILE is"}},
	{"redis certificate missing", pairs("REDIS_TLS=on", "REDIS_CERT_FILE=/nowhere", "REDIS_KEY_FILE=/nowhere/else"), []string{
		"REDIS_CERT_FILE can not be read (open /nowhere: ", "REDIS_KEY_FILE can not be read (open /nowhere/else: ",
	}},
	{"redis name without TLS", pairs("REDIS_SERVER_NAME=cache"), []string{"REDIS_SERVER_NAME is set, but TLS is off; set REDIS_TLS=on or remove it"}},
	{"redis scheme", pairs("REDIS_SCHEME=https"), []string{`REDIS_SCHEME is "https"; choose tcp or tls`}},
	{"redis scheme and TLS off", pairs("REDIS_SCHEME=tls", "REDIS_TLS=off"), []string{`REDIS_TLS is "off" and REDIS_SCHEME asks for TLS; remove one`}},
	{"two names of a master", pairs("REDIS_SENTINEL_ADDRS=a:1", "REDIS_SENTINEL_MASTER=x", "REDIS_SENTINEL_SERVICE=y"), []string{
		"REDIS_SENTINEL_SERVICE and REDIS_SENTINEL_MASTER are both set and differ",
	}},
	{"database authority", pairs("DB_SSLMODE=verify-full", "DB_SSLROOTCERT=/nowhere"), []string{"DB_SSLROOTCERT can not be read (open /nowhere: "}},
	{"database authority in the address", pairs("DB_URL=pgsql://db/lake?sslmode=verify-ca&sslrootcert=/nowhere"), []string{
		"DB_SSLROOTCERT can not be read (open /nowhere: ",
	}},
	{"database authorities differ", pairs("DB_URL=pgsql://db/lake?sslmode=require&sslrootcert=system", "DB_SSLROOTCERT=/other"), []string{
		`DB_SSLROOTCERT is "/other" and DB_URL says "system"`,
	}},
	{"database certificate alone", pairs("DB_SSLCERT=/nowhere"), []string{"DB_SSLKEY is not set and DB_SSLCERT is"}},

	{"driver", pairs("BROADCAST_CONNECTION=ably"), []string{`BROADCAST_CONNECTION is "ably"; choose pusher, reverb, log or null`}},
	{"old driver", pairs("BROADCAST_CONNECTION=", "BROADCAST_DRIVER=redis"), []string{`BROADCAST_CONNECTION is "redis"; choose`}},
	{"pusher", pairs("PUSHER_APP_ID=", "PUSHER_APP_KEY=", "PUSHER_APP_SECRET="), []string{
		"PUSHER_APP_ID is not set", "PUSHER_APP_KEY is not set", "PUSHER_APP_SECRET is not set",
	}},
	{"reverb", pairs("BROADCAST_CONNECTION=reverb"), []string{
		"REVERB_HOST is not set", "REVERB_APP_ID is not set", "REVERB_APP_KEY is not set", "REVERB_APP_SECRET is not set",
	}},
	{"pusher host", pairs("PUSHER_HOST=http://soketi:6001"), []string{`PUSHER_HOST is "http://soketi:6001"; write the host alone`}},
	{"pusher scheme", pairs("PUSHER_SCHEME=ws"), []string{`PUSHER_SCHEME is "ws"; choose http or https`}},
	{"cloud over http", pairs("PUSHER_HOST=", "PUSHER_SCHEME=http"), []string{`PUSHER_SCHEME is "http", but without PUSHER_HOST`}},
	{"cloud's limit", pairs("PUSHER_HOST=", "BROADCAST_MAX_BYTES=20000"), []string{"BROADCAST_MAX_BYTES is 20000, but Pusher's cloud takes 10240"}},
	{"too small", pairs("BROADCAST_MAX_BYTES=100"), []string{"BROADCAST_MAX_BYTES is 100; choose 4096 to 10485760"}},
	{"app id", pairs("PUSHER_APP_ID=a/b"), []string{`PUSHER_APP_ID is "a/b", which can not stand in a URL`}},
	{"channel", pairs("BROADCAST_CHANNEL=shout"), []string{`BROADCAST_CHANNEL is "shout"; choose public, private or encrypted`}},
	{"no encryption key", pairs("BROADCAST_CHANNEL=encrypted"), []string{"BROADCAST_ENCRYPTION_KEY is not set; generate one"}},
	{"short encryption key", pairs("BROADCAST_CHANNEL=encrypted", "BROADCAST_ENCRYPTION_KEY=aHVudGVyMg=="), []string{
		"BROADCAST_ENCRYPTION_KEY has 7 bytes, not 32",
	}},
	{"encryption key", pairs("BROADCAST_CHANNEL=encrypted", "BROADCAST_ENCRYPTION_KEY=hunter2!"), []string{"BROADCAST_ENCRYPTION_KEY is not base64"}},
	{"templates", pairs("BROADCAST_CHANNEL_TEMPLATES=all, user.{user}"), []string{
		`BROADCAST_CHANNEL_TEMPLATES has "all", on which all tenants would meet`, `BROADCAST_CHANNEL_TEMPLATES has "user.{user}"; the placeholders`,
	}},

	{"no key", pairs("OPENAI_API_KEY="), []string{"OPENAI_API_KEY is not set; set it, or OPENAI_BASE_URL to a server without keys, or ANALYSIS_ENGINE=offline"}},
	{"base url", pairs("OPENAI_BASE_URL=api.openai.com"), []string{`OPENAI_BASE_URL is "api.openai.com"; write http`}},
	{"base url with a key", pairs("OPENAI_BASE_URL=https://:hunter2@llm/v1"), []string{"OPENAI_BASE_URL has a user in it"}},
	{"fallback", pairs("ANALYSIS_ENGINE=offline", "ANALYSIS_FALLBACK=offline"), []string{`ANALYSIS_FALLBACK is "offline" and so is ANALYSIS_ENGINE`}},
	{"words", pairs("ANALYSIS_CONFIRM=never", "ANALYSIS_FALLBACK=maybe"), []string{"ANALYSIS_CONFIRM is", "ANALYSIS_FALLBACK is"}},
	{"timeout", pairs("ANALYSIS_TIMEOUT=20m"), []string{"ANALYSIS_TIMEOUT is 20m0s; choose 10s to 9m0s"}},
	{"timeout without unit", pairs("ANALYSIS_TIMEOUT=300"), []string{`ANALYSIS_TIMEOUT is "300"; write a duration such as`}},
	{"limits of the model", pairs("ANALYSIS_REQUESTS_PER_MINUTE=-1", "ANALYSIS_TOKENS_PER_MINUTE=999"), []string{
		"ANALYSIS_REQUESTS_PER_MINUTE is -1; choose 0 to 1000000", "ANALYSIS_TOKENS_PER_MINUTE is 999; choose 1000 to",
	}},
	{"budgets", pairs("ANALYSIS_TOKENS_PER_DAY=999", "ANALYSIS_TENANT_TOKENS_PER_DAY=-1", "ANALYSIS_COST_PER_DAY=-0.5", "ANALYSIS_TENANT_COST_PER_DAY=1.5"), []string{
		"ANALYSIS_TOKENS_PER_DAY is 999; choose 1000 to", "ANALYSIS_COST_PER_DAY is -0.5; write US dollars", "ANALYSIS_TENANT_TOKENS_PER_DAY is -1; choose",
		"ANALYSIS_TENANT_COST_PER_DAY bounds the cost of gpt-4.1-mini, whose price is not known; set ANALYSIS_PRICES=gpt-4.1-mini=input",
	}},
	{"budget of money", pairs("ANALYSIS_COST_PER_DAY=$5"), []string{`ANALYSIS_COST_PER_DAY is "$5"; write a number`}},
	{"prices", pairs("ANALYSIS_PRICES=gpt-4.1-mini=1/2", "ANALYSIS_COST_PER_DAY=1"), []string{`ANALYSIS_PRICES has "gpt-4.1-mini=1/2"; write name=input/cached input/output`}},
	{"price below zero", pairs("ANALYSIS_PRICES=x=0/0/0, y=1/-1/1"), []string{`ANALYSIS_PRICES has "y=1/-1/1"; write`}},
	{"giving up", pairs("ANALYSIS_GIVE_UP_AFTER=59s"), []string{"ANALYSIS_GIVE_UP_AFTER is 59s; choose 1m0s to 720h0m0s"}},
	{"raw samples", pairs("ANALYSIS_RAW_SAMPLES=acme,all"), []string{`ANALYSIS_RAW_SAMPLES has "all"; write none, all, or ids`}},

	{"concurrency", pairs("WORKER_CONCURRENCY=0", "WORKER_BACKFILL_CONCURRENCY=-1"), []string{
		"WORKER_CONCURRENCY is 0; choose 1 to 1000", "WORKER_BACKFILL_CONCURRENCY is -1; choose 0 to 1000",
	}},
	{"times", pairs("WORKER_DRAIN_TIMEOUT=-1s", "WORKER_POLL_INTERVAL=1ms"), []string{
		"WORKER_DRAIN_TIMEOUT is -1s; choose 0s to 1h0m0s", "WORKER_POLL_INTERVAL is 1ms; choose 10ms to 10s",
	}},
	{"share and sweep", pairs("WORKER_TENANT_CONCURRENCY=-1", "WORKER_SWEEP_INTERVAL=500ms"), []string{
		"WORKER_TENANT_CONCURRENCY is -1; choose 0 to 1000", "WORKER_SWEEP_INTERVAL is 500ms; choose 1s to 10m0s",
	}},
	{"retention", pairs("WORKER_RETAIN_EVENTS=1s", "WORKER_RETAIN_ANSWERS=-1h", "WORKER_RETAIN_RUNS=30d"), []string{
		`WORKER_RETAIN_RUNS is "30d"; write a duration such as`,
		"WORKER_RETAIN_EVENTS is 1s; choose 1m0s to 876000h0m0s, or 0 to keep them for ever", "WORKER_RETAIN_ANSWERS is -1h0m0s; choose",
	}},
	{"addresses", pairs("HEALTH_ADDR=8081", "ADMIN_ADDR=:x", "ADMIN_TRUSTED_PROXIES=10.0.0.1"), []string{`HEALTH_ADDR is "8081"; write host:port`, `ADMIN_ADDR is ":x"; write`}},
	{"same address", pairs("ADMIN_ADDR=127.0.0.1:8081", "ADMIN_TRUSTED_PROXIES=10.0.0.1"), []string{`ADMIN_ADDR is "127.0.0.1:8081", as HEALTH_ADDR is`}},
	{"database key alone", pairs("DB_SSLKEY=/nowhere"), []string{"DB_SSLCERT is not set and DB_SSLKEY is"}},
	{"samples in events", pairs("BROADCAST_SAMPLES=some"), []string{`BROADCAST_SAMPLES is "some"; write on or off`}},
	{"pusher port", pairs("PUSHER_PORT=0"), []string{"PUSHER_PORT is 0; choose 1 to 65535"}},
	{"reverb's values", pairs("BROADCAST_CONNECTION=reverb", "REVERB_HOST=http://reverb", "REVERB_APP_ID=a/b", "REVERB_APP_KEY=", "REVERB_APP_SECRET=",
		"REVERB_PORT=65536", "REVERB_SCHEME=wss"), []string{
		"REVERB_APP_KEY is not set", "REVERB_APP_SECRET is not set", `REVERB_APP_ID is "a/b"`, `REVERB_HOST is "http://reverb"`,
		`REVERB_SCHEME is "wss"; choose http or https`, "REVERB_PORT is 65536; choose 1 to 65535",
	}},
	{"skip model", pairs("ANALYSIS_SKIP_MODEL=always"), []string{`ANALYSIS_SKIP_MODEL is "always"; choose`}},
	{"questions", pairs("ANALYSIS_MAX_QUESTIONS=2"), []string{"ANALYSIS_MAX_QUESTIONS is 2; choose 3 to 200"}},
	{"log level", pairs("LOG_LEVEL=loud"), []string{`LOG_LEVEL is "loud"; choose debug, info, warn or error`}},
	{"log format", pairs("LOG_FORMAT=xml"), []string{`LOG_FORMAT is "xml"; choose text or json`}},
	{"misspelt", pairs("ANALYSIS_ENGIN=llm", "BROADCAST_CHANEL=public", "WORKER_DRAIN=1s", "WORKER_RETAIN_EVENT=1h", "ANALYSIS_TOKEN_PER_MINUTE=1"), []string{
		"ANALYSIS_ENGIN is no setting; did you mean ANALYSIS_ENGINE?",
		"ANALYSIS_TOKEN_PER_MINUTE is no setting; did you mean ANALYSIS_TOKENS_PER_MINUTE?",
		"BROADCAST_CHANEL is no setting; did you mean BROADCAST_CHANNEL?",
		"WORKER_DRAIN is no setting; did you mean WORKER_",
		"WORKER_RETAIN_EVENT is no setting; did you mean WORKER_RETAIN_EVENTS?",
	}},
	// Kubernetes puts these into the pod of a service called worker.
	{"service links are no mistakes", pairs("WORKER_SERVICE_HOST=10.0.0.1", "WORKER_PORT=tcp://10.0.0.1:80", "WORKER_PORT_80_TCP_ADDR=10.0.0.1",
		"WORKER_SERVICE_PORT_HTTP=80", "WORKER_SERVICE=x"), []string{"WORKER_SERVICE is no setting"}},
}

func pairs(list ...string) map[string]string {
	m := map[string]string{}
	for _, pair := range list {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return m
}
