import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import {
  type ChannelKind,
  type Connection,
  type Counts,
  channelOf,
  countsOf,
  type EchoLike,
  type Entity,
  echoTransport,
  type FetchSnapshot,
  graphFetcher,
  type Link,
  Live,
  linksOf,
  parseSnapshot,
  type Schema,
  type State,
  type Transport,
} from '../core/index.js';
import { useEcho } from './provider.js';

export interface SchemaAnalysisOptions {
  readonly tenantId: string;
  /** The app's Echo instance; defaults to that of the provider. Without one the database is asked every few seconds. */
  readonly echo?: EchoLike | null;
  /** Another way to the events, instead of Echo. */
  readonly transport?: Transport | null;
  /** Kind of the channel: `BROADCAST_CHANNEL` of the service. Defaults to public. */
  readonly channel?: ChannelKind;
  /** Template of its name. Defaults to `tenant.{tenant_id}.schemas`. */
  readonly channelTemplate?: string;
  /** Name of the event, with or without the dot that Echo wants. Defaults to `.schema.analysis`. */
  readonly event?: string;
  /** Reads the graph. Defaults to `GET {apiBase}/api/tenants/{tenant}/graph`. */
  readonly fetchSnapshot?: FetchSnapshot;
  /** Where the worker's API is, for the default of fetchSnapshot. Defaults to this origin. */
  readonly apiBase?: string;
  /** What the page came with: a graph as the API answers it, for example from Inertia's props. */
  readonly initialSnapshot?: unknown;
  /** Asks for an analysis. */
  readonly onRetry?: (schemaId: number) => Promise<unknown>;
}

export interface SchemaAnalysis {
  readonly schemas: readonly Schema[];
  readonly entities: readonly Entity[];
  readonly links: readonly Link[];
  readonly byId: ReadonlyMap<number, Schema>;
  readonly counts: Counts;
  readonly connection: Connection;
  /** Why the connection is what it is, when there is more to say. */
  readonly reason: string | null;
  /** Whether the database has been read once. */
  readonly loaded: boolean;
  readonly lastEventAt: number | null;
  readonly lastSyncAt: number | null;
  readonly error: Error | null;
  /** All of it in one immutable value, for `SchemaFlow` and the selectors of core. */
  readonly graph: State;
  readonly refetch: () => Promise<void>;
  readonly reconnect: () => void;
  /** Asks for an analysis, shows that at once, and rejects when it is refused. */
  readonly retry: (schemaId: number) => Promise<void>;
}

/** A Live with the number of hooks that use it. */
interface Shared {
  readonly live: Live;
  users: number;
}

/** One Live for all hooks that ask for the same: by Echo instance or transport, then by what they ask for. */
const shared = new WeakMap<object, Map<string, Shared>>();
const nowhere = {};

function sharedFor(owner: object, key: string, make: () => Live): Shared {
  const of = shared.get(owner) ?? new Map<string, Shared>();
  shared.set(owner, of);
  const entry = of.get(key) ?? { live: make(), users: 0 };
  of.set(key, entry);
  return entry;
}

/** Starts it for the first user, and stops it after the last: later, since StrictMode and routers unmount and mount again. */
function use(entry: Shared): () => void {
  if (entry.users++ === 0) entry.live.start();
  return () => {
    entry.users--;
    setTimeout(() => {
      if (entry.users === 0) entry.live.stop();
    });
  };
}

/**
 * Follows the analyses of a tenant. What it returns is the database's state within two seconds after whatever gap, and
 * changes with every event before that. Events of one frame come in one render. The first options of a tenant and
 * channel win while somebody uses them.
 */
export function useSchemaAnalysis(options: SchemaAnalysisOptions): SchemaAnalysis {
  const provided = useEcho();
  const echo = options.echo === undefined ? provided : options.echo;
  const { tenantId, channel = 'public', channelTemplate, event = '.schema.analysis', apiBase = '' } = options;
  const owner: object = options.transport ?? echo ?? nowhere;
  const key = JSON.stringify([tenantId, channel, channelTemplate, event, apiBase]);
  const latest = useRef(options);
  latest.current = options;

  // biome-ignore lint/correctness/useExhaustiveDependencies: owner and key stand for what it is made of
  const own = useMemo(() => {
    const name = event.replace(/^\./, '');
    const transport =
      options.transport ?? (echo ? echoTransport(echo, channelOf(tenantId, channelTemplate), channel) : null);
    const read = graphFetcher(apiBase, tenantId);
    return (): Live =>
      new Live({
        tenantId,
        transport,
        events: [name, `${name}.progress`],
        fetchSnapshot: request => (latest.current.fetchSnapshot ?? read)(request),
        retry: id => latest.current.onRetry?.(id) ?? Promise.reject(new Error('useSchemaAnalysis has no onRetry')),
        initial: options.initialSnapshot ? parseSnapshot(options.initialSnapshot) : null,
      });
  }, [owner, key]);

  const entry = useMemo(() => sharedFor(owner, key, own), [owner, key, own]);
  useEffect(() => use(entry), [entry]);

  const { live } = entry;
  const state = useSyncExternalStore(live.subscribe, live.getState, live.getState);
  const { graph } = state;
  const lists = useMemo(
    () => ({
      schemas: [...graph.schemas.values()],
      entities: [...graph.entities.values()],
      links: [...linksOf(graph)],
      counts: countsOf(graph),
    }),
    [graph],
  );
  const refetch = useCallback(() => live.refetch(), [live]);
  const reconnect = useCallback(() => live.reconnect(), [live]);
  const retry = useCallback((schemaId: number) => live.retry(schemaId), [live]);
  const { connection, reason, loaded, lastEventAt, lastSyncAt, error } = state;
  return useMemo(
    () => ({
      ...lists,
      byId: graph.schemas,
      graph,
      connection,
      reason,
      loaded,
      lastEventAt,
      lastSyncAt,
      error,
      refetch,
      reconnect,
      retry,
    }),
    [lists, graph, connection, reason, loaded, lastEventAt, lastSyncAt, error, refetch, reconnect, retry],
  );
}
