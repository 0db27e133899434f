import type { Signal, Transport } from '../src/core/index.js';
import { nameOf, type Wire } from './wire.js';

/** A way to events that the test holds in its hands. */
export class FakeTransport implements Transport {
  listeners = 0;
  reconnects = 0;
  private onEvent: ((name: string, payload: unknown) => void) | null = null;
  private onSignal: ((signal: Signal, reason: string | null) => void) | null = null;

  subscribe(
    _: readonly string[],
    onEvent: (name: string, payload: unknown) => void,
    onSignal: (signal: Signal, reason: string | null) => void,
  ) {
    this.listeners++;
    this.onEvent = onEvent;
    this.onSignal = onSignal;
    onSignal('connecting', null);
    return {
      off: () => {
        this.listeners--;
      },
    };
  }

  reconnect() {
    this.reconnects++;
  }

  signal(signal: Signal, reason: string | null = null) {
    this.onSignal?.(signal, reason);
  }

  send(...wires: Wire[]) {
    for (const wire of wires) this.onEvent?.(nameOf(wire), JSON.parse(JSON.stringify(wire)));
  }
}

/** A graph as the API answers it. */
export function graphOf(schemas: readonly Record<string, unknown>[], more: Record<string, unknown> = {}) {
  return {
    seq: 1,
    since: 's1',
    delta: false,
    next: null,
    totals: { schemas: schemas.length, entities: 0 },
    typical_ms: 1200,
    schemas: schemas.map(schema => ({
      name: null,
      hash: 'h',
      status: 'confirmed',
      ai_analysis_status: 'completed',
      fields: [],
      seq: 1,
      run: null,
      ...schema,
    })),
    entities: [],
    links: [],
    ...more,
  };
}
