import { type Link, linksOf, type State } from '../core/index.js';

/**
 * The graph has two columns, so no layered engine is needed: barycentres order 600 nodes and 1,500 edges in a few
 * milliseconds, where dagre and ELK take seconds.
 */

/** Sizes in pixels at zoom 1. */
export const size = {
  width: 272,
  header: 84,
  row: 24,
  /** From the left edge of one column to that of the other. */
  columns: 560,
  /** Between the upper edges of two collapsed nodes. */
  pitch: 104,
  /** Rows of an expanded node; what is beyond is counted in one more. */
  rows: 30,
};

/** Where a node stands in its column, in pitches from the top: 0, 1, ... or between. */
export interface Slot {
  readonly id: number;
  readonly at: number;
}

/** Both columns from top to bottom. A slot stays when its node goes, so that nothing else moves. */
export interface Columns {
  readonly schemas: readonly Slot[];
  readonly entities: readonly Slot[];
}

export const noColumns: Columns = { schemas: [], entities: [] };

/** Orders everything anew, with few crossings: for the first picture, and when somebody asks for it. */
export function tidy(graph: State): Columns {
  const links = [...linksOf(graph)];
  const bySchema = groups(
    links,
    link => link.schemaId,
    link => link.entityId,
  );
  const byEntity = groups(
    links,
    link => link.entityId,
    link => link.schemaId,
  );
  let schemas = [...graph.schemas.keys()].sort((a, b) => a - b);
  let entities = [...graph.entities.keys()].sort((a, b) => a - b);
  for (let sweep = 0; sweep < 4; sweep++) {
    entities = byBarycentre(entities, byEntity, rank(schemas));
    schemas = byBarycentre(schemas, bySchema, rank(entities));
  }
  const slots = schemas.map((id, at) => ({ id, at }));
  return { schemas: slots, entities: beside(entities, byEntity, slots, []) };
}

/** Adds what is new at the end of its column, and moves nothing. */
export function extend(columns: Columns, graph: State): Columns {
  const newSchemas = missing(graph.schemas, columns.schemas);
  const newEntities = missing(graph.entities, columns.entities);
  if (newSchemas.length === 0 && newEntities.length === 0) return columns;
  const last = columns.schemas.at(-1)?.at ?? -1;
  const schemas = [...columns.schemas, ...newSchemas.sort((a, b) => a - b).map((id, i) => ({ id, at: last + 1 + i }))];
  const byEntity = groups(
    [...linksOf(graph)],
    link => link.entityId,
    link => link.schemaId,
  );
  return { schemas, entities: beside(newEntities, byEntity, schemas, columns.entities) };
}

/** Upper edges of the nodes of a column in pixels, where `extra` says how much taller than collapsed each is. */
export function tops(slots: readonly Slot[], extra: (id: number) => number): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  let pushed = 0;
  for (const { id, at } of slots) {
    found.set(id, at * size.pitch + pushed);
    pushed += extra(id);
  }
  return found;
}

/** Puts entities below the given ones, each at the height of its sources where there is room. */
function beside(
  ids: readonly number[],
  byEntity: ReadonlyMap<number, readonly number[]>,
  schemas: readonly Slot[],
  above: readonly Slot[],
): Slot[] {
  const heights = new Map(schemas.map(slot => [slot.id, slot.at]));
  const slots = [...above];
  for (const id of ids) {
    const next = (slots.at(-1)?.at ?? -1) + 1;
    slots.push({ id, at: Math.max(next, mean(byEntity.get(id) ?? [], heights) ?? next) });
  }
  return slots;
}

function byBarycentre(
  ids: readonly number[],
  neighbours: ReadonlyMap<number, readonly number[]>,
  ranks: ReadonlyMap<number, number>,
): number[] {
  const keys = new Map(ids.map(id => [id, mean(neighbours.get(id) ?? [], ranks) ?? Number.MAX_SAFE_INTEGER]));
  const key = (id: number) => keys.get(id) ?? 0;
  return [...ids].sort((a, b) => key(a) - key(b) || a - b);
}

const rank = (ids: readonly number[]) => new Map(ids.map((id, i) => [id, i]));

function mean(ids: readonly number[], values: ReadonlyMap<number, number>): number | null {
  const found = ids.map(id => values.get(id)).filter(value => value !== undefined);
  return found.length === 0 ? null : found.reduce((a, b) => a + b, 0) / found.length;
}

function groups(
  links: readonly Link[],
  key: (link: Link) => number,
  value: (link: Link) => number,
): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const link of links) {
    const group = found.get(key(link));
    if (group) group.push(value(link));
    else found.set(key(link), [value(link)]);
  }
  return found;
}

function missing(all: ReadonlyMap<number, unknown>, slots: readonly Slot[]): number[] {
  const placed = new Set(slots.map(slot => slot.id));
  return [...all.keys()].filter(id => !placed.has(id));
}
