import { useCallback, useEffect, useMemo, useState } from 'react';
import {
  type Detail,
  type EchoLike,
  type Facet,
  facets,
  HttpError,
  isFacet,
  type Schema,
  type Selection,
  type State,
  search,
  titleOf,
} from '../core/index.js';
import { SchemaFlow } from '../flow/index.js';
import { useSchemaAnalysis } from '../react/index.js';
import { AddSource } from './AddSource.js';
import { type Config, requestAnalysis } from './api.js';
import { ConnectionPill } from './ConnectionPill.js';
import { useDetails } from './details.js';
import { Empty } from './Empty.js';
import { Filters } from './Filters.js';
import { Legend } from './Legend.js';
import { ListView } from './ListView.js';
import { Panel } from './panel/Panel.js';
import { Toasts, useToasts } from './Toasts.js';
import { TopBar } from './TopBar.js';
import type { Theme } from './theme.js';
import { useParam } from './url.js';

interface Props {
  readonly config: Config;
  readonly echo: EchoLike | null;
  readonly theme: Theme;
  readonly setTheme: (theme: Theme) => void;
  readonly onSignedOut: () => void;
  readonly onSignOut: () => void;
}

/** The page: the pieces of the package, assembled. */
export function Dashboard({ config, echo, theme, setTheme, onSignedOut, onSignOut }: Props) {
  const [tenantParam, setTenant] = useParam('tenant');
  const tenantId = tenantParam || config.tenants[0]?.id || '';
  if (!tenantId) return <NoTenant onSignOut={onSignOut} />;
  const tenant = { tenantId, setTenant };
  return <TenantView key={tenantId} {...{ config, echo, theme, setTheme, onSignedOut, onSignOut }} {...tenant} />;
}

function TenantView(props: Props & { tenantId: string; setTenant: (id: string) => void }) {
  const { config, echo, theme, tenantId, onSignedOut } = props;
  const analysis = useSchemaAnalysis({
    tenantId,
    echo,
    channel: config.channel.kind,
    channelTemplate: config.channel.template,
    event: config.channel.event,
    onRetry: requestAnalysis,
  });
  const { graph } = analysis;
  const [selection, select] = useSelection(graph);
  const [query, setQuery] = useParam('q');
  const [shownParam, setShown] = useParam('show');
  const [view, setView] = useParam('view');
  const [threshold, setThreshold] = useState(0);
  const [expanded, setExpanded] = useState<readonly number[]>([]);
  const toasts = useToasts(analysis);

  const shown = useMemo(
    () => new Set(shownParam.split(',').filter(word => facets.includes(word as Facet)) as Facet[]),
    [shownParam],
  );
  const visible = useCallback(
    (schema: Schema) => shown.size === 0 || [...shown].some(facet => isFacet(graph, schema, facet)),
    [shown, graph],
  );
  const found = useMemo(() => search(graph, query), [graph, query]);
  const selectedId = selection?.kind === 'schema' ? selection.id : null;
  const details = useDetails(
    useMemo(() => [...new Set(selectedId === null ? expanded : [...expanded, selectedId])], [expanded, selectedId]),
    graph.schemas,
  );
  const expand = useCallback((id: number) => setExpanded(old => (old.includes(id) ? old : [...old, id])), []);
  const retry = useCallback(
    (id: number) => void analysis.retry(id).catch((error: Error) => toasts.say(error.message)),
    [analysis.retry, toasts.say],
  );
  const copy = useCallback(
    (id: number) => {
      const text = report(graph, id, details.get(id));
      void navigator.clipboard.writeText(text).then(
        () => toasts.say('The details are in the clipboard.', 'calm'),
        () => toasts.say('The browser does not let this page write to the clipboard.'),
      );
    },
    [graph, details, toasts.say],
  );
  const unauthorized = analysis.error instanceof HttpError && analysis.error.status === 401;
  useEffect(() => {
    if (unauthorized) onSignedOut();
  }, [unauthorized, onSignedOut]);
  const showFirst = useCallback(() => {
    const [schemaId] = found?.schemas ?? [];
    const [entityId] = found?.entities ?? [];
    if (schemaId !== undefined) select({ kind: 'schema', id: schemaId });
    else if (entityId !== undefined) select({ kind: 'entity', id: entityId });
  }, [found, select]);

  const layout = view === 'graph' || view === 'list' ? view : 'split';
  const empty = analysis.loaded && graph.schemas.size === 0 && graph.entities.size === 0;
  const unknown = analysis.error instanceof HttpError && analysis.error.status === 404;
  return (
    <>
      {!(unknown || empty) && (
        <a className="skip" href="#list">
          Skip to the list
        </a>
      )}
      <TopBar
        {...props}
        query={query}
        onQuery={setQuery}
        onEnter={showFirst}
        found={found && found.schemas.size + found.entities.size}
        status={<ConnectionPill analysis={analysis} />}
        add={config.samples && <AddSource samples={config.samples} onError={toasts.say} />}
      />
      <Filters
        counts={analysis.counts}
        totals={graph.totals}
        shown={shown}
        onShown={facet => setShown([...toggled(shown, facet)].join(','))}
        threshold={threshold}
        onThreshold={setThreshold}
        view={layout}
        onView={next => setView(next === 'split' ? '' : next)}
      />
      {unknown || empty ? (
        <Empty tenantId={tenantId} config={config} unknown={unknown} onError={toasts.say} />
      ) : (
        <div className={`work work--${layout} ${selection ? 'work--selected' : ''}`}>
          <ListView
            graph={graph}
            visible={visible}
            found={found}
            bands={config.bands}
            selection={selection}
            onSelect={select}
            wide={layout === 'list'}
          />
          {layout !== 'list' && (
            <main className="stage" aria-label="Graph of sources and entities">
              <SchemaFlow
                graph={graph}
                loaded={analysis.loaded}
                selection={selection}
                onSelect={select}
                found={found}
                visible={visible}
                threshold={threshold}
                bands={config.bands}
                colorMode={theme}
                details={details}
                onExpand={expand}
                onRetry={retry}
                onCopy={copy}
              >
                <Legend bands={config.bands} />
              </SchemaFlow>
            </main>
          )}
          {selection && (
            <Panel
              key={`${selection.kind}-${selection.id}`}
              graph={graph}
              selection={selection}
              detail={selectedId === null ? undefined : details.get(selectedId)}
              config={config}
              tenantId={tenantId}
              onSelect={select}
              onRetry={retry}
              onCopy={copy}
            />
          )}
        </div>
      )}
      <Toasts toasts={toasts} />
    </>
  );
}

function NoTenant({ onSignOut }: { onSignOut: () => void }) {
  return (
    <main className="notice">
      <h1>No tenant to show</h1>
      <p>Either the database has none yet, or your token names none that exists.</p>
      <button type="button" className="button" onClick={onSignOut}>
        Sign out
      </button>
    </main>
  );
}

/** The selection, in the address. It ends when what is selected has gone. */
function useSelection(graph: State): [Selection | null, (selection: Selection | null) => void] {
  const [param, set] = useParam('select');
  const [, kind, id] = /^(schema|entity)-(\d+)$/.exec(param) ?? [];
  const there = kind === 'entity' ? graph.entities.has(Number(id)) : graph.schemas.has(Number(id));
  const selection = useMemo<Selection | null>(
    () => (kind && there ? { kind: kind as Selection['kind'], id: Number(id) } : null),
    [kind, id, there],
  );
  return [selection, useCallback(next => set(next ? `${next.kind}-${next.id}` : ''), [set])];
}

/** What somebody who looks after the service asks for. */
function report(graph: State, id: number, detail: Detail | undefined): string {
  const schema = graph.schemas.get(id);
  if (!schema) return '';
  const event = graph.happenings.find(happening => happening.schemaId === id);
  const lines = {
    tenant: graph.tenantId,
    schema: `${id} ${titleOf(schema)}`,
    hash: schema.hash,
    state: schema.analysis,
    error: schema.error,
    code: schema.code,
    run: schema.run?.id ?? detail?.runs[0]?.id,
    attempts: schema.run?.attempts,
    event: event?.eventId,
    time: new Date().toISOString(),
  };
  return Object.entries(lines)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}

function toggled<T>(set: ReadonlySet<T>, value: T): Set<T> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}
