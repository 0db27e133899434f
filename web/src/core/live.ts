import { ANALYSIS, type AnalysisEvent, PROGRESS, parseEvent } from './events.js';
import { EventQueue } from './queue.js';
import { type Action, reduce } from './reduce.js';
import type { Snapshot } from './snapshot.js';
import { emptyState, type State } from './state.js';
import type { Signal, Subscription, Transport } from './transport.js';

/**
 * How true the screen is. `live`: events come. `connecting`: they will in a moment. `paused`: they do not, and the
 * database is asked every few seconds. `offline`: nothing answers, and what is shown is old.
 */
export type Connection = 'live' | 'connecting' | 'paused' | 'offline';

export interface LiveState {
  readonly graph: State;
  readonly connection: Connection;
  /** Why, when there is more to say than the word. */
  readonly reason: string | null;
  /** Whether all of the tenant has been read once. */
  readonly loaded: boolean;
  /** Epoch milliseconds. */
  readonly lastEventAt: number | null;
  readonly lastSyncAt: number | null;
  /** Why the last reading of the database failed. */
  readonly error: Error | null;
}

export interface SnapshotRequest {
  readonly since: string | null;
  readonly cursor: string | null;
  readonly signal: AbortSignal;
}

/** Returns null when nothing has changed since the last answer. */
export type FetchSnapshot = (request: SnapshotRequest) => Promise<Snapshot | null>;

export interface LiveOptions {
  readonly tenantId: string;
  /** Null when there is no server of events: the database is asked every few seconds. */
  readonly transport: Transport | null;
  readonly fetchSnapshot: FetchSnapshot;
  /** Asks for an analysis. */
  readonly retry?: ((schemaId: number) => Promise<unknown>) | undefined;
  /** What the page came with, so that the first picture needs no request. */
  readonly initial?: Snapshot | null | undefined;
  /** Names of the events, without a dot in front. */
  readonly events?: readonly [analysis: string, progress: string] | undefined;
  /** How many schemas are kept at most, the newest. Defaults to 5,000. */
  readonly maxSchemas?: number | undefined;
  /**
   * How long the start of an analysis is shown at least, so that one that takes no time can be seen. Milliseconds,
   * defaults to 500.
   */
  readonly dwell?: number | undefined;
}

/** Milliseconds, all of them. */
const times = {
  /** A dropped connection that comes back within this is not worth a word. */
  grace: 5_000,
  /** Soon after a drop most servers are about to come back; later nobody is in such a hurry. */
  pollDropped: 2_000,
  pollPaused: 5_000,
  dropped: 60_000,
  /** While live, for what no event tells: what people do in the app, and events that a server swallowed. */
  pollLive: 30_000,
  /** After an event, for what it does not tell: confidences. */
  settle: 250,
  /** Retries of a snapshot that failed. */
  firstRetry: 500,
  lastRetry: 15_000,
  hidden: 60_000,
  /** An analysis without an event for so long is asked about. */
  silence: 120_000,
};

/** Keeps the graph of one tenant true: what a browser shows, and how true it is. */
export class Live {
  private state: LiveState;
  private readonly listeners = new Set<() => void>();
  private abort = new AbortController();
  private started = false;
  private subscription: Subscription | null = null;
  private signal: Signal = 'connecting';
  private downSince: number | null = null;
  private graceTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly queue: EventQueue;
  private reading: Promise<void> | null = null;
  private again = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private hiddenAt: number | null = null;

  constructor(private readonly options: LiveOptions) {
    this.queue = new EventQueue(options.dwell ?? 500, this.show);
    let graph = emptyState(options.tenantId);
    if (options.initial) graph = reduce(graph, { type: 'snapshot', snapshot: options.initial, asked: 0 });
    this.state = {
      graph,
      connection: options.transport ? 'connecting' : 'paused',
      reason: null,
      loaded: Boolean(options.initial && options.initial.next === null),
      lastEventAt: null,
      lastSyncAt: null,
      error: null,
    };
  }

  readonly getState = (): LiveState => this.state;

  /** Calls back after every change, at most once a frame for events. Returns how to stop that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Starts listening and reading, unless it was started. Events that come while a snapshot is read are not lost. */
  start(): void {
    if (this.started) return;
    this.started = true;
    this.abort = new AbortController();
    const names = this.options.events ?? ([ANALYSIS, PROGRESS] as const);
    if (this.options.transport) {
      this.subscription = this.options.transport.subscribe(
        names,
        (name, payload) => this.take(name === names[0] ? ANALYSIS : PROGRESS, payload),
        (signal, reason) => this.hear(signal, reason),
      );
    } else {
      this.hear('down', 'there is no server of events');
    }
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', this.onVisibility);
    if (typeof window !== 'undefined') {
      window.addEventListener('online', this.onOnline);
    }
    void this.refetch();
  }

  /** Stops everything; the state stays as it is. It can be started again. */
  stop(): void {
    if (!this.started) return;
    this.started = false;
    this.subscription?.off();
    this.abort.abort();
    this.reading = null;
    clearTimeout(this.timer);
    clearTimeout(this.graceTimer);
    this.downSince = null;
    this.dueAt = Number.POSITIVE_INFINITY;
    this.queue.clear();
    if (typeof document !== 'undefined') document.removeEventListener('visibilitychange', this.onVisibility);
    if (typeof window !== 'undefined') window.removeEventListener('online', this.onOnline);
  }

  /** Asks the database. While it is being asked, that is done once more after it. Never rejects. */
  refetch(): Promise<void> {
    if (this.reading) {
      this.again = true;
      return this.reading;
    }
    const reading = this.read().finally(() => {
      if (this.reading === reading) this.reading = null;
    });
    this.reading = reading;
    return reading;
  }

  /** Tries to connect at once. */
  reconnect(): void {
    this.options.transport?.reconnect();
    void this.refetch();
  }

  /** Asks for an analysis, and shows that at once. Rejects, and shows what was before, when it is refused. */
  async retry(schemaId: number): Promise<void> {
    const before = this.state.graph.schemas.get(schemaId);
    if (!this.options.retry) throw new Error('nothing is known that could ask for an analysis; give onRetry');
    this.dispatch({ type: 'requested', schemaId, now: Date.now() });
    try {
      await this.options.retry(schemaId);
    } catch (error) {
      if (before) this.dispatch({ type: 'refused', schema: before });
      throw error;
    } finally {
      this.wake(times.settle);
    }
  }

  private take(name: string, payload: unknown): void {
    const event = parseEvent(name, payload, this.options.tenantId);
    if (typeof event === 'string') {
      this.dispatch({ type: 'ignored', reason: event });
      // It told of something, unless it was of a foreign tenant.
      if (event !== 'tenant') this.wake(times.settle);
      return;
    }
    this.queue.push(event);
  }

  private readonly show = (events: readonly AnalysisEvent[], now: number): void => {
    this.set({ graph: reduce(this.state.graph, { type: 'events', events, now }), lastEventAt: now });
    if (events.some(({ kind }) => kind === 'completed' || kind === 'failed')) this.wake(times.settle);
  };

  private hear(signal: Signal, reason: string | null): void {
    this.signal = signal;
    if (signal === 'live') {
      this.downSince = null;
      this.judge(null);
      clearTimeout(this.timer);
      this.dueAt = Number.POSITIVE_INFINITY;
      void this.refetch(); // what was published meanwhile is gone
      return;
    }
    if (this.downSince === null) {
      this.downSince = Date.now();
      clearTimeout(this.graceTimer);
      this.graceTimer = setTimeout(() => this.judge(), times.grace);
    }
    this.judge(reason);
    this.wake(this.pause());
  }

  /** Says how true the screen is. */
  private judge(reason = this.state.reason): void {
    const down = this.downSince === null ? 0 : Date.now() - this.downSince;
    let connection: Connection = 'paused';
    if (this.signal === 'live') connection = 'live';
    else if (this.failures > 1) connection = 'offline';
    else if (this.options.transport && this.signal !== 'refused' && down < times.grace) connection = 'connecting';
    if (connection !== this.state.connection || reason !== this.state.reason) this.set({ connection, reason });
  }

  private async read(): Promise<void> {
    const { signal } = this.abort;
    do {
      this.again = false;
      try {
        await this.readOnce(signal);
        if (signal.aborted) return;
        this.failures = 0;
        this.set({ lastSyncAt: Date.now(), error: null, loaded: true });
      } catch (error) {
        if (signal.aborted) return;
        this.failures++;
        this.set({ error: error instanceof Error ? error : new Error(String(error)) });
        break;
      }
    } while (this.again);
    this.judge();
    const wait = Math.min(times.firstRetry * 2 ** (this.failures - 1), times.lastRetry);
    this.wake(this.failures > 0 ? wait * (0.75 + Math.random() / 2) : this.pause());
  }

  private async readOnce(signal: AbortSignal): Promise<void> {
    const { fetchSnapshot, maxSchemas = 5_000 } = this.options;
    const asked = this.state.graph.clock;
    const first = await fetchSnapshot({ since: this.state.graph.since, cursor: null, signal });
    if (first === null) return;
    const schemas = new Set<number>();
    const entities = new Set<number>();
    // Behind the last schemas come entities that none leads to: where all schemas are kept, they are as well.
    const whole = first.delta || first.totals.schemas <= maxSchemas;
    for (let page = first; ; ) {
      if (signal.aborted) return;
      this.dispatch({ type: 'snapshot', snapshot: page, asked });
      for (const schema of page.schemas) schemas.add(schema.id);
      for (const entity of page.entities) entities.add(entity.id);
      if (page.next === null || (!whole && schemas.size >= maxSchemas)) break;
      const following = await fetchSnapshot({ since: null, cursor: page.next, signal });
      if (following === null) return;
      page = following;
    }
    if (!first.delta) {
      this.dispatch({ type: 'complete', schemas, entities, asked, since: first.since });
      return;
    }
    const { graph } = this.state;
    // Only a whole reading tells what is gone.
    const gone = first.totals.schemas < graph.schemas.size || first.totals.entities < graph.entities.size;
    this.dispatch({ type: 'current', since: gone ? null : first.since });
    this.again ||= gone;
  }

  /** How long the database may be left alone. */
  private pause(): number {
    if (this.signal !== 'live') {
      const dropped = this.options.transport && this.downSince !== null && Date.now() - this.downSince < times.dropped;
      return dropped ? times.pollDropped : times.pollPaused;
    }
    const { schemas, stamps } = this.state.graph;
    const now = Date.now();
    for (const [id, schema] of schemas) {
      const heardAt = stamps.get(id)?.heardAt || now;
      if (schema.analysis === 'processing' && now - heardAt > times.silence) return times.pollPaused;
    }
    return times.pollLive;
  }

  /** Reads again after so long, or earlier when that was said before. */
  private wake(delay: number): void {
    const due = Date.now() + delay;
    if (this.abort.signal.aborted || (due >= this.dueAt && this.dueAt > Date.now())) return;
    clearTimeout(this.timer);
    this.dueAt = due;
    this.timer = setTimeout(() => {
      this.dueAt = Number.POSITIVE_INFINITY;
      this.judge();
      // A page that nobody sees is brought up to date when somebody does.
      if (this.hiddenAt !== null && this.signal !== 'live') this.wake(times.pollLive);
      else void this.refetch();
    }, delay);
  }

  private readonly onVisibility = (): void => {
    if (document.hidden) {
      this.hiddenAt = Date.now();
      return;
    }
    const hidden = this.hiddenAt === null ? 0 : Date.now() - this.hiddenAt;
    this.hiddenAt = null;
    if (hidden > times.hidden || this.signal !== 'live') void this.refetch();
  };

  private readonly onOnline = (): void => {
    if (this.signal !== 'live') this.reconnect();
  };

  private dispatch(action: Action): void {
    this.set({ graph: reduce(this.state.graph, action) });
  }

  private set(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}
