import { type ReactNode, useState } from 'react';
import type { Field } from '../../core/index.js';

export function Title({ icon, tone, kind, title }: { icon: ReactNode; tone: string; kind: string; title: string }) {
  return (
    <header className={`panel-title panel-title--${tone}`}>
      <span className="panel-kind">
        {icon} {kind}
      </span>
      <h2 dir="auto">{title}</h2>
    </header>
  );
}

export function Section({
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

export function FieldTable({ fields }: { fields: readonly Field[] }) {
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
