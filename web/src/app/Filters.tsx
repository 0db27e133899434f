import { type Counts, type Facet, facets } from '../core/index.js';
import { plural } from '../flow/words.js';

const labels: Record<Facet, string> = {
  running: 'Running',
  failed: 'Failed',
  review: 'Needs review',
  completed: 'Completed',
  unmapped: 'Unmapped',
};

export type Layout = 'split' | 'graph' | 'list';
const layouts: readonly (readonly [Layout, string])[] = [
  ['split', 'Both'],
  ['graph', 'Graph'],
  ['list', 'List'],
];

interface Props {
  readonly counts: Counts;
  readonly totals: { readonly schemas: number; readonly entities: number };
  readonly shown: ReadonlySet<Facet>;
  readonly onShown: (facet: Facet) => void;
  readonly threshold: number;
  readonly onThreshold: (threshold: number) => void;
  readonly view: Layout;
  readonly onView: (view: Layout) => void;
}

export function Filters({ counts, totals, shown, onShown, threshold, onThreshold, view, onView }: Props) {
  return (
    <section className="filters" aria-label="Filters">
      <span className="filters-sum">
        {totals.schemas > counts.schemas
          ? `Showing ${counts.schemas.toLocaleString('en')} of ${plural(totals.schemas, 'source')}`
          : plural(counts.schemas, 'source')}
        {' · '}
        {plural(counts.entities, 'entity', 'entities')}
      </span>
      <fieldset className="chips">
        <legend className="hidden">Show only</legend>
        {facets.map(facet => (
          <button
            key={facet}
            type="button"
            className={`chip chip--${facet}`}
            aria-pressed={shown.has(facet)}
            disabled={counts[facet] === 0 && !shown.has(facet)}
            onClick={() => onShown(facet)}
          >
            {labels[facet]} <b>{counts[facet].toLocaleString('en')}</b>
          </button>
        ))}
      </fieldset>
      <label className="threshold">
        Links from
        <input
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={threshold}
          aria-valuetext={`${Math.round(threshold * 100)} percent`}
          onChange={event => onThreshold(Number(event.target.value))}
        />
        <output>{Math.round(threshold * 100)}%</output>
      </label>
      <fieldset className="switch">
        <legend className="hidden">View</legend>
        {layouts.map(([value, label]) => (
          <button key={value} type="button" aria-pressed={view === value} onClick={() => onView(value)}>
            {label}
          </button>
        ))}
      </fieldset>
    </section>
  );
}
