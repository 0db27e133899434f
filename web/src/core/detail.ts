import { fieldsOf } from './fields.js';
import type { Entity, Field, Run } from './model.js';
import { list, number, object, text, time } from './read.js';
import { entityOf, present, runOf } from './snapshot.js';

/** One field mapping, with what speaks for it. */
export interface Mapping {
  readonly entityId: number;
  /** Names a source field, several with commas between them, none for a constant. */
  readonly source: string;
  readonly target: string;
  readonly formula: string | null;
  /** 0 to 1; null when it was made by hand. */
  readonly confidence: number | null;
  readonly why: string | null;
  readonly op: string | null;
  /** On how many sample rows the formula ran. */
  readonly verifiedRows: number | null;
  /** Why a person should look. */
  readonly review: readonly string[];
}

export interface Attempt {
  readonly attempt: number;
  readonly worker: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly error: string | null;
  readonly code: string | null;
}

export interface RunDetail extends Run {
  readonly requestedBy: string | null;
  readonly outcome: string | null;
  readonly error: string | null;
  readonly code: string | null;
  readonly history: readonly Attempt[];
}

export interface Decision {
  readonly action: string;
  readonly confidence: number | null;
  readonly why: string | null;
  readonly engine: string | null;
  readonly review: readonly string[];
  readonly usage: { readonly calls: number; readonly inputTokens: number; readonly outputTokens: number } | null;
}

/** What the API tells of one schema beyond the graph. */
export interface Detail {
  readonly schemaId: number;
  readonly fields: readonly Field[];
  readonly entity: Entity | null;
  /** Those to look at first come first. */
  readonly mappings: readonly Mapping[];
  /** Fields of the source that lead nowhere, and fields that the entity requires and nothing fills. */
  readonly unmapped: readonly { readonly source: string; readonly target: string; readonly why: string | null }[];
  readonly decision: Decision | null;
  /** Newest first. */
  readonly runs: readonly RunDetail[];
  /** Null when samples are not for this viewer. */
  readonly samples: readonly Readonly<Record<string, unknown>>[] | null;
}

/** Reads `GET /api/schemas/{id}`. */
export function parseDetail(value: unknown): Detail {
  const json = object(value);
  const schema = object(json?.schema);
  if (!json || !schema) throw new Error('the answer tells of no schema');
  const decision = object(json.decision);
  const usage = object(decision?.usage);
  return {
    schemaId: number(schema.id) ?? 0,
    fields: fieldsOf(schema.fields),
    entity: entityOf(json.entity),
    mappings: present(list(json.mappings).map(mappingOf)),
    unmapped: present(
      list(json.unmapped).map(item => {
        const json = object(item);
        return json && { source: text(json.source) ?? '', target: text(json.target) ?? '', why: text(json.why) };
      }),
    ),
    decision: decision && {
      action: text(decision.action) ?? '',
      confidence: number(decision.confidence),
      why: text(decision.why),
      engine: text(decision.engine),
      review: words(decision.review),
      usage: usage && {
        calls: number(usage.calls) ?? 0,
        inputTokens: number(usage.input_tokens) ?? 0,
        outputTokens: number(usage.output_tokens) ?? 0,
      },
    },
    runs: present(list(json.runs).map(runDetailOf)),
    samples: json.samples === null ? null : present(list(json.samples).map(object)),
  };
}

function mappingOf(value: unknown): Mapping | null {
  const json = object(value);
  const target = text(json?.target);
  if (!json || target === null) return null;
  return {
    entityId: number(json.entity_id) ?? 0,
    source: text(json.source) ?? '',
    target,
    formula: text(json.formula),
    confidence: number(json.confidence),
    why: text(json.why),
    op: text(json.op),
    verifiedRows: number(json.verified_rows),
    review: words(json.review),
  };
}

function runDetailOf(value: unknown): RunDetail | null {
  const json = object(value);
  const run = runOf(value);
  if (!json || !run) return null;
  return {
    ...run,
    requestedBy: text(json.requested_by),
    outcome: text(json.outcome),
    error: text(json.error),
    code: text(json.code),
    history: present(list(json.history).map(attemptOf)),
  };
}

function attemptOf(value: unknown): Attempt | null {
  const json = object(value);
  if (!json) return null;
  return {
    attempt: number(json.attempt) ?? 0,
    worker: text(json.worker) ?? '',
    startedAt: time(json.started_at),
    endedAt: time(json.ended_at),
    error: text(json.error),
    code: text(json.code),
  };
}

const words = (value: unknown): string[] => present(list(value).map(text));
