import type { EchoLike } from '../core/index.js';

/** Where browsers find the server of events. */
export interface EventServer {
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly scheme: string;
  readonly cluster: string;
}

/**
 * Makes an Echo instance, for pages that have none. pusher-js comes in two builds; the one that can decrypt is half as large again,
 * so it is loaded only where channels are encrypted. Private channels are admitted by this origin's
 * `/broadcasting/auth`.
 */
export async function connectEcho(server: EventServer, encrypted: boolean): Promise<EchoLike> {
  const [{ default: Echo }, { default: Pusher }] = await Promise.all([
    import('laravel-echo'),
    encrypted ? import('pusher-js/with-encryption') : import('pusher-js'),
  ]);
  const options = {
    broadcaster: 'pusher' as const,
    Pusher,
    key: server.key,
    wsHost: server.host,
    wsPort: server.port,
    wssPort: server.port,
    forceTLS: server.scheme === 'https',
    // Without TLS pusher-js would try wss after each ws that fails: where nobody listens, and the page's policy forbids it.
    enabledTransports: server.scheme === 'https' ? ['ws' as const, 'wss' as const] : ['ws' as const],
    disableStats: true,
    cluster: server.cluster || 'mt1',
  };
  return new Echo(options) as EchoLike;
}

/** The server that a Laravel app's own build names: the five variables that its `.env` has for the browser. */
export function serverOfEnv(env: Readonly<Record<string, string | undefined>>): EventServer {
  return {
    key: env.VITE_PUSHER_APP_KEY ?? '',
    host: env.VITE_PUSHER_HOST ?? '',
    port: Number(env.VITE_PUSHER_PORT ?? 443),
    scheme: env.VITE_PUSHER_SCHEME ?? 'https',
    cluster: env.VITE_PUSHER_APP_CLUSTER ?? 'mt1',
  };
}
