/** The hook, for apps that have a Laravel Echo instance already. */
export { SchemaAnalysisProvider, useEcho } from './provider.js';
export { type SchemaAnalysis, type SchemaAnalysisOptions, useSchemaAnalysis } from './useSchemaAnalysis.js';
