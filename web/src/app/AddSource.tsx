import { useEffect, useRef, useState } from 'react';
import { plural } from '../flow/words.js';
import { addFile, addSample, type Sample } from './api.js';

interface Props {
  readonly samples: readonly Sample[];
  readonly onError: (text: string) => void;
}

/** Adds a source: a sample, or a file of one's own, which can also be dropped anywhere on the page. */
export function AddSource({ samples, onError }: Props) {
  const [open, setOpen] = useState(false);
  const [over, setOver] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const run = (work: Promise<unknown>) => {
    setOpen(false);
    work.catch((error: Error) => onError(error.message));
  };
  useEffect(() => {
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !menu.current?.contains(event.target as Node))
        setOpen(false);
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('pointerdown', close);
      removeEventListener('keydown', close);
    };
  }, []);
  useEffect(() => {
    const onDrag = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setOver(event.type === 'dragover');
      if (event.type !== 'drop') return;
      for (const file of event.dataTransfer.files) addFile(file).catch((error: Error) => onError(error.message));
    };
    const kinds = ['dragover', 'dragleave', 'drop'] as const;
    for (const kind of kinds) addEventListener(kind, onDrag);
    return () => {
      for (const kind of kinds) removeEventListener(kind, onDrag);
    };
  }, [onError]);
  return (
    <div className="add" ref={menu}>
      <button
        type="button"
        className="button button--primary"
        aria-expanded={open}
        aria-controls="add-menu"
        onClick={() => setOpen(!open)}
      >
        + Add a source
      </button>
      {open && (
        <div className="menu" id="add-menu">
          {samples.map(sample => (
            <button key={sample.file} type="button" onClick={() => run(addSample(sample.file))}>
              {sample.file} <span className="sc-dim">{plural(sample.fields, 'field')}</span>
            </button>
          ))}
          <label className="menu-file">
            A file of yours… <span className="sc-dim">CSV, JSON, NDJSON</span>
            <input
              type="file"
              accept=".csv,.tsv,.json,.ndjson,.jsonl"
              onChange={event => {
                const [file] = event.target.files ?? [];
                if (file) run(addFile(file));
              }}
            />
          </label>
        </div>
      )}
      {over && <div className="drop">Drop the file to have it analysed</div>}
    </div>
  );
}
