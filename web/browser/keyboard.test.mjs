import assert from 'node:assert/strict';
import { control } from './lib/control.mjs';
import { look } from './lib/look.mjs';
import { until } from './lib/screen.mjs';

look('everything is reached with the keyboard alone', async open => {
  const tenant = await control.tenant();
  const ids = await control.seed(tenant, { schemas: 6, entities: 2, links: 6 });
  const { entities } = await control.graph(tenant);
  const screen = await open({ tenant });
  await screen.wantTruth(tenant);
  const { page } = screen;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-id') ?? '');
  const wantFocus = id =>
    until(
      async () => `${id} has the focus, not ${await focused()}`,
      async () => (await focused()) === id,
    );
  const selected = () => new URL(page.url()).searchParams.get('select') ?? '';
  const details = page.getByRole('complementary', { name: 'Details' });

  // Tab leads through the page in its order, to the first source of the graph.
  const stops = [];
  for (let i = 0; i < 60 && !(await focused()); i++) {
    await keyboard.press('Tab');
    stops.push(await page.evaluate(() => document.activeElement?.textContent?.slice(0, 20)));
    assert.ok(await page.evaluate(isVisiblyFocused), `the focus is not seen after ${stops.join(' > ')}`);
  }
  const order = await page.evaluate(() => [...document.querySelectorAll('.react-flow__node')].map(n => n.dataset.id));
  assert.equal(await focused(), order[0], `Tab led through ${stops.join(' > ')}`);
  assert.match(order[0], /^schema-/, 'sources come before entities');

  await keyboard.press('ArrowDown');
  await wantFocus(order[1]);
  await keyboard.press('ArrowUp');
  await wantFocus(order[0]);
  await keyboard.press('ArrowRight');
  await wantFocus(`entity-${entities[0].id}`);
  await keyboard.press('ArrowLeft');
  await wantFocus(order[0]);

  await keyboard.press('Enter');
  await details.waitFor();
  assert.equal(selected(), order[0]);
  await wantFocus(order[0]);
  await keyboard.press('Enter');
  await screen.node(order[0]).locator('.sc-fields').waitFor();
  await keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert.equal(selected(), '');

  await keyboard.press('/');
  await keyboard.type('SOURCE_5');
  await page.getByText('1 found').waitFor();
  await keyboard.press('Enter');
  await details.getByRole('heading', { name: 'source_5' }).waitFor();
  assert.equal(selected(), `schema-${ids[4]}`);
  await keyboard.press('Escape');
  assert.equal(await page.getByRole('searchbox').inputValue(), '', 'Escape clears the search');
});

function isVisiblyFocused() {
  const styles = element => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  };
  const { activeElement } = document;
  if (!activeElement || activeElement === document.body) return true;
  return styles(activeElement) || [...activeElement.children].some(styles);
}
