import { useEffect, useRef, useState } from 'react';
import type { Detail, Schema } from '../core/index.js';
import { fetchDetail } from './api.js';

/** Brings the details of some schemas, and again when one of them changes. Old ones stay until the new are there. */
export function useDetails(ids: readonly number[], schemas: ReadonlyMap<number, Schema>): ReadonlyMap<number, Detail> {
  const [details, setDetails] = useState<ReadonlyMap<number, Detail>>(new Map());
  const asked = useRef(new Map<number, Schema>());
  useEffect(() => {
    const abort = new AbortController();
    // What happens in a moment happens often: a run goes through several states.
    const timer = setTimeout(() => {
      for (const id of ids) {
        const schema = schemas.get(id);
        if (!schema || asked.current.get(id) === schema) continue;
        fetchDetail(id, abort.signal).then(
          detail => {
            asked.current.set(id, schema);
            setDetails(old => new Map(old).set(id, detail));
          },
          () => {}, // the connection tells of it, and the next change asks again
        );
      }
    }, 100);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [ids, schemas]);
  return details;
}
