/** Asks the Go test that has started this script: see e2e/browser_control_test.go. */

const { SCHEMACAST_CONTROL: url, SCHEMACAST_CHANNEL: mode } = process.env;
if (!url) throw new Error('SCHEMACAST_CONTROL is not set: run these tests with `make test-browser`');

async function ask(op, order = {}) {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ op, ...order }) });
  if (!response.ok) throw new Error(`${op}: ${await response.text()}`);
  return response.json();
}

export const control = {
  /** Makes a tenant that nobody else uses, and returns its id. */
  tenant: () => ask('tenant'),
  /** Inserts rows, asks for their analysis, and returns their ids. */
  schemas: (tenant, ...shapes) => ask('schemas', { tenant, shapes }),
  /** Writes that many completed schemas, entities and links, and returns the ids of the schemas. */
  seed: (tenant, seed) => ask('seed', { tenant, seed }),
  /** Lets the model think about the next question until `release`. */
  hold: () => ask('model', { step: 'hold' }),
  release: () => ask('model', { step: 'release' }),
  /** Lets the model refuse the next question, for good. */
  refuse: () => ask('model', { step: 'fail' }),
  /** How many questions the model was asked. */
  asked: () => ask('asked'),
  /** Sends events to the server of events, past the worker. */
  publish: events => ask('publish', { events }),
  soketi: on => ask('soketi', { on }),
  worker: on => ask('worker', { on }),
  /** Lets the time pass after which a dead worker counts as dead. */
  loseTime: () => ask('lose time'),
  /** What the tables say of a tenant. */
  graph: tenant => ask('graph', { tenant }),
  /** Posts a shape to the Laravel app as the ingestion does, and returns its id. */
  ingest: (tenant, columns) => ask('laravel', { tenant, columns }).then(Number),
};

/** A shape of string fields. */
export const shape = (words, name = null) => ({
  name,
  fields: words.split(' ').map(word => ({ name: word, type: 'string' })),
});

const prefix = { public: '', private: 'private-', encrypted: 'private-encrypted-' }[mode];
export const channelOf = tenant => `${prefix}tenant.${tenant}.schemas`;

let count = 0;

/** An event as a worker sends it; `change` is put over its envelope. */
export function event(tenant, schemaId, seq, status, data, change = {}) {
  count++;
  const envelope = {
    status,
    schema_id: schemaId,
    tenant_id: tenant,
    data,
    timestamp: new Date().toISOString().replace(/\.\d+Z/, '+00:00'),
    event_id: `01K${Date.now().toString().padStart(15, '0')}${String(count).padStart(8, '0')}`,
    run_id: `01KRUN${String(schemaId).padStart(20, '0')}`,
    seq,
    v: 1,
  };
  return { channel: channelOf(tenant), name: 'schema.analysis', data: { ...envelope, ...change } };
}

export const startedData = (name, fields = 3) => ({
  name,
  hash: 'c0ffee00c0ffee00',
  tenant: 'Initech',
  detected_fields: Array.from({ length: fields }, (_, i) => ({ name: `field_${i + 1}`, type: 'string' })),
});

export const completedData = (id, name, entity, mappings = 2) => ({
  bronze_schema: {
    ...startedData(name, 9),
    id,
    type: 'input',
    status: 'confirmed',
    created_at: new Date().toISOString().slice(0, 10),
  },
  silver_entity: { ...entity, hash: 'e', type: 'struct', detected_fields: startedData('', 9).detected_fields },
  mappings_count: mappings,
});
