export const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" fill="none">
    <path d="M10 9.5c7 0 5 6.5 12 6.5M10 22.5c7 0 5-6.5 12-6.5" className="logo-lines" />
    <circle cx="8" cy="9.5" r="4" className="logo-source" />
    <circle cx="8" cy="22.5" r="4" className="logo-source" />
    <circle cx="24" cy="16" r="4.6" className="logo-entity" />
  </svg>
);
