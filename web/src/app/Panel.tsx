import { type ReactNode, useState } from 'react';
import {
  type Band,
  bandOf,
  type Detail,
  isBusy,
  linksOf,
  type Mapping,
  type RunDetail,
  type Schema,
  type Selection,
  type State,
  titleOf,
} from '../core/index.js';
import { useNow } from '../flow/context.js';
import { CopyIcon, EntityIcon, RetryIcon, SourceIcon } from '../flow/icons.js';
import { clock, duration, percent, plural, stageOf, stateOf } from '../flow/words.js';
import type { Config } from './api.js';

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
              className="entity-link"
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

type Unmapped = Detail['unmapped'][number];

function Missing({
  title,
  list,
  name,
}: {
  title: string;
  list: readonly Unmapped[];
  name: (item: Unmapped) => string;
}) {
  const reasons = new Set(list.map(({ why }) => why));
  const [common] = reasons.size === 1 ? reasons : [];
  return list.length === 0 ? null : (
    <Section title={title} count={list.length}>
      {common && <p className="sc-dim">{common}</p>}
      <ul className="plain-list">
        {list.map(item => (
          <li key={name(item)}>
            <bdi>{name(item)}</bdi> {!common && <span className="sc-dim">{item.why}</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}

const bandTitles: Record<Band, string> = { low: 'Unsure', medium: 'Likely', high: 'Sure', unknown: 'By hand' };
const bandOrder: readonly Band[] = ['low', 'medium', 'unknown', 'high'];

/** For review: the unsure ones first, and those that are sure folded away. */
function Mappings({ detail, config }: { detail: Detail; config: Config }) {
  return (
    <>
      {bandOrder.map(band => {
        const mappings = detail.mappings.filter(mapping => bandOf(mapping.confidence, config.bands) === band);
        const flagged = mappings.some(mapping => mapping.review.length > 0);
        return mappings.length === 0 ? null : (
          <Section
            key={band}
            title={`${bandTitles[band]} mappings`}
            count={mappings.length}
            closed={band === 'high' && !flagged && detail.mappings.length > 12}
          >
            <ul className="mappings">
              {mappings.map(mapping => (
                <MappingItem key={`${mapping.source} ${mapping.target}`} mapping={mapping} band={band} />
              ))}
            </ul>
          </Section>
        );
      })}
    </>
  );
}

function MappingItem({ mapping, band }: { mapping: Mapping; band: Band }) {
  return (
    <li className={`mapping mapping--${band}`}>
      <div className="mapping-head">
        <bdi>{mapping.source || '(constant)'}</bdi>
        <span className="sc-dim" aria-hidden="true">
          →
        </span>
        <span className="hidden">becomes</span>
        <bdi>{mapping.target}</bdi>
        <span className={`sc-confidence sc-confidence--${band}`}>
          {mapping.confidence === null ? 'by hand' : percent(mapping.confidence)}
        </span>
      </div>
      {mapping.formula && <code className="formula">{mapping.formula}</code>}
      {(mapping.why || mapping.verifiedRows !== null) && (
        <p className="sc-dim why">
          {mapping.why}
          {mapping.verifiedRows !== null &&
            mapping.verifiedRows > 0 &&
            ` (ran on ${plural(mapping.verifiedRows, 'row')})`}
        </p>
      )}
      <Codes codes={mapping.review} />
    </li>
  );
}

const Codes = ({ codes }: { codes: readonly string[] }) =>
  codes.length === 0 ? null : (
    <p className="codes">
      {codes.map(code => (
        <span key={code} className="sc-badge sc-badge--review">
          {code.replaceAll('_', ' ')}
        </span>
      ))}
    </p>
  );

function Runs({ runs }: { runs: readonly RunDetail[] }) {
  if (runs.length === 0) return null;
  return (
    <Section title="Runs" count={runs.length} closed={runs.length === 1 && runs[0]?.state === 'completed'}>
      <ol className="runs">
        {runs.map(run => (
          <li key={run.id}>
            <div>
              <b className={`run--${run.state}`}>{run.state}</b>{' '}
              <span className="sc-dim">
                {[
                  run.requestedAt && new Date(run.requestedAt).toLocaleString(),
                  run.requestedBy && `by ${run.requestedBy}`,
                  run.startedAt && run.endedAt && duration(run.endedAt - run.startedAt),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </div>
            {run.retryAt && <div className="sc-dim">next attempt at {new Date(run.retryAt).toLocaleTimeString()}</div>}
            {run.error && <div className="sc-error">{run.error}</div>}
            {run.history.length > 1 && (
              <ol className="attempts">
                {run.history.map(attempt => (
                  <li key={attempt.attempt}>
                    <span className="sc-dim">attempt {attempt.attempt}</span> {attempt.error ?? 'went through'}
                  </li>
                ))}
              </ol>
            )}
            <code className="sc-dim">{run.id}</code>
          </li>
        ))}
      </ol>
    </Section>
  );
}

function EntityPanel({ graph, selection, onSelect }: Props) {
  const entity = graph.entities.get(selection.id);
  if (!entity) return null;
  const sources = [...linksOf(graph)].filter(link => link.entityId === entity.id);
  return (
    <>
      <Title icon={<EntityIcon />} tone="entity" kind="Entity" title={entity.name} />
      <Section title="Sources" count={sources.length}>
        <ul className="plain-list">
          {sources.slice(0, 100).map(link => {
            const schema = graph.schemas.get(link.schemaId);
            return schema ? (
              <li key={link.schemaId}>
                <button
                  type="button"
                  className="entity-link"
                  onClick={() => onSelect({ kind: 'schema', id: link.schemaId })}
                >
                  <SourceIcon /> <bdi>{titleOf(schema)}</bdi>
                </button>{' '}
                <span className="sc-dim">
                  {plural(link.fields, 'field')}
                  {link.confidence !== null && `, ${percent(link.confidence)}`}
                </span>
              </li>
            ) : null;
          })}
          {sources.length > 100 && <li className="sc-dim">and {sources.length - 100} more</li>}
        </ul>
      </Section>
      <Section title="Fields" count={entity.fields.length}>
        <FieldTable fields={entity.fields} />
      </Section>
    </>
  );
}

function Title({ icon, tone, kind, title }: { icon: ReactNode; tone: string; kind: string; title: string }) {
  return (
    <header className={`panel-title panel-title--${tone}`}>
      <span className="panel-kind">
        {icon} {kind}
      </span>
      <h2 dir="auto">{title}</h2>
    </header>
  );
}

function Section({
  title,
  count,
  closed = false,
  children,
}: {
  title: string;
  count?: number;
  closed?: boolean;
  children: ReactNode;
}) {
  const [open, setOpen] = useState(!closed);
  return (
    <details className="section" open={open} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>
        <h3>
          {title} {count !== undefined && <span className="sc-dim">{count.toLocaleString('en')}</span>}
        </h3>
      </summary>
      {open && children}
    </details>
  );
}

function FieldTable({
  fields,
}: {
  fields: readonly { name: string; type: string; format?: string; required?: boolean }[];
}) {
  const [limit, setLimit] = useState(100);
  return (
    <>
      <table className="fields">
        <tbody>
          {fields.slice(0, limit).map((field, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: names may repeat
            <tr key={i}>
              <th scope="row">
                <bdi>{field.name}</bdi>
              </th>
              <td className="sc-dim">
                {field.type}
                {field.format && `, ${field.format}`}
                {field.required && ', required'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {fields.length > limit && (
        <button type="button" className="sc-link" onClick={() => setLimit(limit + 500)}>
          Show more of {fields.length.toLocaleString('en')}
        </button>
      )}
    </>
  );
}
