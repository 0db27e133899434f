import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  echoTransport,
  type PusherChannelLike,
  type PusherLike,
  pusherTransport,
  type Signal,
} from '../src/core/index.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Callback = (data: unknown) => void;

class Emitter {
  readonly callbacks = new Map<string, Set<Callback>>();
  bind(event: string, callback: (data: never) => void) {
    const all = this.callbacks.get(event) ?? new Set();
    this.callbacks.set(event, all.add(callback as Callback));
  }
  unbind(event: string, callback: (data: never) => void) {
    this.callbacks.get(event)?.delete(callback as Callback);
  }
  emit(event: string, data: unknown = {}) {
    for (const callback of [...(this.callbacks.get(event) ?? [])]) callback(data);
  }
}

class FakeChannel extends Emitter implements PusherChannelLike {
  subscribed = false;
}

/** pusher-js as far as it is used: its connection comes back only when it is told to. */
class FakePusher implements PusherLike {
  readonly connection = Object.assign(new Emitter(), { state: 'connected' });
  readonly channels = new Map<string, FakeChannel>();
  connects = 0;
  channel = (name: string) => this.channels.get(name);
  subscribe(name: string) {
    const channel = this.channels.get(name) ?? new FakeChannel();
    this.channels.set(name, channel);
    return channel;
  }
  unsubscribe = (name: string) => void this.channels.delete(name);
  connect() {
    this.connects++;
    this.to('connecting');
  }
  disconnect() {
    this.to('disconnected');
  }
  to(state: string) {
    this.connection.state = state;
    this.connection.emit('state_change', { current: state });
  }
}

function listen(pusher: FakePusher, transport = pusherTransport(pusher, 'tenant.acme.schemas')) {
  const signals: Signal[] = [];
  const events: unknown[] = [];
  const subscription = transport.subscribe(
    ['schema.analysis'],
    (_, payload) => events.push(payload),
    signal => signals.push(signal),
  );
  return { transport, subscription, signals, events };
}

test('the channel has the prefix of its kind', () => {
  for (const [kind, name] of [
    ['public', 'tenant.acme.schemas'],
    ['private', 'private-tenant.acme.schemas'],
    ['encrypted', 'private-encrypted-tenant.acme.schemas'],
  ] as const) {
    const pusher = new FakePusher();
    listen(pusher, pusherTransport(pusher, 'tenant.acme.schemas', kind));
    expect([...pusher.channels.keys()]).toEqual([name]);
  }
});

test('a channel that was there before is live at once, and stays when we go', () => {
  const pusher = new FakePusher();
  const channel = pusher.subscribe('tenant.acme.schemas');
  channel.subscribed = true;
  const { signals, events, subscription } = listen(pusher);
  channel.emit('schema.analysis', { n: 1 });
  expect([signals, events]).toEqual([['live'], [{ n: 1 }]]);
  subscription.off();
  channel.emit('schema.analysis', { n: 2 });
  expect(events).toHaveLength(1);
  expect(pusher.channels.size).toBe(1);
});

test('the channel is left after the last of us', () => {
  const pusher = new FakePusher();
  const [a, b] = [listen(pusher), listen(pusher)];
  a.subscription.off();
  expect(pusher.channels.size).toBe(1);
  b.subscription.off();
  expect(pusher.channels.size).toBe(0);
});

test('a channel that the app listens to through Echo is not left', () => {
  const pusher = new FakePusher();
  const channels: Record<string, unknown> = {};
  const { subscription } = listen(pusher, echoTransport({ connector: { pusher, channels } }, 'tenant.acme.schemas'));
  channels['tenant.acme.schemas'] = {}; // the app joins later
  subscription.off();
  expect(pusher.channels.size).toBe(1);
});

test('an Echo without a Pusher connection is refused with the cure', () => {
  expect(() => echoTransport({ connector: {} }, 'x')).toThrow("set its broadcaster to 'pusher' or 'reverb'");
});

test('it says live again after every interruption, and why a subscription is refused', () => {
  const pusher = new FakePusher();
  const { signals } = listen(pusher);
  const channel = pusher.channel('tenant.acme.schemas');
  channel?.emit('pusher:subscription_succeeded');
  pusher.to('unavailable');
  pusher.to('connecting');
  pusher.to('connected');
  channel?.emit('pusher:subscription_succeeded');
  channel?.emit('pusher:subscription_error', { status: 403 });
  expect(signals).toEqual(['connecting', 'live', 'down', 'connecting', 'live', 'refused']);
});

test('a dropped connection is tried again soon, again and again, and less often while nothing answers', async () => {
  const pusher = new FakePusher();
  const { subscription } = listen(pusher);
  pusher.to('connecting');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(pusher.connects).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(pusher.connects).toBeGreaterThan(5);
  expect(pusher.connects).toBeLessThan(13);
  pusher.to('connected');
  const before = pusher.connects;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(pusher.connects).toBe(before);
  pusher.to('connecting');
  subscription.off();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(pusher.connects).toBe(before);
});
