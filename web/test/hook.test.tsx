import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useSchemaAnalysis } from '../src/react/index.js';
import { FakeTransport, graphOf } from './fake.js';
import { completed, started, tenant } from './wire.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function Counter({ transport, initial }: { transport: FakeTransport; initial?: unknown }) {
  const { counts, connection, retry } = useSchemaAnalysis({
    tenantId: tenant,
    transport,
    fetchSnapshot: async () => null, // nothing has changed
    initialSnapshot: initial,
  });
  return (
    <button type="button" onClick={() => void retry(1).catch(() => {})}>
      {connection}: {counts.schemas} schemas, {counts.running} running, {counts.completed} completed
    </button>
  );
}

const settle = () => act(() => vi.advanceTimersByTimeAsync(1000));

test('it follows the events, mounted twice as StrictMode does, with one subscription', async () => {
  const transport = new FakeTransport();
  const { unmount } = render(
    <StrictMode>
      <Counter transport={transport} />
      <Counter transport={transport} />
    </StrictMode>,
  );
  await settle();
  expect(transport.listeners).toBe(1);
  transport.signal('live');
  transport.send(started(1, 1), started(2, 1), completed(2, 2));
  await settle();
  expect(screen.getAllByText('live: 2 schemas, 1 running, 1 completed')).toHaveLength(2);
  unmount();
  await settle();
  expect(transport.listeners).toBe(0);
});

test('it starts from what the page came with, also on a server', () => {
  const initial = graphOf([{ id: 1 }, { id: 2, ai_analysis_status: 'processing' }]);
  const html = renderToString(<Counter transport={new FakeTransport()} initial={initial} />);
  expect(html.replaceAll('<!-- -->', '')).toContain('2 schemas, 1 running, 1 completed');
});
