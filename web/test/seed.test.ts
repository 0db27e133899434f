import { expect, test } from 'vitest';
import { completed, failed, progress, started, type Wire } from './wire.js';

/*
 * The listener that the app's front end was told to have, written anew from its description: it must go on working
 * with our events, which have more keys and a second name.
 */

interface Node {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

interface Edge {
  id: string;
  source: string;
  target: string;
  type: string;
  label: string;
}

function appsDashboard() {
  let nodes: Node[] = [];
  let edges: Edge[] = [];
  const errors: unknown[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: as the app has it
  const listen = (event: any) => {
    const without = () => nodes.filter(node => node.id !== `analyzing-${event.schema_id}`);
    if (event.status === 'started') {
      const data = { label: 'Analyzing Schema...', hash: event.data.hash, fields: event.data.detected_fields };
      nodes = [...nodes, { id: `analyzing-${event.schema_id}`, type: 'analyzingSchema', data }];
    }
    if (event.status === 'completed') {
      const { bronze_schema: bronze, silver_entity: silver, mappings_count: count } = event.data;
      nodes = [
        ...without(),
        {
          id: `schema-${bronze.id}`,
          type: 'sourceSchema',
          data: {
            label: bronze.name || `Schema ${bronze.hash}`,
            fields: bronze.detected_fields,
            created_at: bronze.created_at,
          },
        },
        {
          id: `entity-${silver.id}`,
          type: 'entitySchema',
          data: { label: silver.name, fields: silver.detected_fields },
        },
      ];
      edges = [
        ...edges,
        {
          id: `edge-${bronze.id}-${silver.id}`,
          source: `schema-${bronze.id}`,
          target: `entity-${silver.id}`,
          type: 'staggered',
          label: `${count} fields`,
        },
      ];
    }
    if (event.status === 'failed') {
      nodes = without();
      errors.push(event.data.error);
    }
  };
  // It listens to one name; what has another never gets there.
  const send = (...wires: Wire[]) => {
    for (const wire of wires) if ('status' in wire) listen(JSON.parse(JSON.stringify(wire)));
  };
  return { send, nodes: () => nodes, edges: () => edges, errors };
}

test('the listener of the app draws our events', () => {
  const app = appsDashboard();
  app.send(started(7, 1), progress(7, 2));
  expect(app.nodes()).toMatchObject([{ id: 'analyzing-7', type: 'analyzingSchema', data: { hash: 'hash7' } }]);
  app.send(completed(7, 3, 'r1', 1000));
  expect(app.nodes().map(node => node.id)).toEqual(['schema-7', 'entity-1000']);
  expect(app.edges()).toEqual([
    { id: 'edge-7-1000', source: 'schema-7', target: 'entity-1000', type: 'staggered', label: '2 fields' },
  ]);
  app.send(started(8, 1), failed(8, 2));
  expect(app.nodes()).toHaveLength(2);
  expect(app.errors).toEqual(['the model does not answer (r1)']);
});
