import { createContext, useContext, useEffect, useState } from 'react';
import { type Bands, defaultBands } from '../core/index.js';

/** What nodes can do, and what they need to know beside their own data. Stable, so that nodes do not render for it. */
export interface FlowActions {
  readonly expand: (node: { kind: 'schema' | 'entity'; id: number }) => void;
  /** Asks for an analysis; absent when the viewer can not. */
  readonly retry?: ((schemaId: number) => void) | undefined;
  readonly copy?: ((schemaId: number) => void) | undefined;
  readonly bands: Bands;
  /** Median duration of recent analyses, milliseconds. */
  readonly typicalMs: number | null;
}

export const FlowContext = createContext<FlowActions>({ expand: () => {}, bands: defaultBands, typicalMs: null });

export const useFlow = (): FlowActions => useContext(FlowContext);

/** The time, once a second. Only who shows a running clock renders for it. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
