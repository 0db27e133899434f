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
} from '@xyflow/react';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import {
  type Bands,
  type Detail,
  defaultBands,
  type Found,
  type Schema,
  type Selection,
  type State,
} from '../core/index.js';
import { Builder, type FlowNode, keyOf, selectionOf } from './build.js';
import { useCamera } from './camera.js';
import { useColumns, useFresh } from './columns.js';
import { type FlowActions, FlowContext } from './context.js';
import { edgeTypes } from './edges.js';
import { useFocusKeeper, useKeyboard } from './keyboard.js';
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
/** Fewer are seen at once, and of more the two columns are a line. */
const miniMap = { from: 30, upTo: 200 };

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
          {nodes.length >= miniMap.from && nodes.length <= miniMap.upTo && (
            <MiniMap<FlowNode> position="top-right" pannable zoomable nodeClassName={miniClass} ariaLabel="Overview" />
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
