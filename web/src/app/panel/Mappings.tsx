import { type Band, bandOf, type Detail, type Mapping } from '../../core/index.js';
import { percent, plural } from '../../flow/words.js';
import type { Config } from '../api.js';
import { Section } from './Section.js';

type Unmapped = Detail['unmapped'][number];

export function Missing({
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
export function Mappings({ detail, config }: { detail: Detail; config: Config }) {
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

export const Codes = ({ codes }: { codes: readonly string[] }) =>
  codes.length === 0 ? null : (
    <p className="codes">
      {codes.map(code => (
        <span key={code} className="sc-badge sc-badge--review">
          {code.replaceAll('_', ' ')}
        </span>
      ))}
    </p>
  );
