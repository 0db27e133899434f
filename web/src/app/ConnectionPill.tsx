import type { Connection } from '../core/index.js';
import { useNow } from '../flow/context.js';
import { timeOfDay } from '../flow/words.js';
import type { SchemaAnalysis } from '../react/index.js';

const words: Record<Connection, string> = {
  live: 'Live',
  connecting: 'Connecting',
  paused: 'Paused',
  offline: 'Offline',
};

/** How true the screen is, always in sight. */
export function ConnectionPill({ analysis }: { analysis: SchemaAnalysis }) {
  const { connection, lastEventAt, lastSyncAt, reason, error, reconnect } = analysis;
  const now = useNow(true);
  const detail = {
    live: lastEventAt === null ? 'no event yet' : `last event ${ago(now - lastEventAt)}`,
    connecting: '',
    paused: reason ?? 'the database is read instead',
    offline: `${error?.message ?? 'nothing answers'}${lastSyncAt === null ? '' : `; as of ${timeOfDay(lastSyncAt)}`}`,
  }[connection];
  return (
    <div className={`pill pill--${connection}`}>
      <span role="status" aria-live="polite">
        {words[connection]}
      </span>
      {detail && <span className="pill-detail">{detail}</span>}
      {(connection === 'paused' || connection === 'offline') && (
        <button type="button" onClick={reconnect}>
          Reconnect now
        </button>
      )}
    </div>
  );
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}
