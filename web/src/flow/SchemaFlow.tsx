import {
  Background,
  type ColorMode,
  MiniMap,
  type NodeChange,
  Panel,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
  useStoreApi,
} from '@xyflow/react';
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import {
  type Bands,
  type Detail,
  defaultBands,
  type Found,
  type Schema,
  type Selection,
  type State,
} from '../core/index.js';
import { Builder, entityNodeId, type FlowNode, keyOf, nodeIdOf, selectionOf } from './build.js';
import { type FlowActions, FlowContext } from './context.js';
import { edgeTypes } from './edges.js';
import { neighbour } from './keyboard.js';
import { type Columns, extend, noColumns, size, tidy } from './layout.js';
import { nodeTypes, type SchemaNode } from './nodes.js';
import { stateOf } from './words.js';

export interface SchemaFlowProps {
  /** `graph` of `useSchemaAnalysis`. */
  readonly graph: State;
  /** Whether all of it has come; before, nothing is new. Defaults to true. */
  readonly loaded?: boolean;
  readonly selection?: Selection | null;
  readonly onSelect?: (selection: Selection | null) => void;
  /** What a search has found: the rest steps back. */
  readonly found?: Found | null;
  /** Which schemas are shown. Defaults to all. */
  readonly visible?: (schema: Schema) => boolean;
  /** Hides links with a smaller confidence, 0 to 1. Defaults to 0. */
  readonly threshold?: number;
  /** Defaults to 0.9 and 0.7. */
  readonly bands?: Bands;
  /** Defaults to system. */
  readonly colorMode?: ColorMode;
  /** Mappings of schemas, for edges between fields. */
  readonly details?: ReadonlyMap<number, Detail>;
  /** A schema was expanded: time to bring its details. */
  readonly onExpand?: (schemaId: number) => void;
  readonly onRetry?: (schemaId: number) => void;
  readonly onCopy?: (schemaId: number) => void;
  readonly children?: ReactNode;
}

/**
 * The graph: bronze schemas on the left, canonical entities on the right. It fills its parent, which needs a height.
 * No event moves a node; what is new comes at the end of its column.
 */
export function SchemaFlow(props: SchemaFlowProps) {
  const mode = props.colorMode ?? 'system';
  return (
    <div className="sc-root sc-flow" data-mode={mode}>
      <ReactFlowProvider>
        <Flow {...props} />
      </ReactFlowProvider>
    </div>
  );
}

const everything = () => true;
const noDetails: ReadonlyMap<number, Detail> = new Map();
/** Above this only what can be seen is rendered. */
const sparseAbove = 200;
const miniMapFrom = 30;
const miniMapUpTo = 2000;
/** Up to this the whole graph is kept in view; above, what is new is. */
const fitUpTo = 24;
/** The smallest zoom at which names can be read. */
const readable = 0.72;
const freshFor = 2000;

function Flow(props: SchemaFlowProps) {
  const { graph, loaded = true, selection = null, onSelect, found = null, visible = everything, threshold = 0 } = props;
  const { bands = defaultBands, colorMode = 'system', details = noDetails, onExpand, onRetry, onCopy } = props;
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  const [moved, setMoved] = useState<ReadonlyMap<string, { x: number; y: number }>>(new Map());
  const { columns, tidyUp } = useColumns(graph, loaded);
  const fresh = useFresh(graph, loaded);
  const builder = useRef<Builder>(null);
  builder.current ??= new Builder();
  const view = { columns, expanded, moved, selection, found, visible, threshold, bands, details, fresh };
  const { nodes, edges } = builder.current.build(graph, view);

  const expand = useCallback(
    (node: Selection) => {
      const key = keyOf(node);
      if (!expanded.has(key) && node.kind === 'schema') onExpand?.(node.id);
      setExpanded(toggled(expanded, key));
    },
    [expanded, onExpand],
  );
  const actions = useStable<FlowActions>({ expand, retry: onRetry, copy: onCopy, bands, typicalMs: graph.typicalMs });
  const camera = useCamera(graph, loaded, nodes);
  const move = useCallback((changes: NodeChange<FlowNode>[]) => setMoved(old => afterMoves(old, changes)), []);
  const onKeyDown = useKeyboard({ nodes, graph, selection, onSelect, expand });
  // A selection that comes from elsewhere, as from a list or an address, is brought into view.
  useEffect(() => {
    if (selection && loaded) requestAnimationFrame(() => requestAnimationFrame(() => camera.show(selection)));
  }, [selection, loaded, camera.show]);
  useFocusKeeper(nodes);

  return (
    <FlowContext.Provider value={actions}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys bubble up from the nodes, which are focusable */}
      <div className="sc-canvas" onKeyDown={onKeyDown}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          colorMode={colorMode}
          onNodesChange={move}
          onNodeClick={(_, node) => {
            camera.clicked(selectionOf(node.id));
            onSelect?.(selectionOf(node.id));
          }}
          onNodeDoubleClick={(_, node) => {
            const of = selectionOf(node.id);
            if (of) expand(of);
          }}
          onPaneClick={() => onSelect?.(null)}
          onMoveStart={event => event && camera.release()}
          nodesConnectable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          nodesFocusable
          disableKeyboardA11y
          zoomOnDoubleClick={false}
          onlyRenderVisibleElements={nodes.length > sparseAbove}
          minZoom={0.1}
          maxZoom={2}
          defaultViewport={{ x: 40, y: 40, zoom: 0.9 }}
          ariaLabelConfig={{
            'node.a11yDescription.default':
              'Enter selects and shows the fields, arrow keys go to neighbours, Escape clears.',
          }}
          proOptions={{ hideAttribution: false }}
        >
          <Background gap={24} size={1.2} />
          {nodes.length >= miniMapFrom && nodes.length <= miniMapUpTo && (
            <MiniMap<FlowNode> pannable zoomable nodeClassName={miniClass} ariaLabel="Overview" />
          )}
          <Panel position="bottom-left" className="sc-controls">
            <ZoomButtons />
            <button type="button" onClick={camera.fit}>
              Fit
            </button>
            <button
              type="button"
              onClick={() => {
                setMoved(new Map());
                tidyUp();
                camera.fitSoon();
              }}
            >
              Tidy
            </button>
            <button
              type="button"
              aria-pressed={camera.following}
              onClick={camera.toggle}
              title="Keep what is new in view"
            >
              Follow
            </button>
          </Panel>
          {props.children}
        </ReactFlow>
      </div>
    </FlowContext.Provider>
  );
}

const miniClass = (node: FlowNode): string =>
  node.type === 'entitySchema'
    ? 'sc-mini sc-mini--entity'
    : `sc-mini sc-mini--${stateOf((node as SchemaNode).data.schema)}`;

function ZoomButtons() {
  const { zoomIn, zoomOut } = useReactFlow();
  const zoom = useStore(state => Math.round(state.transform[2] * 100));
  return (
    <>
      <button type="button" aria-label="Zoom out" onClick={() => void zoomOut({ duration: 150 })}>
        −
      </button>
      <output className="sc-zoom">{zoom}%</output>
      <button type="button" aria-label="Zoom in" onClick={() => void zoomIn({ duration: 150 })}>
        +
      </button>
    </>
  );
}

/** Where nodes are. Until all has come they are ordered anew; then they stay. */
function useColumns(graph: State, loaded: boolean): { columns: Columns; tidyUp: () => void } {
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
function useFresh(graph: State, loaded: boolean): ReadonlySet<string> {
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

interface Camera {
  readonly following: boolean;
  readonly toggle: () => void;
  readonly release: () => void;
  readonly fit: () => void;
  /** After the next picture. */
  readonly fitSoon: () => void;
  readonly clicked: (selection: Selection | null) => void;
  readonly show: (selection: Selection) => void;
}

/** Keeps what happens in view, until somebody looks elsewhere. */
function useCamera(graph: State, loaded: boolean, nodes: readonly FlowNode[]): Camera {
  const { fitView, setCenter, setViewport, getZoom, getNode, getNodes, getNodesBounds } = useReactFlow();
  const store = useStoreApi();
  const [following, setFollowing] = useState(true);
  const clickedOn = useRef<string | null>(null);
  const seen = useRef<{ tenant: string; ids: ReadonlySet<number> } | null>(null);
  const fit = useCallback(() => void fitView({ padding: 0.12, maxZoom: 1, duration: motion(300) }), [fitView]);
  const fitSoon = useCallback(() => requestAnimationFrame(() => requestAnimationFrame(fit)), [fit]);
  /** The first picture can be read: small graphs are seen whole, of large ones the top. */
  const begin = useCallback(() => {
    const bounds = getNodesBounds(getNodes());
    const { width, height } = store.getState();
    const whole = Math.min(width / (bounds.width + 80), height / (bounds.height + 120));
    const zoom = Math.min(1, Math.max(whole, readable));
    const y = whole >= readable ? (height - bounds.height * zoom) / 2 : 32;
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

interface KeyboardParts {
  readonly nodes: readonly FlowNode[];
  readonly graph: State;
  readonly selection: Selection | null;
  readonly onSelect: ((selection: Selection | null) => void) | undefined;
  readonly expand: (node: Selection) => void;
}

function useKeyboard({ nodes, graph, selection, onSelect, expand }: KeyboardParts): (event: KeyboardEvent) => void {
  const { setCenter, getZoom } = useReactFlow();
  return event => {
    if (event.key === 'Escape') return onSelect?.(null);
    const element = (event.target as Element).closest('.react-flow__node');
    if (!element || event.target !== element) return; // a button within it
    const at = nodes.find(node => node.id === element.getAttribute('data-id'));
    const here = at && selectionOf(at.id);
    if (!here) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      const again = selection?.kind === here.kind && selection.id === here.id;
      if (again) expand(here);
      else onSelect?.(here);
      return;
    }
    const next = neighbour(event.key, at, nodes, graph);
    if (!next) return;
    event.preventDefault();
    const { x, y } = next.position;
    void setCenter(x + (next.width ?? 0) / 2, y + 60, { zoom: getZoom() }).then(() => focusSoon(next.id));
  };
}

/** Follows a focused node whose id changes with its state, so that a keyboard stays where it was. */
function useFocusKeeper(nodes: readonly FlowNode[]): void {
  const focused = useRef<string | null>(null);
  const id = document.activeElement?.closest('.react-flow__node')?.getAttribute('data-id');
  if (id) focused.current = id;
  useEffect(() => {
    const before = focused.current;
    if (!before || document.activeElement !== document.body || nodes.some(node => node.id === before)) return;
    const of = selectionOf(before);
    const now = of && nodes.find(node => keyOf(selectionOf(node.id) ?? of) === keyOf(of));
    focused.current = null;
    if (now) focusSoon(now.id);
  }, [nodes]);
}

/** A node outside of the view is rendered first. */
function focusSoon(nodeId: string, tries = 10): void {
  const element = document.querySelector<HTMLElement>(`.react-flow__node[data-id="${nodeId}"]`);
  if (element) element.focus();
  else if (tries > 0) requestAnimationFrame(() => focusSoon(nodeId, tries - 1));
}

function afterMoves(old: ReadonlyMap<string, { x: number; y: number }>, changes: readonly NodeChange<FlowNode>[]) {
  let moved: Map<string, { x: number; y: number }> | null = null;
  for (const change of changes) {
    const of = change.type === 'position' ? selectionOf(change.id) : null;
    if (change.type !== 'position' || !change.position || !of) continue;
    moved ??= new Map(old);
    moved.set(keyOf(of), change.position);
  }
  return moved ?? old;
}

function toggled(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** The same object as long as its values are. */
function useStable<T extends object>(value: T): T {
  const kept = useRef(value);
  const keys = Object.keys(value) as (keyof T)[];
  if (keys.some(key => kept.current[key] !== value[key])) kept.current = value;
  return kept.current;
}
