import { expect, test } from 'vitest';
import { emptyState, parseEvent, reduce, type State } from '../src/core/index.js';
import { extend, size, tidy } from '../src/flow/index.js';
import { tops } from '../src/flow/layout.js';
import { completed, tenant } from './wire.js';

/** A graph of [schema, entity] links. */
function graphOf(links: readonly (readonly [number, number])[], base: State = emptyState(tenant)): State {
  const events = links.map(([schema, entity]) =>
    parseEvent('schema.analysis', completed(schema, 1, 'r', entity), tenant),
  );
  return reduce(base, { type: 'events', events: events.filter(event => typeof event !== 'string'), now: 1 });
}

/** How many pairs of links cross. */
function crossings(graph: State, { schemas, entities }: ReturnType<typeof tidy>): number {
  const [s, e] = [schemas, entities].map(slots => new Map(slots.map(slot => [slot.id, slot.at]))) as [
    Map<number, number>,
    Map<number, number>,
  ];
  const links = [...graph.links.values()]
    .flat()
    .map(link => [s.get(link.schemaId) ?? 0, e.get(link.entityId) ?? 0] as const);
  let count = 0;
  for (const [a, b] of links) for (const [c, d] of links) if (a < c && b > d) count++;
  return count;
}

test('schemas of one entity stand together, and nothing crosses that need not', () => {
  const graph = graphOf([
    [1, 1002],
    [2, 1001],
    [3, 1002],
    [4, 1001],
    [5, 1003],
  ]);
  expect(crossings(graph, tidy(graph))).toBe(0);
});

test('what is new comes at the end, and nothing else moves', () => {
  const before = graphOf([
    [1, 1001],
    [2, 1002],
    [3, 1001],
  ]);
  const columns = tidy(before);
  const after = extend(
    columns,
    graphOf(
      [
        [4, 1001],
        [5, 1003],
      ],
      before,
    ),
  );
  expect(after.schemas.slice(0, 3)).toEqual(columns.schemas);
  expect(after.entities.slice(0, 2)).toEqual(columns.entities);
  expect(after.schemas.slice(3)).toEqual([
    { id: 4, at: 3 },
    { id: 5, at: 4 },
  ]);
  expect(after.entities.at(-1)).toEqual({ id: 1003, at: 4 }); // beside its source
  expect(extend(after, graphOf([[4, 1001]], before))).toBe(after);
});

test('no two nodes of a column overlap, also when some are expanded', () => {
  const graph = graphOf(Array.from({ length: 60 }, (_, i) => [i + 1, 1000 + ((i * 7) % 13)] as const));
  const { schemas, entities } = tidy(graph);
  for (const column of [schemas, entities]) {
    const extra = (id: number) => (id % 3 === 0 ? 10 * size.row : 0);
    const y = tops(column, extra);
    for (let i = 1; i < column.length; i++) {
      const [above, below] = [column[i - 1]?.id ?? 0, column[i]?.id ?? 0];
      expect((y.get(below) ?? 0) - (y.get(above) ?? 0)).toBeGreaterThanOrEqual(size.header + extra(above));
    }
  }
});
