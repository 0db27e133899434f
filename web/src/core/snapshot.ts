import { fieldsOf } from './fields.js';
import type { Entity, Link, Run, Schema } from './model.js';
import { id, type Json, list, number, object, oneOf, text, time } from './read.js';

/** One answer of `GET /api/tenants/{tenant}/graph`: a page of the graph, or what changed of it. */
export interface Snapshot {
  /** Counts the events of the tenant. */
  readonly seq: number;
  /** Give it back to be told only what changed since. */
  readonly since: string | null;
  /** Holds only what changed since the one that was given. */
  readonly delta: boolean;
  /** Give it back for the next page; null on the last. */
  readonly next: string | null;
  readonly totals: { readonly schemas: number; readonly entities: number };
  /** Median duration of the tenant's recent analyses, milliseconds. */
  readonly typicalMs: number | null;
  /** Each with the number of its newest event. */
  readonly schemas: readonly (Schema & { readonly seq: number })[];
  readonly entities: readonly Entity[];
  /** All links of the schemas above. */
  readonly links: readonly Link[];
}

/** Reads a snapshot from JSON, as an Inertia prop or an answer of the API holds it. Throws when it is none. */
export function parseSnapshot(value: unknown): Snapshot {
  const json = object(value);
  if (!json || !Array.isArray(json.schemas))
    throw new Error('the answer is no snapshot of a graph: it has no list "schemas"');
  const totals = object(json.totals);
  const schemas = present(json.schemas.map(schemaOf));
  const entities = present(list(json.entities).map(entityOf));
  return {
    seq: number(json.seq) ?? 0,
    since: text(json.since),
    delta: json.delta === true,
    next: text(json.next),
    totals: {
      schemas: number(totals?.schemas) ?? schemas.length,
      entities: number(totals?.entities) ?? entities.length,
    },
    typicalMs: number(json.typical_ms),
    schemas,
    entities,
    links: present(list(json.links).map(linkOf)),
  };
}

function schemaOf(value: unknown): (Schema & { seq: number }) | null {
  const json = object(value);
  const schemaId = id(json?.id);
  if (!json || schemaId === null) return null;
  const run = runOf(json.run);
  return {
    id: schemaId,
    seq: number(json.seq) ?? 0,
    name: text(json.name),
    hash: text(json.hash) ?? '',
    fields: fieldsOf(json.fields),
    status: oneOf(json.status, ['pending', 'confirmed', 'rejected'], 'pending'),
    analysis: oneOf(json.ai_analysis_status, ['pending', 'processing', 'completed', 'failed', 'disabled'], 'pending'),
    run,
    progress: null,
    error: text(json.error),
    code: text(object(json.run)?.code),
    confidence: number(json.confidence),
    needsReview: json.needs_review === true,
    engine: text(json.engine),
    createdAt: time(json.created_at),
    analyzedAt: time(json.analyzed_at),
  };
}

/** Reads a run as snapshots and details hold it. */
export function runOf(value: unknown): Run | null {
  const json = object(value);
  const runId = text(json?.id);
  if (!json || !runId) return null;
  return {
    id: runId,
    state: oneOf(json.state, ['requested', 'running', 'completed', 'failed'], 'completed'),
    attempts: number(json.attempts) ?? 0,
    maxAttempts: number(json.max_attempts) ?? 0,
    requestedAt: time(json.requested_at),
    startedAt: time(json.started_at),
    endedAt: time(json.ended_at),
    retryAt: time(json.retry_at),
  };
}

export function entityOf(value: unknown): Entity | null {
  const json = object(value);
  const entityId = id(json?.id);
  return json && entityId !== null
    ? { id: entityId, name: text(json.name) ?? `Entity ${entityId}`, fields: fieldsOf(json.fields) }
    : null;
}

function linkOf(value: unknown): Link | null {
  const json: Json | null = object(value);
  const schemaId = id(json?.schema_id);
  const entityId = id(json?.entity_id);
  if (!json || schemaId === null || entityId === null) return null;
  return {
    schemaId,
    entityId,
    fields: number(json.fields) ?? 0,
    confidence: number(json.confidence),
    low: number(json.low),
    byHand: number(json.by_hand) ?? 0,
  };
}

export const present = <T>(items: readonly (T | null)[]): T[] => items.filter(item => item !== null);
