import type { AnalysisEvent, Completed, Ignored } from './events.js';
import type { Entity, Link, Run, Schema } from './model.js';
import type { Snapshot } from './snapshot.js';
import { type EntityStamp, type Happening, type Stamps, type State, unheard } from './state.js';

export type Action =
  | { readonly type: 'events'; readonly events: readonly AnalysisEvent[]; readonly now: number }
  | { readonly type: 'ignored'; readonly reason: Ignored }
  /** A page of the graph, or of what has changed. `asked` is the state's clock when the reading began. */
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot; readonly asked: number }
  /** The last page of all has come: what was in none of them, and has not been heard of since, is gone. */
  | {
      readonly type: 'complete';
      readonly schemas: ReadonlySet<number>;
      readonly entities: ReadonlySet<number>;
      readonly asked: number;
      readonly since: string | null;
    }
  /** All that has changed has come; from here on it is asked what has changed since, or for everything when that is null. */
  | { readonly type: 'current'; readonly since: string | null }
  /** Somebody asked for an analysis. */
  | { readonly type: 'requested'; readonly schemaId: number; readonly now: number }
  /** That was refused: back to what it was. */
  | { readonly type: 'refused'; readonly schema: Schema };

const keptHappenings = 200;

/** Pure. Every action may come late, twice, or not at all; after a complete snapshot the state is the database's. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'events':
      return action.events.length === 0 ? state : applyEvents(state, action.events, action.now);
    case 'ignored':
      return { ...state, ignored: { ...state.ignored, [action.reason]: (state.ignored[action.reason] ?? 0) + 1 } };
    case 'snapshot':
      return applySnapshot(state, action.snapshot, action.asked);
    case 'complete':
      return complete(state, action);
    case 'current':
      return { ...state, since: action.since };
    case 'requested':
      return requested(state, action.schemaId, action.now);
    case 'refused':
      return state.schemas.has(action.schema.id)
        ? { ...state, schemas: new Map(state.schemas).set(action.schema.id, action.schema) }
        : state;
  }
}

/** A state under change: maps are copied when they are first written to. */
class Draft {
  schemas: Map<number, Schema>;
  stamps: Map<number, Stamps>;
  entityStamps: Map<number, EntityStamp>;
  entities: ReadonlyMap<number, Entity>;
  links: Map<number, readonly Link[]>;
  happenings: Happening[];

  constructor(readonly base: State) {
    this.schemas = new Map(base.schemas);
    this.stamps = new Map(base.stamps);
    this.entityStamps = new Map(base.entityStamps);
    this.entities = base.entities;
    this.links = new Map(base.links);
    this.happenings = [...base.happenings];
  }

  setEntity(entity: Entity): void {
    if (this.entities === this.base.entities) this.entities = new Map(this.entities);
    (this.entities as Map<number, Entity>).set(entity.id, entity);
  }

  setLinks(schemaId: number, links: readonly Link[]): void {
    if (links.length > 0) this.links.set(schemaId, links);
    else this.links.delete(schemaId);
  }
}

function applyEvents(state: State, events: readonly AnalysisEvent[], now: number): State {
  const draft = new Draft(state);
  const clock = state.clock + 1;
  for (const event of events) {
    const stamps = draft.stamps.get(event.schemaId) ?? unheard;
    draft.stamps.set(event.schemaId, { ...applyEvent(draft, event, stamps, clock), heard: clock, heardAt: now });
    note(draft.happenings, event);
  }
  return {
    ...state,
    clock,
    schemas: draft.schemas,
    stamps: draft.stamps,
    entityStamps: draft.entityStamps,
    entities: draft.entities,
    links: draft.links,
    happenings: draft.happenings.slice(0, keptHappenings),
    totals: {
      schemas: Math.max(state.totals.schemas, draft.schemas.size),
      entities: Math.max(state.totals.entities, draft.entities.size),
    },
  };
}

function applyEvent(draft: Draft, event: AnalysisEvent, stamps: Stamps, clock: number): Stamps {
  const { seq } = event;
  const known = draft.schemas.get(event.schemaId) ?? unknownSchema(event.schemaId);
  const newer = { ...stamps };
  let schema = known;
  const shape = event.kind === 'started' ? event : event.kind === 'completed' ? event.schema : null;
  if (shape && seq > stamps.shape) {
    schema = { ...schema, name: shape.name, hash: shape.hash };
    newer.shape = seq;
  }
  if (shape?.fields && seq > stamps.fields) {
    schema = { ...schema, fields: shape.fields };
    newer.fields = seq;
  }
  if (event.kind === 'completed' && event.schema && seq > stamps.standing) {
    schema = { ...schema, status: event.schema.status, createdAt: schema.createdAt ?? event.schema.createdAt };
    newer.standing = seq;
  }
  if (seq > stamps.phase) {
    schema = { ...schema, ...phaseOf(event, known) };
    newer.phase = seq;
  } else if (event.kind === 'started' && schema.run?.id === event.runId && schema.run.startedAt === null) {
    schema = { ...schema, run: { ...schema.run, startedAt: event.at } };
  }
  if (event.kind === 'completed' || event.kind === 'failed') {
    schema = { ...schema, analyzedAt: Math.max(schema.analyzedAt ?? 0, event.at) };
  }
  if (event.kind === 'completed') {
    if (event.entity && seq > stamps.read) learn(draft, event.entity, { eventId: event.eventId, heard: clock });
    if (seq > stamps.place && (event.entity || event.mappings === 0)) {
      newer.place = seq;
      draft.setLinks(event.schemaId, linksOf(event));
    }
  }
  draft.schemas.set(event.schemaId, schema);
  return newer;
}

function phaseOf(event: AnalysisEvent, known: Schema): Partial<Schema> {
  const earlier = known.run?.id === event.runId ? known.run : newRun(event.runId);
  const calm = { progress: null, error: null, code: null };
  switch (event.kind) {
    case 'started':
      return { ...calm, analysis: 'processing', run: { ...earlier, state: 'running', startedAt: event.at } };
    case 'progress':
      return {
        ...calm,
        analysis: 'processing',
        run: { ...earlier, state: 'running' },
        progress: { stage: event.stage, done: event.done, total: event.total },
      };
    case 'completed':
      return { ...calm, analysis: 'completed', run: { ...earlier, state: 'completed', endedAt: event.at } };
    case 'failed':
      return {
        analysis: 'failed',
        progress: null,
        error: event.error,
        code: event.code,
        run: { ...earlier, state: 'failed', endedAt: event.at },
      };
  }
}

/** Confidence is not in the event: the next snapshot has it. */
function linksOf({ entity, schemaId, mappings }: AnalysisEvent & { kind: 'completed' }): Link[] {
  if (!entity || mappings === 0) return [];
  return [{ schemaId, entityId: entity.id, fields: mappings, confidence: null, low: null, byHand: 0 }];
}

/** Takes what an event told of an entity, unless a later one has told of it. */
function learn(draft: Draft, told: NonNullable<Completed['entity']>, stamp: EntityStamp): void {
  if ((draft.entityStamps.get(told.id)?.eventId ?? '') >= stamp.eventId) return;
  draft.entityStamps.set(told.id, stamp);
  draft.setEntity({ id: told.id, name: told.name, fields: told.fields ?? draft.entities.get(told.id)?.fields ?? [] });
}

function note(happenings: Happening[], event: AnalysisEvent): void {
  if (event.kind === 'progress' || happenings.some(h => h.eventId === event.eventId)) return;
  const happening = {
    eventId: event.eventId,
    kind: event.kind,
    schemaId: event.schemaId,
    at: event.at,
    error: event.kind === 'failed' ? event.error : null,
  };
  // By time, then by id: the order in which events come is not the one in which things happened.
  const before = (h: Happening) => h.at < happening.at || (h.at === happening.at && h.eventId < happening.eventId);
  const index = happenings.findIndex(before);
  happenings.splice(index < 0 ? happenings.length : index, 0, happening);
}

/**
 * A schema of a snapshot replaces ours unless we have heard of it since the snapshot was asked for, and what we heard
 * has a larger number.
 */
function applySnapshot(state: State, snapshot: Snapshot, asked: number): State {
  const draft = new Draft(state);
  for (const entity of snapshot.entities) {
    const later = (draft.entityStamps.get(entity.id)?.heard ?? 0) > asked;
    if (!later && !sameEntity(draft.entities.get(entity.id), entity)) draft.setEntity(entity);
  }
  const links = new Map<number, Link[]>();
  for (const link of snapshot.links) links.set(link.schemaId, [...(links.get(link.schemaId) ?? []), link]);
  for (const { seq, ...schema } of snapshot.schemas) {
    const stamps = draft.stamps.get(schema.id) ?? unheard;
    if (stamps.heard > asked && seq < stamps.phase) continue;
    const known = draft.schemas.get(schema.id);
    const same = known?.run?.id === schema.run?.id && known?.analysis === schema.analysis;
    draft.schemas.set(schema.id, { ...schema, progress: same ? (known?.progress ?? null) : null });
    draft.stamps.set(schema.id, {
      ...stamps,
      shape: seq,
      fields: seq,
      standing: seq,
      phase: seq,
      place: seq,
      read: seq,
    });
    draft.setLinks(schema.id, links.get(schema.id) ?? []);
  }
  return {
    ...state,
    schemas: draft.schemas,
    stamps: draft.stamps,
    entityStamps: draft.entityStamps,
    entities: draft.entities,
    links: draft.links,
    totals: snapshot.totals,
    typicalMs: snapshot.typicalMs ?? state.typicalMs,
  };
}

function complete(state: State, { schemas, entities, asked, since }: Action & { type: 'complete' }): State {
  const kept = (id: number) => schemas.has(id) || (state.stamps.get(id)?.heard ?? 0) > asked;
  const links = only(state.links, kept);
  // An entity that an event has just told of is in no page, and its link holds it.
  const held = new Set(entities);
  for (const list of links.values()) for (const link of list) held.add(link.entityId);
  return {
    ...state,
    schemas: only(state.schemas, kept),
    stamps: only(state.stamps, kept),
    entities: only(state.entities, id => held.has(id)),
    entityStamps: only(state.entityStamps, id => held.has(id)),
    links,
    since,
  };
}

const only = <T>(map: ReadonlyMap<number, T>, kept: (id: number) => boolean): Map<number, T> =>
  new Map([...map].filter(([id]) => kept(id)));

function requested(state: State, schemaId: number, now: number): State {
  const schema = state.schemas.get(schemaId);
  if (!schema) return state;
  const run: Run = { ...newRun(''), state: 'requested', requestedAt: now };
  const waiting: Schema = { ...schema, analysis: 'pending', run, progress: null, error: null, code: null };
  return { ...state, schemas: new Map(state.schemas).set(schemaId, waiting) };
}

const newRun = (id: string): Run => ({
  id,
  state: 'running',
  attempts: 0,
  maxAttempts: 0,
  requestedAt: null,
  startedAt: null,
  endedAt: null,
  retryAt: null,
});

const unknownSchema = (id: number): Schema => ({
  id,
  name: null,
  hash: '',
  fields: [],
  status: 'pending',
  analysis: 'pending',
  run: null,
  progress: null,
  error: null,
  code: null,
  confidence: null,
  needsReview: false,
  engine: null,
  createdAt: null,
  analyzedAt: null,
});

/** Field lists of large tenants are long, and rarely change: the same entity stays the same object. */
const sameEntity = (a: Entity | undefined, b: Entity): boolean =>
  a !== undefined && a.name === b.name && JSON.stringify(a.fields) === JSON.stringify(b.fields);
