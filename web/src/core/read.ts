/** Reads values of foreign JSON: whatever comes, these return the type that they promise, and never throw. */

export type Json = Readonly<Record<string, unknown>>;

export const object = (value: unknown): Json | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

/** An id of a row: a positive whole number, also written as text. */
export const id = (value: unknown): number | null => {
  const n = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof n === 'number' && Number.isSafeInteger(n) && n > 0 ? n : null;
};

/** Epoch milliseconds of an ISO time. */
export const time = (value: unknown): number | null => {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
};

export const oneOf = <T extends string>(value: unknown, words: readonly T[], fallback: T): T =>
  words.find(word => word === value) ?? fallback;
