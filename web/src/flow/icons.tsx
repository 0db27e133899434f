import type { ReactNode } from 'react';

/** Drawn here, 16 units wide, in the colour of the text: no font, no request. */
const icon = (children: ReactNode) => (
  <svg
    className="sc-icon"
    viewBox="0 0 16 16"
    aria-hidden="true"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.5"
    strokeLinecap="round"
    strokeLinejoin="round"
  >
    {children}
  </svg>
);

export const SourceIcon = () =>
  icon(
    <>
      <ellipse cx="8" cy="3.8" rx="5.2" ry="2" />
      <path d="M2.8 3.8v8.4c0 1.1 2.3 2 5.2 2s5.2-.9 5.2-2V3.8M2.8 8c0 1.1 2.3 2 5.2 2s5.2-.9 5.2-2" />
    </>,
  );
export const EntityIcon = () =>
  icon(
    <>
      <path d="M8 1.8 13.6 5v6L8 14.2 2.4 11V5z" />
      <path d="M2.4 5 8 8.2 13.6 5M8 8.2v6" />
    </>,
  );
export const SpinnerIcon = () => (
  <svg
    className="sc-icon sc-spin"
    viewBox="0 0 16 16"
    aria-hidden="true"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.8"
    strokeLinecap="round"
  >
    <path d="M14 8a6 6 0 1 1-6-6" />
  </svg>
);
export const FailedIcon = () =>
  icon(
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M8 4.8v3.8M8 11.2v.1" />
    </>,
  );
export const QueuedIcon = () =>
  icon(
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M8 4.6V8l2.3 1.6" />
    </>,
  );
export const ReviewIcon = () =>
  icon(
    <>
      <path d="M1.6 8S4 3.6 8 3.6 14.4 8 14.4 8 12 12.4 8 12.4 1.6 8 1.6 8z" />
      <circle cx="8" cy="8" r="1.9" />
    </>,
  );
export const DoneIcon = () => icon(<path d="m3 8.6 3.2 3.2L13 4.6" />);
export const ChevronIcon = () => icon(<path d="m5 6.2 3 3.4 3-3.4" />);
export const RetryIcon = () => icon(<path d="M13.2 8a5.2 5.2 0 1 1-1.6-3.7M13.4 2v2.8h-2.8" />);
export const CopyIcon = () =>
  icon(
    <>
      <rect x="5.4" y="5.4" width="8.2" height="8.2" rx="1.6" />
      <path d="M10.4 2.4H4a1.6 1.6 0 0 0-1.6 1.6v6.4" />
    </>,
  );
