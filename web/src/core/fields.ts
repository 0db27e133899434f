import type { Field } from './model.js';
import { list, object, text } from './read.js';

/** Reads a list of fields. What has no name is no field; samples are left behind. */
export function fieldsOf(value: unknown): readonly Field[] {
  const fields: Field[] = [];
  for (const item of list(value)) {
    const field = object(item);
    const name = text(field?.name);
    if (!field || name === null) continue;
    const format = text(field.format);
    fields.push({
      name,
      type: text(field.type) ?? 'string',
      ...(format ? { format } : {}),
      ...(field.required === true ? { required: true } : {}),
    });
  }
  return fields;
}
