import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { type Config, searchTenants, type Tenant } from './api.js';
import { Logo } from './Logo.js';
import type { Theme } from './theme.js';

interface Props {
  readonly config: Config;
  readonly tenantId: string;
  readonly setTenant: (id: string) => void;
  readonly theme: Theme;
  readonly setTheme: (theme: Theme) => void;
  readonly onSignOut: () => void;
  readonly query: string;
  readonly onQuery: (query: string) => void;
  readonly onEnter: () => void;
  readonly found: number | null;
  readonly status: ReactNode;
  readonly add: ReactNode;
}

export function TopBar(props: Props) {
  return (
    <header className="bar">
      <Logo />
      <h1>Schemacast</h1>
      <TenantPicker {...props} />
      <Search {...props} />
      <div className="bar-end">
        {props.add}
        {props.status}
        <select
          aria-label="Colours"
          className="plain"
          value={props.theme}
          onChange={event => props.setTheme(event.target.value as Theme)}
        >
          <option value="system">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
        {props.config.canSignOut && (
          <button type="button" className="button" onClick={props.onSignOut}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

function TenantPicker({ config, tenantId, setTenant }: Props) {
  const [tenants, setTenants] = useState<readonly Tenant[]>(config.tenants);
  const listed = tenants.some(tenant => tenant.id === tenantId)
    ? tenants
    : [{ id: tenantId, name: tenantId }, ...tenants];
  const narrow = () => {
    const query = prompt('Part of the name or id of the tenant');
    if (query) void searchTenants(query).then(setTenants);
  };
  return (
    <>
      <select
        aria-label="Tenant"
        className="plain tenant"
        value={tenantId}
        onChange={event => setTenant(event.target.value)}
      >
        {listed.map(tenant => (
          <option key={tenant.id} value={tenant.id}>
            {tenant.name === tenant.id ? tenant.id : `${tenant.name} (${tenant.id})`}
          </option>
        ))}
      </select>
      {config.tenantsTruncated && (
        <button type="button" className="button" onClick={narrow}>
          Find tenant…
        </button>
      )}
    </>
  );
}

function Search({ query, onQuery, onEnter, found }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = (event.target as Element | null)?.closest?.('input, textarea, select');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <search className="search">
      <label htmlFor={id} className="hidden">
        Find sources, entities and fields
      </label>
      <input
        ref={input}
        id={id}
        type="search"
        placeholder="Find sources, entities, fields"
        value={query}
        onChange={event => onQuery(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter') onEnter();
          if (event.key === 'Escape') onQuery('');
        }}
      />
      <span className="key" aria-hidden="true">
        /
      </span>
      <output className="sc-dim sc-small" aria-live="polite">
        {found === null ? '' : `${found} found`}
      </output>
    </search>
  );
}
