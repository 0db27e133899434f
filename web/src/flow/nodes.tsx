import { Handle, type Node, type NodeProps, Position } from '@xyflow/react';
import { memo, type ReactNode } from 'react';
import { type Band, type Entity, type Field, isBusy, type Schema, titleOf } from '../core/index.js';
import { useFlow, useNow } from './context.js';
import {
  ChevronIcon,
  CopyIcon,
  EntityIcon,
  FailedIcon,
  QueuedIcon,
  RetryIcon,
  ReviewIcon,
  SourceIcon,
  SpinnerIcon,
} from './icons.js';
import { size } from './layout.js';
import { clock, duration, percent, plural, stageOf, stateOf, timeOfDay } from './words.js';

/** How a node stands out. */
interface Look {
  readonly expanded: boolean;
  readonly dimmed: boolean;
  readonly lit: boolean;
}

export interface SchemaData extends Look, Record<string, unknown> {
  readonly schema: Schema;
  /** Mean confidence of its mappings, null when there are none or nobody knows. */
  readonly confidence: number | null;
  readonly band: Band;
  /** When an event of it came last, epoch milliseconds; 0 for never. */
  readonly heardAt: number;
  /** Names of the fields that are mapped; null when that is not known yet. */
  readonly mapped: ReadonlySet<string> | null;
}

export interface EntityData extends Look, Record<string, unknown> {
  readonly entity: Entity;
  readonly sources: number;
}

export type SchemaNode = Node<SchemaData, 'analyzingSchema' | 'sourceSchema'>;
export type EntityNode = Node<EntityData, 'entitySchema'>;

/** An analysis without news for so long says so. Milliseconds. */
const silence = 120_000;

/** A schema that is being analysed, waits for it, or could not be. */
export const AnalyzingSchemaNode = memo(function AnalyzingSchemaNode({ data, selected }: NodeProps<SchemaNode>) {
  const { schema } = data;
  const state = stateOf(schema);
  const { retry, copy } = useFlow();
  const failed = state === 'failed';
  return (
    <Card look={data} tone={failed ? 'failed' : state === 'queued' ? 'queued' : 'analyzing'} selected={selected}>
      <div className="sc-main">
        <Head
          icon={failed ? <FailedIcon /> : state === 'queued' ? <QueuedIcon /> : <SpinnerIcon />}
          title={titleOf(schema)}
          aside={failed ? attempts(schema) : <Elapsed schema={schema} />}
        />
        {failed ? (
          <div className="sc-line sc-error" title={schema.error ?? undefined}>
            <bdi>{schema.error ?? 'The analysis failed.'}</bdi>
          </div>
        ) : (
          <Busy schema={schema} heardAt={data.heardAt} />
        )}
        {failed && (
          <div className="sc-actions nodrag">
            {retry && (
              <button type="button" onClick={() => retry(schema.id)}>
                <RetryIcon /> Retry
              </button>
            )}
            {copy && (
              <button type="button" onClick={() => copy(schema.id)}>
                <CopyIcon /> Copy details
              </button>
            )}
          </div>
        )}
      </div>
      <Handle type="source" position={Position.Right} id="head" isConnectable={false} />
    </Card>
  );
});

function Busy({ schema, heardAt }: { schema: Schema; heardAt: number }) {
  const waits = schema.run?.state === 'requested' && schema.analysis !== 'processing';
  const now = useNow(!waits);
  const quiet = heardAt > 0 && now - heardAt > silence;
  const { progress } = schema;
  const doing = waits ? 'Waiting for a worker…' : 'Analyzing Schema…';
  const news = quiet ? `no news since ${timeOfDay(heardAt)}` : stageOf(progress);
  return (
    <>
      <div className="sc-line">
        <span className="sc-doing">{doing}</span>
        <span className="sc-dim">{plural(schema.fields.length, 'field')}</span>
      </div>
      <div className="sc-line sc-dim sc-small">
        {news && <span>{news}</span>}
        {schema.hash && <code>{schema.hash.slice(0, 8)}</code>}
      </div>
      {progress && progress.total > 1 && (
        <progress
          className="sc-progress"
          max={progress.total}
          value={progress.done}
          aria-label={stageOf(progress) ?? ''}
        />
      )}
    </>
  );
}

function Elapsed({ schema }: { schema: Schema }) {
  const { typicalMs } = useFlow();
  const since = schema.run?.startedAt ?? schema.run?.requestedAt ?? null;
  const now = useNow(since !== null);
  if (since === null) return null;
  return (
    <time className="sc-clock" title={typicalMs === null ? undefined : `typically ${duration(typicalMs)}`}>
      {clock(now - since)}
    </time>
  );
}

/** A bronze schema. */
export const SourceSchemaNode = memo(function SourceSchemaNode({ id, data, selected }: NodeProps<SchemaNode>) {
  const { schema, confidence, band } = data;
  const state = stateOf(schema);
  const { retry } = useFlow();
  return (
    <Card look={data} tone="source" selected={selected}>
      <div className="sc-main">
        <Head
          icon={<SourceIcon />}
          title={titleOf(schema)}
          aside={confidence !== null && <Confidence confidence={confidence} band={band} />}
          expand={{ kind: 'schema', id: schema.id, expanded: data.expanded, controls: id }}
        />
        <div className="sc-line">
          {state === 'review' && (
            <span className="sc-badge sc-badge--review">
              <ReviewIcon /> Review
            </span>
          )}
          {schema.status === 'rejected' && <span className="sc-badge">rejected</span>}
          {state === 'new' && <span className="sc-badge">not analysed</span>}
          {state === 'disabled' && <span className="sc-badge">analysis disabled</span>}
          <Facts schema={schema} />
          {state === 'new' && retry && (
            <button type="button" className="sc-link nodrag" onClick={() => retry(schema.id)}>
              Analyse
            </button>
          )}
        </div>
      </div>
      {data.expanded && <Fields fields={schema.fields} side="source" mapped={data.mapped} />}
      <Handle type="source" position={Position.Right} id="head" isConnectable={false} />
    </Card>
  );
});

/** A silver schema: a canonical entity. */
export const EntitySchemaNode = memo(function EntitySchemaNode({ id, data, selected }: NodeProps<EntityNode>) {
  const { entity, sources } = data;
  return (
    <Card look={data} tone="entity" selected={selected}>
      <div className="sc-main">
        <Head
          icon={<EntityIcon />}
          title={entity.name}
          expand={{ kind: 'entity', id: entity.id, expanded: data.expanded, controls: id }}
        />
        <div className="sc-line sc-dim">
          {plural(entity.fields.length, 'field')} · {plural(sources, 'source')}
        </div>
      </div>
      {data.expanded && <Fields fields={entity.fields} side="target" mapped={null} />}
      <Handle type="target" position={Position.Left} id="head" isConnectable={false} />
    </Card>
  );
});

type Tone = 'analyzing' | 'queued' | 'failed' | 'source' | 'entity';

function Card({ look, tone, selected, children }: { look: Look; tone: Tone; selected: boolean; children: ReactNode }) {
  const classes = [
    'sc-node',
    `sc-node--${tone}`,
    selected && 'sc-node--selected',
    look.dimmed && 'sc-node--dimmed',
    look.lit && 'sc-node--lit',
  ];
  return <div className={classes.filter(Boolean).join(' ')}>{children}</div>;
}

interface HeadProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly aside?: ReactNode;
  readonly expand?: { kind: 'schema' | 'entity'; id: number; expanded: boolean; controls: string };
}

function Head({ icon, title, aside, expand }: HeadProps) {
  const actions = useFlow();
  return (
    <div className="sc-head">
      <span className="sc-kind">{icon}</span>
      <strong className="sc-title" title={title} dir="auto">
        {title}
      </strong>
      {aside}
      {expand && (
        <button
          type="button"
          className="sc-expand nodrag"
          aria-expanded={expand.expanded}
          aria-label={`${expand.expanded ? 'Hide' : 'Show'} fields of ${title}`}
          tabIndex={-1}
          onClick={event => {
            event.stopPropagation();
            actions.expand({ kind: expand.kind, id: expand.id });
          }}
        >
          <ChevronIcon />
        </button>
      )}
    </div>
  );
}

function Confidence({ confidence, band }: { confidence: number; band: Band }) {
  return (
    <span
      className={`sc-confidence sc-confidence--${band}`}
      title={`mean confidence of its mappings: ${confidence.toFixed(2)}`}
    >
      {percent(confidence)}
    </span>
  );
}

function Facts({ schema }: { schema: Schema }) {
  return (
    <span className="sc-dim sc-facts">
      {plural(schema.fields.length, 'field')}
      {schema.hash && schema.name && <code>{schema.hash.slice(0, 8)}</code>}
    </span>
  );
}

function attempts(schema: Schema): ReactNode {
  const { run } = schema;
  return run && run.attempts > 0 ? (
    <span className="sc-dim sc-small">
      attempt {run.attempts}
      {run.maxAttempts > 0 && `/${run.maxAttempts}`}
    </span>
  ) : null;
}

function Fields({
  fields,
  side,
  mapped,
}: {
  fields: readonly Field[];
  side: 'source' | 'target';
  mapped: ReadonlySet<string> | null;
}) {
  const shown = fields.slice(0, size.rows);
  return (
    <ul className="sc-fields">
      {shown.map((field, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: names may repeat after edits by hand, and the list never reorders
        <li key={i} className={mapped && !mapped.has(field.name) ? 'sc-field sc-field--free' : 'sc-field'}>
          <bdi className="sc-field-name" title={field.name}>
            {field.name}
          </bdi>
          <span className="sc-dim">{field.format ?? field.type}</span>
          <Handle
            type={side}
            position={side === 'source' ? Position.Right : Position.Left}
            id={`f:${field.name}`}
            isConnectable={false}
          />
        </li>
      ))}
      {fields.length > shown.length && (
        <li className="sc-field sc-dim">and {(fields.length - shown.length).toLocaleString('en')} more</li>
      )}
    </ul>
  );
}

/** How much taller a node is when its fields show. Pixels. */
export const heightOf = (fields: number, expanded: boolean): number =>
  size.header + (expanded ? (Math.min(fields, size.rows) + (fields > size.rows ? 1 : 0)) * size.row + 8 : 0);

/** The node type of a schema: what is not settled is shown as the app's dashboard shows it. */
export const typeOf = (schema: Schema): 'analyzingSchema' | 'sourceSchema' =>
  isBusy(schema) || schema.analysis === 'failed' ? 'analyzingSchema' : 'sourceSchema';

export const nodeTypes = {
  analyzingSchema: AnalyzingSchemaNode,
  sourceSchema: SourceSchemaNode,
  entitySchema: EntitySchemaNode,
};
