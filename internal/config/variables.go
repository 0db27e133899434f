package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Need is a part of the configuration that a program uses. What it does not use is
// neither asked for nor checked: who only enqueues needs no Pusher secret.
type Need string

// The needs. A program that reads a database and enqueues takes the first two.
const (
	NeedDatabase  Need = "Database"
	NeedRedis     Need = "Redis"
	NeedBroadcast Need = "Broadcasting"
	NeedAnalysis  Need = "Analysis"
	NeedWorker    Need = "Worker"
)

// always is the group of variables that every program has.
const always Need = "Logging"

// allNeeds is also the order of the documentation.
var allNeeds = [...]Need{NeedDatabase, NeedRedis, NeedBroadcast, NeedAnalysis, NeedWorker, always}

// variables are all variables, in the order of the documentation. The tags: group is
// the Need, secret allows NAME_FILE and masks, help is documentation, example is for
// .env.example where the default would not do.
type variables struct {
	DBConnection  string `env:"DB_CONNECTION" envDefault:"pgsql" group:"Database" example:"pgsql" help:"Kind of database: pgsql, or sqlite for trying things out."`
	DBURL         Secret `env:"DB_URL" group:"Database" secret:"true" help:"The whole address, pgsql://user:password@host:5432/database; instead of the single variables below."`
	DatabaseURL   Secret `env:"DATABASE_URL" group:"Database" secret:"true" help:"The older name of DB_URL."`
	DBHost        string `env:"DB_HOST" envDefault:"127.0.0.1" group:"Database" example:"postgres" help:"Host of PostgreSQL, or the folder of its socket."`
	DBPort        int    `env:"DB_PORT" envDefault:"5432" group:"Database" help:"Port of PostgreSQL."`
	DBDatabase    string `env:"DB_DATABASE" group:"Database" example:"laravel" help:"Name of the database; with sqlite the path of its file. Required."`
	DBUsername    string `env:"DB_USERNAME" group:"Database" example:"laravel" help:"User of PostgreSQL. Required with pgsql."`
	DBPassword    Secret `env:"DB_PASSWORD" group:"Database" secret:"true" example:"secret" help:"Password of that user."`
	DBSSLMode     string `env:"DB_SSLMODE" envDefault:"prefer" group:"Database" help:"TLS to PostgreSQL: disable, allow, prefer, require, verify-ca or verify-full. Only the last two check whom they talk to."`
	DBSSLRootCert string `env:"DB_SSLROOTCERT" group:"Database" help:"File of the certificates (PEM) that PostgreSQL is checked against; the system's without it."`
	DBSSLCert     string `env:"DB_SSLCERT" group:"Database" help:"File of our own certificate (PEM), where PostgreSQL asks for one."`
	DBSSLKey      string `env:"DB_SSLKEY" group:"Database" help:"File of the key (PEM) of DB_SSLCERT."`

	RedisURL              Secret   `env:"REDIS_URL" group:"Redis" secret:"true" help:"The whole address, redis://user:password@host:6379/0, rediss:// with TLS; instead of the single variables below. More servers of a cluster follow as ?addr=host:port."`
	RedisHost             string   `env:"REDIS_HOST" envDefault:"127.0.0.1" group:"Redis" example:"redis" help:"Host of Redis; tls://host with TLS; a path for a socket."`
	RedisPort             int      `env:"REDIS_PORT" envDefault:"6379" group:"Redis" help:"Port of Redis."`
	RedisUsername         string   `env:"REDIS_USERNAME" group:"Redis" help:"User of Redis, where it has users (ACL)."`
	RedisPassword         Secret   `env:"REDIS_PASSWORD" group:"Redis" secret:"true" example:"null" help:"Password of Redis."`
	RedisDB               int      `env:"REDIS_DB" envDefault:"0" group:"Redis" help:"Number of the database; the same for workers and producers."`
	RedisScheme           string   `env:"REDIS_SCHEME" group:"Redis" help:"tcp, or tls, as REDIS_TLS=on; what Laravel apps call it."`
	RedisTLS              toggle   `env:"REDIS_TLS" envDefault:"off" group:"Redis" help:"TLS to Redis, its sentinels and cluster: on or off."`
	RedisCAFile           string   `env:"REDIS_CA_FILE" group:"Redis" help:"File of the certificates (PEM) that Redis is checked against; the system's without it."`
	RedisCertFile         string   `env:"REDIS_CERT_FILE" group:"Redis" help:"File of our own certificate (PEM), where Redis asks for one."`
	RedisKeyFile          string   `env:"REDIS_KEY_FILE" group:"Redis" help:"File of the key (PEM) of REDIS_CERT_FILE."`
	RedisServerName       string   `env:"REDIS_SERVER_NAME" group:"Redis" help:"Name that the certificates of Redis must have, where it is not the host that is dialled: sentinels and clusters hand out addresses."`
	RedisSentinelAddrs    []string `env:"REDIS_SENTINEL_ADDRS" group:"Redis" help:"Sentinels as host:port, separated by commas; instead of REDIS_HOST."`
	RedisSentinelMaster   string   `env:"REDIS_SENTINEL_MASTER" envDefault:"mymaster" group:"Redis" help:"Name of the master that the sentinels watch."`
	RedisSentinelService  string   `env:"REDIS_SENTINEL_SERVICE" group:"Redis" help:"What Laravel's packages for sentinels call REDIS_SENTINEL_MASTER."`
	RedisSentinelUsername string   `env:"REDIS_SENTINEL_USERNAME" group:"Redis" help:"User of the sentinels, where they have users."`
	RedisSentinelPassword Secret   `env:"REDIS_SENTINEL_PASSWORD" group:"Redis" secret:"true" help:"Password of the sentinels."`
	RedisClusterAddrs     []string `env:"REDIS_CLUSTER_ADDRS" group:"Redis" help:"Servers of a Redis cluster as host:port, separated by commas; instead of REDIS_HOST."`

	BroadcastConnection    string   `env:"BROADCAST_CONNECTION" group:"Broadcasting" example:"pusher" help:"Where events go: pusher (Soketi, Pusher), reverb, or log and null, which publish nothing. Required; BROADCAST_DRIVER of older apps is read too."`
	BroadcastChannel       string   `env:"BROADCAST_CHANNEL" group:"Broadcasting" example:"public" help:"Kind of channel: public (what the existing dashboard listens to; whoever knows the app key can too), private, or encrypted. Required."`
	BroadcastTemplates     []string `env:"BROADCAST_CHANNEL_TEMPLATES" group:"Broadcasting" example:"user.{requested_by}.schemas" help:"Further channels, separated by spaces or commas. {tenant_id} and {requested_by} are filled in."`
	BroadcastSamples       toggle   `env:"BROADCAST_SAMPLES" envDefault:"off" group:"Broadcasting" help:"Sample values in events: on or off. They are data of the tenant."`
	BroadcastMaxBytes      int      `env:"BROADCAST_MAX_BYTES" group:"Broadcasting" documented:"102400; 10240 for Pusher's cloud; 9000 for Reverb" help:"Largest event that the server takes, in bytes; larger ones are cut."`
	BroadcastEncryptionKey Secret   `env:"BROADCAST_ENCRYPTION_KEY" group:"Broadcasting" secret:"true" help:"Master key of encrypted channels, base64 of 32 bytes, the app's own. Required for encrypted channels."`
	BroadcastPublicURL     string   `env:"BROADCAST_PUBLIC_URL" group:"Broadcasting" help:"Address of the server of events as browsers reach it, for our dashboard: ws://localhost:6001, wss://events.example. Without it VITE_PUSHER_* count, and then PUSHER_* or REVERB_*."`
	PusherAppID            string   `env:"PUSHER_APP_ID" group:"Broadcasting" example:"ai-data-lake" help:"Id of the app. Required with pusher."`
	PusherAppKey           string   `env:"PUSHER_APP_KEY" group:"Broadcasting" example:"app-key" help:"Key of the app. Required with pusher."`
	PusherAppSecret        Secret   `env:"PUSHER_APP_SECRET" group:"Broadcasting" secret:"true" example:"app-secret" help:"Secret of the app. Required with pusher."`
	PusherHost             string   `env:"PUSHER_HOST" group:"Broadcasting" example:"soketi" help:"Host of Soketi, without scheme and port. Pusher's cloud without it."`
	PusherPort             int      `env:"PUSHER_PORT" group:"Broadcasting" example:"6001" documented:"443; 6001 with http" help:"Port of Soketi."`
	PusherScheme           string   `env:"PUSHER_SCHEME" envDefault:"https" group:"Broadcasting" example:"http" help:"http or https."`
	PusherCluster          string   `env:"PUSHER_APP_CLUSTER" envDefault:"mt1" group:"Broadcasting" example:"mt1" help:"Cluster of Pusher's cloud; not used with PUSHER_HOST."`
	VitePusherAppKey       string   `env:"VITE_PUSHER_APP_KEY" group:"Broadcasting" example:"\"${PUSHER_APP_KEY}\"" help:"What the app's browser code is built with, and our dashboard reads: the key of the app."`
	VitePusherHost         string   `env:"VITE_PUSHER_HOST" group:"Broadcasting" example:"\"${PUSHER_HOST}\"" help:"Host of Soketi for browsers, which must be able to resolve it: outside of the containers soketi is localhost."`
	VitePusherPort         string   `env:"VITE_PUSHER_PORT" group:"Broadcasting" example:"\"${PUSHER_PORT}\"" help:"Port of Soketi for browsers."`
	VitePusherScheme       string   `env:"VITE_PUSHER_SCHEME" group:"Broadcasting" example:"\"${PUSHER_SCHEME}\"" help:"http or https, for browsers."`
	VitePusherCluster      string   `env:"VITE_PUSHER_APP_CLUSTER" group:"Broadcasting" example:"\"${PUSHER_APP_CLUSTER}\"" help:"Cluster of Pusher's cloud, for browsers."`
	ReverbAppID            string   `env:"REVERB_APP_ID" group:"Broadcasting" help:"Id of the app. Required with reverb."`
	ReverbAppKey           string   `env:"REVERB_APP_KEY" group:"Broadcasting" help:"Key of the app. Required with reverb."`
	ReverbAppSecret        Secret   `env:"REVERB_APP_SECRET" group:"Broadcasting" secret:"true" help:"Secret of the app. Required with reverb."`
	ReverbHost             string   `env:"REVERB_HOST" group:"Broadcasting" help:"Host of Reverb, without scheme and port. Required with reverb."`
	ReverbPort             int      `env:"REVERB_PORT" group:"Broadcasting" documented:"443; 8080 with http" help:"Port of Reverb."`
	ReverbScheme           string   `env:"REVERB_SCHEME" envDefault:"https" group:"Broadcasting" help:"http or https."`

	OpenAIKey           Secret        `env:"OPENAI_API_KEY" group:"Analysis" secret:"true" example:"" help:"Key of the language model's server. Required with ANALYSIS_ENGINE=llm, unless OPENAI_BASE_URL is a server without keys."`
	OpenAIBaseURL       string        `env:"OPENAI_BASE_URL" envDefault:"https://api.openai.com/v1" group:"Analysis" help:"Address of any OpenAI-compatible server, up to /v1."`
	OpenAIModel         string        `env:"OPENAI_MODEL" envDefault:"gpt-4.1-mini" group:"Analysis" help:"Model, as that server calls it."`
	AnalysisEngine      string        `env:"ANALYSIS_ENGINE" envDefault:"llm" group:"Analysis" help:"llm, or offline: the matcher alone, marked in the result."`
	AnalysisConfirm     string        `env:"ANALYSIS_CONFIRM" envDefault:"always" group:"Analysis" help:"always confirms analysed schemas, as the app expects; verified leaves those pending that need a review."`
	AnalysisFallback    string        `env:"ANALYSIS_FALLBACK" envDefault:"none" group:"Analysis" help:"When the model fails: none waits, offline takes the matcher's result and says so."`
	AnalysisRawSamples  []string      `env:"ANALYSIS_RAW_SAMPLES" envDefault:"none" group:"Analysis" help:"Whose sample values the model may see: none (it sees their shapes), all, or ids of tenants, separated by commas."`
	AnalysisSkipModel   string        `env:"ANALYSIS_SKIP_MODEL" envDefault:"certain" group:"Analysis" help:"Which schemas no model is asked about: certain ones, whose every field is called as one of a clear entity or was mapped to it before, or never any."`
	AnalysisQuestions   int           `env:"ANALYSIS_MAX_QUESTIONS" envDefault:"20" group:"Analysis" help:"Most questions to the model about one schema, 3 to 200; what a wide schema has beyond is mapped without it and marked."`
	AnalysisTimeout     time.Duration `env:"ANALYSIS_TIMEOUT" envDefault:"5m" group:"Analysis" help:"Longest time for one analysis, 10s to 9m."`
	AnalysisGiveUpAfter time.Duration `env:"ANALYSIS_GIVE_UP_AFTER" envDefault:"24h" group:"Analysis" help:"How long an analysis waits for a model, or a turn, that does not come, before it fails; 1m to 720h."`
	AnalysisRequests    int           `env:"ANALYSIS_REQUESTS_PER_MINUTE" envDefault:"0" group:"Analysis" help:"Most requests to the model in a minute, of all workers together; 0 for no limit."`
	AnalysisTokens      int           `env:"ANALYSIS_TOKENS_PER_MINUTE" envDefault:"0" group:"Analysis" help:"Most tokens to and from the model in a minute, of all workers together; 0 for no limit, else 1000 or more."`
	AnalysisDayTokens   int64         `env:"ANALYSIS_TOKENS_PER_DAY" envDefault:"0" group:"Analysis" help:"Most tokens to and from the model in a day (UTC), of all tenants together; 0 for no limit, else 1000 or more. Then analyses wait for midnight, or for a higher number."`
	AnalysisDayCost     float64       `env:"ANALYSIS_COST_PER_DAY" envDefault:"0" group:"Analysis" help:"Most US dollars for the model in a day, of all tenants together; 0 for no limit. It needs the price in ANALYSIS_PRICES."`
	AnalysisTenantToken int64         `env:"ANALYSIS_TENANT_TOKENS_PER_DAY" envDefault:"0" group:"Analysis" help:"As ANALYSIS_TOKENS_PER_DAY, of each tenant."`
	AnalysisTenantCost  float64       `env:"ANALYSIS_TENANT_COST_PER_DAY" envDefault:"0" group:"Analysis" help:"As ANALYSIS_COST_PER_DAY, of each tenant."`
	AnalysisPrices      []string      `env:"ANALYSIS_PRICES" group:"Analysis" help:"Prices of models in US dollars for a million tokens, as name=input/cached input/output, separated by commas; gpt-4.1-mini=0.40/0.10/1.60. Without the price of OPENAI_MODEL the cost of runs is not known, unless the server reports it."`

	WorkerConcurrency   int           `env:"WORKER_CONCURRENCY" envDefault:"32" group:"Worker" help:"Analyses at a time, 1 to 1000."`
	WorkerBackfill      int           `env:"WORKER_BACKFILL_CONCURRENCY" envDefault:"8" group:"Worker" help:"Analyses of the backfill queue at a time, beside the others; 0 leaves that queue alone."`
	WorkerTenant        int           `env:"WORKER_TENANT_CONCURRENCY" envDefault:"0" group:"Worker" help:"Analyses of one tenant at a time, of all workers together, up to 1000; 0 for no limit."`
	WorkerDrainTimeout  time.Duration `env:"WORKER_DRAIN_TIMEOUT" envDefault:"90s" group:"Worker" help:"How long a stopping worker waits for running analyses, up to 1h."`
	WorkerPollInterval  time.Duration `env:"WORKER_POLL_INTERVAL" envDefault:"50ms" group:"Worker" help:"How often an idle worker looks into Redis, 10ms to 10s."`
	WorkerSweepInterval time.Duration `env:"WORKER_SWEEP_INTERVAL" envDefault:"10s" group:"Worker" help:"How often the workers look for analyses whose task was lost, 1s to 10m."`
	WorkerRetainEvents  time.Duration `env:"WORKER_RETAIN_EVENTS" envDefault:"24h" group:"Worker" help:"How long events are kept after they were sent, 1m or more; 0 for ever."`
	WorkerRetainAnswers time.Duration `env:"WORKER_RETAIN_ANSWERS" envDefault:"720h" group:"Worker" help:"How long the model's answers are kept, so that the same question costs nothing, 1m or more; 0 for ever."`
	WorkerRetainRuns    time.Duration `env:"WORKER_RETAIN_RUNS" envDefault:"2160h" group:"Worker" help:"How long runs and their attempts are kept after they ended, 1m or more; 0 for ever."`
	HealthAddr          string        `env:"HEALTH_ADDR" envDefault:"127.0.0.1:8081" group:"Worker" help:"Address of /livez, /readyz and /metrics; :8081 in a container."`
	AdminAddr           string        `env:"ADMIN_ADDR" envDefault:"off" group:"Worker" help:"Address of dashboard and API; off without it. It needs ADMIN_TOKENS or ADMIN_TRUSTED_PROXIES."`
	AdminTokens         Secret        `env:"ADMIN_TOKENS" group:"Worker" secret:"true" lines:"true" help:"Who may see the dashboard: TOKEN=TENANT,TENANT or TOKEN=* for all tenants, entries separated by white space. Tokens have 16 or more letters, digits, - and _; ids of tenants with commas, = or white space are percent-encoded."`
	AdminProxies        []string      `env:"ADMIN_TRUSTED_PROXIES" group:"Worker" help:"Addresses or networks of reverse proxies that sign people in, separated by commas; what ADMIN_IDENTITY_HEADER says is believed from them alone."`
	AdminHeader         string        `env:"ADMIN_IDENTITY_HEADER" envDefault:"X-Schemacast-Tenants" group:"Worker" help:"Header in which a trusted proxy names the tenants that a person may see, as ADMIN_TOKENS does."`
	AdminAppURL         string        `env:"ADMIN_APP_URL" group:"Worker" help:"The app's page of a schema, which the dashboard links to: https://app.example/schemas/{schema_id}; {tenant_id} is filled in too."`
	AdminSamples        toggle        `env:"ADMIN_SAMPLES" envDefault:"off" group:"Worker" help:"Sample values in the dashboard: on or off. They are data of the tenant."`
	AdminAsynqmon       string        `env:"ADMIN_ASYNQMON" envDefault:"read" group:"Worker" help:"Asynqmon at /asynqmon of the dashboard, for tokens of all tenants (TOKEN=*): off, read, or write, which lets it delete tasks and pause queues."`
	AdminBands          []string      `env:"ADMIN_CONFIDENCE_BANDS" envDefault:"0.9,0.7" group:"Worker" help:"From which confidence on the dashboard shows a mapping as good, and as fair."`

	OTelExporter       string `env:"OTEL_TRACES_EXPORTER" documented:"otlp with an endpoint, else none" group:"Worker" help:"Where traces go: otlp, or none."`
	OTelEndpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" group:"Worker" help:"Address of the collector of traces, which speaks OTLP over HTTP: http://127.0.0.1:4318. With otlp it defaults to that."`
	OTelTracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" group:"Worker" help:"The same with its path, where it is not /v1/traces."`
	OTelHeaders        Secret `env:"OTEL_EXPORTER_OTLP_HEADERS" group:"Worker" secret:"true" help:"Headers for the collector: name=value,name=value, percent-encoded."`
	OTelServiceName    string `env:"OTEL_SERVICE_NAME" envDefault:"schemacast-worker" group:"Worker" help:"Name of the service in traces. Further OTEL_ variables, such as OTEL_TRACES_SAMPLER, are read from the environment alone, not from .env."`
	OTelDisabled       toggle `env:"OTEL_SDK_DISABLED" envDefault:"off" group:"Worker" help:"Traces off, whatever the other OTEL_ variables say."`

	LogLevel  string `env:"LOG_LEVEL" envDefault:"info" group:"Logging" help:"debug, info, warn or error; Laravel's other words count as the nearest of them."`
	LogFormat string `env:"LOG_FORMAT" envDefault:"text" group:"Logging" help:"text or json."`
	AppEnv    string `env:"APP_ENV" envDefault:"production" group:"Logging" help:"Environment of the app, for logs."`
}

// variable is what the tags say about one variable.
type variable struct {
	name       string
	field      string // of variables
	group      Need
	secret     bool
	lines      bool   // a secret's file may have several
	fallback   string // the default, empty when there is none
	documented string // the default as people read it
	help       string
	example    string
	hasExample bool
}

// table returns all variables, in order.
func table() []variable {
	t := reflect.TypeFor[variables]()
	list := make([]variable, 0, t.NumField())
	for f := range t.Fields() {
		v := variable{
			name: f.Tag.Get("env"), field: f.Name, group: Need(f.Tag.Get("group")), secret: f.Tag.Get("secret") == "true",
			lines:    f.Tag.Get("lines") == "true",
			fallback: f.Tag.Get("envDefault"), documented: f.Tag.Get("documented"), help: f.Tag.Get("help"),
		}
		v.example, v.hasExample = f.Tag.Lookup("example")
		if v.documented == "" {
			v.documented = v.fallback
		}
		list = append(list, v)
	}
	return list
}

// toggle is a bool that people switch on and off.
type toggle bool

// UnmarshalText reads the words of Laravel, of shells and of people.
func (t *toggle) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "on", "true", "1", "yes":
		*t = true
	case "off", "false", "0", "no":
		*t = false
	default:
		return fmt.Errorf("%q is neither on nor off", text)
	}
	return nil
}
