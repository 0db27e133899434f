import { useCallback, useMemo, useRef, useState } from 'react';
import type { State } from '../core/index.js';
import { type Columns, extend, noColumns, tidy } from './layout.js';

/** How long what is new looks so, milliseconds. */
const freshFor = 2000;

/** Where nodes are. Until all has come they are ordered anew; then they stay. */
export function useColumns(graph: State, loaded: boolean): { columns: Columns; tidyUp: () => void } {
  const [, redraw] = useState(0);
  const kept = useRef<{ columns: Columns; settled: boolean; tenant: string }>({
    columns: noColumns,
    settled: false,
    tenant: graph.tenantId,
  });
  if (kept.current.tenant !== graph.tenantId)
    kept.current = { columns: noColumns, settled: false, tenant: graph.tenantId };
  const { columns, settled } = kept.current;
  kept.current.columns = useMemo(() => (settled ? extend(columns, graph) : tidy(graph)), [columns, settled, graph]);
  if (loaded) kept.current.settled = true;
  const tidyUp = useCallback(() => {
    kept.current = { ...kept.current, settled: false };
    redraw(n => n + 1);
  }, []);
  return { columns: kept.current.columns, tidyUp };
}

/** Ids of the edges that have just come. */
export function useFresh(graph: State, loaded: boolean): ReadonlySet<string> {
  const known = useRef<{ links: State['links']; fresh: Set<string> }>({ links: graph.links, fresh: new Set() });
  if (known.current.links !== graph.links) {
    const { links, fresh } = known.current;
    for (const [schemaId, list] of graph.links) {
      if (!loaded || links.get(schemaId) === list) continue;
      const old = new Set(links.get(schemaId)?.map(link => link.entityId));
      for (const link of list) {
        const id = `edge-${schemaId}-${link.entityId}`;
        if (old.has(link.entityId)) continue;
        fresh.add(id);
        setTimeout(() => fresh.delete(id), freshFor);
      }
    }
    known.current.links = graph.links;
  }
  return known.current.fresh;
}
