import { useCallback, useSyncExternalStore } from 'react';

/** What is shown is in the address, so that it can be sent to somebody, and survives a reload. */

const listeners = new Set<() => void>();
const listen = (listener: () => void) => {
  listeners.add(listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('popstate', listener);
  };
};

/** A parameter of the address, empty when absent. Setting it adds no entry to the history. */
export function useParam(name: string): [string, (value: string) => void] {
  const value = useSyncExternalStore(listen, () => new URLSearchParams(location.search).get(name) ?? '');
  const set = useCallback(
    (next: string) => {
      const url = new URL(location.href);
      if (next) url.searchParams.set(name, next);
      else url.searchParams.delete(name);
      history.replaceState(null, '', url);
      for (const listener of listeners) listener();
    },
    [name],
  );
  return [value, set];
}
