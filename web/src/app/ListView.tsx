import { memo, type ReactNode, useMemo, useState } from 'react';
import {
  type Band,
  type Bands,
  bandOf,
  type Found,
  type Schema,
  type Selection,
  type State,
  titleOf,
} from '../core/index.js';
import { DoneIcon, FailedIcon, QueuedIcon, ReviewIcon, SpinnerIcon } from '../flow/icons.js';
import { percent, stateOf, timeOfDay } from '../flow/words.js';

interface Row {
  readonly schema: Schema;
  readonly entity: string;
  readonly confidence: number | null;
}

type Column = 'name' | 'state' | 'entity' | 'fields' | 'confidence' | 'time';

const columns: readonly { readonly column: Column; readonly label: string; readonly wide?: true }[] = [
  { column: 'name', label: 'Source' },
  { column: 'state', label: 'State' },
  { column: 'entity', label: 'Entity', wide: true },
  { column: 'fields', label: 'Fields', wide: true },
  { column: 'confidence', label: 'Conf.' },
  { column: 'time', label: 'Analysed', wide: true },
];

const words: Record<ReturnType<typeof stateOf>, readonly [string, ReactNode]> = {
  analyzing: ['analyzing', <SpinnerIcon key="i" />],
  queued: ['queued', <QueuedIcon key="i" />],
  failed: ['failed', <FailedIcon key="i" />],
  review: ['review', <ReviewIcon key="i" />],
  completed: ['done', <DoneIcon key="i" />],
  new: ['new', null],
  disabled: ['disabled', null],
};
/** What needs somebody comes first. */
const urgency = ['failed', 'review', 'analyzing', 'queued', 'new', 'completed', 'disabled'];

const step = 200;

interface Props {
  readonly graph: State;
  readonly visible: (schema: Schema) => boolean;
  readonly found: Found | null;
  readonly bands: Bands;
  readonly selection: Selection | null;
  readonly onSelect: (selection: Selection | null) => void;
  readonly wide: boolean;
}

/** The same data as a table: beside the graph, and instead of it for screen readers and small screens. */
export function ListView({ graph, visible, found, bands, selection, onSelect, wide }: Props) {
  const [sort, setSort] = useState<{ column: Column; down: boolean }>({ column: 'time', down: true });
  const [limit, setLimit] = useState(step);
  const rows = useMemo(() => rowsOf(graph, visible, found, sort), [graph, visible, found, sort]);
  const selectedId = selection?.kind === 'schema' ? selection.id : null;
  // Alone it is what the page is about.
  const Frame = wide ? 'main' : 'section';
  return (
    <Frame className="list" id="list" aria-label="List of sources" tabIndex={-1}>
      <table>
        <thead>
          <tr>
            {columns
              .filter(column => wide || !column.wide)
              .map(({ column, label }) => (
                <th
                  key={column}
                  aria-sort={sort.column !== column ? 'none' : sort.down ? 'descending' : 'ascending'}
                  className={`cell--${column}`}
                >
                  <button
                    type="button"
                    onClick={() => setSort({ column, down: sort.column === column ? !sort.down : column === 'time' })}
                  >
                    {label}
                    <span aria-hidden="true">{sort.column === column ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
                  </button>
                </th>
              ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, limit).map(row => (
            <ListRow
              key={row.schema.id}
              {...row}
              band={bandOf(row.confidence, bands)}
              selected={row.schema.id === selectedId}
              wide={wide}
              onSelect={onSelect}
            />
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="list-note sc-dim">Nothing matches the filters.</p>}
      {rows.length > limit && (
        <p className="list-note">
          <span className="sc-dim">
            Showing {limit.toLocaleString('en')} of {rows.length.toLocaleString('en')}.{' '}
          </span>
          <button type="button" className="sc-link" onClick={() => setLimit(limit + step)}>
            Show more
          </button>
        </p>
      )}
    </Frame>
  );
}

interface RowProps extends Row {
  readonly band: Band;
  readonly selected: boolean;
  readonly wide: boolean;
  readonly onSelect: (selection: Selection) => void;
}

const ListRow = memo(
  function ListRow({ schema, entity, confidence, band, selected, wide, onSelect }: RowProps) {
    const state = stateOf(schema);
    const [word, icon] = words[state];
    const name = titleOf(schema);
    return (
      <tr
        className={selected ? 'row row--selected' : 'row'}
        aria-selected={selected}
        onClick={() => onSelect({ kind: 'schema', id: schema.id })}
      >
        <th scope="row" className="cell--name">
          <button type="button" title={name} dir="auto">
            {name}
          </button>
          {!wide && entity && (
            <span className="sc-dim cell-entity" dir="auto">
              → {entity}
            </span>
          )}
          {schema.error && <span className="sc-error cell-entity">{schema.error}</span>}
        </th>
        <td className={`cell--state state--${state}`}>
          {icon} {word}
        </td>
        {wide && (
          <td dir="auto" className="cell--entity">
            {entity}
          </td>
        )}
        {wide && <td className="cell--fields">{schema.fields.length.toLocaleString('en')}</td>}
        <td className={`cell--confidence sc-confidence--${band}`}>{confidence === null ? '' : percent(confidence)}</td>
        {wide && <td className="cell--time">{schema.analyzedAt === null ? '' : when(schema.analyzedAt)}</td>}
      </tr>
    );
  },
  (a, b) =>
    a.schema === b.schema &&
    a.entity === b.entity &&
    a.confidence === b.confidence &&
    a.selected === b.selected &&
    a.wide === b.wide &&
    a.band === b.band,
);

function rowsOf(
  graph: State,
  visible: (schema: Schema) => boolean,
  found: Found | null,
  { column, down }: { column: Column; down: boolean },
): Row[] {
  const rows: Row[] = [];
  for (const schema of graph.schemas.values()) {
    const links = graph.links.get(schema.id) ?? [];
    const hit = !found || found.schemas.has(schema.id) || links.some(link => found.entities.has(link.entityId));
    if (!hit || !visible(schema)) continue;
    const known = links.filter(link => link.confidence !== null);
    rows.push({
      schema,
      entity: links.map(link => graph.entities.get(link.entityId)?.name ?? '').join(', '),
      confidence:
        known.length === 0 ? null : known.reduce((sum, link) => sum + (link.confidence ?? 0), 0) / known.length,
    });
  }
  const sign = down ? -1 : 1;
  return rows.sort((a, b) => sign * compare(a, b, column) || b.schema.id - a.schema.id);
}

function compare(a: Row, b: Row, column: Column): number {
  switch (column) {
    case 'name':
      return titleOf(a.schema).localeCompare(titleOf(b.schema));
    case 'state':
      return urgency.indexOf(stateOf(a.schema)) - urgency.indexOf(stateOf(b.schema));
    case 'entity':
      return a.entity.localeCompare(b.entity);
    case 'fields':
      return a.schema.fields.length - b.schema.fields.length;
    case 'confidence':
      return (a.confidence ?? -1) - (b.confidence ?? -1);
    case 'time':
      // What is under way is newer than whatever has ended.
      return (a.schema.analyzedAt ?? Number.MAX_SAFE_INTEGER) - (b.schema.analyzedAt ?? Number.MAX_SAFE_INTEGER);
  }
}

const when = (ms: number): string => (Date.now() - ms < 86_400_000 ? timeOfDay(ms) : new Date(ms).toLocaleDateString());
