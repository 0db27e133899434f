import assert from 'node:assert/strict';
import { channelOf, control, shape } from './lib/control.mjs';
import { look } from './lib/look.mjs';

const { SCHEMACAST_CHANNEL: mode, SCHEMACAST_TOKEN_OF_ONE: tokenOfOne, SCHEMACAST_TENANT: own } = process.env;

look(`${mode} channel: who may see a tenant hears its events`, async open => {
  const screen = await open({ tenant: own, as: tokenOfOne });
  const auth = [];
  screen.page.on('response', response => {
    if (response.url().endsWith('/broadcasting/auth')) auth.push(response.status());
  });
  await screen.wantPill('Live');
  await control.hold();
  const [id] = await control.schemas(own, shape('ledger_id ledger_secret', 'ledgers'));
  await screen.node(`analyzing-${id}`).getByText('Analyzing Schema…').waitFor();
  await control.release();
  await screen.node(`schema-${id}`).waitFor();
  await screen.wantTruth(own);
  assert.ok(
    auth.every(status => status === 200),
    `/broadcasting/auth answered ${auth}`,
  );
  // It was told, and did not have to ask.
  const messages = (await screen.seen()).arrivals.map(({ text }) => JSON.parse(text));
  const heard = messages.filter(({ event, channel }) => event === 'schema.analysis' && channel === channelOf(own));
  assert.ok(heard.length >= 2, `${heard.length} events came`);
  const readable = heard.some(({ data }) => data.includes('ledger_secret'));
  assert.equal(readable, mode !== 'encrypted', 'what goes over the wire');
});

look(`${mode} channel: who may not see a tenant is refused`, async open => {
  const foreign = await control.tenant();
  const screen = await open({ tenant: own, as: tokenOfOne, allow: [/status of 403/] });
  await screen.wantPill('Live');
  const answers = await screen.page.evaluate(
    channels =>
      Promise.all(
        channels.map(async channel_name => {
          const body = new URLSearchParams({ socket_id: '1234.5678', channel_name });
          return (await fetch('/broadcasting/auth', { method: 'POST', body })).status;
        }),
      ),
    [channelOf(own), channelOf(foreign), channelOf('*')],
  );
  assert.deepEqual(answers, [200, 403, 403]);
});
