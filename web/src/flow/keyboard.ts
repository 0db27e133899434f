import { useReactFlow } from '@xyflow/react';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { linksOf, type Selection, type State } from '../core/index.js';
import { type FlowNode, keyOf, selectionOf } from './build.js';

interface KeyboardParts {
  readonly nodes: readonly FlowNode[];
  readonly graph: State;
  readonly selection: Selection | null;
  readonly onSelect: ((selection: Selection | null) => void) | undefined;
  readonly expand: (node: Selection) => void;
}

export function useKeyboard({
  nodes,
  graph,
  selection,
  onSelect,
  expand,
}: KeyboardParts): (event: KeyboardEvent) => void {
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
export function useFocusKeeper(nodes: readonly FlowNode[]): void {
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

/** Where an arrow key leads: up and down in the column, right to the entity, left to the first source. */
function neighbour(key: string, at: FlowNode, nodes: readonly FlowNode[], graph: State): FlowNode | undefined {
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
