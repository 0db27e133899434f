import assert from 'node:assert/strict';
import { channelOf, completedData, control, event, shape, startedData } from './lib/control.mjs';
import { look } from './lib/look.mjs';
import { until } from './lib/screen.mjs';

look('events of other tenants, of other versions and without sense change nothing', async open => {
  const [tenant, foreign] = [await control.tenant(), await control.tenant()];
  const [victim, other] = await control.seed(tenant, { schemas: 2, entities: 1, links: 2 });
  const screen = await open({ tenant });
  await screen.wantTruth(tenant);
  await screen.wantPill('Live');
  const started = change => event(tenant, victim, 9, 'started', startedData('HIJACKED'), change);
  const envelope = started({}).data;
  const entity = { id: 999_999_999, name: 'HIJACKED' };
  await control.publish([
    started({ tenant_id: foreign }),
    started({ tenant_id: undefined }),
    started({ v: 2 }),
    started({ v: undefined }),
    started({ v: '1' }),
    started({ seq: 0 }),
    started({ seq: 'x' }),
    started({ event_id: undefined }),
    started({ schema_id: 'HIJACKED' }),
    started({ schema_id: { toString: 'HIJACKED' } }),
    started({ status: 'paused' }),
    started({ status: '__proto__' }),
    started({ data: 'HIJACKED' }),
    started({ data: null }),
    ...['HIJACKED', 17, null, [], [envelope], { data: envelope }].map(data => ({ ...started({}), data })),
    { ...started({}), name: 'schema.analysis.other' },
    { ...started({}), channel: channelOf(foreign) },
    event(foreign, 999_999_998, 1, 'started', startedData('HIJACKED')),
    event(tenant, victim, 9, 'completed', completedData(victim, 'HIJACKED', entity), { tenant_id: foreign }),
  ]);
  // Events of a channel come in order: when this one has, the others had.
  await control.publish([
    event(tenant, other, 9, 'completed', completedData(other, 'renamed', { id: 0, name: '' }, 0)),
  ]);
  await screen.node(`schema-${other}`).getByText('renamed').waitFor();
  assert.doesNotMatch(await screen.page.locator('#root').textContent(), /HIJACKED/);
  assert.deepEqual((await screen.drawn()).nodes.filter(id => !id.startsWith('entity')).length, 2);
});

/** Whoever writes a source's name writes into this page. */
const hostile = [
  '<img src=x onerror="window.__pwned=1">',
  '</script><script>window.__pwned=2</script>',
  '<b>bold</b>&amp;&lt;script&gt;',
  'javascript:window.__pwned=3//',
  '{{constructor.constructor("window.__pwned=4")()}}',
  '\u202egnp.exe\u202c and \u2066isolated',
  'مصدر العملاء ١٢٣',
  '客户订单表格システム고객',
  '𝕬\u0301\u0302\u0303\u0304 👩‍👩‍👧‍👦 \ufeff \u00a0',
  '   ',
  `${'W'.repeat(250)}`,
];

look('hostile names are text, and stay where they belong', async open => {
  const tenant = await control.tenant();
  const shapes = hostile.map((name, i) => ({
    ...shape(`row_${i} value_${i}`, name),
    fields: [
      ...shape(`row_${i} value_${i}`).fields,
      { name, type: 'string' },
      { name: `${'x<i>'.repeat(1250)}`, type: name },
    ],
  }));
  const ids = await control.schemas(tenant, ...shapes);
  await until('all have ended', async () =>
    (await control.graph(tenant)).schemas.every(s => !s.open && s.status !== 'pending'),
  );
  const screen = await open({ tenant });
  await screen.wantTruth(tenant);
  await screen.wantPill('Live');
  // Names of events may be longer than those of the table.
  const long = 'اسم<u>'.repeat(834);
  await control.publish([event(tenant, ids[0], 99, 'completed', completedData(ids[0], long, { id: 0, name: '' }, 0))]);
  const titleOf = id =>
    screen.page.locator(`.react-flow__node[data-id$="-${id}"]:not([data-id^=entity]) .sc-title`).textContent();
  await until('the long name is there', async () => (await titleOf(ids[0])) === long);
  const { schemas } = await control.graph(tenant);
  for (const { id, name, hash } of schemas.slice(1)) assert.equal(await titleOf(id), name.trim() || `Schema ${hash}`);

  await screen.page.getByRole('button', { name: 'List', exact: true }).click();
  await screen.page.getByRole('button', { name: 'Both', exact: true }).click();
  for (const { id } of schemas.slice(0, 3)) {
    await screen.page.locator(`.react-flow__node[data-id$="-${id}"]`).first().focus();
    await screen.page.keyboard.press('Enter');
    await until('it is selected', () => new URL(screen.page.url()).searchParams.get('select') === `schema-${id}`);
    await screen.page.locator('.panel .runs, .panel .mappings').first().waitFor({ state: 'attached' });
  }
  const found = await screen.page.evaluate(() => ({
    pwned: window.__pwned,
    elements: document.querySelectorAll('#root :is(img, script, u, iframe, object)').length,
    links: [...document.querySelectorAll('a')].map(a => a.protocol).filter(p => p === 'javascript:').length,
    // Nothing pushes the page wider than its window.
    overflow: document.documentElement.scrollWidth - innerWidth,
    widest: Math.max(...[...document.querySelectorAll('.react-flow__node')].map(node => node.offsetWidth)),
  }));
  assert.deepEqual(found, { pwned: undefined, elements: 0, links: 0, overflow: 0, widest: 272 });
  await screen.shot('hostile');
});
