import { type Detail, isBusy, type Schema, type Selection, type State, titleOf } from '../../core/index.js';
import { useNow } from '../../flow/context.js';
import { CopyIcon, EntityIcon, RetryIcon, SourceIcon } from '../../flow/icons.js';
import { clock, duration, percent, plural, stageOf, stateOf } from '../../flow/words.js';
import type { Config } from '../api.js';
import { EntityPanel } from './EntityPanel.js';
import { Codes, Mappings, Missing } from './Mappings.js';
import { Runs } from './Runs.js';
import { FieldTable, Section, Title } from './Section.js';

interface Props {
  readonly graph: State;
  readonly selection: Selection;
  readonly detail: Detail | undefined;
  readonly config: Config;
  readonly tenantId: string;
  readonly onSelect: (selection: Selection | null) => void;
  readonly onRetry: (schemaId: number) => void;
  readonly onCopy: (schemaId: number) => void;
}

/** All that is known of what is selected. */
export function Panel(props: Props) {
  const { graph, selection, onSelect } = props;
  const schema = selection.kind === 'schema' ? graph.schemas.get(selection.id) : undefined;
  return (
    <aside className="panel" aria-label="Details">
      <button type="button" className="panel-close" aria-label="Close details" onClick={() => onSelect(null)}>
        ×
      </button>
      {schema ? <SchemaPanel {...props} schema={schema} /> : <EntityPanel {...props} />}
    </aside>
  );
}

const states: Record<ReturnType<typeof stateOf>, string> = {
  analyzing: 'Being analysed',
  queued: 'Waiting for a worker',
  failed: 'Failed',
  review: 'Completed, needs review',
  completed: 'Completed',
  new: 'Not analysed',
  disabled: 'Analysis disabled',
};

function SchemaPanel({
  graph,
  schema,
  detail,
  config,
  tenantId,
  onSelect,
  onRetry,
  onCopy,
}: Props & { schema: Schema }) {
  const state = stateOf(schema);
  const href = config.appUrl
    .replaceAll('{schema_id}', String(schema.id))
    .replaceAll('{tenant_id}', () => encodeURIComponent(tenantId));
  return (
    <>
      <Title icon={<SourceIcon />} tone="source" kind="Source" title={titleOf(schema)} />
      <p className="panel-line">
        <span className={`state--${state}`}>{states[state]}</span>
        {schema.status !== 'pending' && ` · ${schema.status}`}
        <Elapsed graph={graph} schema={schema} />
      </p>
      {schema.error && <p className="panel-error">{schema.error}</p>}
      <div className="panel-actions">
        <button type="button" className="button" disabled={isBusy(schema)} onClick={() => onRetry(schema.id)}>
          <RetryIcon /> {state === 'new' ? 'Analyse' : state === 'failed' ? 'Retry' : 'Analyse again'}
        </button>
        <button type="button" className="button" onClick={() => onCopy(schema.id)}>
          <CopyIcon /> Copy details
        </button>
        {href && (
          <a className="button" href={href} target="_blank" rel="noreferrer">
            Open in app ↗
          </a>
        )}
      </div>
      {detail ? (
        <Loaded {...{ graph, schema, detail, config, onSelect }} />
      ) : (
        <p className="sc-dim">Reading the details…</p>
      )}
    </>
  );
}

function Elapsed({ graph, schema }: { graph: State; schema: Schema }) {
  const busy = isBusy(schema);
  const now = useNow(busy);
  const since = schema.run?.startedAt ?? schema.run?.requestedAt;
  if (!busy || !since) return null;
  return (
    <span className="sc-dim">
      {` · ${[stageOf(schema.progress), clock(now - since)].filter(Boolean).join(', ')}`}
      {graph.typicalMs !== null && `, typically ${duration(graph.typicalMs)}`}
    </span>
  );
}

type LoadedProps = Pick<Props, 'graph' | 'config' | 'onSelect'> & { schema: Schema; detail: Detail };

function Loaded({ graph, schema, detail, config, onSelect }: LoadedProps) {
  const { decision } = detail;
  return (
    <>
      {(decision || detail.entity) && (
        <Section title="Entity">
          {detail.entity && (
            <button
              type="button"
              className="entity-link entity-link--silver"
              onClick={() => detail.entity && onSelect({ kind: 'entity', id: detail.entity.id })}
            >
              <EntityIcon /> <bdi>{detail.entity.name}</bdi>
            </button>
          )}
          {decision && (
            <p className="panel-line sc-dim">
              {decision.action === 'create_new' ? 'made for this source' : 'found among the entities'}
              {decision.confidence !== null && `, ${percent(decision.confidence)} sure`}
              {decision.engine && ` · ${decision.engine}`}
              {decision.usage && decision.usage.calls > 0 && ` · ${plural(decision.usage.calls, 'question')}`}
            </p>
          )}
          {decision?.why && <p className="why">{decision.why}</p>}
          <Codes codes={decision?.review ?? []} />
        </Section>
      )}
      {detail.mappings.length > 0 && <Mappings detail={detail} config={config} />}
      {schema.analysis === 'completed' && (
        <>
          <Missing
            title="Not mapped"
            list={detail.unmapped.filter(({ source }) => source)}
            name={({ source }) => source}
          />
          <Missing
            title="Required, not filled"
            list={detail.unmapped.filter(({ source }) => !source)}
            name={({ target }) => target}
          />
        </>
      )}
      <Runs runs={detail.runs} />
      <Section title="Fields" count={detail.fields.length} closed={detail.mappings.length > 0}>
        <FieldTable fields={detail.fields} />
      </Section>
      {detail.samples && detail.samples.length > 0 && (
        <Section title="Samples" count={detail.samples.length} closed>
          {detail.samples.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name, and never change
            <pre key={i}>{JSON.stringify(row, null, 1)}</pre>
          ))}
        </Section>
      )}
      {graph.links.get(schema.id) === undefined && schema.analysis === 'completed' && (
        <p className="sc-dim">Nothing of it is mapped.</p>
      )}
    </>
  );
}
