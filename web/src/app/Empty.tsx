import { channelOf } from '../core/index.js';
import { addSample, type Config } from './api.js';

interface Props {
  readonly tenantId: string;
  readonly config: Config;
  readonly unknown: boolean;
  readonly onError: (text: string) => void;
}

/** What to do when there is nothing to see. */
export function Empty({ tenantId, config, unknown, onError }: Props) {
  const prefix = { public: '', private: 'private-', encrypted: 'private-encrypted-' }[config.channel.kind];
  if (unknown) {
    return (
      <main className="notice">
        <h2>There is no such tenant</h2>
        <p>
          Nobody has the id <code>{tenantId}</code>, or your token does not name it. Choose another above.
        </p>
      </main>
    );
  }
  const [sample] = config.samples ?? [];
  return (
    <main className="notice">
      <h2>No schemas yet</h2>
      <p>A source appears here while it is being analysed. Send one:</p>
      <pre>
        <code>enqueue file examples/shop_customers.csv --tenant {tenantId}</code>
      </pre>
      {sample && (
        <button
          type="button"
          className="button button--primary"
          onClick={() => void addSample(sample.file).catch((error: Error) => onError(error.message))}
        >
          Add {sample.file}
        </button>
      )}
      <p className="sc-dim">
        {config.pusher ? (
          <>
            Listening to <code>{prefix + channelOf(tenantId, config.channel.template)}</code>
          </>
        ) : (
          'No server of events is configured: the database is read every 5 seconds.'
        )}
      </p>
    </main>
  );
}
