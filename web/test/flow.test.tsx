import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { ReactFlowProvider } from '@xyflow/react';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  type AnalysisEvent,
  defaultBands,
  emptyState,
  parseDetail,
  parseEvent,
  reduce,
  type Schema,
  type State,
} from '../src/core/index.js';
import { AnalyzingSchemaNode, Builder, FlowContext, SchemaFlow, tidy, type View } from '../src/flow/index.js';
import { completed, failed, nameOf, progress, reduced, started, tenant, type Wire } from './wire.js';

beforeAll(() => {
  // happy-dom lays nothing out: React Flow gets a size to draw in.
  Object.defineProperties(HTMLElement.prototype, {
    offsetWidth: { get: () => 1200 },
    offsetHeight: { get: () => 800 },
  });
  globalThis.DOMMatrixReadOnly ??= class {
    m22 = 1;
  } as unknown as typeof DOMMatrixReadOnly;
});
afterEach(cleanup);

const stateOf = (...wires: Wire[]): State => {
  const events = wires.map(wire => parseEvent(nameOf(wire), wire, tenant));
  return reduce(emptyState(tenant), {
    type: 'events',
    events: events.filter(e => typeof e !== 'string') as AnalysisEvent[],
    now: Date.now(),
  });
};

const details = new Map();

const view = (graph: State, more: Partial<View> = {}): View => ({
  columns: tidy(graph),
  expanded: new Set(),
  moved: new Map(),
  selection: null,
  found: null,
  visible: () => true,
  threshold: 0,
  bands: defaultBands,
  details,
  fresh: new Set(),
  ...more,
});

test('ids, types and labels are those of the app', () => {
  const graph = stateOf(completed(1, 1, 'r', 1000), started(2, 1), started(3, 1), failed(3, 2));
  const { nodes, edges } = new Builder().build(graph, view(graph));
  expect(nodes.map(node => [node.id, node.type])).toEqual([
    ['schema-1', 'sourceSchema'],
    ['analyzing-2', 'analyzingSchema'],
    ['analyzing-3', 'analyzingSchema'],
    ['entity-1000', 'entitySchema'],
  ]);
  expect(edges).toMatchObject([
    { id: 'edge-1-1000', type: 'staggered', source: 'schema-1', target: 'entity-1000', label: '2 fields' },
  ]);
});

test('a node keeps its place when it is done, and what has not changed is the same object', () => {
  const builder = new Builder();
  const before = stateOf(completed(1, 1, 'r', 1000), started(2, 1));
  const columns = tidy(before);
  const first = builder.build(before, view(before, { columns }));
  const event = parseEvent('schema.analysis', completed(2, 2, 'r1', 1000), tenant) as AnalysisEvent;
  const after = reduce(before, { type: 'events', events: [event], now: 2 });
  const second = builder.build(after, view(after, { columns }));
  expect(second.nodes[1]).toMatchObject({ id: 'schema-2', position: first.nodes[1]?.position });
  expect(second.nodes[0]).toBe(first.nodes[0]);
  expect(second.edges[0]).toBe(first.edges[0]);
});

test('an expanded schema has an edge for each mapping, between fields', () => {
  const graph = stateOf(completed(1, 1, 'r', 1000));
  const detail = parseDetail({
    schema: { id: 1, fields: [] },
    mappings: [
      { entity_id: 1000, source: 'field_0,field_1', target: 'field_0', confidence: 0.95 },
      { entity_id: 1000, source: 'field_2', target: 'field_1', confidence: 0.4 },
    ],
  });
  const expanded = new Set(['schema-1', 'entity-1000']);
  const { edges } = new Builder().build(graph, view(graph, { expanded, details: new Map([[1, detail]]) }));
  expect(edges.map(({ sourceHandle, targetHandle, data }) => [sourceHandle, targetHandle, data?.band])).toEqual([
    ['f:field_0', 'f:field_0', 'high'],
    ['f:field_1', 'f:field_0', 'high'],
    ['f:field_2', 'f:field_1', 'low'],
  ]);
  const weak = new Builder().build(graph, view(graph, { expanded, details: new Map([[1, detail]]), threshold: 0.5 }));
  expect(weak.edges).toHaveLength(2);
});

test('a filter hides schemas and their links, a search dims the rest', () => {
  const graph = stateOf(completed(1, 1, 'r', 1000), completed(2, 1, 'r', 1001));
  const hidden = new Builder().build(graph, view(graph, { visible: (schema: Schema) => schema.id === 1 }));
  expect(hidden.edges.map(edge => edge.id)).toEqual(['edge-1-1000']);
  const found = { schemas: new Set([2]), entities: new Set<number>() };
  const { nodes } = new Builder().build(graph, view(graph, { found }));
  expect(nodes.filter(node => node.data.dimmed).map(node => node.id)).toEqual([
    'schema-1',
    'entity-1000',
    'entity-1001',
  ]);
});

function renderNode(graph: State, id: number, actions = {}) {
  const schema = graph.schemas.get(id);
  const data = {
    schema,
    expanded: false,
    dimmed: false,
    lit: false,
    confidence: null,
    band: 'unknown',
    heardAt: 0,
    mapped: null,
  };
  return render(
    <ReactFlowProvider>
      <FlowContext.Provider value={{ expand: () => {}, bands: [0.9, 0.7], typicalMs: 1000, ...actions }}>
        {/* biome-ignore lint/suspicious/noExplicitAny: the other props are React Flow's own */}
        <AnalyzingSchemaNode {...({ id: `analyzing-${id}`, data, selected: false } as any)} />
      </FlowContext.Provider>
    </ReactFlowProvider>,
  );
}

test('the analysing node says what is going on', () => {
  renderNode(stateOf(started(1, 1, 'r1', 'orders'), progress(1, 2)), 1);
  for (const text of ['orders', 'Analyzing Schema…', 'asking the model, 1 of 3', '3 fields', 'hash1']) {
    expect(screen.getByText(text)).toBeTruthy();
  }
});

test('a failed node has its cause and can be retried', () => {
  const retry = vi.fn();
  renderNode(stateOf(started(1, 1, 'r1', 'orders'), failed(1, 2)), 1, { retry, copy: vi.fn() });
  expect(screen.getByText('the model does not answer (r1)')).toBeTruthy();
  fireEvent.click(screen.getByText('Retry'));
  expect(retry).toHaveBeenCalledWith(1);
});

test('names are text, whatever they hold', () => {
  const hostile = '<img src=x onerror="globalThis.taken = true">';
  renderNode(stateOf(started(1, 1, 'r1', hostile)), 1);
  expect(screen.getByText(hostile)).toBeTruthy();
  expect(document.querySelector('img')).toBeNull();
});

test('the whole picture is drawn, and a click selects', () => {
  const onSelect = vi.fn();
  const { container } = render(
    <SchemaFlow graph={stateOf(completed(1, 1, 'r', 1000), reduced(2, 1), started(3, 1))} onSelect={onSelect} />,
  );
  const ids = [...container.querySelectorAll('.react-flow__node')].map(node => node.getAttribute('data-id'));
  expect(ids).toEqual(['schema-1', 'schema-2', 'analyzing-3', 'entity-1000']);
  const node = container.querySelector('[data-id="schema-1"]');
  if (node) fireEvent.click(node);
  expect(onSelect).toHaveBeenCalledWith({ kind: 'schema', id: 1 });
});
