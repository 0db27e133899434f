import { type NodeHandle, Position } from '@xyflow/react';
import {
  type Band,
  type Bands,
  bandOf,
  type Detail,
  type Entity,
  type Field,
  type Found,
  type Link,
  type Mapping,
  pathOf,
  type Schema,
  type Selection,
  type State,
  sourcesOf,
  titleOf,
} from '../core/index.js';
import type { LinkEdge } from './edges.js';
import { type Columns, size, tops } from './layout.js';
import { type EntityNode, heightOf, type SchemaNode, typeOf } from './nodes.js';
import { percent, plural, stateOf } from './words.js';

export type FlowNode = SchemaNode | EntityNode;

/** What a picture is made of, beside the graph. */
export interface View {
  readonly columns: Columns;
  /** Keys of expanded nodes, as `keyOf` makes them. */
  readonly expanded: ReadonlySet<string>;
  /** Where people have put nodes, by key. */
  readonly moved: ReadonlyMap<string, { x: number; y: number }>;
  readonly selection: Selection | null;
  /** What a search has found: the rest steps back. */
  readonly found: Found | null;
  readonly visible: (schema: Schema) => boolean;
  /** Links whose confidence is known and smaller are hidden. */
  readonly threshold: number;
  readonly bands: Bands;
  readonly details: ReadonlyMap<number, Detail>;
  /** Ids of edges that came while somebody was looking. */
  readonly fresh: ReadonlySet<string>;
}

/** A node's name that stays when its id changes with its state. */
export const keyOf = ({ kind, id }: Selection): string => `${kind}-${id}`;

/** The node ids of the app's dashboard. */
export const nodeIdOf = (schema: Schema): string =>
  `${typeOf(schema) === 'analyzingSchema' ? 'analyzing' : 'schema'}-${schema.id}`;
export const entityNodeId = (entityId: number): string => `entity-${entityId}`;

/** What a node id names; null when it is none of ours. */
export function selectionOf(nodeId: string): Selection | null {
  const [, kind, id] = /^(analyzing|schema|entity)-(\d+)$/.exec(nodeId) ?? [];
  return kind && id ? { kind: kind === 'entity' ? 'entity' : 'schema', id: Number(id) } : null;
}

/** With more links than this, labels and motion would be noise. */
const calmAbove = 200;

/** Draws the graph. What has not changed since the last call is the same object, so that it is not rendered again. */
export class Builder {
  private cache = new Map<string, { readonly parts: readonly unknown[]; readonly made: FlowNode | LinkEdge }>();

  private drawn: { nodes: FlowNode[]; edges: LinkEdge[] } = { nodes: [], edges: [] };

  build(graph: State, view: View): { nodes: FlowNode[]; edges: LinkEdge[] } {
    const kept: typeof this.cache = new Map();
    const keep = <T extends FlowNode | LinkEdge>(id: string, parts: readonly unknown[], make: () => T): T => {
      const old = this.cache.get(id);
      const made = old && same(old.parts, parts) ? (old.made as T) : make();
      kept.set(id, { parts, made });
      return made;
    };
    const lit = lightOf(graph, view);
    const nodes = [...schemaNodes(graph, view, lit, keep), ...entityNodes(graph, view, lit, keep)];
    const edges = linkEdges(graph, view, lit, keep);
    this.cache = kept;
    // React Flow indexes a list anew when it is another one.
    const before = this.drawn;
    this.drawn = {
      nodes: same(before.nodes, nodes) ? before.nodes : nodes,
      edges: same(before.edges, edges) ? before.edges : edges,
    };
    return this.drawn;
  }
}

type Keep = <T extends FlowNode | LinkEdge>(id: string, parts: readonly unknown[], make: () => T) => T;

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((part, i) => Object.is(part, b[i]));

/** What is in the light: the selection's path, or what was found; null when nothing steps back. */
function lightOf(graph: State, { selection, found }: View): Found | null {
  return selection ? pathOf(graph, selection) : found;
}

function schemaNodes(graph: State, view: View, light: Found | null, keep: Keep): SchemaNode[] {
  const expandedNow = (id: number) => view.expanded.has(keyOf({ kind: 'schema', id }));
  const y = tops(
    view.columns.schemas,
    id => heightOf(graph.schemas.get(id)?.fields.length ?? 0, expandedNow(id)) - size.header,
  );
  const nodes: SchemaNode[] = [];
  for (const { id } of view.columns.schemas) {
    const schema = graph.schemas.get(id);
    if (!schema || !view.visible(schema)) continue;
    const key = keyOf({ kind: 'schema', id });
    const expanded = expandedNow(id) && typeOf(schema) === 'sourceSchema';
    const confidence = confidenceOf(graph.links.get(id) ?? []);
    const heardAt = graph.stamps.get(id)?.heardAt ?? 0;
    const detail = expanded ? view.details.get(id) : undefined;
    const moved = view.moved.get(key);
    const selected = view.selection?.kind === 'schema' && view.selection.id === id;
    const dimmed = light !== null && !light.schemas.has(id);
    const lit = light?.schemas.has(id) ?? false;
    const top = y.get(id) ?? 0;
    const busy = typeOf(schema) === 'analyzingSchema' ? heardAt : 0;
    const parts = [schema, expanded, confidence, busy, detail, moved, selected, dimmed, lit, top, view.bands];
    nodes.push(
      keep(nodeIdOf(schema), parts, () => ({
        id: nodeIdOf(schema),
        type: typeOf(schema),
        position: moved ?? { x: 0, y: top },
        width: size.width,
        height: heightOf(schema.fields.length, expanded),
        handles: handles('source', schema.fields, expanded),
        selected,
        ariaLabel: `${titleOf(schema)}, source, ${plural(schema.fields.length, 'field')}, ${stateOf(schema)}${confidence === null ? '' : `, confidence ${percent(confidence)}`}`,
        data: {
          schema,
          expanded,
          confidence,
          band: bandOf(confidence, view.bands),
          heardAt,
          mapped: detail ? mappedBy(detail.mappings, schema.fields) : null,
          dimmed,
          lit,
        },
      })),
    );
  }
  return nodes;
}

function entityNodes(graph: State, view: View, light: Found | null, keep: Keep): EntityNode[] {
  const expandedNow = (id: number) => view.expanded.has(keyOf({ kind: 'entity', id }));
  const y = tops(
    view.columns.entities,
    id => heightOf(graph.entities.get(id)?.fields.length ?? 0, expandedNow(id)) - size.header,
  );
  const counts = sourcesOf(graph);
  const nodes: EntityNode[] = [];
  for (const { id } of view.columns.entities) {
    const entity = graph.entities.get(id);
    if (!entity) continue;
    const key = keyOf({ kind: 'entity', id });
    const [expanded, moved, sources, top] = [expandedNow(id), view.moved.get(key), counts.get(id) ?? 0, y.get(id) ?? 0];
    const selected = view.selection?.kind === 'entity' && view.selection.id === id;
    const dimmed = light !== null && !light.entities.has(id);
    const lit = light?.entities.has(id) ?? false;
    nodes.push(
      keep(entityNodeId(id), [entity, expanded, moved, sources, top, selected, dimmed, lit], () => ({
        id: entityNodeId(id),
        type: 'entitySchema',
        position: moved ?? { x: size.columns, y: top },
        width: size.width,
        height: heightOf(entity.fields.length, expanded),
        handles: handles('target', entity.fields, expanded),
        selected,
        ariaLabel: `${entity.name}, entity, ${plural(entity.fields.length, 'field')}, ${plural(sources, 'source')}`,
        data: { entity, sources, expanded, dimmed, lit },
      })),
    );
  }
  return nodes;
}

/** Edges lead from entity level to field level where a schema is expanded and its mappings are known. */
function linkEdges(graph: State, view: View, light: Found | null, keep: Keep): LinkEdge[] {
  const edges: LinkEdge[] = [];
  const lanes = new Map<number, number>();
  let shown = 0;
  for (const links of graph.links.values()) shown += links.length;
  for (const [schemaId, links] of graph.links) {
    const schema = graph.schemas.get(schemaId);
    if (!schema || !view.visible(schema)) continue;
    for (const link of links) {
      const entity = graph.entities.get(link.entityId);
      if (!entity || (link.confidence !== null && link.confidence < view.threshold)) continue;
      const lane = lanes.get(link.entityId) ?? 0;
      lanes.set(link.entityId, lane + 1);
      const dimmed = light !== null && !(light.schemas.has(schemaId) && light.entities.has(link.entityId));
      const lit = view.selection !== null && !dimmed;
      const detail = view.expanded.has(keyOf({ kind: 'schema', id: schemaId }))
        ? view.details.get(schemaId)
        : undefined;
      if (detail && typeOf(schema) === 'sourceSchema') {
        edges.push(...fieldEdges(schema, entity, detail, view, dimmed, lit, keep));
      } else {
        edges.push(
          linkEdge(schema, entity, link, view, { dimmed, lit, lane, labelled: shown <= calmAbove || lit }, keep),
        );
      }
    }
  }
  return edges;
}

interface EdgeLook {
  readonly dimmed: boolean;
  readonly lit: boolean;
  readonly lane: number;
  readonly labelled: boolean;
}

function linkEdge(schema: Schema, entity: Entity, link: Link, view: View, look: EdgeLook, keep: Keep): LinkEdge {
  const id = `edge-${schema.id}-${entity.id}`;
  const source = nodeIdOf(schema);
  const band: Band = bandOf(link.confidence, view.bands);
  const fresh = view.fresh.has(id);
  return keep(id, [source, link.fields, band, look.dimmed, look.lit, look.lane, look.labelled, fresh], () => ({
    id,
    type: 'staggered',
    source,
    target: entityNodeId(entity.id),
    sourceHandle: 'head',
    targetHandle: 'head',
    label: plural(link.fields, 'field'),
    focusable: false,
    zIndex: look.lit ? 1 : 0,
    ariaLabel: `${titleOf(schema)} to ${entity.name}: ${plural(link.fields, 'field')}`,
    data: { ...look, band, fresh },
  }));
}

function fieldEdges(
  schema: Schema,
  entity: Entity,
  detail: Detail,
  view: View,
  dimmed: boolean,
  lit: boolean,
  keep: Keep,
): LinkEdge[] {
  const from = handleNames(schema.fields);
  const to = view.expanded.has(keyOf({ kind: 'entity', id: entity.id }))
    ? handleNames(entity.fields)
    : new Set<string>();
  const edges = new Map<string, LinkEdge>();
  for (const mapping of detail.mappings) {
    if (mapping.entityId !== entity.id || (mapping.confidence !== null && mapping.confidence < view.threshold))
      continue;
    for (const name of sourceNames(mapping, schema.fields)) {
      const id = `edge-${schema.id}-${entity.id}-${name}-${mapping.target}`;
      const band = bandOf(mapping.confidence, view.bands);
      const [sourceHandle, targetHandle] = [
        from.has(name) ? `f:${name}` : 'head',
        to.has(mapping.target) ? `f:${mapping.target}` : 'head',
      ];
      edges.set(
        id,
        keep(id, [band, dimmed, lit, sourceHandle, targetHandle], () => ({
          id,
          type: 'staggered',
          source: nodeIdOf(schema),
          target: entityNodeId(entity.id),
          sourceHandle,
          targetHandle,
          focusable: false,
          zIndex: lit ? 1 : 0,
          data: { band, dimmed, lit, lane: 0, labelled: false, fresh: false },
        })),
      );
    }
  }
  return [...edges.values()];
}

/** The source fields of a mapping. A name may hold a comma itself. */
export function sourceNames(mapping: Mapping, fields: readonly Field[]): readonly string[] {
  if (!mapping.source) return [];
  const names = new Set(fields.map(field => field.name));
  return names.has(mapping.source) ? [mapping.source] : mapping.source.split(',').filter(name => names.has(name));
}

const mappedBy = (mappings: readonly Mapping[], fields: readonly Field[]): ReadonlySet<string> =>
  new Set(mappings.flatMap(mapping => sourceNames(mapping, fields)));

/** The mean over links, weighted by their mappings; null when none has one. */
function confidenceOf(links: readonly Link[]): number | null {
  let [sum, count] = [0, 0];
  for (const link of links) {
    if (link.confidence === null) continue;
    sum += link.confidence * link.fields;
    count += link.fields;
  }
  return count === 0 ? null : sum / count;
}

const handleNames = (fields: readonly Field[]): ReadonlySet<string> =>
  new Set(fields.slice(0, size.rows).map(field => field.name));

/** Where handles are, so that edges are drawn to nodes that are not. */
function handles(type: 'source' | 'target', fields: readonly Field[], expanded: boolean): NodeHandle[] {
  const position = type === 'source' ? Position.Right : Position.Left;
  const at = (id: string, y: number): NodeHandle => ({
    id,
    type,
    position,
    x: type === 'source' ? size.width : 0,
    y,
    width: 1,
    height: 1,
  });
  const rows = expanded ? fields.slice(0, size.rows) : [];
  return [
    at('head', size.header / 2),
    ...rows.map((field, i) => at(`f:${field.name}`, size.header + (i + 0.5) * size.row)),
  ];
}
