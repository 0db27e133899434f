import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Live, type LiveOptions, parseSnapshot, type SnapshotRequest } from '../src/core/index.js';
import { FakeTransport, graphOf } from './fake.js';
import { completed, failed, started, tenant } from './wire.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A Live in front of a database that the test can change and break. */
function setup(options: Partial<LiveOptions> = {}) {
  const transport = new FakeTransport();
  const database = {
    graph: graphOf([]) as Record<string, unknown>,
    broken: null as Error | null,
    asked: [] as SnapshotRequest[],
  };
  const live = new Live({
    tenantId: tenant,
    transport,
    dwell: 0,
    fetchSnapshot: async request => {
      database.asked.push(request);
      if (database.broken) throw database.broken;
      return parseSnapshot(database.graph);
    },
    ...options,
  });
  live.start();
  return { live, transport, database, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

const analysisOf = (live: Live, id = 1) => live.getState().graph.schemas.get(id)?.analysis;

test('events that come while the first snapshot is read are not lost', async () => {
  let answer: (value: unknown) => void = () => {};
  const { live, transport, pass } = setup({
    fetchSnapshot: () => new Promise(resolve => (answer = value => resolve(parseSnapshot(value)))),
  });
  transport.send(started(1, 1));
  await pass(100);
  answer(graphOf([])); // read before the event
  await pass(0);
  expect(analysisOf(live)).toBe('processing');
});

test('a snapshot is read whenever events begin to come: what was published before is gone', async () => {
  const { live, transport, database, pass } = setup();
  await pass(10);
  transport.signal('live');
  await pass(10);
  expect(live.getState().connection).toBe('live');
  const before = database.asked.length;
  transport.signal('down');
  database.graph = graphOf([{ id: 1 }]);
  transport.signal('live');
  await pass(10);
  expect(database.asked.length).toBe(before + 1);
  expect(analysisOf(live)).toBe('completed');
});

test('without events it says so after a while, and asks the database', async () => {
  const { live, transport, database, pass } = setup();
  transport.signal('live');
  await pass(10);
  transport.signal('down');
  expect(live.getState().connection).toBe('connecting');
  await pass(5_100);
  expect(live.getState().connection).toBe('paused');
  database.graph = graphOf([{ id: 1 }]);
  await pass(6_000);
  expect(analysisOf(live)).toBe('completed');
  database.broken = new Error('the server does not answer');
  await pass(12_000);
  expect(live.getState()).toMatchObject({ connection: 'offline', error: { message: 'the server does not answer' } });
  expect(analysisOf(live)).toBe('completed'); // what was known stays
  database.broken = null;
  transport.signal('live');
  await pass(100);
  expect(live.getState()).toMatchObject({ connection: 'live', error: null });
});

test('a refused subscription is told with its reason, at once', async () => {
  const { live, transport, pass } = setup();
  transport.signal('refused', 'status 403');
  await pass(10);
  expect(live.getState()).toMatchObject({ connection: 'paused', reason: 'status 403' });
});

test('a server that swallows events is found out', async () => {
  const { live, transport, database, pass } = setup();
  transport.signal('live');
  await pass(10);
  database.graph = graphOf([{ id: 1, ai_analysis_status: 'failed' }]);
  await pass(31_000);
  expect(analysisOf(live)).toBe('failed');
});

test('an analysis that nobody hears of any more is asked about', async () => {
  const { live, transport, database, pass } = setup();
  transport.signal('live');
  database.graph = graphOf([{ id: 1, ai_analysis_status: 'processing' }]);
  transport.send(started(1, 1));
  await pass(150_000);
  const before = database.asked.length;
  await pass(30_000);
  expect(database.asked.length - before).toBeGreaterThanOrEqual(5);
  database.graph = graphOf([{ id: 1, seq: 2 }]);
  await pass(6_000);
  expect(analysisOf(live)).toBe('completed');
});

test('after an end the database is asked for what the event does not tell, once for many', async () => {
  const { transport, database, pass } = setup();
  transport.signal('live');
  await pass(1_000);
  const before = database.asked.length;
  for (let id = 1; id <= 50; id++) transport.send(completed(id, 1));
  await pass(1_000);
  expect(database.asked.length).toBe(before + 1);
  expect(database.asked.at(-1)?.since).toBe('s1');
});

test('what is gone from the database goes from the screen', async () => {
  const { live, transport, database, pass } = setup();
  database.graph = graphOf([{ id: 1 }, { id: 2 }]);
  transport.signal('live');
  await pass(100);
  expect(live.getState().graph.schemas.size).toBe(2);
  database.graph = graphOf([], { delta: true, since: 's2', totals: { schemas: 1, entities: 0 } });
  const whole = graphOf([{ id: 2 }]);
  const answer = database.graph;
  Object.defineProperty(database, 'graph', { get: () => (database.asked.at(-1)?.since ? answer : whole) });
  await pass(31_000);
  expect([...live.getState().graph.schemas.keys()]).toEqual([2]);
});

test('large tenants come in pages, up to a limit that is told', async () => {
  const page = (n: number) =>
    graphOf([{ id: 10 - n }], { next: n < 9 ? String(n + 1) : null, totals: { schemas: 9, entities: 0 } });
  const asked: (string | null)[] = [];
  const { live, pass } = setup({
    maxSchemas: 4,
    fetchSnapshot: async ({ cursor }) => {
      asked.push(cursor);
      return parseSnapshot(page(Number(cursor ?? 1)));
    },
  });
  await pass(100);
  expect(asked.slice(0, 4)).toEqual([null, '2', '3', '4']);
  expect(live.getState().graph.schemas.size).toBe(4);
  expect(live.getState().graph.totals.schemas).toBe(9);
});

test('what has changed comes in pages too, and is asked for again when one is missing', async () => {
  let broken = true;
  const asked: SnapshotRequest[] = [];
  const { live, transport, pass } = setup({
    fetchSnapshot: async request => {
      asked.push(request);
      if (request.cursor === null && request.since === null) return parseSnapshot(graphOf([{ id: 1 }, { id: 2 }]));
      const totals = { schemas: 3, entities: 0 };
      if (request.cursor === null)
        return parseSnapshot(graphOf([{ id: 3 }], { delta: true, since: 's2', next: 'c', totals }));
      if (broken) throw new Error('cut off');
      return parseSnapshot(graphOf([{ id: 1, name: 'new' }], { delta: true, since: 's2', totals }));
    },
  });
  transport.signal('live');
  await pass(100);
  await pass(31_000);
  expect(asked.at(-1)).toMatchObject({ cursor: 'c' });
  broken = false;
  await pass(20_000);
  expect(live.getState().graph.schemas.get(1)?.name).toBe('new');
  expect(live.getState().graph.since).toBe('s2');
  expect(asked.filter(request => request.since === 's1').length).toBeGreaterThan(1);
});

test('an event that is not understood makes it ask the database; one of a foreign tenant does not', async () => {
  const { live, transport, database, pass } = setup();
  transport.signal('live');
  await pass(1_000);
  const before = database.asked.length;
  transport.send({ ...started(1, 1), tenant_id: 'globex' });
  await pass(1_000);
  expect(database.asked.length).toBe(before);
  transport.send({ ...started(1, 1), v: 9 });
  await pass(1_000);
  expect(database.asked.length).toBe(before + 1);
  expect(live.getState().graph).toMatchObject({ ignored: { tenant: 1, version: 1 } });
  expect(live.getState().graph.schemas.size).toBe(0);
});

test('a retry shows at once, and what was before when it is refused', async () => {
  let refuse = false;
  const { live, transport, database, pass } = setup({
    retry: async () => {
      if (refuse) throw new Error('the analysis is disabled');
    },
  });
  database.graph = graphOf([{ id: 1, ai_analysis_status: 'failed', error: 'no answer' }]);
  transport.signal('live');
  await pass(100);
  refuse = true;
  const refused = live.retry(1);
  expect(live.getState().graph.schemas.get(1)?.run?.state).toBe('requested');
  await expect(refused).rejects.toThrow('disabled');
  expect(live.getState().graph.schemas.get(1)).toMatchObject({ analysis: 'failed', error: 'no answer' });
  refuse = false;
  await live.retry(1);
  transport.send(started(1, 5, 'r2'), failed(1, 6, 'r2'));
  await pass(100);
  expect(live.getState().graph.schemas.get(1)?.error).toContain('r2');
});

test('a hundred events of one frame are one change', async () => {
  const { live, transport, pass } = setup();
  await pass(100);
  let changes = 0;
  live.subscribe(() => changes++);
  for (let id = 1; id <= 100; id++) transport.send(started(id, 1));
  await pass(60);
  expect(live.getState().graph.schemas.size).toBe(100);
  expect(changes).toBe(1);
});

test('an analysis that takes no time is seen', async () => {
  const { live, transport, pass } = setup({ dwell: 500 });
  await pass(100);
  transport.send(started(1, 1), completed(1, 2), completed(2, 1));
  await pass(100);
  expect([analysisOf(live, 1), analysisOf(live, 2)]).toEqual(['processing', 'completed']);
  await pass(600);
  expect(analysisOf(live, 1)).toBe('completed');
});

test('stopped, it asks for nothing, and started again it does', async () => {
  const { live, transport, database, pass } = setup();
  await pass(100);
  live.stop();
  const before = database.asked.length;
  await pass(60_000);
  expect(database.asked.length).toBe(before);
  expect(transport.listeners).toBe(0);
  live.start();
  await pass(100);
  expect(database.asked.length).toBe(before + 1);
});
