import type { Progress, Schema } from '../core/index.js';

/** Texts that several parts show. */

// Made once: toLocaleString makes one each time, which took a tenth of a burst of events.
const numbers = new Intl.NumberFormat('en');
const times = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' });

export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${numbers.format(n)} ${n === 1 ? one : many}`;

export const percent = (share: number): string => `${Math.round(share * 100)}\u202f%`;

/** 0:07, 12:30, 1:02:03. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 340 ms, 2.1 s, 3 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

export const timeOfDay = (ms: number): string => times.format(ms);

const stages: Record<string, string> = {
  match: 'comparing with entities',
  ask: 'asking the model',
  verify: 'checking the answer',
};

/** What an analysis is doing, without a percentage that nobody knows. */
export function stageOf(progress: Progress | null): string | null {
  if (!progress) return null;
  const stage = stages[progress.stage] ?? progress.stage;
  return progress.total > 1 ? `${stage}, ${progress.done} of ${progress.total}` : stage;
}

/** One word for the state of a schema. */
export function stateOf(
  schema: Schema,
): 'queued' | 'analyzing' | 'failed' | 'review' | 'completed' | 'new' | 'disabled' {
  if (schema.analysis === 'processing' || schema.run?.state === 'running') return 'analyzing';
  if (schema.run?.state === 'requested') return 'queued';
  if (schema.analysis === 'failed') return 'failed';
  if (schema.analysis === 'disabled') return 'disabled';
  if (schema.analysis === 'completed') return schema.needsReview ? 'review' : 'completed';
  return 'new';
}
