import type { Ignored } from './events.js';
import type { Entity, Link, Schema } from './model.js';

/**
 * The numbers of the events that parts of a schema come from. An event changes a part only when its number is larger,
 * so that events may come late, twice, or never, and the state is the same.
 */
export interface Stamps {
  /** Name and hash. */
  readonly shape: number;
  readonly fields: number;
  /** What a human decided. */
  readonly standing: number;
  /** Analysis, run, progress, error. */
  readonly phase: number;
  /** Links. */
  readonly place: number;
  /** The number that the last snapshot had. */
  readonly read: number;
  /** `State.clock` when an event of the schema came last. */
  readonly heard: number;
  /** When that was: epoch milliseconds of this machine. */
  readonly heardAt: number;
}

/** Which event told of an entity: their ids are sorted by time, over all schemas. */
export interface EntityStamp {
  readonly eventId: string;
  readonly heard: number;
}

/** What happened, for people. */
export interface Happening {
  readonly eventId: string;
  readonly kind: 'started' | 'completed' | 'failed';
  readonly schemaId: number;
  readonly at: number;
  readonly error: string | null;
}

/** All that is known of a tenant. Immutable: what has not changed keeps its identity. */
export interface State {
  readonly tenantId: string;
  readonly schemas: ReadonlyMap<number, Schema>;
  readonly entities: ReadonlyMap<number, Entity>;
  /** By the id of the schema. */
  readonly links: ReadonlyMap<number, readonly Link[]>;
  readonly stamps: ReadonlyMap<number, Stamps>;
  readonly entityStamps: ReadonlyMap<number, EntityStamp>;
  /** Counts what was put into the state; tells what came after a snapshot was asked for. */
  readonly clock: number;
  /** Newest first, at most 200. */
  readonly happenings: readonly Happening[];
  /** How many events were left out, by reason. */
  readonly ignored: Readonly<Partial<Record<Ignored, number>>>;
  readonly totals: { readonly schemas: number; readonly entities: number };
  readonly typicalMs: number | null;
  /** For the next delta; null before the first complete snapshot. */
  readonly since: string | null;
}

export const emptyState = (tenantId: string): State => ({
  tenantId,
  schemas: new Map(),
  entities: new Map(),
  links: new Map(),
  stamps: new Map(),
  entityStamps: new Map(),
  clock: 0,
  happenings: [],
  ignored: {},
  totals: { schemas: 0, entities: 0 },
  typicalMs: null,
  since: null,
});

export const unheard: Stamps = { shape: 0, fields: 0, standing: 0, phase: 0, place: 0, read: 0, heard: 0, heardAt: 0 };
