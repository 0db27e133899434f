/** Events, state and synchronisation, without React. */
export * from './detail.js';
export type { AnalysisEvent, Completed, Failed, Ignored, Progressed, Started } from './events.js';
export { ANALYSIS, PROGRESS, parseEvent } from './events.js';
export * from './http.js';
export type { Connection, FetchSnapshot, LiveOptions, LiveState, SnapshotRequest } from './live.js';
export { Live } from './live.js';
export * from './model.js';
export type { Action } from './reduce.js';
export { reduce } from './reduce.js';
export * from './select.js';
export type { Snapshot } from './snapshot.js';
export { parseSnapshot } from './snapshot.js';
export type { Happening, State } from './state.js';
export { emptyState } from './state.js';
export * from './transport.js';
