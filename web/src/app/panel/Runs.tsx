import type { RunDetail } from '../../core/index.js';
import { duration } from '../../flow/words.js';
import { Section } from './Section.js';

export function Runs({ runs }: { runs: readonly RunDetail[] }) {
  if (runs.length === 0) return null;
  return (
    <Section title="Runs" count={runs.length} closed={runs.length === 1 && runs[0]?.state === 'completed'}>
      <ol className="runs">
        {runs.map(run => (
          <li key={run.id}>
            <div>
              <b className={`run--${run.state}`}>{run.state}</b>{' '}
              <span className="sc-dim">
                {[
                  run.requestedAt && new Date(run.requestedAt).toLocaleString(),
                  run.requestedBy && `by ${run.requestedBy}`,
                  run.startedAt && run.endedAt && duration(run.endedAt - run.startedAt),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </div>
            {run.retryAt && <div className="sc-dim">next attempt at {new Date(run.retryAt).toLocaleTimeString()}</div>}
            {run.error && <div className="sc-error">{run.error}</div>}
            {run.history.length > 1 && (
              <ol className="attempts">
                {run.history.map(attempt => (
                  <li key={attempt.attempt}>
                    <span className="sc-dim">attempt {attempt.attempt}</span> {attempt.error ?? 'went through'}
                  </li>
                ))}
              </ol>
            )}
            <code className="sc-dim">{run.id}</code>
          </li>
        ))}
      </ol>
    </Section>
  );
}
