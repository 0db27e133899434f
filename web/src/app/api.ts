import { ask, type Bands, type ChannelKind, type Detail, defaultBands, parseDetail } from '../core/index.js';
import { list, number, object, oneOf, text } from '../core/read.js';
import type { EventServer } from '../echo/index.js';

export interface Tenant {
  readonly id: string;
  readonly name: string;
}

export interface Sample {
  readonly file: string;
  readonly fields: number;
}

/** What the worker tells its page: `GET /api/config`. */
export interface Config {
  readonly version: string;
  readonly user: string;
  readonly canSignOut: boolean;
  readonly pusher: EventServer | null;
  readonly channel: { readonly kind: ChannelKind; readonly template: string; readonly event: string };
  readonly tenants: readonly Tenant[];
  readonly tenantsTruncated: boolean;
  readonly bands: Bands;
  /** Link to a schema in the app, with {schema_id} and {tenant_id}; empty for none. */
  readonly appUrl: string;
  /** Files that can be added by a button; null where that is not offered. */
  readonly samples: readonly Sample[] | null;
}

export async function fetchConfig(): Promise<Config> {
  const json = object((await ask('/api/config')).body) ?? {};
  const [user, pusher, channel, demo] = [
    object(json.user),
    object(json.pusher),
    object(json.channel),
    object(json.demo),
  ];
  const [high, medium] = list(json.confidence_bands).map(number);
  return {
    version: text(json.version) ?? '',
    user: text(user?.name) ?? '',
    canSignOut: user?.can_sign_out === true,
    pusher: pusher && {
      key: text(pusher.key) ?? '',
      host: text(pusher.host) ?? location.hostname,
      port: number(pusher.port) ?? 443,
      scheme: text(pusher.scheme) ?? 'https',
      cluster: text(pusher.cluster) ?? 'mt1',
    },
    channel: {
      kind: oneOf(channel?.mode, ['public', 'private', 'encrypted'], 'public'),
      template: text(channel?.template) ?? 'tenant.{tenant_id}.schemas',
      event: text(channel?.event) ?? 'schema.analysis',
    },
    tenants: tenantsOf(json.tenants),
    tenantsTruncated: json.tenants_truncated === true,
    bands: high && medium ? [high, medium] : defaultBands,
    appUrl: text(json.app_url) ?? '',
    samples:
      demo &&
      list(demo.samples).map(item => ({
        file: text(object(item)?.file) ?? '',
        fields: number(object(item)?.fields) ?? 0,
      })),
  };
}

const tenantsOf = (value: unknown): Tenant[] =>
  list(value).flatMap(item => {
    const id = text(object(item)?.id);
    return id === null ? [] : [{ id, name: text(object(item)?.name) || id }];
  });

export const searchTenants = async (query: string): Promise<Tenant[]> =>
  tenantsOf(object((await ask(`/api/tenants?q=${encodeURIComponent(query)}`)).body)?.tenants);

export const fetchDetail = async (schemaId: number, signal: AbortSignal): Promise<Detail> =>
  parseDetail((await ask(`/api/schemas/${schemaId}`, { signal })).body);

const post = (url: string, body: unknown) =>
  ask(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

export const requestAnalysis = (schemaId: number) => post(`/api/schemas/${schemaId}/retry`, {});
export const signIn = (token: string) => post('/api/session', { token });
export const signOut = () => ask('/api/session', { method: 'DELETE' });
export const addSample = (file: string) => post('/api/demo/sources', { sample: file });
export const addFile = (file: File) =>
  ask(`/api/demo/sources?name=${encodeURIComponent(file.name)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: file,
  });
