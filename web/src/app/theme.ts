import { useCallback, useState } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const key = 'schemacast.theme';

/** The viewer's choice; it stays on this machine. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => {
    const kept = localStorage.getItem(key);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  });
  const set = useCallback((next: Theme) => {
    localStorage.setItem(key, next);
    setTheme(next);
  }, []);
  return [theme, set];
}
