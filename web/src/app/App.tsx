import { useCallback, useEffect, useState } from 'react';
import { type EchoLike, HttpError } from '../core/index.js';
import { connectEcho } from '../echo/index.js';
import { type Config, fetchConfig, signIn, signOut } from './api.js';
import { Dashboard } from './Dashboard.js';
import { SignIn } from './SignIn.js';
import { useTheme } from './theme.js';

type Stage =
  | { readonly at: 'loading' }
  | { readonly at: 'signed-out' }
  | { readonly at: 'broken'; readonly why: string }
  | { readonly at: 'ready'; readonly config: Config; readonly echo: EchoLike | null };

/** Finds out who is looking and where events come from, and shows the dashboard. */
export function App() {
  const [stage, setStage] = useState<Stage>({ at: 'loading' });
  const [theme, setTheme] = useTheme();
  const load = useCallback(async () => {
    try {
      await tokenOfAddress();
      const config = await fetchConfig();
      const echo = config.pusher && (await connectEcho(config.pusher, config.channel.kind === 'encrypted'));
      setStage({ at: 'ready', config, echo });
    } catch (error) {
      if (error instanceof HttpError && error.status === 401) setStage({ at: 'signed-out' });
      else setStage({ at: 'broken', why: error instanceof Error ? error.message : String(error) });
    }
  }, []);
  useEffect(() => void load(), [load]);
  useEffect(() => {
    if (stage.at !== 'broken') return;
    const timer = setTimeout(load, 3000);
    return () => clearTimeout(timer);
  }, [stage, load]);

  return (
    <div className="sc-root app" data-mode={theme}>
      {stage.at === 'ready' && (
        <Dashboard
          config={stage.config}
          echo={stage.echo}
          theme={theme}
          setTheme={setTheme}
          onSignedOut={() => setStage({ at: 'signed-out' })}
          onSignOut={() => void signOut().finally(() => location.reload())}
        />
      )}
      {stage.at === 'signed-out' && <SignIn onToken={token => signIn(token).then(load)} />}
      {stage.at === 'broken' && (
        <main className="notice">
          <h1>The worker does not answer</h1>
          <p role="status">{stage.why}. Trying again every 3 seconds.</p>
        </main>
      )}
      {stage.at === 'loading' && <main className="notice" aria-busy="true" aria-label="Loading" />}
    </div>
  );
}

/** A link may carry a token behind "#token=": that part of an address is sent to no server, and is removed at once. */
async function tokenOfAddress(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, '', location.pathname + location.search);
  await signIn(decodeURIComponent(token));
}
