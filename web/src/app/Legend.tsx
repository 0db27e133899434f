import { Panel } from '@xyflow/react';
import type { Bands } from '../core/index.js';
import { EntityIcon, SourceIcon } from '../flow/icons.js';

/** What colours and lines mean. */
export function Legend({ bands: [high, medium] }: { bands: Bands }) {
  const [h, m] = [Math.round(high * 100), Math.round(medium * 100)];
  return (
    <Panel position="bottom-right" className="legend">
      <span className="legend-source">
        <SourceIcon /> Source
      </span>
      <span className="legend-entity">
        <EntityIcon /> Entity
      </span>
      {(
        [
          ['high', `≥ ${h}%`],
          ['medium', `${m}–${h}%`],
          ['low', `< ${m}%`],
        ] as const
      ).map(([band, label]) => (
        <span key={band} className={`sc-edge--${band}`}>
          <svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true" className={`sc-edge sc-edge--${band}`}>
            <path d="M1 4h24" className="react-flow__edge-path" fill="none" />
          </svg>
          {label}
        </span>
      ))}
    </Panel>
  );
}
