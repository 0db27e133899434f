/** Events as the service sends them. */

export const tenant = 'acme';

export const eventId = (n: number): string => `01J${String(n).padStart(23, '0')}`;

export interface Wire {
  readonly [key: string]: unknown;
  readonly schema_id: number;
  readonly seq: number;
}

let counter = 0;

function envelope(schemaId: number, seq: number, runId: string) {
  const n = ++counter;
  return {
    schema_id: schemaId,
    tenant_id: tenant,
    timestamp: new Date(Date.UTC(2026, 10, 28, 12, 0, n)).toISOString().replace('.000Z', '+00:00'),
    event_id: eventId(n),
    run_id: runId,
    seq,
    v: 1,
  };
}

export const fields = (n: number) => Array.from({ length: n }, (_, i) => ({ name: `field_${i}`, type: 'string' }));

export const started = (schemaId: number, seq: number, runId = 'r1', name: string | null = null): Wire => ({
  status: 'started',
  ...envelope(schemaId, seq, runId),
  data: { name, hash: `hash${schemaId}`, tenant: 'Acme', detected_fields: fields(3) },
});

export const progress = (schemaId: number, seq: number, runId = 'r1'): Wire => ({
  ...envelope(schemaId, seq, runId),
  data: { stage: 'ask', done: 1, total: 3 },
});

export const completed = (schemaId: number, seq: number, runId = 'r1', entityId = 1000): Wire => ({
  status: 'completed',
  ...envelope(schemaId, seq, runId),
  data: {
    bronze_schema: {
      id: schemaId,
      hash: `hash${schemaId}`,
      name: `named ${schemaId} by ${runId}`,
      type: 'input',
      status: 'confirmed',
      tenant: 'Acme',
      detected_fields: fields(3),
      created_at: '2026-11-28',
    },
    silver_entity: { id: entityId, name: `Entity ${entityId}`, hash: 'e', type: 'struct', detected_fields: fields(2) },
    mappings_count: 2,
  },
});

/** As it comes when it is too large for the server. */
export const reduced = (schemaId: number, seq: number, runId = 'r1'): Wire => ({
  status: 'completed',
  ...envelope(schemaId, seq, runId),
  data: { mappings_count: 2 },
  truncated: ['bronze_schema', 'silver_entity'],
});

export const failed = (schemaId: number, seq: number, runId = 'r1'): Wire => ({
  status: 'failed',
  ...envelope(schemaId, seq, runId),
  data: { error: `the model does not answer (${runId})`, code: 'llm_unavailable' },
});

export const nameOf = (wire: Wire): string => ('status' in wire ? 'schema.analysis' : 'schema.analysis.progress');
