import { BaseEdge, type Edge, type EdgeProps, getBezierPath } from '@xyflow/react';
import { memo } from 'react';
import type { Band } from '../core/index.js';

export interface LinkData extends Record<string, unknown> {
  readonly band: Band;
  readonly dimmed: boolean;
  readonly lit: boolean;
  /** Whether there is room for the label. */
  readonly labelled: boolean;
  /** Came while somebody was looking: it is drawn, once. */
  readonly fresh: boolean;
  /** Which of its entity's edges it is, so that labels of neighbours do not cover each other. */
  readonly lane: number;
}

export type LinkEdge = Edge<LinkData, 'staggered'>;

/** A link between a schema and an entity, or between two of their fields. The line tells the band, with and without colour. */
export const StaggeredEdge = memo(function StaggeredEdge(props: EdgeProps<LinkEdge>) {
  const { id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data, label } = props;
  const [path] = getBezierPath({ sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition, curvature: 0.4 });
  const at = 0.3 + 0.13 * ((data?.lane ?? 0) % 4);
  const classes = [
    'sc-edge',
    `sc-edge--${data?.band}`,
    data?.dimmed && 'sc-edge--dimmed',
    data?.lit && 'sc-edge--lit',
    data?.fresh && 'sc-edge--fresh',
  ];
  return (
    <g className={classes.filter(Boolean).join(' ')}>
      <BaseEdge id={id} path={path} interactionWidth={14} />
      {data?.labelled && label && (
        <text
          className="sc-edge-label"
          x={sourceX + (targetX - sourceX) * at}
          y={sourceY + (targetY - sourceY) * ease(at)}
          dy="-5"
        >
          {label}
        </text>
      )}
    </g>
  );
});

/** How far up a horizontal S-curve is at a part of its width. */
const ease = (t: number): number => t * t * (3 - 2 * t);

export const edgeTypes = { staggered: StaggeredEdge };
