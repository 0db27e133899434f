import { linksOf, type Selection, type State, titleOf } from '../../core/index.js';
import { EntityIcon, SourceIcon } from '../../flow/icons.js';
import { percent, plural } from '../../flow/words.js';
import { FieldTable, Section, Title } from './Section.js';

interface Props {
  readonly graph: State;
  readonly selection: Selection;
  readonly onSelect: (selection: Selection | null) => void;
}

export function EntityPanel({ graph, selection, onSelect }: Props) {
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
