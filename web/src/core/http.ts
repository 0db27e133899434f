import type { FetchSnapshot } from './live.js';
import { object, text } from './read.js';
import { parseSnapshot } from './snapshot.js';

/** An answer of the API that is none of the good ones. */
export class HttpError extends Error {
  constructor(
    /** 0 when there was no answer. */
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'HttpError';
  }
}

/** Asks the API, and returns the body of a good answer; rejects with an HttpError otherwise. */
export async function ask(
  url: string,
  init: RequestInit = {},
): Promise<{ status: number; body: unknown; etag: string | null }> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new HttpError(0, 'the server does not answer');
  }
  const body: unknown =
    response.status === 204 || response.status === 304 ? null : await response.json().catch(() => null);
  if (!response.ok && response.status !== 304) {
    throw new HttpError(response.status, text(object(body)?.error) ?? `the server answers ${response.status}`);
  }
  return { status: response.status, body, etag: response.headers.get('ETag') };
}

/** Reads snapshots of a tenant from the worker's API, or from one that answers alike. */
export function graphFetcher(base: string, tenantId: string): FetchSnapshot {
  let etag: string | null = null;
  return async ({ since, cursor, signal }) => {
    const url = new URL(`${base}/api/tenants/${encodeURIComponent(tenantId)}/graph`, globalThis.location?.href);
    if (since) url.searchParams.set('since', since);
    if (cursor) url.searchParams.set('cursor', cursor);
    // The tag tells of the whole tenant: it goes with the question whether anything has changed.
    const headers: HeadersInit = etag && since ? { 'If-None-Match': etag } : {};
    const answer = await ask(url.href, { signal, headers });
    if (answer.status === 304) return null;
    const snapshot = parseSnapshot(answer.body);
    if (cursor === null) etag = answer.etag;
    return snapshot;
  };
}
