import { fieldsOf } from './fields.js';
import type { Field } from './model.js';
import { id, type Json, number, object, oneOf, text, time } from './read.js';

/** Names on the wire. Laravel Echo wants them with a dot in front: without, it looks for a class of the app. */
export const ANALYSIS = 'schema.analysis';
export const PROGRESS = 'schema.analysis.progress';

interface Envelope {
  readonly schemaId: number;
  readonly tenantId: string;
  readonly eventId: string;
  readonly runId: string;
  /** Counts the events of a schema, over all its runs. */
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface Started extends Envelope {
  readonly kind: 'started';
  readonly name: string | null;
  readonly hash: string;
  /** Null when the event was too large to carry them. */
  readonly fields: readonly Field[] | null;
}

export interface Progressed extends Envelope {
  readonly kind: 'progress';
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

export interface Completed extends Envelope {
  readonly kind: 'completed';
  /** Null when the event was too large to carry it: the snapshot has it. */
  readonly schema: CompletedSchema | null;
  /** Null when nothing was mapped, or as above. */
  readonly entity: { readonly id: number; readonly name: string; readonly fields: readonly Field[] | null } | null;
  readonly mappings: number;
}

interface CompletedSchema {
  readonly name: string | null;
  readonly hash: string;
  readonly status: 'pending' | 'confirmed' | 'rejected';
  readonly fields: readonly Field[] | null;
  readonly createdAt: number | null;
}

export interface Failed extends Envelope {
  readonly kind: 'failed';
  readonly error: string;
  readonly code: string | null;
}

export type AnalysisEvent = Started | Progressed | Completed | Failed;

/** Why an event was left out. */
export type Ignored = 'malformed' | 'version' | 'status' | 'tenant';

/**
 * Reads what came under a name on the channel of a tenant. Whatever it is, nothing is thrown: what is not understood
 * is returned as the reason, so that it can be counted, and the database be asked instead.
 */
export function parseEvent(name: string, payload: unknown, tenantId: string): AnalysisEvent | Ignored {
  const event = object(payload);
  const data = object(event?.data);
  if (!event || !data) return 'malformed';
  if (event.tenant_id !== tenantId) return 'tenant';
  if (event.v !== 1) return 'version';
  const schemaId = id(event.schema_id);
  const seq = number(event.seq);
  const eventId = text(event.event_id);
  if (schemaId === null || seq === null || seq < 1 || !eventId) return 'malformed';
  const envelope = {
    schemaId,
    tenantId,
    eventId,
    seq,
    runId: text(event.run_id) ?? '',
    at: time(event.timestamp) ?? 0,
  };
  if (name === PROGRESS) {
    const { stage, done, total } = data;
    return {
      ...envelope,
      kind: 'progress',
      stage: text(stage) ?? '',
      done: number(done) ?? 0,
      total: number(total) ?? 0,
    };
  }
  if (name !== ANALYSIS) return 'status';
  const cut = new Set(Array.isArray(event.truncated) ? event.truncated : []);
  const fields = (of: Json) => (cut.has('detected_fields') ? null : fieldsOf(of.detected_fields));
  switch (event.status) {
    case 'started':
      return { ...envelope, kind: 'started', name: text(data.name), hash: text(data.hash) ?? '', fields: fields(data) };
    case 'completed':
      return { ...envelope, kind: 'completed', ...completed(data, fields) };
    case 'failed':
      return { ...envelope, kind: 'failed', error: text(data.error) ?? 'no reason was given', code: text(data.code) };
    default:
      return 'status';
  }
}

function completed(data: Json, fields: (of: Json) => readonly Field[] | null) {
  const bronze = object(data.bronze_schema);
  const silver = object(data.silver_entity);
  const entityId = id(silver?.id);
  return {
    mappings: number(data.mappings_count) ?? 0,
    schema: bronze && {
      name: text(bronze.name),
      hash: text(bronze.hash) ?? '',
      status: oneOf(bronze.status, ['pending', 'confirmed', 'rejected'], 'pending'),
      fields: fields(bronze),
      createdAt: time(bronze.created_at),
    },
    entity:
      silver && entityId !== null
        ? { id: entityId, name: text(silver.name) ?? `Entity ${entityId}`, fields: fields(silver) }
        : null,
  };
}
