import assert from 'node:assert/strict';
import { control } from './lib/control.mjs';
import { figure, look } from './lib/look.mjs';

const { SCHEMACAST_TOKEN: token, SCHEMACAST_TOKEN_OF_ONE: tokenOfOne, SCHEMACAST_TENANT: own } = process.env;

// Who is nobody yet is told so by a 401, which browsers put into the console.
const allow = [/status of 401/];

look('a wrong token is told, a right one leads to the page, and signing out leads back', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant, as: null, allow });
  const { page } = screen;
  await page.getByLabel('Token').fill('wrong-token-of-nobody');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'token' }).waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByText('No schemas yet').waitFor();
  await screen.wantPill('Live');
  const [painted] = await page.evaluate(() =>
    performance.getEntriesByName('first-contentful-paint').map(e => e.startTime),
  );
  figure('first paint of the page without data', painted);
  assert.equal(await page.evaluate(() => document.cookie), '', 'the session is readable by scripts');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

look('a link with #token= signs in and leaves no token in the address', async open => {
  const screen = await open({ as: null, hash: `#token=${tokenOfOne}` });
  await screen.page.getByText('No schemas yet').waitFor();
  assert.equal(new URL(screen.page.url()).hash, '');
  // It is the ground's own tenant that this token opens, and no other.
  assert.deepEqual(
    await screen.page
      .getByLabel('Tenant')
      .locator('option')
      .evaluateAll(all => all.map(o => o.value)),
    [own],
  );
});

look('a link with a wrong token asks for one', async open => {
  const screen = await open({ as: null, hash: '#token=wrong-token-of-nobody', allow });
  await screen.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.equal(new URL(screen.page.url()).hash, '');
});

look('a tenant that the token does not open is as one that does not exist', async open => {
  const tenant = await control.tenant();
  const screen = await open({ tenant, as: tokenOfOne, allow: [/status of 404/] });
  await screen.page.getByText('There is no such tenant').waitFor();
});
