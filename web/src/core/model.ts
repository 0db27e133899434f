/** The vocabulary of the dashboard. Ids and words are those of the app's tables and of the service's events. */

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly required?: boolean;
}

/** What a human decided about a schema. */
export type Confirmation = 'pending' | 'confirmed' | 'rejected';

/** How far the analysis of a schema is: the app's column `ai_analysis_status`. */
export type AnalysisStatus = 'pending' | 'processing' | 'completed' | 'failed' | 'disabled';

/** One request for an analysis, from the moment somebody asked to its end. Times are epoch milliseconds. */
export interface Run {
  readonly id: string;
  readonly state: 'requested' | 'running' | 'completed' | 'failed';
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly requestedAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** When the next attempt is due, while the run waits for one. */
  readonly retryAt: number | null;
}

export interface Progress {
  readonly stage: string;
  readonly done: number;
  /** 0 when nobody knows how much there is. */
  readonly total: number;
}

/** A bronze schema: the shape of a source, as the data lake found it. */
export interface Schema {
  readonly id: number;
  readonly name: string | null;
  readonly hash: string;
  readonly fields: readonly Field[];
  readonly status: Confirmation;
  readonly analysis: AnalysisStatus;
  readonly run: Run | null;
  readonly progress: Progress | null;
  /** Why the analysis failed, or why its last attempt did while it goes on. */
  readonly error: string | null;
  readonly code: string | null;
  /** Of the decision for the entity, 0 to 1. */
  readonly confidence: number | null;
  readonly needsReview: boolean;
  readonly engine: string | null;
  readonly createdAt: number | null;
  readonly analyzedAt: number | null;
}

/** A silver schema: one of the tenant's canonical entities. */
export interface Entity {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly Field[];
}

/** All field mappings between one schema and one entity, summed up. */
export interface Link {
  readonly schemaId: number;
  readonly entityId: number;
  readonly fields: number;
  /** Mean over the mappings, 0 to 1; null when no analysis proposed one of them, or nobody knows yet. */
  readonly confidence: number | null;
  /** The smallest of them. */
  readonly low: number | null;
  /** How many were made by hand. */
  readonly byHand: number;
}

/** What a person reads for a schema without a name is its hash. */
export const titleOf = (schema: Pick<Schema, 'id' | 'name' | 'hash'>): string =>
  schema.name?.trim() || `Schema ${schema.hash || schema.id}`;

/** Whether somebody works on the schema, or is about to. */
export const isBusy = (schema: Schema): boolean =>
  schema.analysis === 'processing' || schema.run?.state === 'running' || schema.run?.state === 'requested';
