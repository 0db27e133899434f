/** What a socket is doing, as far as our channel goes. `live`: every event of the channel comes from now on. */
export type Signal = 'connecting' | 'live' | 'down' | 'refused';

export interface Subscription {
  /** Ends it. What others listen to on the same channel goes on. */
  off(): void;
}

/** The way to a server of the Pusher protocol. */
export interface Transport {
  /**
   * Listens to events of a channel. `onSignal` is told at once how things are, and at every change; `live` comes again
   * after every interruption, and then something may have been missed.
   */
  subscribe(
    events: readonly string[],
    onEvent: (name: string, payload: unknown) => void,
    onSignal: (signal: Signal, reason: string | null) => void,
  ): Subscription;
  /** Tries at once, instead of when the next try is due. */
  reconnect(): void;
}

export type ChannelKind = 'public' | 'private' | 'encrypted';

/** The channel of a tenant, without the prefix of its kind. */
export const channelOf = (tenantId: string, template = 'tenant.{tenant_id}.schemas'): string =>
  template.replace('{tenant_id}', () => tenantId);

/** The part of pusher-js that is used, so that nothing is imported from it. */
export interface PusherLike {
  readonly connection: {
    readonly state: string;
    bind(event: string, callback: (data: never) => void): unknown;
    unbind(event: string, callback: (data: never) => void): unknown;
  };
  channel(name: string): PusherChannelLike | undefined;
  subscribe(name: string): PusherChannelLike;
  unsubscribe(name: string): void;
  connect(): void;
  disconnect(): void;
}

export interface PusherChannelLike {
  readonly subscribed?: boolean;
  bind(event: string, callback: (data: never) => void): unknown;
  unbind(event: string, callback: (data: never) => void): unknown;
}

/** The part of Laravel Echo that is used: of any version from 1.16, with broadcaster `pusher` or `reverb`. */
export interface EchoLike {
  readonly connector: unknown;
}

const prefixes: Record<ChannelKind, string> = { public: '', private: 'private-', encrypted: 'private-encrypted-' };

/**
 * Listens through the app's own Echo instance, so that there is one socket. Throws when Echo has no Pusher connection
 * (its broadcaster is `null`, `log` or socket.io).
 */
export function echoTransport(echo: EchoLike, channel: string, kind: ChannelKind = 'public'): Transport {
  const connector = echo.connector as { pusher?: PusherLike; channels?: Readonly<Record<string, unknown>> } | null;
  const pusher = connector?.pusher;
  if (!pusher)
    throw new Error("this Echo instance has no Pusher connection; set its broadcaster to 'pusher' or 'reverb'");
  // A channel that the app listens to as well is not ours to leave.
  return pusherTransport(pusher, channel, kind, () => Boolean(connector.channels?.[prefixes[kind] + channel]));
}

/** How many listen to a channel through us; it is left after the last one, unless it was there before the first. */
const ours = new WeakMap<PusherLike, Map<string, number>>();

/** Listens through a pusher-js instance. `inUse` says whether others need the channel still. */
export function pusherTransport(
  pusher: PusherLike,
  channel: string,
  kind: ChannelKind = 'public',
  inUse: () => boolean = () => false,
): Transport {
  const name = prefixes[kind] + channel;
  return {
    subscribe(events, onEvent, onSignal) {
      const release = hold(pusher, name, inUse);
      const joined = pusher.channel(name) ?? pusher.subscribe(name);
      const bound: [PusherLike['connection'] | PusherChannelLike, string, (data: never) => void][] = [];
      const bind = (
        to: PusherLike['connection'] | PusherChannelLike,
        event: string,
        callback: (data: never) => void,
      ) => {
        to.bind(event, callback);
        bound.push([to, event, callback]);
      };
      for (const event of events) bind(joined, event, (payload: unknown) => onEvent(event, payload));
      bind(joined, 'pusher:subscription_succeeded', () => onSignal('live', null));
      bind(joined, 'pusher:subscription_error', (error: unknown) => onSignal('refused', refusal(error)));
      bind(pusher.connection, 'state_change', ({ current }: { current: string }) => {
        if (current !== 'connected') onSignal(signalOf(current), null);
      });
      const stopWatching = watch(pusher);
      onSignal(
        joined.subscribed && pusher.connection.state === 'connected' ? 'live' : signalOf(pusher.connection.state),
        null,
      );
      return {
        off() {
          for (const [to, event, callback] of bound.splice(0)) to.unbind(event, callback);
          stopWatching();
          release();
        },
      };
    },
    reconnect() {
      pusher.disconnect();
      pusher.connect();
    },
  };
}

function hold(pusher: PusherLike, name: string, inUse: () => boolean): () => void {
  const held = ours.get(pusher) ?? new Map<string, number>();
  ours.set(pusher, held);
  const before = held.get(name);
  if (before === undefined && pusher.channel(name)) return () => {};
  held.set(name, (before ?? 0) + 1);
  return () => {
    const left = (held.get(name) ?? 1) - 1;
    if (left > 0) return void held.set(name, left);
    held.delete(name);
    if (!inUse()) pusher.unsubscribe(name);
  };
}

function signalOf(state: string): Signal {
  if (state === 'failed' || state === 'disconnected' || state === 'unavailable') return 'down';
  return 'connecting';
}

function refusal(error: unknown): string {
  const { status, error: said } = (error ?? {}) as { status?: number; error?: string };
  return [status && `status ${status}`, said].filter(Boolean).join(', ') || 'the server refused the subscription';
}

interface Watch {
  users: number;
  stop(): void;
}

const watches = new WeakMap<PusherLike, Watch>();
const firstPatience = 1500;
const lastPatience = 15_000;

/**
 * Makes pusher-js come back soon. By itself it tries once, a second after a drop, and then waits 15, 30 and 60 s: a
 * server that restarts in 2 s is missed for 16. Starting it again resets that. One watch a connection, however many
 * listen; its patience exceeds a TLS handshake, and grows while nothing answers.
 */
function watch(pusher: PusherLike): () => void {
  const running = watches.get(pusher) ?? startWatch(pusher);
  watches.set(pusher, running);
  running.users++;
  return () => {
    if (--running.users > 0) return;
    running.stop();
    watches.delete(pusher);
  };
}

function startWatch(pusher: PusherLike): Watch {
  let tries = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = ({ current }: { current: string }) => {
    clearTimeout(timer);
    if (current === 'connected') tries = 0;
    if (current !== 'connecting' && current !== 'unavailable') return;
    const patience = Math.min(firstPatience * 1.6 ** tries++, lastPatience) * (0.75 + Math.random() / 2);
    timer = setTimeout(() => {
      if (pusher.connection.state === 'connected') return;
      pusher.disconnect();
      pusher.connect();
    }, patience);
  };
  pusher.connection.bind('state_change', look);
  look({ current: pusher.connection.state });
  return {
    users: 0,
    stop() {
      clearTimeout(timer);
      pusher.connection.unbind('state_change', look);
    },
  };
}
