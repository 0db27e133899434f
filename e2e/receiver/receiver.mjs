// Subscribes to a tenant's channel as the app's dashboard does, through Laravel Echo
// and pusher-js, and prints what arrives to stdout, one JSON object a line:
//
//   {"ready":true,"channel":"tenant.8.schemas"}       at every subscription_succeeded
//   {"event":"schema.analysis","payload":{...},"received_at":1760000000000}
//   {"state":"connecting"}                            at every change of the connection
//   {"error":"...","status":401}                      when a subscription is refused
//
// It reconnects as long as it lives. SIGTERM, or the end of stdin with --watch-stdin,
// ends it.
import { createHash, createHmac } from "node:crypto";
import { parseArgs } from "node:util";
import Echo from "laravel-echo";
import Pusher from "pusher-js";

const usage = `Usage: node receiver.mjs --host HOST --port PORT --key KEY --tenant ID [options]

  --mode public|private|encrypted  the kind of channel (default public)
  --channel NAME                   another channel than tenant.{ID}.schemas, without its prefix
  --secret SECRET                  signs the subscription here, as the app would
  --auth-endpoint URL              asks the app to sign it (private and encrypted need one of the two); a user
                                   in the URL, http://TOKEN@host/..., is sent as Echo sends its bearerToken
  --master-key BASE64              of encrypted channels, with --secret
  --event NAME                     listened for, repeatable (default schema.analysis and schema.analysis.progress)
  --tls                            connects over wss
  --watchdog                       reconnects within a second or so, where pusher-js may take 15 and more
  --watch-stdin                    ends when stdin does`;

const options = {
  host: { type: "string" },
  port: { type: "string" },
  key: { type: "string" },
  tenant: { type: "string" },
  mode: { type: "string", default: "public" },
  channel: { type: "string" },
  secret: { type: "string" },
  "auth-endpoint": { type: "string" },
  "master-key": { type: "string" },
  event: { type: "string", multiple: true, default: ["schema.analysis", "schema.analysis.progress"] },
  tls: { type: "boolean", default: false },
  watchdog: { type: "boolean", default: false },
  "watch-stdin": { type: "boolean", default: false },
};

function main() {
  const args = readArgs();
  if (args["watch-stdin"]) {
    // Whoever started the receiver holds the other end: a test that was killed
    // leaves no receiver behind.
    process.stdin.on("end", () => process.exit(0)).resume();
  }
  const pusher = connect(args);
  pusher.connection.bind("state_change", ({ current }) => print({ state: current }));
  pusher.connection.bind("error", (e) => print({ error: messageOf(e), status: e?.data?.code ?? e?.error?.data?.code ?? 0 }));
  if (args.watchdog) watch(pusher);
  subscribe(new Echo({ broadcaster: "pusher", client: pusher }), args);
}

function readArgs() {
  let args;
  try {
    args = parseArgs({ options, strict: true }).values;
  } catch (e) {
    fail(e.message);
  }
  for (const name of ["host", "port", "key"]) {
    if (!args[name]) fail(`--${name} is missing`);
  }
  if (!args.tenant && !args.channel) fail("--tenant is missing (or --channel)");
  if (!["public", "private", "encrypted"].includes(args.mode)) {
    fail(`--mode ${args.mode}: use public, private or encrypted`);
  }
  if (args.mode !== "public" && !args.secret && !args["auth-endpoint"]) {
    fail(`--mode ${args.mode} needs --secret or --auth-endpoint`);
  }
  if (args.mode === "encrypted" && args.secret && !args["master-key"]) {
    fail("--mode encrypted with --secret needs --master-key");
  }
  return args;
}

function connect(args) {
  return new Pusher(args.key, {
    wsHost: args.host,
    wsPort: Number(args.port),
    wssPort: Number(args.port),
    forceTLS: args.tls,
    enabledTransports: ["ws", "wss"],
    disableStats: true,
    cluster: "", // pusher-js demands the option, but wsHost decides
    channelAuthorization: args["auth-endpoint"]
      ? authorization(args["auth-endpoint"])
      : { customHandler: (request, done) => done(null, sign(args, request)) },
  });
}

// authorization asks the app as whoever is named in the URL.
function authorization(endpoint) {
  const url = new URL(endpoint);
  const token = decodeURIComponent(url.username);
  url.username = "";
  return { endpoint: url.href, transport: "ajax", headers: token ? { Authorization: `Bearer ${token}` } : {} };
}

// sign answers what the app's /broadcasting/auth would.
function sign(args, { socketId, channelName }) {
  const signature = createHmac("sha256", args.secret).update(`${socketId}:${channelName}`).digest("hex");
  const auth = { auth: `${args.key}:${signature}` };
  if (channelName.startsWith("private-encrypted-")) {
    const master = Buffer.from(args["master-key"], "base64");
    auth.shared_secret = createHash("sha256").update(channelName).update(master).digest("base64");
  }
  return auth;
}

function subscribe(echo, args) {
  const name = args.channel ?? `tenant.${args.tenant}.schemas`;
  const open = { public: "channel", private: "private", encrypted: "encryptedPrivate" }[args.mode];
  const channel = echo[open](name);
  channel.subscribed(() => print({ ready: true, channel: channel.name }));
  channel.error((e) => print({ error: `subscribe ${channel.name}: ${messageOf(e)}`, status: e?.status ?? 0 }));
  for (const event of args.event) {
    // The leading dot keeps Echo from prefixing App\Events.
    channel.listen(`.${event}`, (payload) => print({ event, payload, received_at: Date.now() }));
  }
}

// watch resets the long retry steps of pusher-js (15, 30, 60 s), which otherwise keep
// a client away from a server that is back.
function watch(pusher) {
  let tries = 0;
  let timer;
  pusher.connection.bind("state_change", ({ current }) => {
    clearTimeout(timer);
    if (current === "connected") {
      tries = 0;
      return;
    }
    if (current !== "connecting" && current !== "unavailable") return;
    const wait = Math.min(300 * 1.6 ** tries++, 5000) * (0.75 + Math.random() / 2);
    timer = setTimeout(() => {
      if (pusher.connection.state === "connected") return;
      pusher.disconnect();
      pusher.connect();
    }, wait);
  });
}

function messageOf(e) {
  return e?.error?.data?.message ?? e?.data?.message ?? e?.error?.message ?? e?.error ?? e?.message ?? JSON.stringify(e);
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function fail(message) {
  process.stderr.write(`receiver: ${message}\n\n${usage}\n`);
  process.exit(2);
}

main();
