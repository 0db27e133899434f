import assert from 'node:assert/strict';
import { control, shape } from './lib/control.mjs';
import { figure, look } from './lib/look.mjs';
import { until } from './lib/screen.mjs';

const ended = tenant =>
  until('all have ended', async () =>
    (await control.graph(tenant)).schemas.every(s => !s.open && s.status !== 'pending'),
  );

look('the server of events dies and comes back: the pill says so, and the screen is true again', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant, allow: [/WebSocket connection/] });
  await screen.wantPill('Live');
  const [known] = await control.schemas(tenant, shape('pump_id pump_power pump_kind', 'pumps'));
  await screen.node(`schema-${known}`).waitFor();
  await screen.wantTruth(tenant);
  const marker = await screen.marker();

  await control.soketi(false);
  await screen.wantPill('Connecting');
  await control.hold();
  await control.schemas(tenant, shape('valve_id valve_kind valve_maker', 'valves'));
  await until('the model is asked', async () =>
    (await control.graph(tenant)).schemas.some(s => s.status === 'processing'),
  );
  await screen.wantPill('Paused');
  await screen.page.getByRole('button', { name: 'Reconnect now' }).waitFor();
  // No event comes, and yet the screen is true: the tables are asked.
  await screen.wantTruth(tenant);

  // What happens now is told to nobody who listens.
  await control.release();
  await control.refuse();
  await control.schemas(tenant, shape('meter_id meter_place', 'meters'));
  await ended(tenant);
  await control.soketi(true);
  const back = performance.now();
  await screen.wantTruth(tenant);
  figure('outage: return of the server to truth (budget 3000)', performance.now() - back);
  const truth = performance.now() - back;
  await screen.wantPill('Live', 30_000);
  figure('outage: return of the server to Live', performance.now() - back);
  assert.ok(truth < 10_000, `the screen was wrong for ${truth} ms`);

  const [later] = await control.schemas(tenant, shape('tank_id tank_volume', 'tanks'));
  await screen.node(`schema-${later}`).waitFor();
  await screen.arrivalOf(later, 'completed');
  await screen.wantTruth(tenant);
  assert.equal(await screen.marker(), marker, 'the page was loaded again');
});

look('a restart of the server of events within seconds is made up for at once', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant, allow: [/WebSocket connection/] });
  await screen.wantPill('Live');
  await control.hold();
  const [id] = await control.schemas(tenant, shape('hatch_id hatch_size', 'hatches'));
  await screen.node(`analyzing-${id}`).waitFor();
  await control.soketi(false);
  await control.release();
  await ended(tenant);
  await control.soketi(true);
  const back = performance.now();
  await screen.wantTruth(tenant);
  figure('restart: return of the server to truth (budget 3000)', performance.now() - back);
  await screen.wantPill('Live', 30_000);
  figure('restart: return of the server to Live', performance.now() - back);
});

look('a worker dies during an analysis, and another ends it', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant, allow: [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/] });
  await screen.wantPill('Live');
  const marker = await screen.marker();
  await control.hold();
  const asked = await control.asked();
  const [id] = await control.schemas(tenant, shape('crane_id crane_load', 'cranes'));
  const ghost = screen.node(`analyzing-${id}`);
  await ghost.getByText('Analyzing Schema…').waitFor();
  await until('the model is asked', async () => (await control.asked()) > asked);
  await control.worker(false);
  // Nobody knows yet that it is dead, and nobody is told that it has ended.
  await ghost.getByText('Analyzing Schema…').waitFor();
  await control.loseTime();
  await control.worker(true);
  await screen.node(`schema-${id}`).waitFor();
  await screen.wantTruth(tenant);
  assert.equal(await ghost.count(), 0);
  assert.equal(await screen.marker(), marker, 'the page was loaded again');
  await control.release();
});
