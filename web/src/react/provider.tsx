import { createContext, type ReactNode, useContext } from 'react';
import type { EchoLike } from '../core/index.js';

const EchoContext = createContext<EchoLike | null>(null);

/** Gives the app's own Echo instance to the hooks below, so that there is one socket. */
export function SchemaAnalysisProvider({ echo, children }: { echo: EchoLike | null; children: ReactNode }) {
  return <EchoContext.Provider value={echo}>{children}</EchoContext.Provider>;
}

export const useEcho = (): EchoLike | null => useContext(EchoContext);
