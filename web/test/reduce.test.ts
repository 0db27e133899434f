import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AnalysisEvent, emptyState, parseEvent, parseSnapshot, reduce, type State } from '../src/core/index.js';
import { completed, failed, nameOf, progress, reduced, started, tenant, type Wire } from './wire.js';

const parse = (wire: Wire): AnalysisEvent => {
  const event = parseEvent(nameOf(wire), JSON.parse(JSON.stringify(wire)), tenant);
  if (typeof event === 'string') throw new Error(`the event is left out: ${event}`);
  return event;
};

/** Everything but when this machine heard of it. */
const shown = ({ schemas, entities, links, happenings }: State) => ({
  schemas: sorted(schemas),
  entities: sorted(entities),
  links: sorted(links),
  happenings,
});
const sorted = <T>(map: ReadonlyMap<number, T>) => [...map].sort(([a], [b]) => a - b);

const feed = (state: State, events: readonly AnalysisEvent[]) => reduce(state, { type: 'events', events, now: 1 });

/** What happens to one schema: runs, one after the other, each with its end. */
const life = (schemaId: number) =>
  fc
    .array(
      fc.record({
        progress: fc.nat(3),
        end: fc.constantFrom('completed', 'reduced', 'failed', 'open'),
        entity: fc.integer({ min: 1000, max: 1002 }),
      }),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map(runs => {
      const events: Wire[] = [];
      let seq = 0;
      runs.forEach((run, i) => {
        const id = `${schemaId}-${i}`;
        events.push(started(schemaId, ++seq, id, `old name ${i}`));
        for (let n = 0; n < run.progress; n++) events.push(progress(schemaId, ++seq, id));
        if (run.end === 'completed') events.push(completed(schemaId, ++seq, id, run.entity));
        if (run.end === 'reduced') events.push(reduced(schemaId, ++seq, id));
        if (run.end === 'failed') events.push(failed(schemaId, ++seq, id));
      });
      return events.map(parse);
    });

const lives = fc
  .integer({ min: 1, max: 4 })
  .chain(n => fc.tuple(...Array.from({ length: n }, (_, i) => life(i + 1))))
  .map(all => all.flat());

const disturbed = lives.chain(events =>
  fc.tuple(
    fc.constant(events),
    fc.array(fc.nat(events.length - 1), { maxLength: 10 }).chain(again =>
      fc.shuffledSubarray([...events, ...again.map(i => events[i] as AnalysisEvent)], {
        minLength: events.length + again.length,
      }),
    ),
    fc.integer({ min: 1, max: 5 }),
  ),
);

/** The graph as the database has it after these events. */
function snapshotOf(events: readonly AnalysisEvent[]) {
  const truth = feed(emptyState(tenant), events);
  return parseSnapshot({
    seq: events.length,
    since: 's1',
    next: null,
    delta: false,
    totals: { schemas: truth.schemas.size, entities: truth.entities.size },
    schemas: [...truth.schemas.values()].map(schema => ({
      ...schema,
      seq: Math.max(...events.filter(e => e.schemaId === schema.id).map(e => e.seq)),
      ai_analysis_status: schema.analysis,
      created_at: schema.createdAt && new Date(schema.createdAt).toISOString(),
      analyzed_at: schema.analyzedAt && new Date(schema.analyzedAt).toISOString(),
      run: schema.run && {
        id: schema.run.id,
        state: schema.run.state,
        started_at: schema.run.startedAt && new Date(schema.run.startedAt).toISOString(),
      },
    })),
    entities: [...truth.entities.values()],
    links: [...truth.links.values()]
      .flat()
      .map(l => ({ schema_id: l.schemaId, entity_id: l.entityId, fields: l.fields, confidence: 0.9 })),
  });
}

test('events in any order, any number of times and in any portions make the same state', () => {
  fc.assert(
    fc.property(disturbed, ([events, shuffled, portion]) => {
      let state = emptyState(tenant);
      for (let i = 0; i < shuffled.length; i += portion) state = feed(state, shuffled.slice(i, i + portion));
      expect(shown(state)).toEqual(shown(feed(emptyState(tenant), events)));
    }),
    { numRuns: 500 },
  );
});

test('whatever was lost, a whole snapshot makes the state that of the database', () => {
  fc.assert(
    fc.property(
      lives.chain(events => fc.tuple(fc.constant(events), fc.subarray(events))),
      ([events, heard]) => {
        const snapshot = snapshotOf(events);
        const finish = (state: State) => {
          const asked = state.clock;
          const read = reduce(state, { type: 'snapshot', snapshot, asked });
          return reduce(read, {
            type: 'complete',
            schemas: new Set(snapshot.schemas.map(s => s.id)),
            entities: new Set(snapshot.entities.map(e => e.id)),
            asked,
            since: 's1',
          });
        };
        const state = finish(feed(emptyState(tenant), heard));
        const fresh = finish(emptyState(tenant));
        const comparable = (s: State) => ({
          ...shown(s),
          happenings: 0,
          schemas: sorted(s.schemas).map(([id, schema]) => [id, { ...schema, progress: null }]),
        });
        expect(comparable(state)).toEqual(comparable(fresh));
        // What comes late changes nothing.
        expect(comparable(feed(state, events))).toEqual(comparable(fresh));
      },
    ),
    { numRuns: 300 },
  );
});

test('an event that comes while a snapshot is read is not undone by it', () => {
  const before = [parse(started(1, 1))];
  const during = [parse(completed(1, 2))];
  let state = feed(emptyState(tenant), before);
  const asked = state.clock;
  state = feed(state, during);
  const shown = reduce(state, { type: 'snapshot', snapshot: snapshotOf(before), asked });
  expect(shown.schemas.get(1)?.analysis).toBe('completed');
  expect(shown.links.get(1)).toHaveLength(1);
});

test('a schema that is in no page is gone, unless it was heard of since', () => {
  let state = feed(emptyState(tenant), [parse(completed(1, 1)), parse(completed(2, 1))]);
  const asked = state.clock;
  state = feed(state, [parse(completed(3, 1, 'r', 1001))]);
  const done = reduce(state, {
    type: 'complete',
    schemas: new Set([1]),
    entities: new Set([1000]),
    asked,
    since: null,
  });
  expect([...done.schemas.keys()]).toEqual([1, 3]);
  expect([...done.entities.keys()].sort()).toEqual([1000, 1001]);
  expect([...done.links.keys()]).toEqual([1, 3]);
});

test('a database that starts to count again is believed', () => {
  const state = feed(emptyState(tenant), [parse(started(1, 40)), parse(failed(1, 41))]);
  const restarted = reduce(state, {
    type: 'snapshot',
    snapshot: snapshotOf([parse(started(1, 1)), parse(completed(1, 2))]),
    asked: state.clock,
  });
  expect(restarted.schemas.get(1)?.analysis).toBe('completed');
  expect(feed(restarted, [parse(started(1, 3, 'r2'))]).schemas.get(1)?.analysis).toBe('processing');
});

test.each([
  ['an unknown version', { ...started(1, 1), v: 2 }, 'version'],
  ['no version, as the job before us sent it', { ...started(1, 1), v: undefined }, 'version'],
  ['an unknown status', { ...started(1, 1), status: 'paused' }, 'status'],
  ['a foreign tenant', { ...started(1, 1), tenant_id: 'globex' }, 'tenant'],
  ['no data', { ...started(1, 1), data: null }, 'malformed'],
  ['an id that is none', { ...started(1, 1), schema_id: '1; drop' }, 'malformed'],
  ['a number that is none', { ...started(1, 1), seq: Number.NaN }, 'malformed'],
  ['no event at all', 'hello', 'malformed'],
])('%s is left out, and says why', (_, wire, reason) => {
  expect(parseEvent('schema.analysis', wire, tenant)).toBe(reason);
});

test('nothing that a stranger sends is thrown at the page', () => {
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom('started', 'completed', 'failed'), (data, status) => {
      const event = parseEvent('schema.analysis', { ...started(1, 1), status, data }, tenant);
      if (typeof event !== 'string') feed(emptyState(tenant), [event]);
    }),
    { numRuns: 1000 },
  );
});

test('a request shows at once, and goes back when it is refused', () => {
  const state = feed(emptyState(tenant), [parse(started(1, 1)), parse(failed(1, 2))]);
  const before = state.schemas.get(1);
  const asked = reduce(state, { type: 'requested', schemaId: 1, now: 5 });
  expect(asked.schemas.get(1)).toMatchObject({ analysis: 'pending', error: null, run: { state: 'requested' } });
  if (!before) throw new Error('no schema');
  expect(reduce(asked, { type: 'refused', schema: before }).schemas.get(1)).toEqual(before);
  expect(feed(asked, [parse(started(1, 3, 'r2'))]).schemas.get(1)?.analysis).toBe('processing');
});
