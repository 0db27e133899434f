import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { control } from './control.mjs';

const { SCHEMACAST_SCREENSHOTS: folder } = process.env;
const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/** Waits until `ask` gives something true, and returns that. */
export async function until(what, ask, ms = 20_000) {
  for (const end = performance.now() + ms; ; ) {
    const got = await ask();
    if (got) return got;
    assert.ok(
      performance.now() < end,
      `waited ${ms / 1000} s until ${typeof what === 'function' ? await what() : what}`,
    );
    await new Promise(done => setTimeout(done, 25));
  }
}

/** The dashboard as somebody sees it. */
export class Screen {
  constructor(page, allowed) {
    this.page = page;
    this.problems = [];
    page.on('console', message => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const text = `${message.text()} (${message.location().url})`;
      if (!allowed.some(pattern => pattern.test(text))) this.problems.push(text);
    });
    page.on('pageerror', error => this.problems.push(`uncaught: ${error.stack}`));
    page.on('crash', () => this.problems.push('the page has crashed'));
  }

  node = id => this.page.locator(`.react-flow__node[data-id="${id}"]`);
  pill = () => this.page.locator('.pill [role=status]').textContent();
  seen = () => this.page.evaluate(() => window.__seen);
  sum = () => this.page.locator('.filters-sum').textContent();

  async wantPill(word, ms) {
    await until(`the pill says ${word}`, async () => (await this.pill().catch(() => '')) === word, ms);
  }

  /** All that is drawn: ids of nodes, and ids of edges with their labels. */
  drawn = () =>
    this.page.evaluate(() => ({
      nodes: [...document.querySelectorAll('.react-flow__node')].map(node => node.dataset.id).sort(),
      edges: [...document.querySelectorAll('.react-flow__edge')]
        .map(edge => `${edge.dataset.id} ${edge.querySelector('.sc-edge-label')?.textContent ?? ''}`)
        .sort(),
    }));

  /** Waits until the screen shows what the tables say, and returns how long that took. */
  async wantTruth(tenant, ms = 20_000) {
    const began = performance.now();
    let got;
    let want;
    await until(
      () => `the screen is ${JSON.stringify(want)}, it is ${JSON.stringify(got)}`,
      async () => {
        want = drawingOf(await control.graph(tenant));
        got = await this.drawn();
        return JSON.stringify(got) === JSON.stringify(want);
      },
      ms,
    );
    return performance.now() - began;
  }

  /** Something in the window that does not survive a reload. */
  marker = () => this.page.evaluate(() => window.__marker);

  /** Waits for an event, and returns when it arrived, on the page's clock. */
  arrivalOf(schemaId, status) {
    return until(`${status} of schema ${schemaId} has arrived`, async () => {
      const { arrivals } = await this.seen();
      for (const { at, text } of arrivals) {
        const { event, data } = JSON.parse(text);
        if (event !== 'schema.analysis') continue;
        const parsed = JSON.parse(data);
        if (parsed?.schema_id === schemaId && parsed.status === status) return at;
      }
      return null;
    });
  }

  /** Whether a node is in view, and nothing covers a part of it. */
  isClear(id) {
    return this.node(id).evaluate(node => {
      const { left, top, width, height } = node.getBoundingClientRect();
      const parts = [0.05, 0.3, 0.5, 0.7, 0.95];
      const points = parts.flatMap(x => parts.map(y => [left + x * width, top + y * height]));
      return points.every(([x, y]) => node.contains(document.elementFromPoint(x, y)));
    });
  }

  /** Begins to count what the page's main thread needs of a processor; call the result for milliseconds by part. */
  async workOf() {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const read = async () => {
      const { metrics } = await session.send('Performance.getMetrics');
      return Object.fromEntries(metrics.map(({ name, value }) => [name, value * 1000]));
    };
    const before = await read();
    return async () => {
      const now = await read();
      const spent = name => now[name] - before[name];
      return {
        task: spent('TaskDuration'),
        script: spent('ScriptDuration'),
        style: spent('RecalcStyleDuration'),
        layout: spent('LayoutDuration'),
      };
    };
  }

  shot = name => this.page.screenshot({ path: join(folder, `${name}.png`) });

  /** Looks for violations of WCAG 2.2 AA, once nothing moves. */
  async wantAccessible(state) {
    await this.page.evaluate(() =>
      Promise.all(document.getAnimations().map(a => a.effect?.getComputedTiming().endTime !== Infinity && a.finished)),
    );
    await this.page.evaluate(axe);
    const { violations, passes } = await this.page.evaluate(() => window.axe.run(document));
    assert.ok(passes.length > 10, `axe has looked at ${passes.length} rules only`);
    const told = violations.map(
      ({ id, help, nodes }) =>
        `${id}: ${help}\n${nodes
          .slice(0, 3)
          .map(node => `    ${node.target} ${node.failureSummary}`)
          .join('\n')}`,
    );
    assert.equal(told.join('\n'), '', `axe on ${state}`);
  }

  /** Nothing was said in the console, and nothing tried what the content policy forbids. */
  async wantQuiet() {
    const { violations } = await this.seen();
    assert.deepEqual([...this.problems, ...violations], [], 'errors in the console, or of the content policy');
  }
}

function drawingOf({ schemas, entities, links }) {
  const busy = schema => schema.open || schema.status === 'processing' || schema.status === 'failed';
  return {
    nodes: [
      ...schemas.map(schema => `${busy(schema) ? 'analyzing' : 'schema'}-${schema.id}`),
      ...entities.map(entity => `entity-${entity.id}`),
    ].sort(),
    edges: links
      .map(link => `edge-${link.schema_id}-${link.entity_id} ${link.fields} field${link.fields === 1 ? '' : 's'}`)
      .sort(),
  };
}
