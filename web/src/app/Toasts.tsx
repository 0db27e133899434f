import { useCallback, useEffect, useRef, useState } from 'react';
import { titleOf } from '../core/index.js';
import type { SchemaAnalysis } from '../react/index.js';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: 'bad' | 'calm';
}

export interface ToastList {
  readonly list: readonly Toast[];
  readonly say: (text: string, tone?: Toast['tone']) => void;
  readonly drop: (id: number) => void;
}

const shownFor = 6000;
/** Failures come in crowds: one toast sums up what came since the last. */
const quietFor = 5000;

/** Only failures are worth an interruption, and at most one in five seconds. */
export function useToasts(analysis: SchemaAnalysis): ToastList {
  const [list, setList] = useState<readonly Toast[]>([]);
  const next = useRef(1);
  const drop = useCallback((id: number) => setList(old => old.filter(toast => toast.id !== id)), []);
  const say = useCallback(
    (text: string, tone: Toast['tone'] = 'bad') => {
      const id = next.current++;
      setList(old => [...old.slice(-2), { id, text, tone }]);
      setTimeout(() => drop(id), shownFor);
    },
    [drop],
  );
  const { happenings, schemas } = analysis.graph;
  const told = useRef({ ids: new Set<string>(), at: 0, waiting: [] as string[] });
  useEffect(() => {
    const state = told.current;
    for (const happening of happenings) {
      if (happening.kind !== 'failed' || state.ids.has(happening.eventId)) continue;
      state.ids.add(happening.eventId);
      const schema = schemas.get(happening.schemaId);
      state.waiting.push(`${schema ? titleOf(schema) : `Schema ${happening.schemaId}`}: ${happening.error}`);
    }
    if (state.waiting.length === 0) return;
    const timer = setTimeout(
      () => {
        const [first = '', ...more] = state.waiting.splice(0);
        state.at = Date.now();
        say(more.length === 0 ? first : `${more.length + 1} analyses failed. The first: ${first}`);
      },
      Math.max(0, state.at + quietFor - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [happenings, schemas, say]);
  return { list, say, drop };
}

export function Toasts({ toasts }: { toasts: ToastList }) {
  return (
    <div className="toasts" role="log" aria-live="polite">
      {toasts.list.map(toast => (
        <div key={toast.id} className={`toast toast--${toast.tone}`}>
          <bdi>{toast.text}</bdi>
          <button type="button" aria-label="Close" onClick={() => toasts.drop(toast.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
