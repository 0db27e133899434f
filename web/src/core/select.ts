import { type Entity, isBusy, type Link, type Schema, titleOf } from './model.js';
import type { State } from './state.js';

/** What a schema is counted as. One schema may be several: failed, and unmapped. */
export type Facet = 'running' | 'failed' | 'review' | 'completed' | 'unmapped';

export const facets: readonly Facet[] = ['running', 'failed', 'review', 'completed', 'unmapped'];

export function isFacet(graph: State, schema: Schema, facet: Facet): boolean {
  switch (facet) {
    case 'running':
      return isBusy(schema);
    case 'failed':
      return schema.analysis === 'failed';
    case 'review':
      return schema.needsReview && schema.analysis === 'completed';
    case 'completed':
      return schema.analysis === 'completed';
    case 'unmapped':
      return !graph.links.has(schema.id) && !isBusy(schema) && schema.analysis !== 'failed';
  }
}

export type Counts = Readonly<Record<Facet | 'schemas' | 'entities' | 'links', number>>;

export function countsOf(graph: State): Counts {
  const counts = { running: 0, failed: 0, review: 0, completed: 0, unmapped: 0, links: 0 };
  for (const schema of graph.schemas.values()) {
    for (const facet of facets) if (isFacet(graph, schema, facet)) counts[facet]++;
    counts.links += graph.links.get(schema.id)?.length ?? 0;
  }
  return { ...counts, schemas: graph.schemas.size, entities: graph.entities.size };
}

/** How sure a mapping is. `unknown`: nobody has said so, as with mappings made by hand. */
export type Band = 'high' | 'medium' | 'low' | 'unknown';

/** The lower ends of the high and of the medium band. */
export type Bands = readonly [high: number, medium: number];

export const defaultBands: Bands = [0.9, 0.7];

export function bandOf(confidence: number | null, [high, medium]: Bands = defaultBands): Band {
  if (confidence === null) return 'unknown';
  if (confidence >= high) return 'high';
  return confidence >= medium ? 'medium' : 'low';
}

/** All links, those of one schema after the other. */
export function* linksOf(graph: State): Generator<Link> {
  for (const links of graph.links.values()) yield* links;
}

export interface Found {
  readonly schemas: ReadonlySet<number>;
  readonly entities: ReadonlySet<number>;
}

/** Finds schemas and entities by a part of their name, hash, or of a field's name; null for an empty text. */
export function search(graph: State, query: string): Found | null {
  const wanted = fold(query);
  if (!wanted) return null;
  const has = (...texts: (string | null)[]) => texts.some(text => text !== null && fold(text).includes(wanted));
  const schemas = new Set<number>();
  const entities = new Set<number>();
  for (const schema of graph.schemas.values()) {
    if (has(titleOf(schema), schema.hash, ...schema.fields.map(field => field.name))) schemas.add(schema.id);
  }
  for (const entity of graph.entities.values()) {
    if (has(entity.name, ...entity.fields.map(field => field.name))) entities.add(entity.id);
  }
  return { schemas, entities };
}

/** Without case and accents, so that "muller" finds "Müller". */
const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim();

export type Selection =
  | { readonly kind: 'schema'; readonly id: number }
  | { readonly kind: 'entity'; readonly id: number };

/** What a selection is connected with, itself included: an entity leads to all its sources. */
export function pathOf(graph: State, selection: Selection): Found {
  const schemas = new Set<number>();
  const entities = new Set<number>();
  if (selection.kind === 'schema') {
    schemas.add(selection.id);
    for (const link of graph.links.get(selection.id) ?? []) entities.add(link.entityId);
  } else {
    entities.add(selection.id);
    for (const link of linksOf(graph)) if (link.entityId === selection.id) schemas.add(link.schemaId);
  }
  return { schemas, entities };
}

/** How many schemas lead to each entity. */
export function sourcesOf(graph: State): ReadonlyMap<Entity['id'], number> {
  const counts = new Map<number, number>();
  for (const link of linksOf(graph)) counts.set(link.entityId, (counts.get(link.entityId) ?? 0) + 1);
  return counts;
}
