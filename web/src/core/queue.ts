import type { AnalysisEvent } from './events.js';

/** Where there are no frames, as in a hidden tab. Milliseconds. */
const frame = 50;
/** Of the time of a page, at most one part in so many goes into showing events. */
const share = 4;
/** What is shown is never later than this. Milliseconds. */
const longest = 200;

/**
 * Holds events until the next frame, so that a hundred of them are one change; where a change takes long, as with
 * hundreds of nodes, a little longer, so that the page can still be used. The end of an analysis waits until its start
 * has been shown for `dwell` milliseconds: one that takes no time can be seen.
 */
export class EventQueue {
  private waiting: AnalysisEvent[] = [];
  /** When starts were shown whose end is to come, by schema. */
  private readonly shown = new Map<number, number>();
  private callOff: (() => void) | null = null;
  /** When the next change may be: as `performance.now` tells. */
  private next = 0;

  constructor(
    private readonly dwell: number,
    private readonly show: (events: readonly AnalysisEvent[], now: number) => void,
  ) {}

  push(event: AnalysisEvent): void {
    this.waiting.push(event);
    this.callOff ??= this.soon();
  }

  private soon(): () => void {
    const delay = this.next - performance.now();
    return delay > 0 ? after(delay, this.flush) : nextFrame(this.flush);
  }

  /** Forgets what has not been shown. */
  clear(): void {
    this.callOff?.();
    this.callOff = null;
    this.waiting = [];
    this.shown.clear();
  }

  private readonly flush = (): void => {
    this.callOff?.();
    this.callOff = null;
    const now = Date.now();
    const ripe = this.ripe(now);
    if (ripe.length > 0) {
      const began = performance.now();
      this.show(ripe, now);
      // React renders in a microtask that it has queued by now.
      queueMicrotask(() => {
        const ended = performance.now();
        this.next = ended + Math.min((share - 1) * (ended - began), longest);
      });
    }
    if (this.waiting.length > 0) this.callOff ??= after(frame, this.flush);
  };

  private ripe(now: number): readonly AnalysisEvent[] {
    const ripe: AnalysisEvent[] = [];
    const waiting: AnalysisEvent[] = [];
    for (const event of this.waiting) {
      const since = this.shown.get(event.schemaId);
      const early = since !== undefined && now - since < this.dwell;
      if (event.kind === 'started') this.shown.set(event.schemaId, now);
      else if (event.kind !== 'progress' && !early) this.shown.delete(event.schemaId);
      if (early && event.kind !== 'started' && event.kind !== 'progress') waiting.push(event);
      else ripe.push(event);
    }
    this.waiting = waiting;
    return ripe;
  }
}

function after(delay: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delay);
  return () => clearTimeout(timer);
}

/** Calls back with the next frame, or soon where there are none. Returns how to call that off. */
function nextFrame(callback: () => void): () => void {
  const callOff = after(frame, callback);
  if (typeof requestAnimationFrame === 'undefined') return callOff;
  const handle = requestAnimationFrame(callback);
  return () => {
    callOff();
    cancelAnimationFrame(handle);
  };
}
