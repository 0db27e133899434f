import assert from 'node:assert/strict';
import { control } from './lib/control.mjs';
import { figure, look } from './lib/look.mjs';

const { SCHEMACAST_TENANT: tenant } = process.env;

look("the whole way, from the app's POST /api/schemas to the picture", async open => {
  const screen = await open({ tenant });
  await screen.page.getByText('No schemas yet').waitFor();
  await screen.wantPill('Live');
  const marker = await screen.marker();
  await control.hold();
  const began = performance.now();
  const id = await control.ingest(tenant, 'harbour_id harbour_depth:float harbour_name');
  await screen.node(`analyzing-${id}`).getByText('3 fields').waitFor();
  figure('the app takes a shape: to its ghost', performance.now() - began);
  await control.release();
  await screen.node(`schema-${id}`).waitFor();
  await screen.wantTruth(tenant);
  assert.ok(await screen.arrivalOf(id, 'completed'));
  const again = await control.ingest(tenant, 'harbour_id harbour_depth:float harbour_name berths:integer');
  await screen.node(`schema-${again}`).waitFor();
  await screen.wantTruth(tenant);
  const { nodes } = await screen.drawn();
  assert.equal(nodes.filter(node => node.startsWith('entity-')).length, 1);
  assert.equal(await screen.marker(), marker, 'the page was loaded again');
});
