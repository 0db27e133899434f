/** The picture: nodes, edges, layout, and all of it assembled. Import `flow.css` once. */
export { Builder, type FlowNode, keyOf, nodeIdOf, selectionOf, sourceNames, type View } from './build.js';
export { type FlowActions, FlowContext } from './context.js';
export { edgeTypes, type LinkData, type LinkEdge, StaggeredEdge } from './edges.js';
export { type Columns, extend, type Slot, size, tidy } from './layout.js';
export {
  AnalyzingSchemaNode,
  type EntityData,
  EntitySchemaNode,
  nodeTypes,
  type SchemaData,
  SourceSchemaNode,
} from './nodes.js';
export { SchemaFlow, type SchemaFlowProps } from './SchemaFlow.js';
