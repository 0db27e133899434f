import assert from 'node:assert/strict';
import { control, shape } from './lib/control.mjs';
import { look } from './lib/look.mjs';
import { until } from './lib/screen.mjs';

const background = page => page.evaluate(() => getComputedStyle(document.querySelector('.app')).backgroundColor);

/** A tenant in which everything can be seen that there is: it waits for the model. */
async function everything() {
  const tenant = await control.tenant();
  await control.seed(tenant, { schemas: 6, entities: 3, links: 8 });
  await control.refuse();
  const [failed] = await control.schemas(tenant, shape('meter_id meter_place', 'meters'));
  return { tenant, failed };
}

look('no violation of WCAG 2.2 AA, whatever is shown, light and dark', async open => {
  const empty = await open({ tenant: await control.tenant() });
  await empty.page.getByText('No schemas yet').waitFor();
  await empty.wantPill('Live');
  await empty.wantAccessible('the empty page, light');
  await empty.page.getByLabel('Colours').selectOption('dark');
  await empty.wantAccessible('the empty page, dark');

  const { tenant, failed } = await everything();
  const screen = await open({ tenant });
  const { page } = screen;
  await screen.node(`analyzing-${failed}`).getByRole('button', { name: 'Retry' }).waitFor();
  await control.hold();
  const [running] = await control.schemas(tenant, shape('valve_id valve_kind', 'valves'));
  await screen.node(`analyzing-${running}`).getByText('Analyzing Schema…').waitFor();
  await until('what is new is in view, and nothing covers it', () => screen.isClear(`analyzing-${running}`));
  await screen.wantAccessible('the graph, light');

  await page.getByLabel('Colours').selectOption('dark');
  const dark = await background(page);
  await screen.wantAccessible('the graph, dark');
  await screen.shot('dark');

  await screen.node(`analyzing-${failed}`).click();
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByText('Runs').waitFor();
  await screen.wantAccessible('details, dark');
  await page.getByLabel('Colours').selectOption('light');
  assert.notEqual(await background(page), dark);
  await screen.wantAccessible('details, light');
  await details.getByRole('button', { name: 'Close details' }).click();

  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Analysed' }).waitFor();
  await screen.wantAccessible('the list, light');
  await page.getByLabel('Colours').selectOption('dark');
  await screen.wantAccessible('the list, dark');
  await screen.shot('list-dark');
  await control.release();
});

look('sign-in is accessible too', async open => {
  const screen = await open({ as: null, allow: [/status of 401/] });
  await screen.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await screen.wantAccessible('sign-in');
});

look('colours follow the system until somebody chooses, and the choice stays', async open => {
  const tenant = await control.tenant();
  const [light, dark] = [await open({ tenant, colorScheme: 'light' }), await open({ tenant, colorScheme: 'dark' })];
  for (const { page } of [light, dark]) await page.getByText('No schemas yet').waitFor();
  const [ofLight, ofDark] = [await background(light.page), await background(dark.page)];
  assert.notEqual(ofLight, ofDark);
  await light.page.getByLabel('Colours').selectOption('dark');
  assert.equal(await background(light.page), ofDark);
  await light.page.reload();
  await light.page.getByText('No schemas yet').waitFor();
  assert.equal(await background(light.page), ofDark);
});

look('the list tells the same as the graph, sorts, and selects', async open => {
  const { tenant, failed } = await everything();
  const screen = await open({ tenant, query: { view: 'list' } });
  const { page } = screen;
  const names = () => page.locator('#list tbody th button').allTextContents();
  await page
    .getByRole('row', { name: /meters/ })
    .getByText('failed')
    .waitFor();
  const { schemas, entities, links } = await control.graph(tenant);
  assert.deepEqual((await names()).sort(), schemas.map(schema => schema.name).sort());
  for (const { id, name } of schemas.filter(schema => schema.id !== failed)) {
    const row = await page.getByRole('row', { name: new RegExp(`^${name}\\b`) }).textContent();
    for (const link of links.filter(link => link.schema_id === id)) {
      const { name: entity } = entities.find(entity => entity.id === link.entity_id);
      assert.ok(row.includes(entity), `${name} leads to ${entity}, and its row is ${row}`);
    }
  }
  const header = page.getByRole('columnheader', { name: 'Source' });
  await header.getByRole('button').click();
  assert.equal(await header.getAttribute('aria-sort'), 'ascending');
  assert.deepEqual(await names(), [...(await names())].sort());
  await page.getByRole('button', { name: 'source_3' }).press('Enter');
  await page.getByRole('complementary', { name: 'Details' }).getByRole('heading', { name: 'source_3' }).waitFor();
  await page.locator('.chip--failed').click();
  assert.deepEqual(await names(), ['meters']);
});
