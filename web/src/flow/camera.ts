import { useReactFlow, useStoreApi } from '@xyflow/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Selection, State } from '../core/index.js';
import { entityNodeId, type FlowNode, keyOf, nodeIdOf } from './build.js';
import { size } from './layout.js';

/** Up to this many nodes the whole graph is kept in view; above, what is new is. */
const fitUpTo = 24;
/** The smallest zoom at which names can be read. */
const readable = 0.72;

export interface Camera {
  readonly following: boolean;
  readonly toggle: () => void;
  readonly release: () => void;
  readonly fit: () => void;
  /** After the next picture. */
  readonly fitSoon: () => void;
  readonly clicked: (selection: Selection | null) => void;
  readonly show: (selection: Selection) => void;
}

/** Around a graph that is seen whole: below it are the controls and the legend. Pixels. */
const margins = { side: 40, top: 32, bottom: 112 };
const padding = { x: `${margins.side}px`, top: `${margins.top}px`, bottom: `${margins.bottom}px` } as const;

/** Keeps what happens in view, until somebody looks elsewhere. */
export function useCamera(graph: State, loaded: boolean, nodes: readonly FlowNode[]): Camera {
  const { fitView, setCenter, setViewport, getZoom, getNode, getNodes, getNodesBounds } = useReactFlow();
  const store = useStoreApi();
  const [following, setFollowing] = useState(true);
  const clickedOn = useRef<string | null>(null);
  const seen = useRef<{ tenant: string; ids: ReadonlySet<number> } | null>(null);
  const fit = useCallback(() => void fitView({ padding, maxZoom: 1, duration: motion(300) }), [fitView]);
  const fitSoon = useCallback(() => requestAnimationFrame(() => requestAnimationFrame(fit)), [fit]);
  /** The first picture can be read: small graphs are seen whole, of large ones the top. */
  const begin = useCallback(() => {
    const bounds = getNodesBounds(getNodes());
    const { width, height } = store.getState();
    const room = height - margins.top - margins.bottom;
    const whole = Math.min((width - 2 * margins.side) / bounds.width, room / bounds.height);
    const zoom = Math.min(1, Math.max(whole, readable));
    const y = margins.top + (whole >= readable ? (room - bounds.height * zoom) / 2 : 0);
    void setViewport({ x: (width - bounds.width * zoom) / 2 - bounds.x * zoom, y: y - bounds.y * zoom, zoom });
  }, [getNodes, getNodesBounds, setViewport, store]);
  const centre = useCallback(
    (id: string, duration: number) => {
      const node = getNode(id);
      if (!node) return;
      const { x, y } = node.position;
      const zoom = Math.max(getZoom(), readable);
      // Both columns stay in view where there is room for them.
      const whole = size.columns + size.width;
      const middle = store.getState().width > (whole + 40) * zoom ? whole / 2 : x + (node.width ?? 0) / 2;
      void setCenter(middle, y + (node.height ?? 0) / 2, { zoom, duration });
    },
    [getNode, getZoom, setCenter, store],
  );
  useEffect(() => {
    if (!loaded) return;
    const before = seen.current?.tenant === graph.tenantId ? seen.current.ids : null;
    const ids = new Set(graph.schemas.keys());
    seen.current = { tenant: graph.tenantId, ids };
    if (before === null) return void requestAnimationFrame(() => begin());
    const newest = [...ids].filter(id => !before.has(id)).at(-1);
    if (!following || newest === undefined) return;
    if (nodes.length <= fitUpTo) return void requestAnimationFrame(begin);
    const schema = graph.schemas.get(newest);
    if (schema) requestAnimationFrame(() => centre(nodeIdOf(schema), motion(400)));
  }, [graph.tenantId, graph.schemas, loaded, following, nodes.length, begin, centre]);
  const { schemas } = graph;
  const latest = useRef(schemas);
  latest.current = schemas;
  const show = useCallback(
    (selection: Selection) => {
      if (clickedOn.current === keyOf(selection)) return;
      const schema = latest.current.get(selection.id);
      centre(selection.kind === 'entity' ? entityNodeId(selection.id) : schema ? nodeIdOf(schema) : '', motion(250));
    },
    [centre],
  );
  return {
    following,
    toggle: useCallback(() => setFollowing(on => !on), []),
    release: useCallback(() => setFollowing(false), []),
    fit,
    fitSoon,
    show,
    clicked: useCallback(selection => {
      clickedOn.current = selection && keyOf(selection);
    }, []),
  };
}

/** No motion for who asked for none. */
const motion = (ms: number): number => (globalThis.matchMedia?.('(prefers-reduced-motion: reduce)').matches ? 0 : ms);
