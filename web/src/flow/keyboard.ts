import { linksOf, type State } from '../core/index.js';
import { type FlowNode, selectionOf } from './build.js';

/** Where an arrow key leads: up and down in the column, right to the entity, left to the first source. */
export function neighbour(key: string, at: FlowNode, nodes: readonly FlowNode[], graph: State): FlowNode | undefined {
  const column = nodes.filter(node => (node.type === 'entitySchema') === (at.type === 'entitySchema'));
  const index = column.indexOf(at);
  const here = selectionOf(at.id);
  switch (key) {
    case 'ArrowUp':
      return column[index - 1];
    case 'ArrowDown':
      return column[index + 1];
    case 'ArrowRight': {
      const [link] = here?.kind === 'schema' ? (graph.links.get(here.id) ?? []) : [];
      return link && nodes.find(node => node.id === `entity-${link.entityId}`);
    }
    case 'ArrowLeft': {
      if (here?.kind !== 'entity') return undefined;
      const sources = new Set([...linksOf(graph)].filter(link => link.entityId === here.id).map(link => link.schemaId));
      return nodes.find(node => node.type !== 'entitySchema' && sources.has(selectionOf(node.id)?.id ?? 0));
    }
    default:
      return undefined;
  }
}
